//! Where the bytes of a list, or of its signature, are: a file or a server; never one that the configuration does not allow.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gatehouse_policy::Origin;
use http::header::{CONTENT_ENCODING, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use crate::config;
use crate::config::lists::Source;
use crate::sink::peer::{Address, Answer, Peer};

/// Longest mark of a version that is kept, bytes.
const MAX_MARK: usize = 1024;

/// What a server calls the version that it gave: it is asked for news of that only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    etag: Option<String>,
    modified: Option<String>,
}

/// A file or a server.
pub(super) enum Place {
    File(PathBuf),
    Url { peer: Box<Peer>, target: String },
}

/// What is there.
pub(super) enum Given {
    /// What was got before.
    Same,
    Bytes {
        bytes: Bytes,
        /// How old it is.
        age: Duration,
        mark: Mark,
    },
}

impl Place {
    /// The place of what is no CrowdSec engine.
    ///
    /// # Errors
    /// It is not allowed, in words.
    pub(super) fn new(origin: &Origin, config: &config::Lists) -> Result<Self, String> {
        match origin {
            Origin::File(file) => match &config.folder {
                Some(folder) => Ok(Self::File(folder.join(file))),
                None => Err("there is no folder of lists: write `lists: { folder: DIR }` for the house".into()),
            },
            Origin::CrowdSec(url) | Origin::Url(url) => {
                let (address, source) = allowed(url, config)?;
                let login = source.login.clone().map(|login| (login, "Bearer"));
                let peer = Peer::new(address.clone(), source.tls.clone(), login, config.timeout);
                Ok(Self::Url { peer: Box::new(peer), target: address.target })
            }
        }
    }

    /// Gets it, at most `most` bytes, if it is another than `mark` names. `retry_after`: for what the server asks if it has none.
    ///
    /// # Errors
    /// It could not be had, in words.
    pub(super) async fn get(
        &mut self,
        mark: &Mark,
        most: usize,
        retry_after: &mut Option<Duration>,
    ) -> Result<Given, String> {
        match self {
            Self::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || read_file(&path, most)).await;
                let (bytes, age) = read.map_err(|error| error.to_string())??;
                Ok(Given::Bytes { bytes: bytes.into(), age, mark: Mark::default() })
            }
            Self::Url { peer, target } => {
                let answer = peer.get(target, &mark.headers(), most).await;
                // Until the next fetch nobody needs the connection.
                peer.hang_up();
                let answer = answer.map_err(|failure| failure.trouble.message().to_owned())?;
                *retry_after = answer.retry_after;
                if answer.status == StatusCode::NOT_MODIFIED && *mark != Mark::default() {
                    return Ok(Given::Same);
                }
                plain(&answer)?;
                Ok(Given::Bytes { mark: Mark::of(&answer.headers), bytes: answer.body, age: Duration::ZERO })
            }
        }
    }
}

impl Mark {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| {
            let text = headers.get(name).and_then(|value| value.to_str().ok())?;
            (text.len() <= MAX_MARK).then(|| text.to_owned())
        };
        Self { etag: text(ETAG), modified: text(LAST_MODIFIED) }
    }

    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let header = |name, text: &Option<String>| {
            text.as_ref().and_then(|text| Some((name, HeaderValue::from_str(text).ok()?)))
        };
        [header(IF_NONE_MATCH, &self.etag), header(IF_MODIFIED_SINCE, &self.modified)].into_iter().flatten().collect()
    }
}

/// The address of a URL and the source that allows it.
///
/// # Errors
/// It is not allowed, in words.
pub(super) fn allowed<'c>(url: &str, config: &'c config::Lists) -> Result<(Address, &'c Source), String> {
    config
        .allowed(url)
        .ok_or_else(|| format!("the house may not ask `{url}`: write it under `lists: {{ sources: … }}` for the house"))
}

/// An answer that is the thing itself: a redirect would lead to whom nobody allowed.
pub(super) fn plain(answer: &Answer) -> Result<(), String> {
    if answer.status != StatusCode::OK {
        let redirect = if answer.status.is_redirection() { ", redirects are not followed" } else { "" };
        return Err(format!("it answered with status {}{redirect}", answer.status.as_u16()));
    }
    match answer.headers.get(CONTENT_ENCODING) {
        Some(coding) if coding.as_bytes() != b"identity" => Err("it is compressed, which nobody asked for".into()),
        _ => Ok(()),
    }
}

/// The bytes of a file, and how long ago it was written.
fn read_file(path: &Path, most: usize) -> Result<(Vec<u8>, Duration), String> {
    let told = |error: std::io::Error| format!("`{}` cannot be read: {error}", path.display());
    let file = File::open(path).map_err(told)?;
    let metadata = file.metadata().map_err(told)?;
    if !metadata.is_file() {
        return Err(format!("`{}` is no file", path.display()));
    }
    let written = metadata.modified().map_err(told)?;
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(told)?;
    if bytes.len() > most {
        return Err(format!("`{}` is larger than {most} bytes", path.display()));
    }
    Ok((bytes, SystemTime::now().duration_since(written).unwrap_or_default()))
}
