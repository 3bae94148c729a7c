//! One worker of a gate without its host: a policy, requests, a clock that goes on by itself.

use gatehouse_corpora::Ask;
use gatehouse_engine::{
    Claims, Connection, Counts, Fields, Head, Judged, NoSlots, Now, Pair, Policy, Request, Settings, State, answered,
    judge,
};

/// Nanoseconds between two requests: a thousand a second.
const STEP_NS: u64 = 1_000_000;
/// When measuring begins: a Wednesday in 2026.
const WALL_S: u64 = 1_790_000_000;

/// A request as the gate holds it. Measured requests live as long as the process.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Header pairs.
    pub headers: &'static [Pair<'static>],
    /// The connection.
    pub connection: &'static Connection,
}

impl Seen {
    /// Keeps a request for as long as the process lives.
    #[must_use]
    pub fn keep(ask: Ask) -> Self {
        let connection = connection(&ask);
        let ask: &'static Ask = Box::leak(Box::new(ask));
        Self { headers: ask.pairs().leak(), connection: Box::leak(Box::new(connection)) }
    }

    /// Its headers' bytes one behind the other, as a host writes them before the filter is asked: just written, so in the caches.
    pub fn write_to(self, bytes: &mut Vec<u8>) {
        bytes.clear();
        for (name, value) in self.headers {
            bytes.extend_from_slice(name);
            bytes.extend_from_slice(value);
        }
    }

    /// Its headers in what [`write_to`](Self::write_to) wrote.
    #[must_use]
    pub fn pairs_in(self, mut bytes: &[u8]) -> Vec<Pair<'_>> {
        let mut next = |length: usize| {
            let (taken, rest) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
            bytes = rest;
            taken
        };
        self.headers.iter().map(|(name, value)| (next(name.len()), next(value.len()))).collect()
    }

    /// Its head.
    #[must_use]
    pub fn head(self) -> Head<'static> {
        Head::new(self.headers, self.connection)
    }
}

/// Over TLS, with the server name of the host that is asked for.
fn connection(ask: &Ask) -> Connection {
    let host = ask.headers.iter().find(|(name, _)| name == ":authority").map(|(_, host)| host.clone());
    let peer_uri = ask.peer_uri.clone();
    Connection {
        peer: Some(ask.peer),
        peer_port: Some(50_000),
        mutual_tls: Some(peer_uri.is_some()),
        peer_uri,
        sni: host,
        tls_version: Some("TLSv1.3".into()),
        local_port: Some(443),
        ja4: ask.ja4.clone(),
        ..Connection::default()
    }
}

/// The worker.
#[derive(Debug)]
pub struct Worker {
    policy: Option<Policy>,
    settings: Settings,
    state: State,
    asks: Vec<Seen>,
    next: usize,
    now: Now,
}

impl Worker {
    /// A worker that begins.
    #[must_use]
    pub fn new(policy: Option<Policy>, asks: Vec<Seen>) -> Self {
        Self {
            policy,
            settings: Settings::default(),
            state: State::new([3; 16], &[5; 16]),
            asks,
            next: 0,
            now: Now { mono_ns: 1_000_000_000, wall_s: Some(WALL_S) },
        }
    }

    /// Leaves out the requests that are mitigated, or those that are not.
    ///
    /// A request is sorted by how it is judged the first time.
    pub fn retain(&mut self, mitigated: bool) {
        let all = core::mem::take(&mut self.asks);
        let kept = all.into_iter().filter(|seen| self.judge(*seen).verdict.mitigates() == mitigated);
        let kept = kept.collect();
        self.asks = kept;
    }

    /// The policy.
    #[must_use]
    pub const fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    /// What it counted of itself.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state.counts()
    }

    /// How many requests there are before they begin anew.
    #[must_use]
    pub fn asks(&self) -> usize {
        self.asks.len()
    }

    /// Takes the next request.
    pub fn next_ask(&mut self) -> Option<Seen> {
        let seen = self.asks.get(self.next).copied();
        self.next = if self.next + 1 < self.asks.len() { self.next + 1 } else { 0 };
        seen
    }

    /// Judges a request, and tells that it was answered with 200 if it went on.
    pub fn judge(&mut self, seen: Seen) -> Judged {
        self.judge_head(seen.headers, seen.connection)
    }

    /// The same of headers that lie elsewhere.
    pub fn judge_head(&mut self, headers: &[Pair<'_>], connection: &Connection) -> Judged {
        self.now.mono_ns += STEP_NS;
        let head = Head::new(headers, connection);
        let request = Request { head, claims: Claims::Unknown, known: Fields::ALL, now: self.now };
        let policy = self.policy.as_ref();
        let mut judged = judge(policy, &self.settings, request, &mut self.state, &NoSlots);
        answered(policy, &mut judged, Some(200), &mut self.state, &NoSlots, self.now.mono_ns);
        judged
    }

    /// Judges the next request.
    pub fn judge_next(&mut self) -> Option<Judged> {
        let seen = self.next_ask()?;
        Some(self.judge(seen))
    }
}
