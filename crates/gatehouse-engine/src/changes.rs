//! Changes that are being rolled out: who is in a canary, how known-good clients fare, and what is taken back.
//!
//! A change is what one document tries: its rules in canary, and for a bake time after promotion the same rules enforced. All
//! rules of a change choose the same clients. Mandates and verdicts are no changes: they are never taken back here. What is
//! taken back acts as in monitor mode until the rules themselves change; the house is told, and does not have to be there.
//!
//! What is not the change's doing is left out: requests that the other rules mitigate as well, and clients whom the document
//! mitigated already before it was changed (it may say the same in other words now).

mod refused;
mod seen;

use gatehouse_meter::guard::{Arm, Evidence, Familiar, FamiliarSpec, Figures, Guard, GuardSpec, canary_share};
use gatehouse_policy::{Policy, Rollout, Rule, Scope, Tier};

use crate::subject::Subject;

use refused::Refused;
pub(crate) use seen::{Did, Seen};

/// Clients whose successes are remembered; 48 bytes each, taken when a policy is first in force.
const FAMILIAR: usize = if cfg!(fuzzing) { 64 } else { 32_768 };
/// Known-good clients that one change is judged by.
const JUDGES: usize = if cfg!(fuzzing) { 64 } else { 8192 };
/// Most changes that are guarded at once; further ones are rolled out unguarded, and the state's counter tells.
const MAX_CHANGES: usize = 64;
/// Most rollbacks that wait to be told to the house.
const MAX_TOLD: usize = 64;

/// The changes of one worker.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    familiar: Option<Familiar>,
    refused: Option<Refused>,
    changes: Vec<Guarded>,
    /// Identities of rules that were taken back.
    taken_back: Vec<u64>,
    /// What was taken back since it was last told, with the identities of its rules.
    told: Vec<(RolledBack, Vec<u64>)>,
    unguarded: u64,
}

/// One document's change.
#[derive(Debug)]
struct Guarded {
    what: Found,
    /// What tells who is in its canary.
    salt: u64,
    guard: Guard,
}

/// A change that was taken back.
#[derive(Debug, Clone, PartialEq)]
pub struct RolledBack {
    /// The document.
    pub document: String,
    /// Its rules that act as in monitor mode from now on, as `policy/rule`.
    pub rules: Vec<String>,
    /// Distinct known-good clients that it is founded on.
    pub figures: Figures,
    /// It is founded on the canary alone; else on a forecast over all clients.
    pub by_canary: bool,
    /// The share of known-good clients that it hits at least, from 0 to 1.
    pub at_least: f64,
    /// The share that was allowed.
    pub allowed: f64,
}

impl Changes {
    /// Takes over the changes of a policy: a change that goes on keeps what was seen, one that was promoted is guarded on.
    pub(crate) fn adopt(&mut self, policy: &Policy, now_ns: u64) {
        if self.familiar.is_none() {
            self.familiar = Familiar::try_new(FamiliarSpec::default(), FAMILIAR).ok();
            self.refused = Refused::new();
        }
        let mut before = core::mem::take(&mut self.changes);
        before.retain(|change| change.guard.is_armed(now_ns));
        let found = self.find(policy, &before);
        for found in found {
            let at = before.iter().position(|change| change.what.document == found.document);
            let change = match at.map(|at| before.swap_remove(at)) {
                Some(change) => found.go_on(change, now_ns),
                None => found.begin(now_ns),
            };
            match change {
                Some(change) if self.changes.len() < MAX_CHANGES => self.changes.push(change),
                _ => self.unguarded = self.unguarded.saturating_add(1),
            }
        }
    }

    /// The changes that a policy tries; forgets what was taken back and stands in it no more.
    fn find(&mut self, policy: &Policy, before: &[Guarded]) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        let mut still: Vec<u64> = Vec::new();
        for rule in rules(policy) {
            let identity = rule.identity();
            if self.taken_back.contains(&identity) {
                still.push(identity);
                continue;
            }
            let was_tried = || before.iter().any(|change| change.what.has(identity));
            let percent = match rule.rollout() {
                Rollout::Canary(percent) => percent,
                Rollout::Enforce if was_tried() => EVERYBODY,
                _ => continue,
            };
            if !matches!(rule.tier(), Tier::Mandate | Tier::Verdict) {
                Found::add(&mut found, rule, identity, percent);
            }
        }
        self.taken_back = still;
        found
    }

    /// The rule belongs to a change that is guarded.
    pub(crate) fn guards(&self, rule: Rule<'_>, now_ns: u64) -> bool {
        if self.changes.is_empty() {
            return false;
        }
        let (document, identity) = (rule.document_index(), rule.identity());
        let mut own = self.changes.iter().filter(|change| change.what.index == document);
        own.any(|change| change.guard.is_armed(now_ns) && change.what.has(identity))
    }

    /// The rule was taken back.
    pub(crate) fn is_taken_back(&self, rule: Rule<'_>) -> bool {
        !self.taken_back.is_empty() && self.taken_back.contains(&rule.identity())
    }

    /// The client is among those that a rule in canary is enforced on. One of whom nothing is known is not.
    pub(crate) fn is_in(&self, rule: Rule<'_>, tag: Option<u64>, percent: u8) -> bool {
        !self.is_taken_back(rule) && tag.is_some_and(|tag| canary_share(tag, salt(rule.document()), percent))
    }

    /// A request of a client was let through and answered with success.
    pub(crate) fn succeeded(&mut self, tag: u64, now_ns: u64) {
        if let Some(familiar) = &mut self.familiar {
            familiar.succeeded(tag, now_ns);
        }
    }

    /// Takes in what came of one request. `by`: the document whose word mitigated it, if it was.
    pub(crate) fn observe(&mut self, scope: Scope<'_>, subject: &Subject, seen: &Seen, by: Option<&str>, now_ns: u64) {
        let Some(tag) = subject.tag else { return };
        if seen.unchanged {
            self.mitigated(subject, tag, by, now_ns);
            return;
        }
        let mut taken_back = Vec::new();
        for (at, change) in self.changes.iter_mut().enumerate() {
            let index = change.what.index;
            if !change.guard.is_armed(now_ns) || !scope.documents().any(|document| document == index) {
                continue;
            }
            let began = change.guard.began();
            let familiar = || self.familiar.as_ref().is_some_and(|familiar| familiar.known_good(tag, began, now_ns));
            let refused = || self.refused.as_ref().is_some_and(|refused| refused.before(tag, change.salt, began));
            let known_good = subject.is_identified() && !refused() || familiar();
            let arm = if canary_share(tag, change.salt, change.what.percent) { Arm::Canary } else { Arm::Control };
            if let Some(rollback) = change.guard.observe(tag, known_good, arm, seen.effect_of(index), now_ns) {
                taken_back.push((at, rollback));
            }
        }
        for (at, rollback) in taken_back {
            let Some(Guarded { what, .. }) = self.changes.get(at) else { continue };
            self.taken_back.extend(&what.rules);
            if self.told.len() < MAX_TOLD {
                let rolled_back = RolledBack {
                    document: what.document.clone(),
                    rules: Vec::new(),
                    figures: rollback.figures,
                    by_canary: rollback.evidence == Evidence::Canary,
                    at_least: rollback.at_least,
                    allowed: rollback.allowed,
                };
                self.told.push((rolled_back, what.rules.clone()));
            }
        }
    }

    /// Something that is no change mitigated a request of a client: its successes begin anew.
    pub(crate) fn mitigated(&mut self, subject: &Subject, tag: u64, by: Option<&str>, now_ns: u64) {
        if let Some(familiar) = &mut self.familiar {
            familiar.mitigated(tag);
        }
        // Only an identity makes good whatever came before.
        if let (Some(refused), Some(document), true) = (&mut self.refused, by, subject.is_identified()) {
            refused.note(tag, salt(document), now_ns);
        }
    }

    /// Rollbacks since the last call; `policy` names their rules.
    pub(crate) fn take_told(&mut self, policy: &Policy) -> Vec<RolledBack> {
        let told = core::mem::take(&mut self.told);
        let named = |(mut rollback, identities): (RolledBack, Vec<u64>)| {
            rollback.rules = rules(policy).filter(|rule| identities.contains(&rule.identity())).map(Rule::id).collect();
            rollback
        };
        told.into_iter().map(named).collect()
    }

    /// Takes back rules by their names, as the house remembers them for this very policy.
    pub(crate) fn take_back(&mut self, policy: &Policy, names: &[String]) {
        for rule in rules(policy).filter(|rule| names.contains(&rule.id())) {
            let identity = rule.identity();
            if !self.taken_back.contains(&identity) {
                self.taken_back.push(identity);
            }
            // What is left of the change is no change that anybody wrote.
            self.changes.retain(|change| !change.what.has(identity));
        }
    }

    /// Changes that found no guard since the worker began.
    pub(crate) const fn unguarded(&self) -> u64 {
        self.unguarded
    }
}

fn rules(policy: &Policy) -> impl Iterator<Item = Rule<'_>> {
    (0..policy.rules()).filter_map(|index| Some(policy.rule(u32::try_from(index).ok()?)))
}

/// The share of a rule that was promoted.
const EVERYBODY: u8 = 100;

/// A document's change as a policy says it.
#[derive(Debug)]
struct Found {
    document: String,
    /// Index of the document in the policy in force.
    index: u32,
    /// Identities of its rules, sorted.
    rules: Vec<u64>,
    /// The greatest share that one of its rules is tried on.
    percent: u8,
    /// None of its rules is in canary any more.
    promoted: bool,
}

impl Found {
    fn add(found: &mut Vec<Self>, rule: Rule<'_>, identity: u64, percent: u8) {
        let (index, promoted) = (rule.document_index(), percent == EVERYBODY);
        match found.iter_mut().find(|change| change.index == index) {
            Some(change) => {
                let at = change.rules.partition_point(|other| *other < identity);
                change.rules.insert(at, identity);
                change.percent = change.percent.max(percent);
                change.promoted &= promoted;
            }
            None => {
                let document = rule.document().to_owned();
                found.push(Self { document, index, rules: vec![identity], percent, promoted });
            }
        }
    }

    fn has(&self, identity: u64) -> bool {
        self.rules.binary_search(&identity).is_ok()
    }

    fn begin(self, now_ns: u64) -> Option<Guarded> {
        let guard = Guard::try_new(GuardSpec::default(), JUDGES, now_ns).ok()?;
        Some(Guarded { salt: salt(&self.document), what: self, guard })
    }

    /// The same rules go on with what was seen; others begin anew.
    fn go_on(self, mut before: Guarded, now_ns: u64) -> Option<Guarded> {
        if !self.rules.iter().all(|rule| before.what.has(*rule)) {
            return self.begin(now_ns);
        }
        if self.promoted && !before.what.promoted {
            before.guard.promoted(now_ns);
        }
        Some(Guarded { what: self, ..before })
    }
}

/// Which clients a document's change is tried on (FNV-1a of its name).
fn salt(document: &str) -> u64 {
    document
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
