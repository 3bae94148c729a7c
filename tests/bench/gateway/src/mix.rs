//! The requests that every variant gets, and what must come of each.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use gatehouse_bench::images::compiled;
use gatehouse_bench::worker::Worker;
use gatehouse_corpora::{Ask, Corpus};
use gatehouse_engine::{Connection, Pair, Policy};
use serde_json::Value;

/// Requests, and which of them are to be refused.
#[derive(Debug, Clone)]
pub(crate) struct Mix {
    /// As they stand on the wire.
    pub(crate) requests: Arc<Vec<Vec<u8>>>,
    /// One a request: whether it is answered with 403 and never reaches the application.
    pub(crate) refused: Arc<Vec<bool>>,
}

impl Mix {
    /// Requests that all go on.
    pub(crate) fn unjudged(asks: &[Ask]) -> Self {
        Self { requests: Arc::new(asks.iter().map(on_the_wire).collect()), refused: Arc::new(vec![false; asks.len()]) }
    }

    /// The same requests, refused as this policy says: by the engine, in this process.
    pub(crate) fn judged(&self, asks: &[Ask], policy: &Corpus) -> io::Result<Self> {
        let mut judge = Judge::new(policy)?;
        let refused = asks.iter().map(|ask| judge.refuses(&ask.pairs())).collect();
        Ok(Self { requests: Arc::clone(&self.requests), refused: Arc::new(refused) })
    }

    /// Those of them that are refused.
    pub(crate) fn only_refused(&self) -> Self {
        let both = self.requests.iter().zip(self.refused.iter());
        let requests: Vec<Vec<u8>> =
            both.filter(|(_, refused)| **refused).map(|(request, _)| request.clone()).collect();
        Self { refused: Arc::new(vec![true; requests.len()]), requests: Arc::new(requests) }
    }

    /// How many are refused.
    pub(crate) fn refusals(&self) -> usize {
        self.refused.iter().filter(|refused| **refused).count()
    }
}

/// The engine with one policy, as the gate would have it, for requests that come in plain text from this machine.
pub(crate) struct Judge {
    worker: Worker,
    connection: Connection,
}

impl Judge {
    /// # Errors
    /// What the compiler says of the policy.
    pub(crate) fn new(policy: &Corpus) -> io::Result<Self> {
        let policy = Policy::load(compiled(policy)?, 1).map_err(io::Error::other)?;
        let connection = Connection { peer: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), ..Connection::default() };
        Ok(Self { worker: Worker::new(Some(policy), Vec::new()), connection })
    }

    /// Judges one request, pseudo-headers first; whether it is refused.
    pub(crate) fn refuses(&mut self, headers: &[Pair<'_>]) -> bool {
        self.worker.judge_head(headers, &self.connection).verdict.mitigates()
    }
}

/// How much more than the corpus's limits a client may send here: two thousand clients at the rate of a whole core stay below.
const ROOM: u64 = 1000;
/// The language's highest rate.
const HIGHEST: u64 = 1_000_000;

/// The documents for a gateway whose proxies before it are this machine itself, with limits that the load does not reach.
pub(crate) fn at_home(mut corpus: Corpus) -> Corpus {
    corpus = corpus.behind("127.0.0.0/8");
    for text in &mut corpus.documents {
        let mut document = serde_json::from_str(text).expect("JSON");
        widen(&mut document);
        *text = document.to_string();
    }
    corpus
}

/// Every `rate: N per TIME` becomes [`ROOM`] times as many, as far as the language goes.
fn widen(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let rate = value.as_str().filter(|_| name == "rate").and_then(|text| text.split_once(' '));
                match rate.and_then(|(number, time)| Some((number.parse::<u64>().ok()?, time))) {
                    Some((number, time)) => *value = Value::String(format!("{} {time}", (number * ROOM).min(HIGHEST))),
                    None => widen(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(widen),
        _ => {}
    }
}

fn on_the_wire(ask: &Ask) -> Vec<u8> {
    let of = |name: &str| ask.headers.iter().find(|(own, _)| own == name).map_or("", |(_, value)| &**value);
    let mut text = format!("{} {} HTTP/1.1\r\nhost: {}\r\n", of(":method"), of(":path"), of(":authority"));
    let plain = ask.headers.iter().filter(|(name, _)| !name.starts_with(':') && name != "content-length");
    plain.for_each(|(name, value)| text.extend([name, ": ", value, "\r\n"]));
    text.push_str("\r\n");
    text.into_bytes()
}
