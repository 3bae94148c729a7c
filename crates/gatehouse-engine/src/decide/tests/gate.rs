//! A gate in a test: policies in YAML, a worker's state, a clock that only the test moves.

use std::time::Duration;

use gatehouse_policy::{Format, Policy, Source, compile};
use gatehouse_signals::{Claims, Connection, Head, Pair};

use crate::exchange::{self, Judged, Settings, Step};
use crate::limits::{NoSlots, SharedSlots};
use crate::request::{Now, Request, ResponseHead};
use crate::respond::{self, Answer};
use crate::state::State;
use crate::trace::Trace;

/// The text of documents, given as `name` and what stands under `spec`.
pub(super) fn whole(documents: &[(&str, &str)]) -> String {
    let whole = |(name, spec): &(&str, &str)| {
        let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
        format!("apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: {{ name: {name} }}\nspec:\n{spec}")
    };
    documents.iter().map(whole).collect::<Vec<_>>().join("---\n")
}

/// A policy of documents, likewise.
pub(super) fn documents(documents: &[(&str, &str)]) -> Policy {
    let text = whole(documents);
    let source = Source { name: "test", text: &text, format: Format::Yaml };
    let compiled = compile(&[source]).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    Policy::load(compiled.image, 1).expect("an image")
}

/// One document called `p`.
pub(super) fn document(spec: &str) -> Policy {
    documents(&[("p", spec)])
}

/// One worker.
pub(super) struct Gate {
    pub(super) policy: Policy,
    pub(super) state: State,
    pub(super) now_ns: u64,
    pub(super) wall_s: Option<u64>,
}

impl Gate {
    pub(super) fn new(spec: &str) -> Self {
        Self::of(document(spec))
    }

    pub(super) fn of(policy: Policy) -> Self {
        let state = State::new([3; 16], &[7; 16]);
        Self { policy, state, now_ns: 1_000_000_000_000, wall_s: Some(1_790_000_000) }
    }

    pub(super) fn wait(&mut self, time: Duration) {
        self.now_ns += u64::try_from(time.as_nanos()).unwrap();
    }

    pub(super) fn seconds(&mut self, seconds: u64) {
        self.wait(Duration::from_secs(seconds));
    }

    pub(super) fn ask(&mut self, ask: &Ask) -> Judged {
        self.ask_with(ask, &NoSlots)
    }

    pub(super) fn ask_with(&mut self, ask: &Ask, slots: &dyn SharedSlots) -> Judged {
        let (now, policy, state) = (self.now(), &self.policy, &mut self.state);
        ask.with(now, |request| exchange::judge(Some(policy), &Settings::default(), request, state, slots))
    }

    pub(super) fn explain(&mut self, ask: &Ask) -> (Judged, Trace) {
        let (now, policy, state) = (self.now(), &self.policy, &mut self.state);
        ask.with(now, |request| exchange::explain(Some(policy), &Settings::default(), request, state, &NoSlots))
    }

    /// What the application answered; `None`: nothing.
    pub(super) fn tell(&mut self, judged: &mut Judged, status: Option<u16>) {
        exchange::answered(Some(&self.policy), judged, status, &mut self.state, &NoSlots, self.now_ns);
    }

    pub(super) fn respond(&mut self, ask: &Ask, judged: &mut Judged, status: u16, headers: &[(&str, &str)]) -> Answer {
        let headers: Vec<Pair<'_>> = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let (now, policy, state) = (self.now(), &self.policy, &mut self.state);
        let response = ResponseHead { status, headers: &headers };
        ask.with(now, |request| respond::respond(policy, request, response, judged, state))
    }

    /// Asks, and lets the application answer at once if it is asked.
    pub(super) fn exchange(&mut self, ask: &Ask, status: u16) -> Judged {
        let mut judged = self.ask(ask);
        self.tell(&mut judged, Some(status));
        judged
    }

    fn now(&self) -> Now {
        Now { mono_ns: self.now_ns, wall_s: self.wall_s }
    }
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pairs: Vec<(String, String)>,
    connection: Connection,
    claims: Option<Vec<(String, String)>>,
    known: gatehouse_policy::Fields,
}

impl Ask {
    pub(super) fn new(method: &str, path: &str) -> Self {
        let pairs = [(":method", method), (":path", path), (":authority", "shop.example.com"), (":scheme", "https")];
        let connection =
            Connection { peer: "192.0.2.1".parse().ok(), mutual_tls: Some(false), ..Connection::default() };
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Self { pairs, connection, claims: None, known: gatehouse_policy::Fields::ALL }
    }

    pub(super) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub(super) fn host(mut self, host: &str) -> Self {
        self.pairs[2].1 = host.to_owned();
        self
    }

    /// From this address; of one that cannot be read nothing is known.
    pub(super) fn from(mut self, peer: &str) -> Self {
        self.connection.peer = peer.parse().ok();
        self
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.pairs.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a verified certificate.
    pub(super) fn identity(mut self, uri: &str) -> Self {
        (self.connection.mutual_tls, self.connection.peer_uri) = (Some(true), Some(uri.to_owned()));
        self
    }

    pub(super) fn connection(mut self, change: impl FnOnce(&mut Connection)) -> Self {
        change(&mut self.connection);
        self
    }

    /// With a claim of a verified token.
    pub(super) fn claim(mut self, name: &str, value: &str) -> Self {
        self.claims.get_or_insert_default().push((name.to_owned(), value.to_owned()));
        self
    }

    /// As told by somebody who cannot tell this field.
    pub(super) fn without(mut self, field: gatehouse_policy::Field) -> Self {
        self.known = self.known.without(gatehouse_policy::Fields::of(field));
        self
    }

    pub(super) fn with<T>(&self, now: Now, judge: impl FnOnce(Request<'_>) -> T) -> T {
        fn bytes(pairs: &[(String, String)]) -> Vec<Pair<'_>> {
            pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect()
        }
        let (pairs, claims) = (bytes(&self.pairs), self.claims.as_deref().map(bytes));
        let head = Head::new(&pairs, &self.connection);
        let claims = claims.as_deref().map_or(Claims::Unknown, Claims::Known);
        judge(Request { head, claims, known: self.known, now })
    }
}

/// The verdict in short: `allow`, `block p/admin`, `limit p/login` …
pub(super) fn said(judged: &Judged) -> String {
    let verdict = &judged.verdict;
    match &verdict.rule {
        Some(rule) => format!("{} {rule}", verdict.action().as_str()),
        None => verdict.action().as_str().to_owned(),
    }
}

/// What was said by rules that only watch, in the same words.
pub(super) fn would(judged: &Judged) -> Vec<String> {
    judged.verdict.would_have.iter().map(|would| format!("{} {}", would.action.as_str(), would.rule)).collect()
}

/// It went on.
pub(super) fn passed(judged: &Judged) -> bool {
    matches!(judged.step, Step::Forward(_))
}

/// The header pairs that the application gets, where the map is written anew.
pub(super) fn forwarded(judged: &Judged) -> Option<Vec<(String, String)>> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    match &judged.step {
        Step::Forward(pairs) => pairs.as_ref().map(|pairs| pairs.iter().map(|(n, v)| (text(n), text(v))).collect()),
        other => panic!("not forwarded: {other:?}"),
    }
}

/// The value of a header that the gate answers with.
pub(super) fn answers<'j>(judged: &'j Judged, name: &str) -> Option<&'j str> {
    match &judged.step {
        Step::Reply(reply) => reply.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_ref()),
        other => panic!("not answered: {other:?}"),
    }
}

/// The status that the gate answers with.
pub(super) fn status(judged: &Judged) -> u16 {
    match &judged.step {
        Step::Reply(reply) => reply.status,
        other => panic!("not answered: {other:?}"),
    }
}
