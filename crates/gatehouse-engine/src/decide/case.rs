//! The end of a judgement: what was admitted is counted, and the verdict becomes what the host must do.

use gatehouse_policy::{Facts, Names, Policy, Rule, Scope};
use gatehouse_signals::Head;
use gatehouse_signals::path::{Ambiguity, Path};
use gatehouse_verdict::{Action, Mode, Verdict};

use crate::edits::Edits;
use crate::exchange::{Judged, Pending, Step};
use crate::grounds::{Ground, Place};
use crate::lazy::Lazy;
use crate::limits::{SharedSlots, Try};
use crate::mitigate;
use crate::request::Request;
use crate::scratch::Met;
use crate::state::State;
use crate::subject::Subject;

use super::trail::{Decision, Over, Trail, action_of};
use super::{Hosts, answer, readings, settings};

/// What is known of the request by the time it is decided.
pub(super) struct Case<'a, 'p> {
    policy: Option<&'p Policy>,
    /// Without the headers that a client may not send.
    request: &'a Request<'a>,
    path: &'a Path<'a>,
    /// There were such headers.
    stripped: bool,
    /// The method that it asks for, where it is a preflight.
    pub(super) preflight: Option<&'a [u8]>,
    /// The first scope that judged it, and who the client is to that one.
    pub(super) met: Option<(Scope<'p>, Subject)>,
}

impl<'a, 'p> Case<'a, 'p> {
    pub(super) fn new(
        policy: Option<&'p Policy>,
        request: &'a Request<'a>,
        path: &'a Path<'a>,
        stripped: bool,
    ) -> Self {
        let preflight = policy.and_then(|_| readings::preflight(request.head));
        Self { policy, request, path, stripped, preflight, met: None }
    }

    fn scope(&self) -> Option<Scope<'p>> {
        self.met.as_ref().map(|(scope, _)| *scope)
    }

    /// Counts, and makes the verdict and what the host must do.
    pub(super) fn conclude(
        self,
        mut decision: Decision<'p>,
        mut trail: Trail<'p>,
        state: &mut State,
        slots: &dyn SharedSlots,
    ) -> Judged {
        let pending = self.settle(&mut decision, &mut trail, state, slots);
        let rule = decision.rule();
        let would_have = trail.would_have.iter().any(|would| would.action != Action::Allow);
        let concerned = decision.mitigates() || would_have;
        let reference = concerned.then(|| state.references.next_reference());
        let by = rule.as_deref().unwrap_or(decision.reason.as_str());
        let step = self.step(&decision, &trail, by, reference.as_deref());
        let tags = match &step {
            Step::Forward(_) => trail.tags.iter().map(|(header, _)| (*header).to_owned()).collect(),
            _ => Vec::new(),
        };
        let delay_ns = if decision.mitigates() { 0 } else { trail.delay_ns };
        trail.grounds.conclude(|| (decision.decider().map(Rule::index), decision.over));
        let verdict = Verdict {
            action: Some(decision.action()),
            rule,
            reason: decision.reason,
            would_have: trail.would_have,
            tags,
            record: trail.record,
            reference,
            ambiguity: self.policy.and(self.path.ambiguity).map(Ambiguity::as_str),
        };
        let policy = self.policy.map(Policy::stamp);
        let subject =
            self.met.map_or_else(|| Subject::of_peer(self.request.head.connection.peer), |(_, subject)| subject);
        Judged { step, verdict, policy, subject, delay_ns, pending, grounds: trail.grounds }
    }

    /// What the decision leaves behind: counts, sums, what a change did. A preflight is no request of its own and leaves nothing.
    /// A limit that other workers filled up meanwhile makes another decision of it.
    fn settle(
        &self,
        decision: &mut Decision<'p>,
        trail: &mut Trail<'p>,
        state: &mut State,
        slots: &dyn SharedSlots,
    ) -> Pending {
        let (Some(policy), Some((scope, subject))) = (self.policy, &self.met) else { return Pending::default() };
        state.count_unknown();
        let counts = self.preflight.is_none();
        let mut tries = Vec::new();
        if counts {
            let now_ns = self.request.now.mono_ns;
            let went_on = !decision.mitigates();
            tries = count(policy, decision, state, slots, now_ns);
            if went_on && decision.mitigates() {
                trail.seen.unchanged = true;
                self.rest_on(decision, trail, state);
            }
            state.weigh(subject, &trail.weights, now_ns);
            let by = decision.document().filter(|_| decision.mitigates());
            state.changes.observe(*scope, subject, &trail.seen, by, now_ns);
        }
        match decision.mitigates() {
            true => Pending::default(),
            false => Pending {
                tries,
                edits: core::mem::take(&mut trail.response),
                responds: scope.has_response_rules(),
                open: counts,
            },
        }
    }

    /// Notes what the rule of a limit rests on that other workers filled up meanwhile: on the canonical reading, since nobody knows
    /// any more on which one it was asked.
    #[cold]
    fn rest_on(&self, decision: &Decision<'p>, trail: &mut Trail<'p>, state: &State) {
        let (Some(rule), Some((scope, subject))) = (decision.decider(), &self.met) else { return };
        let Request { head, claims, known, now } = *self.request;
        let lazy = Lazy::new(head, subject, &state.knowledge, now.mono_ns);
        let hosts = Hosts::of(head, self.path);
        let facts = Facts {
            host: hosts.iter().next().unwrap_or_default(),
            path: &self.path.canonical,
            case_insensitive: scope.backend().case_insensitive,
            query: self.path.query,
            method: self.preflight.or_else(|| head.first(b":method")).unwrap_or_default(),
            address: subject.client.address,
            head,
            claims,
            wall_s: now.wall_s,
            known,
            signals: &lazy,
            response: None,
        };
        let ground = || Ground::read(rule, &facts, Place::default());
        trail.grounds.note(rule, decision.over, Mode::Enforce, ground);
    }

    fn step(&self, decision: &Decision<'p>, trail: &Trail<'p>, by: &str, reference: Option<&str>) -> Step {
        let head = self.request.head;
        if decision.action() == Action::Drop {
            return Step::Drop;
        }
        if decision.mitigates() {
            let limits = self.policy.map(Policy::limits).unwrap_or_default();
            let egress = self.scope().is_some_and(Scope::is_egress);
            let support = self.scope().and_then(Scope::support);
            let cors =
                self.policy.zip(self.scope()).map(|(policy, scope)| cors(policy, scope, head)).unwrap_or_default();
            let scene = answer::Scene { by, reference: reference.unwrap_or_default(), support, limits, cors, egress };
            return Step::Reply(answer::reply(decision, &scene, head));
        }
        let edits = Edits {
            stripped: self.stripped,
            identity: self.scope().and_then(|scope| foreign_identity(scope, head)),
            sanitize: &trail.sanitize,
            tags: &trail.tags,
            canonical: Some(self.path).filter(|_| self.scope().is_some_and(Scope::forward_canonical)),
        };
        Step::Forward(edits.apply(head))
    }
}

/// A page of a host that the same documents name may read an answer with its credentials.
pub(crate) fn cors(policy: &Policy, scope: Scope<'_>, head: Head<'_>) -> mitigate::Cors {
    let own = || {
        let origin = policy.for_host(&mitigate::own_origin_host(head)?)?;
        (scope.is_claimed() && origin.is_claimed() && origin.name() == scope.name()).then_some(())
    };
    own().map_or(mitigate::Cors::Open, |()| mitigate::Cors::Trusted)
}

/// Headers of an identity that this client has no right to set, where they are to be removed.
fn foreign_identity<'p>(scope: Scope<'p>, head: Head<'_>) -> Option<Names<'p>> {
    let headers = scope.identity_headers().filter(|headers| !headers.refuse)?;
    (!settings::is_trusted(scope, head)).then_some(headers.names)
}

/// Counts the request in the limits that it met.
fn count<'p>(
    policy: &'p Policy,
    decision: &mut Decision<'p>,
    state: &mut State,
    slots: &dyn SharedSlots,
    now_ns: u64,
) -> Vec<Try> {
    let State { limits, scratch, .. } = state;
    let met = scratch.as_deref().map(|scratch| scratch.notes.met.as_slice()).unwrap_or_default();
    if decision.mitigates() {
        let by = decision.decider().map(Rule::index);
        decision.wait_for(limits.refuse(met, by, slots, now_ns));
        return Vec::new();
    }
    let final_word = |met: &Met, over: Over| {
        let then = policy.rule(met.rule).step_then(over.step);
        then.decides().map(|act| (then, action_of(&act)))
    };
    let refuses = |met: &Met, over| final_word(met, over).is_some_and(|(_, action)| action != Action::Allow);
    match limits.admit(met, slots, now_ns, refuses) {
        Ok(tries) => tries,
        Err((met, over)) => {
            if let Some((then, action)) = final_word(&met, over) {
                *decision = Decision::by_rule(policy.rule(met.rule), then, action, Some(over));
            }
            Vec::new()
        }
    }
}
