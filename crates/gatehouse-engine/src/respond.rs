//! The response phase: rules that read the response, and edits of its headers. Costs nothing where the policy has none.

use gatehouse_policy::{Effect, Facts, Phase, Policy, ResponseFacts, Rule, Scope, Truth};
use gatehouse_signals::path::Path;
use gatehouse_verdict::{Action, Mode, Reason};

use crate::changes::Did;
use crate::decide::answer::{self, Scene};
use crate::decide::readings::{self, Methods, Reading};
use crate::decide::{self, Decision, Hosts, Trail, action_of, unknown};
use crate::edits;
use crate::exchange::{Judged, Reply};
use crate::grounds::{Ground, Place};
use crate::lazy::Lazy;
use crate::request::{Request, ResponseHead};
use crate::scratch::Scratch;
use crate::state::State;
use crate::subject::Subject;

/// What the host must do with the response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    Pass,
    /// Remove these headers, then set those.
    Edit {
        /// Lower-case names.
        remove: Vec<String>,
        /// Lower-case names and values.
        set: Vec<(String, String)>,
    },
    /// Send this instead; the response of the application never leaves.
    Replace(Reply),
}

/// Judges a response by the policy that judged its request. Call only where [`Judged::responds`] says so, once, and after
/// [`answered`](crate::answered).
///
/// On every reading of the request the first rule in order whose final word is enforced replaces the response; edits of all that
/// hold add up, after those of the request's rules. What would have been done is added to the verdict.
pub fn respond(
    policy: &Policy,
    request: Request<'_>,
    response: ResponseHead<'_>,
    judged: &mut Judged,
    state: &mut State,
) -> Answer {
    let kept = edits::without_ours(Some(policy), request.head, true);
    let request = Request { head: decide::with(request.head, kept.as_deref()), ..request };
    let mut written = Written { policy, remove: Vec::new(), set: Vec::new() };
    let pending = core::mem::take(&mut judged.pending.edits);
    pending.into_iter().for_each(|(rule, step)| written.edit(rule, step));
    let mut trail = Trail::default();
    let decided = match core::mem::take(&mut judged.pending.responds) {
        true => judge(policy, request, response, judged.subject, state, &mut trail),
        false => None,
    };
    core::mem::take(&mut trail.response).into_iter().for_each(|(rule, step)| written.edit(rule, step));
    note(trail, decided.as_ref().map(|(decision, _)| decision), judged, state);
    match decided {
        Some((decision, scope)) => Answer::Replace(replace(policy, scope, &decision, request, judged, state)),
        None if written.remove.is_empty() && written.set.is_empty() => Answer::Pass,
        None => Answer::Edit { remove: written.remove, set: written.set },
    }
}

/// Asks every rule of the response phase; `Some`: the response is replaced.
fn judge<'p>(
    policy: &'p Policy,
    request: Request<'_>,
    response: ResponseHead<'_>,
    subject: Subject,
    state: &mut State,
    trail: &mut Trail<'p>,
) -> Option<(Decision<'p>, Scope<'p>)> {
    let path = Path::parse(request.head.first(b":path").unwrap_or_default());
    let preflight = readings::preflight(request.head);
    let methods = Methods::of(request.head, preflight, true);
    let mut scratch = state.take_scratch();
    let mut decided: Option<(Decision<'p>, Scope<'p>)> = None;
    let mut observed = None;
    for host in Hosts::of(request.head, &path).iter() {
        let Some(scope) = policy.for_host(host).filter(|scope| scope.has_response_rules()) else { continue };
        observed = observed.or(Some(scope));
        let bench = Bench { policy, scope, host, path: &path, methods: &methods, request, response, subject };
        let next = bench.judge(state, &mut scratch, trail);
        decided = decided.or(next.map(|decision| (decision, scope)));
    }
    state.give_scratch(scratch);
    state.count_unknown();
    if preflight.is_none() {
        let now_ns = request.now.mono_ns;
        state.weigh(&subject, &trail.weights, now_ns);
        if let Some(scope) = observed {
            let by = decided.as_ref().and_then(|(decision, _)| decision.document());
            state.changes.observe(scope, &subject, &trail.seen, by, now_ns);
        }
    }
    decided
}

/// What the verdict says of it besides.
fn note(mut trail: Trail<'_>, decided: Option<&Decision<'_>>, judged: &mut Judged, state: &mut State) {
    let decider = decided.and_then(Decision::decider).map(Rule::index);
    trail.grounds.conclude(|| (decider, None));
    judged.grounds.add(trail.grounds, decider.is_some());
    let verdict = &mut judged.verdict;
    verdict.record |= trail.record;
    let would_have = trail.would_have.iter().any(|would| would.action != Action::Allow);
    trail.would_have.into_iter().for_each(|would| verdict.add_would_have(would.action, would.rule));
    if would_have && verdict.reference.is_none() {
        verdict.reference = Some(state.references.next_reference());
    }
}

fn replace(
    policy: &Policy,
    scope: Scope<'_>,
    decision: &Decision<'_>,
    request: Request<'_>,
    judged: &mut Judged,
    state: &mut State,
) -> Reply {
    let rule = decision.rule();
    let reference = judged.verdict.reference.take().unwrap_or_else(|| state.references.next_reference());
    let by = rule.as_deref().unwrap_or_default();
    let (support, limits) = (scope.support(), policy.limits());
    let cors = decide::cors(policy, scope, request.head);
    let scene = Scene { by, reference: &reference, support, limits, cors, egress: scope.is_egress() };
    let reply = answer::reply(decision, &scene, request.head);
    let verdict = &mut judged.verdict;
    (verdict.action, verdict.rule, verdict.reason) = (Some(decision.action()), rule, Reason::Rule);
    verdict.reference = Some(reference);
    reply
}

/// One scope's response rules over every reading of one request.
struct Bench<'b, 'p> {
    policy: &'p Policy,
    scope: Scope<'p>,
    host: &'b [u8],
    path: &'b Path<'b>,
    methods: &'b Methods<'b>,
    request: Request<'b>,
    response: ResponseHead<'b>,
    subject: Subject,
}

impl<'b, 'p> Bench<'b, 'p> {
    fn judge(&self, state: &State, scratch: &mut Scratch, trail: &mut Trail<'p>) -> Option<Decision<'p>> {
        let lazy = Lazy::new(self.request.head, &self.subject, &state.knowledge, self.request.now.mono_ns);
        let mut decided: Option<Decision<'p>> = None;
        for reading in readings::of(self.methods, self.path, self.scope.backend()) {
            let next = self.read(&reading, &lazy, state, scratch, trail);
            decided = match (decided, next) {
                (Some(before), Some(next)) => Some(before.stricter(next)),
                (before, next) => before.or(next),
            };
        }
        scratch.notes.unknown |= unknown::fields(self.scope.reads().response, &self.request, &self.subject, &lazy);
        decided
    }

    fn read<'f>(
        &'f self,
        reading: &Reading<'f>,
        lazy: &'f Lazy<'f>,
        state: &State,
        scratch: &mut Scratch,
        trail: &mut Trail<'p>,
    ) -> Option<Decision<'p>> {
        let Request { head, claims, known, now } = self.request;
        let facts = Facts {
            host: self.host,
            path: reading.path,
            case_insensitive: self.scope.backend().case_insensitive,
            query: self.path.query,
            method: reading.method,
            address: self.subject.client.address,
            head,
            claims,
            wall_s: now.wall_s,
            known,
            signals: lazy,
            response: Some(ResponseFacts { status: Some(self.response.status), headers: self.response.headers }),
        };
        trail.seen.begin_reading();
        self.scope.candidates(&facts, Phase::Response, &mut scratch.candidates);
        let rules = scratch.candidates.iter().map(|index| self.policy.rule(index));
        let mut decided = None;
        for rule in rules.filter(|rule| rule.holds(&facts) == Truth::True) {
            decided = self.ask(rule, &facts, state, trail);
            if decided.is_some() {
                break;
            }
        }
        decided
    }

    /// `Some`: the rule's final word is enforced.
    fn ask(&self, rule: Rule<'p>, facts: &Facts<'_>, state: &State, trail: &mut Trail<'p>) -> Option<Decision<'p>> {
        let now_ns = self.request.now.mono_ns;
        let mode = state.mode_of(rule, &self.subject, now_ns);
        let then = rule.then();
        let act = then.decides();
        let guarded = state.changes.guards(rule, now_ns);
        if guarded && act.is_some() {
            let did = if mode == Mode::Enforce { Did::Mitigated } else { Did::WouldHave };
            trail.seen.note(rule.document_index(), did);
        }
        let read = || Ground::read(rule, facts, Place::of(facts, self.path, self.request.head));
        match mode {
            Mode::Enforce => {
                trail.add(rule.index(), 0, then);
                let action = action_of(&act?);
                trail.seen.unchanged |= !guarded;
                trail.grounds.note(rule, None, mode, read);
                Some(Decision::by_rule(rule, then, action, None))
            }
            Mode::Monitor => {
                if trail.would_have(action_of(&act?), || rule.id()) {
                    trail.grounds.note(rule, None, mode, read);
                }
                None
            }
        }
    }
}

/// Edits of the response's headers.
struct Written<'p> {
    policy: &'p Policy,
    remove: Vec<String>,
    set: Vec<(String, String)>,
}

impl Written<'_> {
    /// Adds the edits of one rule, at that step of its limit.
    fn edit(&mut self, rule: u32, step: u8) {
        for effect in self.policy.rule(rule).step_then(step).effects() {
            match effect {
                Effect::RemoveResponseHeaders(names) => self.remove.extend(names.iter().map(str::to_owned)),
                Effect::SetResponseHeaders(pairs) => {
                    self.set.extend(pairs.iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
                }
                _ => {}
            }
        }
    }
}
