//! The one door to the engine for the command line: `explain`, `replay` and `test` all judge here, as one worker of a gate does,
//! by the crates that the gate is made of.

mod blind;
mod connection;
mod explained;
mod posed;
mod signals;
mod slots;
mod steps;
#[cfg(test)]
mod tests;
mod traffic;

use std::rc::Rc;
use std::sync::Arc;

use gatehouse_engine::{Answer, Judged, Policy, ResponseHead, Settings, State};
use gatehouse_policy::ResponseFacts;
use gatehouse_signals::geo;

use crate::request::{OF_RESPONSE, Request, Response, without};
use blind::Blind;
use posed::Posed;
use slots::MemorySlots;
use steps::Teller;

pub use explained::{Edited, Explained, NotJudged, Would};
pub use signals::Signals;
pub use steps::{Limit, Over, Step};

/// Keyed hashes and reference ids are made from these, so that the same input gives the same answer to the byte.
const FIXED: [u8; 16] = [0; 16];

/// The first request of a judge arrives at this moment of its clock that never steps.
const BEGIN_NS: u64 = 1_000_000_000;

/// How to judge.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Fill [`Explained::signals`] and [`Explained::trace`]: every rule is then asked, whether or not it could hold.
    pub trace: bool,
    /// What the gate's bootstrap says.
    pub settings: Settings,
    /// The lists that the house fills are known: they hold what was put on them here. Otherwise nothing is known of them.
    pub lists_known: bool,
    /// A request that does not say when it arrived arrives by the caller's clock; otherwise its time is not known.
    pub wall_clock: bool,
    /// Country and autonomous system by address.
    pub geo: Option<Rc<geo::Table>>,
}

/// Judges requests, or connections, one after the other.
#[derive(Debug)]
pub struct Judge {
    policy: Arc<Policy>,
    options: Options,
    state: State,
    slots: MemorySlots,
    blind: Blind,
    teller: Teller,
    /// The last request, until its answer is told.
    pending: Option<Judged>,
    clock: Clock,
}

/// A clock that never steps, from one that may.
#[derive(Debug, Clone, Copy, Default)]
struct Clock {
    first: Option<u64>,
    now_ns: u64,
}

/// What became of a request that went on.
#[derive(Debug, Clone, Copy)]
pub enum Answered<'a> {
    /// It was never answered.
    Never,
    /// Nobody recorded what it was answered.
    Unknown,
    /// The application's answer.
    With(&'a Response),
}

impl Judge {
    /// A judge with fresh counters.
    #[must_use]
    pub fn new(policy: Arc<Policy>, options: Options) -> Self {
        let mut state = State::new(FIXED, &FIXED);
        state.set_geo(options.geo.clone());
        let blind = Blind::new(&policy);
        let teller = if options.trace { Teller::new(&policy) } else { Teller::default() };
        let (slots, clock) = (MemorySlots::default(), Clock::default());
        Self { policy, options, state, slots, blind, teller, pending: None, clock }
    }

    /// The policy that judges.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Puts a subject on a list that the house fills, for ever; `key` as [`gatehouse_engine::verdicts`] has it. False: it makes
    /// no sense, or there is no room.
    pub fn put_on_list(&mut self, list: &str, key: &[u8]) -> bool {
        self.state.verdicts_mut().put(list, key, u64::MAX, self.clock.now_ns)
    }

    /// Judges one request that arrives at `now`, nanoseconds since the Unix epoch. A moment before an earlier one is taken for
    /// that.
    pub fn judge(&mut self, request: &Request, now: u64) -> Explained {
        let policy = Arc::clone(&self.policy);
        let posed = Posed::new(request, &policy, &self.options, (self.clock.tick(now), now));
        let claims = posed.claims();
        let asked = posed.request(claims.as_deref());
        let (settings, state) = (&self.options.settings, &mut self.state);
        let (judged, trace) = if self.options.trace {
            let (judged, trace) = gatehouse_engine::explain(Some(&policy), settings, asked, state, &self.slots);
            (judged, Some(trace))
        } else {
            (gatehouse_engine::judge(Some(&policy), settings, asked, state, &self.slots), None)
        };
        let mut explained = Explained::of(&judged, asked.head);
        explained.not_judged = self.blind.of_request(&policy, asked, &judged, &self.state);
        if let Some(trace) = trace {
            explained.signals = Some(Signals::of(&posed, asked, &judged, &policy, &self.state));
            explained.trace = self.teller.steps(&policy, asked, &judged, &trace);
        }
        self.pending = Some(judged);
        explained
    }

    /// Tells what became of the request that was judged last, if it went on: limits that count failures take it, and rules of
    /// the response phase may decide anew.
    pub fn answer(&mut self, request: &Request, explained: &mut Explained, answered: Answered<'_>, now: u64) {
        let Some(mut judged) = self.pending.take().filter(|_| !explained.mitigates()) else { return };
        let response = match answered {
            Answered::Never => return,
            Answered::Unknown => None,
            Answered::With(response) => Some(response),
        };
        let policy = Arc::clone(&self.policy);
        let mut posed = Posed::new(request, &policy, &self.options, (self.clock.tick(now), now));
        let pairs: Vec<_> = response.map(Response::pairs).unwrap_or_default();
        if response.is_none() {
            posed.known = without(posed.known, OF_RESPONSE);
            explained.not_judged.extend(self.blind.of_failures(&policy, &judged));
        }
        let status = response.map(|response| response.status);
        let now_ns = self.clock.now_ns;
        gatehouse_engine::answered(Some(&policy), &mut judged, status, &mut self.state, &self.slots, now_ns);
        if !judged.responds() {
            return;
        }
        // As in the gate: claims are asked for with the request.
        let asked = posed.request(None);
        let facts = ResponseFacts { status, headers: &pairs };
        explained.not_judged.extend(self.blind.of_response(&policy, asked, facts, &judged, &self.state));
        let Some(status) = status else { return };
        let head = ResponseHead { status, headers: &pairs };
        let answer = gatehouse_engine::respond(&policy, asked, head, &mut judged, &mut self.state);
        let replaced = matches!(answer, Answer::Replace(_));
        explained.respond(answer, &judged.verdict);
        if self.options.trace {
            let step = self.teller.response(&judged, replaced);
            explained.trace.extend(step);
        }
    }
}

impl Clock {
    fn tick(&mut self, now: u64) -> u64 {
        let first = *self.first.get_or_insert(now);
        self.now_ns = self.now_ns.max(now.saturating_sub(first).saturating_add(BEGIN_NS));
        self.now_ns
    }
}
