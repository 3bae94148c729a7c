//! One HTTP transaction: judged when its headers arrive, recorded when Envoy logs it (and every minute while it lasts).

use std::rc::Rc;

use gatehouse_engine::{
    Answer, Connection, Field, Fields, Head, Judged, Now, Pair, Policy, Request, ResponseHead, Step, Transaction,
    answered, judge, respond,
};
use gatehouse_verdict::record::Part;
use gatehouse_verdict::{Reason, Verdict};

use crate::carry;
use crate::outcome::{self, Answerer, Measured, Outcomes};
use gatehouse_filter::claims::Asked;
use gatehouse_filter::contexts::{Flow, INTERIM_NS};
use gatehouse_filter::facts::Downstream;
use gatehouse_filter::host::{self, Level, Map, Pairs};
use gatehouse_filter::metrics::Count;
use gatehouse_filter::root::Root;
use gatehouse_filter::states::Slot;
use gatehouse_filter::worker::Worker;

/// One transaction. Its header bytes are kept as they came until it ends, bounded by what Envoy lets through.
#[derive(Debug)]
pub(crate) struct Exchange {
    root: u32,
    headers: Option<Pairs>,
    downstream: Rc<Downstream>,
    /// The request did not end with its headers.
    has_body: bool,
    judged: Option<Judged>,
    /// The policy that judged it, for its response and its record, and whose counts.
    policy: Option<Rc<Policy>>,
    slot: Slot,
    transaction: u64,
    began_ns: u64,
    first_byte_ns: u64,
    reported_ns: u64,
    /// Response headers came.
    responded: bool,
}

impl gatehouse_filter::contexts::Transaction for Exchange {
    fn new(root: u32) -> Self {
        Self {
            root,
            headers: None,
            downstream: Rc::default(),
            has_body: false,
            judged: None,
            policy: None,
            slot: None,
            transaction: 0,
            began_ns: 0,
            first_byte_ns: 0,
            reported_ns: 0,
            responded: false,
        }
    }

    fn root(&self) -> u32 {
        self.root
    }

    fn is_due(&self, now_ns: u64) -> bool {
        self.judged.is_some() && now_ns.saturating_sub(self.reported_ns) >= INTERIM_NS
    }
}

impl Exchange {
    /// Request headers arrived, `is_whole`: and nothing follows them. The verdict, and what follows from it at once.
    pub(crate) fn request_headers(
        &mut self,
        context: u32,
        is_whole: bool,
        root: &mut Root,
        worker: &mut Worker,
    ) -> Flow {
        worker.metrics.count(Count::Requests);
        self.began_ns = host::now_ns();
        self.reported_ns = self.began_ns;
        self.has_body = !is_whole;
        self.downstream = root.facts.of_current();
        if self.downstream.connection.peer.is_none() {
            peer_unknown(worker);
        }
        match host::headers(Map::Request) {
            Ok(headers) => {
                let flow = self.decide(context, headers, root, worker);
                worker.metrics.time_decision(self.began_ns);
                flow
            }
            Err(refused) => {
                worker.complain(refused);
                let verdict = Verdict { reason: Reason::Unreadable, ..Verdict::default() };
                worker.metrics.decided(verdict.action(), verdict.reason, false);
                self.judged = Some(unjudged(&self.downstream.connection, verdict));
                Flow::Continue
            }
        }
    }

    fn decide(&mut self, context: u32, headers: Pairs, root: &mut Root, worker: &mut Worker) -> Flow {
        let policy = root.policy(worker).cloned();
        self.slot.clone_from(&root.slot);
        if policy.is_none()
            && let Some(link) = worker.link.as_mut().filter(|_| root.has_house())
        {
            link.sender().count_without_policy();
        }
        let pairs: Vec<Pair<'_>> = headers.iter().collect();
        trap(&pairs);
        let head = Head::new(&pairs, &self.downstream.connection);
        let asked = policy.as_deref().map_or(Asked::Unknown, |policy| root.claims.ask(policy));
        let claims = root.claims.pairs(&asked);
        let now = Now { mono_ns: self.began_ns, wall_s: wall_s(policy.as_deref()) };
        let request = Request { head, claims: Asked::claims(claims.as_deref()), known: Fields::ALL, now };
        let mut judged = judge(policy.as_deref(), &root.settings, request, worker.states.of(&self.slot), &worker.slots);
        drop(claims);
        drop(pairs);
        let verdict = &judged.verdict;
        worker.metrics.decided(verdict.action(), verdict.reason, !verdict.would_have.is_empty());
        if verdict.ambiguity.is_some() {
            worker.metrics.count(Count::Ambiguous);
        }
        if let Err(refused) = carry::tell_filter_state(&judged) {
            worker.complain(refused);
        }
        // The edits and the body have served once they are handed over; the rest is kept for the record.
        let step = core::mem::replace(&mut judged.step, Step::Forward(None));
        let delay_ns = judged.delay_ns;
        self.policy = policy;
        self.headers = Some(headers);
        self.judged = Some(judged);
        match carry::out(step, worker) {
            Flow::Continue if delay_ns > 0 => self.wait(context, delay_ns, root, worker),
            flow => flow,
        }
    }

    /// Holds the request for a while, if there is room.
    fn wait(&self, context: u32, delay_ns: u64, root: &mut Root, worker: &mut Worker) -> Flow {
        if !worker.delays.hold(context, self.began_ns.saturating_add(delay_ns)) {
            worker.metrics.count(Count::NotDelayed);
            worker.tally.passed = worker.tally.passed.saturating_add(1);
            return Flow::Continue;
        }
        worker.metrics.count(Count::Delayed);
        worker.tally.held = worker.tally.held.saturating_add(1);
        root.hurry();
        Flow::Stop
    }

    /// Response headers arrived, the upstream's or our own.
    pub(crate) fn response_headers(&mut self, root: Option<&mut Root>, worker: &mut Worker) -> Flow {
        let now_ns = host::now_ns();
        if self.first_byte_ns == 0 && self.began_ns != 0 {
            self.first_byte_ns = now_ns.saturating_sub(self.began_ns).max(1);
        }
        let Some(judged) = &mut self.judged else { return Flow::Continue };
        // Once: what answers in the application's place may come by here again.
        if core::mem::replace(&mut self.responded, true) || !(judged.responds() || judged.awaits_status()) {
            return Flow::Continue;
        }
        if !judged.responds() {
            self.status_came(now_ns, worker);
            return Flow::Continue;
        }
        let response = match host::headers(Map::Response) {
            Ok(response) => response,
            Err(refused) => {
                worker.complain(refused);
                return Flow::Continue;
            }
        };
        let pairs: Vec<Pair<'_>> = response.iter().collect();
        let status = pairs.iter().find(|(name, _)| *name == b":status").and_then(|(_, value)| status_of(value));
        let Some(status) = status else { return Flow::Continue };
        answered(self.policy.as_deref(), judged, Some(status), worker.states.of(&self.slot), &worker.slots, now_ns);
        let Some(policy) = &self.policy else { return Flow::Continue };
        let own: Vec<Pair<'_>> = self.headers.iter().flat_map(Pairs::iter).collect();
        let head = Head::new(&own, &self.downstream.connection);
        let now = Now { mono_ns: now_ns, wall_s: wall_s(Some(policy)) };
        let reads_claims = policy.reads().response.has(Field::Claims);
        let mut claims = root.filter(|_| reads_claims).map(|root| &mut root.claims);
        let asked = claims.as_mut().map_or(Asked::Unknown, |claims| claims.ask(policy));
        let pairs_of_claims = claims.as_ref().and_then(|claims| claims.pairs(&asked));
        let request = Request { head, claims: Asked::claims(pairs_of_claims.as_deref()), known: Fields::ALL, now };
        let watched = judged.verdict.would_have.len();
        let answer =
            respond(policy, request, ResponseHead { status, headers: &pairs }, judged, worker.states.of(&self.slot));
        let watched = judged.verdict.would_have.len() > watched;
        if watched {
            worker.metrics.count(Count::WouldHave);
        }
        if (watched || matches!(answer, Answer::Replace(_)))
            && let Err(refused) = carry::tell_filter_state(judged)
        {
            worker.complain(refused);
        }
        match answer {
            Answer::Pass => Flow::Continue,
            Answer::Edit { remove, set } => {
                carry::edit(&pairs, &remove, &set, worker);
                Flow::Continue
            }
            Answer::Replace(reply) => {
                worker.metrics.count(Count::ResponsesReplaced);
                carry::out(Step::Reply(reply), worker)
            }
        }
    }

    /// A limit waits for the status of the response, and nothing else is asked of it.
    fn status_came(&mut self, now_ns: u64, worker: &mut Worker) {
        let status = host::header(Map::Response, ":status").unwrap_or_else(|refused| {
            worker.complain(refused);
            None
        });
        if let (Some(status), Some(judged)) = (status.and_then(|value| status_of(&value)), &mut self.judged) {
            let states = worker.states.of(&self.slot);
            answered(self.policy.as_deref(), judged, Some(status), states, &worker.slots, now_ns);
        }
    }

    /// The transaction ended: its record, where there is a house, and what became of it.
    pub(crate) fn log(&mut self, has_house: bool, outcomes: &mut Outcomes, worker: &mut Worker) {
        let status = if has_house {
            if self.judged.is_none() {
                // Another filter or the codec answered before us. Envoy still has the headers, if there ever were any.
                self.headers = host::headers(Map::Request).ok();
                let verdict = Verdict { reason: Reason::Unreadable, ..Verdict::default() };
                self.judged = Some(unjudged(&self.downstream.connection, verdict));
            }
            self.report(Part::Final, outcomes, worker)
        } else if self.judged.as_ref().is_some_and(Judged::is_open) {
            outcome::status()
        } else {
            None
        };
        self.ended(status, worker);
    }

    /// Nothing will come any more: a response of this status did, or none.
    pub(crate) fn ended(&mut self, status: Option<u16>, worker: &mut Worker) {
        if let Some(judged) = self.judged.as_mut().filter(|judged| judged.is_open()) {
            answered(
                self.policy.as_deref(),
                judged,
                status,
                worker.states.of(&self.slot),
                &worker.slots,
                host::now_ns(),
            );
        }
    }

    /// Tells how far it has come; the effective context is this transaction's.
    pub(crate) fn interim(&mut self, outcomes: &mut Outcomes, worker: &mut Worker, now_ns: u64) {
        self.reported_ns = now_ns;
        self.report(Part::Interim, outcomes, worker);
    }

    /// Makes the record; the status of the response, if there was one.
    fn report(&mut self, part: Part, outcomes: &mut Outcomes, worker: &mut Worker) -> Option<u16> {
        let judged = self.judged.as_ref()?;
        if self.transaction == 0 {
            self.transaction = worker.next_transaction();
        }
        let duration_ns = if self.began_ns == 0 { 0 } else { host::now_ns().saturating_sub(self.began_ns) };
        let measured = Measured {
            start_unix_ns: host::wall_ns().unwrap_or(0).saturating_sub(duration_ns),
            duration_ns,
            first_byte_ns: self.first_byte_ns,
            has_body: self.has_body,
            protocol: &self.downstream.protocol,
        };
        let answerer = match part {
            Part::Final if self.first_byte_ns == 0 => Answerer::Unknown,
            Part::Final if judged.verdict.mitigates() => Answerer::Gate,
            Part::Final => Answerer::Upstream,
            _ => Answerer::Unknown,
        };
        let outcome = outcome::read(&outcomes.ask(answerer, duration_ns), part, measured);
        let status = u16::try_from(outcome.response.status).ok().filter(|status| *status != 0);
        let pairs: Vec<Pair<'_>> = self.headers.iter().flat_map(Pairs::iter).collect();
        let head = Head::new(&pairs, &self.downstream.connection);
        let of = Transaction { number: self.transaction, head, judged, policy: self.policy.as_deref() };
        worker.report(self.root, &of, &outcome);
        status
    }
}

fn unjudged(connection: &Connection, verdict: Verdict) -> Judged {
    Judged::unjudged(verdict, connection.peer)
}

/// Seconds since the Unix epoch, for a policy that asks for the time.
fn wall_s(policy: Option<&Policy>) -> Option<u64> {
    let reads = policy?.reads();
    if !reads.request.has(Field::Time) && !reads.response.has(Field::Time) {
        return None;
    }
    host::wall_ns().ok().map(|ns| ns / 1_000_000_000)
}

fn status_of(value: &[u8]) -> Option<u16> {
    core::str::from_utf8(value).ok()?.parse().ok()
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
    use gatehouse_filter::bootstrap::Bootstrap;
    use gatehouse_filter::contexts::Transaction as _;
    use gatehouse_filter::root::Judges;

    #[test]
    fn a_request_goes_on_when_the_host_answers_nothing_at_all() {
        let (mut worker, mut root) = (Worker::new(), Root::new(1, Judges::Requests));
        worker.configure("", &Bootstrap::default(), 0);
        let mut exchange = Exchange::new(1);
        assert_eq!(exchange.request_headers(9, true, &mut root, &mut worker), Flow::Continue);
        exchange.response_headers(None, &mut worker);
        exchange.log(true, &mut Outcomes::new(), &mut worker);
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
