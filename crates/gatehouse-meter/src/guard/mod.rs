//! The guard of a change: takes a policy back when it hits clients that were known to be good.
//!
//! **Whom it looks at**: clients with a proven identity, or with enough successes before the change began ([`Familiar`]).
//! Everybody else is passed over, so a flood of blocked strangers says nothing. It counts distinct clients, never requests,
//! so one client that hammers is one client.
//!
//! **What it compares**: the share of known-good canary clients that the change mitigated, with the share of known-good
//! control clients that were mitigated by anything that is new (there should be none). It takes the change back when
//! - at least [`GuardSpec::min_clients`] of the arm were seen, at least [`GuardSpec::min_hit`] of them hit, and
//! - the lower bound of the canary's share (Wilson's score interval: "Probable inference, the law of succession, and
//!   statistical inference", 1927) is above [`GuardSpec::threshold`] and the control share together. A control arm with
//!   fewer than `min_clients` says nothing and counts as a share of nought.
//!
//! In a small canary few are hit before many are. So the same is asked of all known-good clients together, where those of
//! the control arm count as hit whom the change would have mitigated ([`Effect::WouldHave`]): the *forecast*. Who reports
//! no would-have leaves it without force.
//!
//! **When**: while the change is a canary, and for a time after promotion. A sample ends with its period, and the next
//! begins at nothing, so that what bites late is not drowned by those who came early.
//!
//! **How sure it is** (defaults; simulated, each client hit by chance): a change that hits 5 % is taken back after some 50
//! clients in the middle case and after 400 nearly always; one that hits 2 % within 3,000 clients nearly always; one that
//! hits 0.5 % in about one case of 75; one that hits 0.2 % hardly ever.
//!
//! **What an attacker can do**: with enough known-good clients of his own, whom he lets the change hit on purpose, he has it
//! taken back. Of up to 30 known-good clients that takes 3, of 100 four, of 400 ten, of 1,000 nineteen, of 10,000 126: of
//! those in the canary (he cannot choose who is in it, so at 10 % he needs ten times as many), or by the forecast of those
//! in both arms. Each needs its identity, or its successes before the change began. All that he wins is the policy that was
//! in force before, and an alarm. Successes are cheap for one who comes before; where that matters, only an identity should
//! make known-good, or `min_hit` be higher.
//!
//! **What it does not do**: mandates and verdicts never roll back, so the caller does not report what they do; nor whatever
//! the policy before the change mitigated already. Each worker judges by what it saw itself, successes and hits alike: a
//! client whose connections are spread over workers is familiar to each only by its own share.

mod canary;
mod familiar;
mod sample;

pub use canary::canary_share;
pub use familiar::{Familiar, FamiliarSpec};

use crate::impossible::Impossible;
use crate::table::Table;
use sample::{Sample, Seen};

const SECOND: u64 = 1_000_000_000;

/// When a change is taken back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GuardSpec {
    /// The share of known-good clients that a change may hit beyond the control's, from 0 to 1; 0.01 by default.
    pub threshold: f64,
    /// The smallest number of clients that says anything, at least 1; 20 by default.
    pub min_clients: u32,
    /// The smallest number of clients hit, at least 1; 3 by default.
    pub min_hit: u32,
    /// How many standard deviations the lower bound lies below what was seen, above 0; 2.58 by default: a single look errs
    /// in one case of 200.
    pub certainty: f64,
    /// Nanoseconds for which a promoted change is guarded; an hour by default.
    pub bake: u64,
    /// Nanoseconds after which the sample begins anew; an hour by default.
    pub period: u64,
}

/// Watches one change.
///
/// **Memory**: a [`Table`] with one byte a known-good client, so 18 bytes each. **When full**: further clients are left out until the period
/// ends and counted ([`Figures::left_out`]); those that are in are never pushed out. **Cost**: one look in the table; a few
/// divisions when something new was seen; a pass over the table when a period begins.
#[derive(Clone, Debug)]
pub struct Guard {
    spec: GuardSpec,
    state: State,
    began: u64,
    period_ends: u64,
    seen: Table<Seen>,
    sample: Sample,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Canary,
    Baking { until: u64 },
    RolledBack,
}

/// Which policy judges a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// The changed one; everybody once the change is promoted.
    Canary,
    /// The one before; the change is only evaluated.
    Control,
}

/// What became of a request on account of what is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Something new mitigated it: in the canary arm the change.
    Mitigated,
    /// Nothing new touched it.
    Nothing,
    /// The change was evaluated, and would have mitigated it.
    WouldHave,
}

/// The change is to be taken back.
#[must_use = "a rollback that nobody carries out guards nothing"]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rollback {
    /// What it is founded on.
    pub evidence: Evidence,
    /// What was seen.
    pub figures: Figures,
    /// The share that is hit at least, from 0 to 1.
    pub at_least: f64,
    /// The share that was allowed: the threshold and the control's.
    pub allowed: f64,
}

/// What a rollback is founded on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Clients of the canary arm that were mitigated.
    Canary,
    /// Clients of both arms that were or would have been.
    Forecast,
}

/// Distinct known-good clients since the period began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// In the canary arm.
    pub canary: u32,
    /// Of these, mitigated by the change.
    pub canary_hit: u32,
    /// In the control arm.
    pub control: u32,
    /// Of these, mitigated by anything new.
    pub control_hit: u32,
    /// In either arm; a client that changed arms is one.
    pub clients: u32,
    /// Of these, whom the change mitigated or would have mitigated.
    pub clients_hit: u32,
    /// Sightings of known-good clients for whom there was no room.
    pub left_out: u64,
}

// === impl Guard ===

impl Guard {
    /// Guards a change that begins now, as a canary, with room for at least `capacity` known-good clients in a period.
    ///
    /// # Errors
    /// [`Impossible::Guard`] for a threshold outside of 0 to 1, a minimum of zero, or a certainty that is no number above
    /// 0; [`Impossible::Capacity`] for a capacity of zero or more than 2²⁴.
    pub fn try_new(spec: GuardSpec, capacity: usize, now: u64) -> Result<Self, Impossible> {
        let sound = (0.0..=1.0).contains(&spec.threshold) && spec.certainty > 0.0 && spec.certainty.is_finite();
        if !sound || spec.min_clients == 0 || spec.min_hit == 0 {
            return Err(Impossible::Guard);
        }
        Ok(Self {
            spec,
            state: State::Canary,
            began: now,
            period_ends: now.saturating_add(spec.period),
            seen: Table::new(capacity)?,
            sample: Sample::default(),
        })
    }

    /// The change holds for everybody from now on: it is guarded for the bake time, with a sample of its own.
    pub fn promoted(&mut self, now: u64) {
        if self.state == State::Canary {
            self.state = State::Baking { until: now.saturating_add(self.spec.bake) };
            self.begin_period(now);
        }
    }

    /// Takes in that a request of a client was judged. Not to be called for what mandates, verdicts or the policy before
    /// the change mitigated.
    ///
    /// `known_good`: it has a proven identity, or [`Familiar::known_good`] says so for [`Self::began`]. The answer comes
    /// once; after it the guard is no longer armed.
    pub fn observe(&mut self, client: u64, known_good: bool, arm: Arm, effect: Effect, now: u64) -> Option<Rollback> {
        if !known_good || !self.is_armed(now) {
            return None;
        }
        if self.period_ends <= now {
            self.begin_period(now);
        }
        let Some(seen) = self.seen.claim(client, now) else {
            self.sample.left_out();
            return None;
        };
        if !self.sample.note(seen, arm, effect) {
            return None;
        }
        let rollback = self.sample.judge(&self.spec)?;
        self.state = State::RolledBack;
        Some(rollback)
    }

    /// Whether it still watches: as a canary, or within the bake time, and nothing was taken back.
    pub const fn is_armed(&self, now: u64) -> bool {
        match self.state {
            State::Canary => true,
            State::Baking { until } => now < until,
            State::RolledBack => false,
        }
    }

    /// When the change began: successes before it count.
    pub const fn began(&self) -> u64 {
        self.began
    }

    /// What was seen in this period.
    pub const fn figures(&self) -> Figures {
        self.sample.figures()
    }

    /// The memory of all clients, in bytes; it never changes.
    pub fn bytes(&self) -> usize {
        self.seen.bytes()
    }

    fn begin_period(&mut self, now: u64) {
        self.period_ends = now.saturating_add(self.spec.period);
        self.seen.clear();
        self.sample = Sample::default();
    }
}

// === impl GuardSpec ===

impl Default for GuardSpec {
    fn default() -> Self {
        let (bake, period) = (3_600 * SECOND, 3_600 * SECOND);
        Self { threshold: 0.01, min_clients: 20, min_hit: 3, certainty: 2.58, bake, period }
    }
}

#[cfg(test)]
mod tests;
