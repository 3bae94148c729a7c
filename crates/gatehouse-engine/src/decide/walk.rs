//! One scope's rules over every reading of one request.

use core::cell::OnceCell;

use gatehouse_policy::{Action as Act, Facts, Phase, Policy, Rule, Scope, Then, Tier, Truth};
use gatehouse_signals::path::Path;
use gatehouse_verdict::{Action, Mode, Reason};

use crate::changes::Did;
use crate::grounds::{Ground, Place};
use crate::lazy::Lazy;
use crate::limits::{Asker, Key, SharedSlots};
use crate::request::Request;
use crate::scratch::{Met, Notes, Scratch, Stand};
use crate::state::State;
use crate::subject::Subject;
use crate::trace::{Sum, Trace};

use super::odd::Odd;
use super::readings::{self, Methods, Reading};
use super::trail::{Decision, Over, Trail, Word, action_of};
use super::unknown;

/// One scope judging one request.
pub(super) struct Court<'a, 'p> {
    pub(super) policy: &'p Policy,
    pub(super) scope: Scope<'p>,
    pub(super) host: &'a [u8],
    pub(super) path: &'a Path<'a>,
    pub(super) request: &'a Request<'a>,
    /// The method that it asks for, where it is a preflight.
    pub(super) preflight: Option<&'a [u8]>,
    pub(super) odd: Odd,
    pub(super) subject: &'a Subject,
}

impl<'a, 'p> Court<'a, 'p> {
    /// The verdict over every reading: the strictest.
    pub(super) fn judge(
        &self,
        state: &State,
        slots: &dyn SharedSlots,
        scratch: &mut Scratch,
        trail: &mut Trail<'p>,
        mut trace: Option<&mut Trace>,
    ) -> Decision<'p> {
        let methods = Methods::of(self.request.head, self.preflight, self.odd.overrides);
        if let Some(refused) = self.refused_unread(methods.too_many, state, trail) {
            trail.seen.unchanged = true;
            return refused;
        }
        let lazy = Lazy::new(self.request.head, self.subject, &state.knowledge, self.request.now.mono_ns);
        let mut decision: Option<Decision<'p>> = None;
        for reading in readings::of(&methods, self.path, self.scope.backend()) {
            let facts = self.facts(&reading, &lazy);
            let trace = trace.as_deref_mut();
            let walk = Walk { court: self, facts, lazy: &lazy, state, slots, trail, trace, class: OnceCell::new() };
            let next = walk.run(scratch);
            decision = Some(decision.map_or(next, |before| before.stricter(next)));
        }
        scratch.notes.unknown |= unknown::fields(self.scope.reads().request, self.request, self.subject, &lazy);
        decision.unwrap_or(Decision::allowed(Reason::Otherwise))
    }

    fn facts<'f>(&'f self, reading: &Reading<'f>, lazy: &'f Lazy<'f>) -> Facts<'f> {
        Facts {
            host: self.host,
            path: reading.path,
            case_insensitive: self.scope.backend().case_insensitive,
            query: self.path.query,
            method: reading.method,
            address: self.subject.client.address,
            head: self.request.head,
            claims: self.request.claims,
            wall_s: self.request.now.wall_s,
            known: self.request.known,
            signals: lazy,
            response: None,
        }
    }
}

/// The rules on one reading.
struct Walk<'w, 't, 'p> {
    court: &'w Court<'w, 'p>,
    facts: Facts<'w>,
    lazy: &'w Lazy<'w>,
    state: &'w State,
    slots: &'w dyn SharedSlots,
    trail: &'t mut Trail<'p>,
    trace: Option<&'t mut Trace>,
    /// Of the path, for the keys of limits.
    class: OnceCell<[u8; 8]>,
}

impl<'p> Walk<'_, '_, 'p> {
    /// The first final rule that is enforced decides. After a mandate that allows, only mandates are asked.
    fn run(mut self, scratch: &mut Scratch) -> Decision<'p> {
        let Court { policy, scope, .. } = *self.court;
        let Scratch { candidates, notes } = scratch;
        match self.trace {
            Some(_) => candidates.fill(scope.all_rules(Phase::Request)),
            None => scope.candidates(&self.facts, Phase::Request, candidates),
        }
        notes.reading = notes.reading.saturating_add(1);
        self.trail.seen.begin_reading();
        self.walk(candidates.iter().map(|index| policy.rule(index)), notes)
    }

    fn walk(&mut self, mut rules: impl Iterator<Item = Rule<'p>>, notes: &mut Notes) -> Decision<'p> {
        let mut decided: Option<Decision<'p>> = None;
        for rule in rules.by_ref() {
            if decided.is_some() && rule.tier() != Tier::Mandate {
                break;
            }
            let Some(next) = self.ask(rule, notes) else { continue };
            if next.mitigates() || rule.tier() != Tier::Mandate {
                decided = Some(next);
                break;
            }
            decided = decided.or(Some(next));
        }
        let decided = decided.unwrap_or_else(|| self.otherwise());
        self.trail.seen.unchanged |= decided.mitigates() && self.is_mitigated_anyway(&decided, rules);
        decided
    }

    /// Whether the request would have been mitigated without any change: then the change is not to blame. `rest`: the rules that
    /// were not asked any more.
    fn is_mitigated_anyway(&self, decided: &Decision<'p>, mut rest: impl Iterator<Item = Rule<'p>>) -> bool {
        let now_ns = self.court.request.now.mono_ns;
        let is_change = |rule: Rule<'p>| self.state.changes.guards(rule, now_ns);
        if !decided.decider().is_some_and(is_change) {
            return true;
        }
        let decides = |rule: Rule<'p>| {
            let mode = || self.state.mode_of(rule, self.court.subject, now_ns);
            if is_change(rule) || rule.holds(&self.facts) != Truth::True || mode() != Mode::Enforce {
                return None;
            }
            let step = if rule.limit().is_some() { self.over(rule)?.step } else { 0 };
            rule.step_then(step).decides().map(|act| action_of(&act))
        };
        let otherwise = || self.enforced_otherwise().map(|(_, action)| action);
        rest.find_map(decides).or_else(otherwise).is_some_and(|action| action != Action::Allow)
    }

    /// How far the rule's limit is over for this request; `None`: it is not, or cannot be told.
    fn over(&self, rule: Rule<'p>) -> Option<Over> {
        let (limit, key) = self.key(rule)?;
        self.state.limits.check(limit, &key, self.slots, self.court.request.now.mono_ns)
    }

    /// `Some`: the rule's final word is enforced.
    fn ask(&mut self, rule: Rule<'p>, notes: &mut Notes) -> Option<Decision<'p>> {
        let truth = rule.holds(&self.facts);
        if truth != Truth::True && self.trace.is_none() {
            return None;
        }
        let mode = self.state.mode_of(rule, self.court.subject, self.court.request.now.mono_ns);
        let standing = if truth == Truth::True { self.limit(rule, mode, notes) } else { Standing::No };
        self.note(rule, truth, mode, standing);
        let over = match standing {
            Standing::No => return None,
            Standing::Plain => None,
            Standing::Over(over) => Some(over),
        };
        let step = over.map_or(0, |over| over.step);
        let then = rule.step_then(step);
        let act = then.decides();
        if let Some(act) = &act {
            self.note_change(rule, act, mode);
        }
        match mode {
            Mode::Enforce => {
                self.trail.add(rule.index(), step, then);
                let action = action_of(&act?);
                if action != Action::Allow || !self.trail.would_have.is_empty() {
                    self.rest_on(rule, over, mode, notes.reading);
                }
                Some(Decision::by_rule(rule, then, action, over))
            }
            Mode::Monitor => {
                if self.trail.would_have(action_of(&act?), || rule.id()) {
                    self.rest_on(rule, over, mode, notes.reading);
                }
                None
            }
        }
    }

    /// Notes what a rule rests on that does something to the request, or would. Never on the way of one that nothing is done to.
    #[cold]
    fn rest_on(&mut self, rule: Rule<'p>, over: Option<Over>, mode: Mode, reading: u16) {
        let Court { path, request, .. } = *self.court;
        let is_only = reading == 1 && path.authority.is_none() && path.readings.is_empty();
        let place = || if is_only { Place::default() } else { Place::of(&self.facts, path, request.head) };
        self.trail.grounds.note(rule, over, mode, || Ground::read(rule, &self.facts, place()));
    }

    fn note_change(&mut self, rule: Rule<'p>, act: &Act<'p>, mode: Mode) {
        if self.state.changes.guards(rule, self.court.request.now.mono_ns) {
            let did = match (act, mode) {
                (Act::Allow, _) => Did::Allowed,
                (_, Mode::Monitor) => Did::WouldHave,
                (_, Mode::Enforce) => Did::Mitigated,
            };
            self.trail.seen.note(rule.document_index(), did);
        }
    }

    /// Whether the rule's limit, if it has one, is over; the request is counted once it is decided.
    fn limit(&self, rule: Rule<'p>, mode: Mode, notes: &mut Notes) -> Standing {
        if rule.limit().is_none() {
            return Standing::Plain;
        }
        let Some((limit, key)) = self.key(rule) else {
            notes.unkeyed = true;
            return Standing::No;
        };
        let over = self.state.limits.check(limit, &key, self.slots, self.court.request.now.mono_ns);
        let stand = match over.map(|over| rule.step_then(over.step).decides()) {
            None => Stand::Below,
            Some(None | Some(Act::Allow)) => Stand::Passes,
            Some(Some(_)) => Stand::Refuses,
        };
        let (shared, enforced) =
            (self.court.policy.limits().get(limit).is_some_and(|spec| spec.shared), mode == Mode::Enforce);
        notes.meet(Met { limit, key, rule: rule.index(), stand, shared, enforced });
        over.map_or(Standing::No, Standing::Over)
    }

    /// The rule's limit, and whose count the request belongs to in it; `None`: a part of the key cannot be known.
    fn key(&self, rule: Rule<'p>) -> Option<(usize, Key)> {
        let Court { policy, subject, .. } = *self.court;
        let limit = rule.limit()?;
        let asker = Asker { facts: &self.facts, lazy: self.lazy, subject, claims: policy.claims(), class: &self.class };
        Some((limit, self.state.limits.key_of(limit, policy.limits().get(limit)?, &asker)?))
    }

    fn otherwise(&mut self) -> Decision<'p> {
        let scope = self.court.scope;
        if let Some((then, action)) = self.enforced_otherwise() {
            return Decision::otherwise(|| scope.otherwise_document(), then, action);
        }
        if let Some((then, _)) = scope.otherwise()
            && let Some(action) = then.decides().map(|act| action_of(&act)).filter(|action| *action != Action::Allow)
        {
            self.trail.would_have(action, || Word::Otherwise.of(scope.otherwise_document()));
        }
        Decision::allowed(Reason::Otherwise)
    }

    /// What happens where no rule decides.
    fn enforced_otherwise(&self) -> Option<(Then<'p>, Action)> {
        let scope = self.court.scope;
        let (then, mode) = scope.otherwise()?;
        let action = action_of(&then.decides()?);
        // A word that lets through reaches as far in any mode.
        let reaches = || self.court.mode_of(mode, scope.otherwise_document(), self.state) == Mode::Enforce;
        (action == Action::Allow || reaches()).then_some((then, action))
    }

    fn note(&mut self, rule: Rule<'p>, truth: Truth, mode: Mode, standing: Standing) {
        if self.trace.is_none() {
            return;
        }
        let over = match standing {
            Standing::Over(over) => Some(over),
            Standing::No | Standing::Plain => None,
        };
        let key = if truth == Truth::True { self.key(rule) } else { None };
        let now_ns = self.court.request.now.mono_ns;
        let remaining = key.and_then(|(limit, key)| self.state.limits.remaining(limit, &key, self.slots, now_ns));
        if let Some(trace) = self.trace.as_deref_mut() {
            trace.note(rule, &self.facts, truth, mode, remaining.map(|remaining| Sum::new(remaining, over)));
        }
    }
}

/// How a rule whose match holds stands to its limit.
#[derive(Debug, Clone, Copy)]
enum Standing {
    /// Its match does not hold, or it is below its limit.
    No,
    /// It has none.
    Plain,
    /// It is over.
    Over(Over),
}
