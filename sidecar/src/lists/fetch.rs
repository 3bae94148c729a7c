//! Getting a list: from a file, a server, or a CrowdSec engine; never from whom the configuration does not allow.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use gatehouse_policy::{Holds, Origin, Outside};
use http::header::{CONTENT_ENCODING, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::crowdsec::Decisions;
use super::text::{self, Entries};
use crate::config;
use crate::deadline::Now;
use crate::sink::peer::{Answer, Login, Peer};
use crate::sink::trust::Secret;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Longest mark of a version that is kept, bytes.
const MAX_MARK: usize = 1024;

/// What a server calls the version that it gave: it is asked for news of that only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    etag: Option<String>,
    modified: Option<String>,
}

/// What a fetch that succeeded brought.
#[derive(Debug)]
pub(super) struct Got {
    /// Entries by key, each with its own end where its source says one; `None`: what was got before still stands.
    pub(super) entries: Option<Entries>,
    /// Entries that are none and were left out.
    pub(super) refused: u64,
    /// How old it is.
    pub(super) age: Duration,
    pub(super) mark: Mark,
}

/// Fetches one list.
pub(super) struct Fetcher {
    way: Way,
    of: Holds,
    digest: Option<[u8; 32]>,
    most: usize,
    mark: Mark,
    retry_after: Option<Duration>,
}

enum Way {
    CrowdSec {
        peer: Box<Peer>,
        base: String,
        key: Option<PathBuf>,
        decisions: Decisions,
    },
    File(PathBuf),
    /// It is not allowed, in words.
    No(String),
    Url {
        peer: Box<Peer>,
        target: String,
    },
}

impl Fetcher {
    pub(super) fn new(outside: &Outside, config: &config::Lists) -> Self {
        let way = Way::new(&outside.origin, config);
        let (of, digest, most) = (outside.of, outside.digest, config.size);
        Self { way, of, digest, most, mark: Mark::default(), retry_after: None }
    }

    /// Goes on from a version that is held.
    pub(super) fn resume(&mut self, mark: Mark) {
        self.mark = mark;
    }

    /// What the server asked for when it last failed.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Fetches once.
    ///
    /// # Errors
    /// It failed, in words; what was got before is still good.
    pub(super) async fn fetch(&mut self) -> Result<Got, String> {
        self.retry_after = None;
        let (of, digest, most) = (self.of, self.digest, self.most);
        match &mut self.way {
            Way::No(problem) => Err(problem.clone()),
            Way::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || {
                    let (bytes, age) = read_file(&path, most)?;
                    Ok((digested(&bytes, digest).and_then(|()| text::read(&bytes, of))?, age))
                });
                let (read, age) =
                    read.await.map_err(|error| error.to_string()).and_then(|read: Result<_, String>| read)?;
                Ok(Got { entries: Some(read.entries), refused: read.refused, age, mark: Mark::default() })
            }
            Way::Url { peer, target } => {
                let answer = peer.get(target, &self.mark.headers(), most).await;
                // Until the next fetch nobody needs the connection.
                peer.hang_up();
                let answer = answer.map_err(|failure| failure.trouble.message().to_owned())?;
                self.retry_after = answer.retry_after;
                if answer.status == StatusCode::NOT_MODIFIED && self.mark != Mark::default() {
                    return Ok(Got { entries: None, refused: 0, age: Duration::ZERO, mark: self.mark.clone() });
                }
                plain(&answer)?;
                let mark = Mark::of(&answer.headers);
                let read = tokio::task::spawn_blocking(move || {
                    digested(&answer.body, digest).and_then(|()| text::read(&answer.body, of))
                });
                let read = read.await.map_err(|error| error.to_string())??;
                self.mark = mark.clone();
                Ok(Got { entries: Some(read.entries), refused: read.refused, age: Duration::ZERO, mark })
            }
            Way::CrowdSec { peer, base, key, decisions } => {
                let target = format!("{base}{}", decisions.question(Now::read()));
                let headers: Vec<_> = key.as_deref().map(api_key).transpose()?.into_iter().collect();
                let answer = peer.get(&target, &headers, most).await;
                peer.hang_up();
                let answer = answer.map_err(|failure| failure.trouble.message().to_owned());
                let taken = answer.and_then(|answer| {
                    self.retry_after = answer.retry_after;
                    plain(&answer)?;
                    decisions.take(&answer.body, Now::read())
                });
                let (entries, refused) = taken.inspect_err(|_| decisions.lost())?;
                Ok(Got { entries: Some(entries), refused, age: Duration::ZERO, mark: Mark::default() })
            }
        }
    }
}

impl Way {
    fn new(origin: &Origin, config: &config::Lists) -> Self {
        let url = match origin {
            Origin::File(file) => {
                return match &config.folder {
                    Some(folder) => Self::File(folder.join(file)),
                    None => {
                        Self::No("there is no folder of lists: write `lists: { folder: DIR }` for the house".into())
                    }
                };
            }
            Origin::CrowdSec(url) | Origin::Url(url) => url,
        };
        let Some((address, source)) = config.allowed(url) else {
            return Self::No(format!(
                "the house may not ask `{url}`: write it under `lists: {{ sources: … }}` for the house"
            ));
        };
        let peer = |login| Box::new(Peer::new(address.clone(), source.tls.clone(), login, config.timeout));
        if let Origin::Url(_) = origin {
            let login = source.login.clone().map(|login| (login, "Bearer"));
            return Self::Url { peer: peer(login), target: address.target.clone() };
        }
        let key = match &source.login {
            Some(Login::Token(file)) => Some(file.clone()),
            Some(Login::Basic(..)) => {
                return Self::No(
                    "a CrowdSec engine takes no name and password: write `auth: { token_file: … }`".into(),
                );
            }
            None => None,
        };
        let base = address.target.trim_end_matches('/').to_owned();
        Self::CrowdSec { peer: peer(None), base, key, decisions: Decisions::default() }
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

/// An answer that is the thing itself: a redirect would lead to whom nobody allowed.
fn plain(answer: &Answer) -> Result<(), String> {
    if answer.status != StatusCode::OK {
        let redirect = if answer.status.is_redirection() { ", redirects are not followed" } else { "" };
        return Err(format!("it answered with status {}{redirect}", answer.status.as_u16()));
    }
    match answer.headers.get(CONTENT_ENCODING) {
        Some(coding) if coding.as_bytes() != b"identity" => Err("it is compressed, which nobody asked for".into()),
        _ => Ok(()),
    }
}

fn api_key(file: &Path) -> Result<(HeaderName, HeaderValue), String> {
    let secret = Secret::read(file).map_err(|trouble| trouble.message().to_owned())?;
    let mut value = HeaderValue::from_str(secret.reveal())
        .map_err(|_| format!("the key in `{}` is none that a header can carry", file.display()))?;
    value.set_sensitive(true);
    Ok((API_KEY, value))
}

fn digested(bytes: &[u8], digest: Option<[u8; 32]>) -> Result<(), String> {
    match digest {
        Some(digest) if Sha256::digest(bytes)[..] != digest => Err("its digest is another than the policy says".into()),
        _ => Ok(()),
    }
}

/// The bytes of a file, and how long ago it was written.
fn read_file(path: &PathBuf, most: usize) -> Result<(Vec<u8>, Duration), String> {
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
