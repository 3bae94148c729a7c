//! One HTTP transaction: judged when its headers arrive, recorded when Envoy logs it (and every minute while it lasts).

use std::rc::Rc;

use gatehouse_engine::{Connection, Head, Judged, Pair, Step, judge};
use gatehouse_verdict::record::Part;
use gatehouse_verdict::{Reason, Verdict};

use crate::host::{self, Level, Map, Pairs};
use crate::metrics::Count;
use crate::outcome::{self, Measured};
use crate::root::Root;
use crate::worker::Worker;

/// A transaction that lasts longer is reported while it runs, this often.
const INTERIM_NS: u64 = 60_000_000_000;

/// What Envoy is to do after a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Go on.
    Continue = 0,
    /// Stop here: an answer of ours goes out.
    Stop = 1,
}

/// One transaction. Its header bytes are kept as they came until it ends, bounded by what Envoy lets through.
#[derive(Debug)]
pub(crate) struct Exchange {
    root: u32,
    headers: Option<Pairs>,
    connection: Rc<Connection>,
    judged: Option<Judged>,
    transaction: u64,
    began_ns: u64,
    first_byte_ns: u64,
    reported_ns: u64,
}

impl Exchange {
    /// A transaction of the plugin whose root context is `root`.
    pub(crate) fn new(root: u32) -> Self {
        Self {
            root,
            headers: None,
            connection: Rc::default(),
            judged: None,
            transaction: 0,
            began_ns: 0,
            first_byte_ns: 0,
            reported_ns: 0,
        }
    }

    pub(crate) fn root(&self) -> u32 {
        self.root
    }

    /// Request headers arrived: the verdict, and what follows from it at once.
    pub(crate) fn request_headers(&mut self, root: &mut Root, worker: &mut Worker) -> Flow {
        worker.metrics.count(Count::Requests);
        self.began_ns = host::now_ns();
        self.reported_ns = self.began_ns;
        self.connection = root.facts.of_current();
        if self.connection.peer.is_none() {
            peer_unknown(worker);
        }
        match host::headers(Map::Request) {
            Ok(headers) => self.decide(headers, root, worker),
            Err(refused) => {
                worker.complain(refused);
                let verdict = Verdict { reason: Reason::Unreadable, ..Verdict::default() };
                worker.metrics.decided(verdict.action(), verdict.reason, false);
                self.judged = Some(unjudged(&self.connection, verdict));
                Flow::Continue
            }
        }
    }

    fn decide(&mut self, headers: Pairs, root: &Root, worker: &mut Worker) -> Flow {
        let policy = root.policy(worker).cloned();
        if policy.is_none()
            && let Some(link) = worker.link.as_mut().filter(|_| root.has_house())
        {
            link.sender().count_without_policy();
        }
        let pairs: Vec<Pair<'_>> = headers.iter().collect();
        trap(&pairs);
        let head = Head { headers: &pairs, connection: &self.connection };
        let mut judged = judge(policy.as_deref(), &root.settings, head, &mut worker.references);
        drop(pairs);
        let verdict = &judged.verdict;
        worker.metrics.decided(verdict.action(), verdict.reason, !verdict.would_have.is_empty());
        if verdict.ambiguity.is_some() {
            worker.metrics.count(Count::Ambiguous);
        }
        if let Err(refused) = tell_filter_state(&judged) {
            worker.complain(refused);
        }
        // The edits and the body have served once they are handed over; the rest is kept for the record.
        let step = core::mem::replace(&mut judged.step, Step::Forward(None));
        self.headers = Some(headers);
        self.judged = Some(judged);
        carry_out(step, worker)
    }

    /// Response headers arrived, the upstream's or our own.
    pub(crate) fn response_headers(&mut self) {
        if self.first_byte_ns == 0 && self.began_ns != 0 {
            self.first_byte_ns = host::now_ns().saturating_sub(self.began_ns).max(1);
        }
    }

    /// The transaction ended: its record.
    pub(crate) fn log(&mut self, worker: &mut Worker) {
        if self.judged.is_none() {
            // Another filter or the codec answered before us. Envoy still has the headers, if there ever were any.
            self.headers = host::headers(Map::Request).ok();
            self.judged =
                Some(unjudged(&self.connection, Verdict { reason: Reason::Unreadable, ..Verdict::default() }));
        }
        self.report(Part::Final, worker);
    }

    /// It has lasted a minute (or another one) since it was last told.
    pub(crate) fn is_due(&self, now_ns: u64) -> bool {
        self.judged.is_some() && now_ns.saturating_sub(self.reported_ns) >= INTERIM_NS
    }

    /// Tells how far it has come; the effective context is this transaction's.
    pub(crate) fn interim(&mut self, worker: &mut Worker, now_ns: u64) {
        self.reported_ns = now_ns;
        self.report(Part::Interim, worker);
    }

    fn report(&mut self, part: Part, worker: &mut Worker) {
        let Some(judged) = &self.judged else { return };
        if self.transaction == 0 {
            self.transaction = worker.next_transaction();
        }
        let duration_ns = if self.began_ns == 0 { 0 } else { host::now_ns().saturating_sub(self.began_ns) };
        let measured = Measured {
            start_unix_ns: host::wall_ns().unwrap_or(0).saturating_sub(duration_ns),
            duration_ns,
            first_byte_ns: self.first_byte_ns,
        };
        let answered = part == Part::Final && self.first_byte_ns != 0 && !judged.verdict.mitigates();
        let outcome = outcome::read(&worker.outcomes.ask(answered), part, measured);
        let pairs: Vec<Pair<'_>> = self.headers.iter().flat_map(Pairs::iter).collect();
        worker.report(self.root, self.transaction, &pairs, judged, outcome, &self.connection);
    }
}

fn unjudged(connection: &Connection, verdict: Verdict) -> Judged {
    let mut judged = Judged { step: Step::Forward(None), verdict, policy: None, client: Default::default() };
    judged.client.address = connection.peer;
    judged
}

/// Hands the verdict to Envoy.
fn carry_out(step: Step, worker: &mut Worker) -> Flow {
    match step {
        Step::Forward(None) => Flow::Continue,
        Step::Forward(Some(edited)) => {
            if let Err(refused) = host::set_headers(Map::Request, &edited) {
                worker.complain(refused);
            }
            Flow::Continue
        }
        Step::Reply(reply) => {
            match host::reply(reply.status, &reply.details, &reply.headers, &reply.body, reply.grpc_status) {
                Ok(()) => Flow::Stop,
                Err(refused) => {
                    // Stopping without an answer would hang the request for ever.
                    worker.complain(refused);
                    Flow::Continue
                }
            }
        }
    }
}

/// Filter state for Envoy's access log, where something happened: `%FILTER_STATE(wasm.gatehouse.reference:PLAIN)%`.
fn tell_filter_state(judged: &Judged) -> host::Result<()> {
    let verdict = &judged.verdict;
    if !verdict.mitigates() && verdict.would_have.is_empty() {
        return Ok(());
    }
    let would = verdict.would_have.first();
    let mode = if verdict.mitigates() { "enforce" } else { "monitor" };
    let rule = verdict.rule.as_deref().or(would.map(|would| would.rule.as_str())).unwrap_or_default();
    let action =
        if verdict.mitigates() { verdict.action() } else { would.map_or(verdict.action(), |would| would.action) };
    host::set_property("gatehouse.verdict", action.as_str().as_bytes())?;
    host::set_property("gatehouse.mode", mode.as_bytes())?;
    host::set_property("gatehouse.rule", rule.as_bytes())?;
    host::set_property("gatehouse.reason", verdict.reason.as_str().as_bytes())?;
    host::set_property("gatehouse.reference", verdict.reference.as_deref().unwrap_or_default().as_bytes())?;
    let revision = judged.policy.map_or(0, |stamp| stamp.revision);
    host::set_property("gatehouse.policy", revision.to_string().as_bytes())
}

fn peer_unknown(worker: &mut Worker) {
    worker.metrics.count(Count::PeerUnknown);
    if !worker.peer_warned {
        worker.peer_warned = true;
        let help = "put `set_filter_state` before this filter (see the shipped configurations), or set `peer`; no forwarded header is trusted";
        host::log(Level::Warn, &format!("the direct peer of a request is not known: {help}"));
    }
}

/// Traps on purpose, in builds made for the test of the reload path.
#[cfg(feature = "test-trap")]
fn trap(pairs: &[Pair<'_>]) {
    if pairs.iter().any(|(name, _)| *name == b"x-test-trap") {
        std::process::abort();
    }
}

#[cfg(not(feature = "test-trap"))]
fn trap(_: &[Pair<'_>]) {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap::Bootstrap;

    #[test]
    fn a_request_goes_on_when_the_host_answers_nothing_at_all() {
        let (mut worker, mut root) = (Worker::new(), Root::new(1));
        worker.configure("", &Bootstrap::default(), 0);
        let mut exchange = Exchange::new(1);
        assert_eq!(exchange.request_headers(&mut root, &mut worker), Flow::Continue);
        exchange.response_headers();
        exchange.log(&mut worker);
        assert!(worker.peer_warned);
        assert_eq!(exchange.judged.map(|judged| judged.verdict.reason), Some(Reason::Unreadable));
    }

    #[test]
    fn only_long_transactions_are_due() {
        let mut exchange = Exchange::new(1);
        assert!(!exchange.is_due(u64::MAX), "nothing was judged yet");
        exchange.judged = Some(unjudged(&Connection::default(), Verdict::default()));
        exchange.reported_ns = 5;
        assert!(!exchange.is_due(INTERIM_NS));
        assert!(exchange.is_due(INTERIM_NS + 5));
    }
}
