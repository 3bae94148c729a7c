//! One request as an example: enough to find it in its log, and to see why.

use serde::Serialize;

use crate::logs::Entry;
use crate::when;

/// Longest path and authority that an example shows, characters.
const SHOWN: usize = 200;

/// A recorded request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// `log:line`.
    pub at: String,
    /// When it arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Method; empty: not known.
    pub method: String,
    /// Authority; `None`: not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Path and query; `None`: not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The peer or client as logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Status that was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded_status: Option<u16>,
}

impl Example {
    pub(super) fn of(entry: &Entry) -> Self {
        let request = &entry.request;
        let is_told = request.tells(gatehouse_policy::Field::Path);
        Self {
            at: entry.to_string(),
            time: request.time.map(when::shown),
            method: shown(&request.method),
            authority: request.authority.as_deref().map(shown),
            path: is_told.then(|| shown(&request.path)),
            address: request.peer.map(|peer| peer.to_string()),
            recorded_status: request.response.as_ref().map(|response| response.status),
        }
    }
}

/// Bytes as text, with an end.
pub(super) fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    match text.char_indices().nth(SHOWN) {
        None => text.into_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}
