//! What one worker keeps between requests: counts, sums, what it knows from elsewhere, and how changes fare. All of it is
//! bounded, and all of it survives a change of policy.

use std::net::IpAddr;
use std::rc::Rc;

use gatehouse_meter::Keys;
use gatehouse_policy::{Field, Fields, KnownHosts, Policy, Rollout, Rule, Scope};
use gatehouse_signals::geo;
use gatehouse_signals::host::Host;
use gatehouse_verdict::Mode;
use gatehouse_verdict::redact::KeyedHash;

use crate::brake::Brake;
use crate::changes::{Changes, RolledBack};
use crate::knowledge::Knowledge;
use crate::limits::Limits;
use crate::reference::References;
use crate::scratch::{Notes, Scratch};
use crate::subject::Subject;
use crate::verdicts::Verdicts;

/// What a worker counted of itself, since it began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests for hosts whose rules read a field that could not be known of them, by field, in the order of [`Field::ALL`];
    /// those of the response phase count by themselves.
    pub unknown: Vec<(Field, u64)>,
    /// Requests that some limit did not count, since a part of its key could not be known.
    pub unkeyed: u64,
    /// Requests that met more limits than are counted (512 different keys).
    pub uncounted: u64,
    /// Keys of limits that lost their count to another.
    pub limit_evictions: u64,
    /// Clients that lost their score to another.
    pub score_evictions: u64,
    /// Counts of shared limits that were made by this worker alone.
    pub shared_fallbacks: u64,
    /// Entries of verdict lists that found no room.
    pub verdicts_refused: u64,
    /// Changes that are rolled out without a guard.
    pub unguarded_changes: u64,
    /// Bytes of the cells of limits.
    pub limit_bytes: u64,
}

/// The state of one worker. Nothing in it waits for anybody.
#[derive(Debug)]
pub struct State {
    pub(crate) knowledge: Knowledge,
    pub(crate) limits: Limits,
    pub(crate) changes: Changes,
    pub(crate) references: References,
    /// Of the policy that was taken over last.
    pub(crate) hosts: KnownHosts,
    /// Behind a pointer, so that lending it moves nothing else; `None`: it is lent, or was never asked for.
    pub(crate) scratch: Option<Box<Scratch>>,
    keys: Keys,
    digest: Option<[u8; 32]>,
    unknown: [u64; Field::ALL.len()],
    unkeyed: u64,
    uncounted: u64,
}

impl State {
    /// `key`: 16 secret bytes for the hashes of clients' keys, the same in all workers that share a limit; `references`: 16
    /// random bytes of this worker alone.
    #[must_use]
    pub fn new(key: [u8; 16], references: &[u8; 16]) -> Self {
        Self {
            knowledge: Knowledge::new(&key),
            limits: Limits::new(&key),
            changes: Changes::default(),
            references: References::new(references),
            hosts: KnownHosts::default(),
            scratch: None,
            keys: Keys::new(&key),
            digest: None,
            unknown: [0; Field::ALL.len()],
            unkeyed: 0,
            uncounted: 0,
        }
    }

    /// The installation's key of the keyed hashes in records, as the house told it: by it the house names clients in its verdict
    /// lists. Until then it is the key of the limits.
    pub fn set_hash_key(&mut self, key: &[u8; 16]) {
        self.knowledge.hash = KeyedHash::new(key);
    }

    /// Country and ASN by address, as the house sent them.
    pub fn set_geo(&mut self, table: Option<Rc<geo::Table>>) {
        self.knowledge.geo = table;
    }

    /// The operator's brake.
    pub fn set_brake(&mut self, brake: Brake) {
        self.knowledge.brake = brake;
    }

    /// The lists that the house fills.
    pub fn verdicts_mut(&mut self) -> &mut Verdicts {
        &mut self.knowledge.verdicts
    }

    /// Changes that were taken back since the last call; `policy`: the one in force.
    pub fn take_rollbacks(&mut self, policy: &Policy) -> Vec<RolledBack> {
        self.changes.take_told(policy)
    }

    /// Rules of this policy that were taken back before this worker began, as `policy/rule`.
    pub fn set_rolled_back(&mut self, policy: &Policy, rules: &[String]) {
        self.changes.take_back(policy, rules);
    }

    /// What was weighed against a client in all, or under a label by its index in the policy; whole points.
    #[must_use]
    pub fn score(&self, subject: &Subject, label: Option<u8>, now_ns: u64) -> Option<u32> {
        Some(self.knowledge.score(subject.tag?, label, now_ns))
    }

    /// Country and autonomous system of an address; `None`: there is no table.
    #[must_use]
    pub fn place(&self, address: IpAddr) -> Option<geo::Place> {
        self.knowledge.place(address)
    }

    /// What the worker counted of itself.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let evicted = |e: gatehouse_meter::Evictions| e.idle.saturating_add(e.busy).saturating_add(e.blocked);
        Counts {
            unknown: Field::ALL.into_iter().zip(self.unknown).filter(|(_, count)| *count > 0).collect(),
            unkeyed: self.unkeyed,
            uncounted: self.uncounted,
            limit_evictions: evicted(self.limits.evictions()),
            score_evictions: evicted(self.knowledge.evictions()),
            shared_fallbacks: self.limits.fallbacks(),
            verdicts_refused: self.knowledge.verdicts.refused(),
            unguarded_changes: self.changes.unguarded(),
            limit_bytes: self.limits.bytes() as u64,
        }
    }

    /// Makes ready for a policy: done with its first request, if not before. Does something only when it is another one than
    /// before.
    pub fn adopt(&mut self, policy: &Policy, now_ns: u64) {
        if self.digest == Some(policy.digest()) {
            return;
        }
        self.digest = Some(policy.digest());
        self.hosts.forget();
        self.limits.adopt(policy);
        self.knowledge.adopt(policy);
        self.changes.adopt(policy, now_ns);
    }

    /// What the policy says about a host. Remembered are only names that are read as they stand, so that the next request for one
    /// need not read it: `a.example..` is read as `a.example.`, but that is read as `a.example`.
    pub(crate) fn scope_of<'p>(&mut self, policy: &'p Policy, host: &[u8]) -> Option<Scope<'p>> {
        match self.hosts.find(policy, host) {
            Some(scope) => scope,
            None if *Host::parse(host).name == *host => self.hosts.learn(policy, host),
            None => policy.for_host(host),
        }
    }

    /// Whether a rule decides for this client at this moment.
    pub(crate) fn mode_of(&self, rule: Rule<'_>, subject: &Subject, now_ns: u64) -> Mode {
        let enforced = match rule.rollout() {
            Rollout::Monitor => false,
            Rollout::Enforce => !self.changes.is_taken_back(rule),
            Rollout::Canary(percent) => self.changes.is_in(rule, subject.tag, percent),
        };
        let brake = &self.knowledge.brake;
        // Where there is none, nobody asks at which scope the rule stands.
        let braked = !brake.is_empty() && brake.holds(rule.scope(), now_ns);
        if enforced && !braked { Mode::Enforce } else { Mode::Monitor }
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Adds to a client's scores, to be seen from its next request on.
    pub(crate) fn weigh(&mut self, subject: &Subject, weights: &[(i32, Option<u8>)], now_ns: u64) {
        if let Some(tag) = subject.tag {
            weights.iter().for_each(|(weight, label)| self.knowledge.weigh(tag, *label, *weight, now_ns));
        }
    }

    /// Lends the buffers for one judgement.
    pub(crate) fn take_scratch(&mut self) -> Box<Scratch> {
        let mut scratch = self.scratch.take().unwrap_or_default();
        scratch.notes.clear();
        scratch
    }

    /// Takes the buffers back.
    pub(crate) fn give_scratch(&mut self, scratch: Box<Scratch>) {
        self.scratch = Some(scratch);
    }

    /// Counts what could not be known of the request.
    pub(crate) fn count_unknown(&mut self) {
        let Some(Notes { unknown, unkeyed, uncounted, .. }) = self.scratch.as_deref().map(|scratch| &scratch.notes)
        else {
            return;
        };
        self.unkeyed = self.unkeyed.saturating_add(u64::from(*unkeyed));
        self.uncounted = self.uncounted.saturating_add(u64::from(*uncounted));
        if *unknown == Fields::NONE {
            return;
        }
        for (count, field) in self.unknown.iter_mut().zip(Field::ALL) {
            *count = count.saturating_add(u64::from(unknown.has(field)));
        }
    }
}
