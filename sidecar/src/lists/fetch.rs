//! Getting a list: from a file, a server, or a CrowdSec engine; never from whom the configuration does not allow.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gatehouse_policy::{Holds, Origin, Outside};
use http::{HeaderName, HeaderValue};

use super::crowdsec::Decisions;
use super::place::{Given, Mark, Place, allowed, plain};
use super::proof::Asked;
use super::text::{self, Entries};
use crate::config;
use crate::deadline::Now;
use crate::sink::peer::{Login, Peer};
use crate::sink::trust::Secret;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

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
    /// It may not be allowed, in words.
    way: Result<Way, String>,
    of: Holds,
    asked: Asked,
    most: usize,
    mark: Mark,
    retry_after: Option<Duration>,
}

enum Way {
    CrowdSec(Engine),
    Text(Place),
}

/// A CrowdSec engine.
struct Engine {
    peer: Box<Peer>,
    base: String,
    key: Option<PathBuf>,
    decisions: Decisions,
}

impl Fetcher {
    pub(super) fn new(outside: &Outside, config: &config::Lists) -> Self {
        let way = match &outside.origin {
            Origin::CrowdSec(url) => Engine::new(url, config).map(Way::CrowdSec),
            origin => Place::new(origin, config).map(Way::Text),
        };
        let asked = Asked::new(outside, config);
        Self { way, of: outside.of, asked, most: config.size, mark: Mark::default(), retry_after: None }
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
        let place = match &mut self.way {
            Err(problem) => return Err(problem.clone()),
            Ok(Way::CrowdSec(engine)) => return engine.fetch(self.most, &mut self.retry_after).await,
            Ok(Way::Text(place)) => place,
        };
        let (bytes, age, mark) = match place.get(&self.mark, self.most, &mut self.retry_after).await? {
            Given::Same => {
                return Ok(Got { entries: None, refused: 0, age: Duration::ZERO, mark: self.mark.clone() });
            }
            Given::Bytes { bytes, age, mark } => (bytes, age, mark),
        };
        let (proof, of) = (self.asked.get(&mut self.retry_after).await?, self.of);
        let read = tokio::task::spawn_blocking(move || proof.holds(&bytes).and_then(|()| text::read(&bytes, of)));
        let read = read.await.map_err(|error| error.to_string())??;
        self.mark = mark.clone();
        Ok(Got { entries: Some(read.entries), refused: read.refused, age, mark })
    }
}

impl Engine {
    fn new(url: &str, config: &config::Lists) -> Result<Self, String> {
        let (address, source) = allowed(url, config)?;
        let key = match &source.login {
            Some(Login::Token(file)) => Some(file.clone()),
            Some(Login::Basic(..)) => {
                return Err("a CrowdSec engine takes no name and password: write `auth: { token_file: … }`".into());
            }
            None => None,
        };
        let base = address.target.trim_end_matches('/').to_owned();
        let peer = Box::new(Peer::new(address, source.tls.clone(), None, config.timeout));
        Ok(Self { peer, base, key, decisions: Decisions::default() })
    }

    async fn fetch(&mut self, most: usize, retry_after: &mut Option<Duration>) -> Result<Got, String> {
        let target = format!("{}{}", self.base, self.decisions.question(Now::read()));
        let headers: Vec<_> = self.key.as_deref().map(api_key).transpose()?.into_iter().collect();
        let answer = self.peer.get(&target, &headers, most).await;
        self.peer.hang_up();
        let answer = answer.map_err(|failure| failure.trouble.message().to_owned());
        let taken = answer.and_then(|answer| {
            *retry_after = answer.retry_after;
            plain(&answer)?;
            self.decisions.take(&answer.body, Now::read())
        });
        let (entries, refused) = taken.inspect_err(|_| self.decisions.lost())?;
        Ok(Got { entries: Some(entries), refused, age: Duration::ZERO, mark: Mark::default() })
    }
}

fn api_key(file: &Path) -> Result<(HeaderName, HeaderValue), String> {
    let secret = Secret::read(file).map_err(|trouble| trouble.message().to_owned())?;
    let mut value = HeaderValue::from_str(secret.reveal())
        .map_err(|_| format!("the key in `{}` is none that a header can carry", file.display()))?;
    value.set_sensitive(true);
    Ok((API_KEY, value))
}
