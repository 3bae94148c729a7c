//! GCRA: a steady rate with a burst, in one number a key.
//!
//! The generic cell rate algorithm as virtual scheduling, ITU-T I.371 annex A (also the ATM Forum's traffic management
//! specification 4.0, section 4.4.2): one theoretical arrival time (TAT), the increment T and the tolerance τ. An
//! arrival at `t` conforms if TAT − τ ≤ t; then TAT becomes max(t, TAT) + T. Here T = per ÷ rate, τ = (burst − 1) × T.

use crate::admission::Admission;
use crate::block::Block;
use crate::impossible::Impossible;
use crate::ladder::{self, Ladder, STEPS};
use crate::table::{Cell, Hold};

/// A steady rate that may be exceeded by a burst: `rate: 100 per 1m, burst: 20`; or several bursts over the one rate, each
/// with its own block time ([`Ladder`]: the limit of a step is its burst).
///
/// `burst` is how many may come at once. In any span of D (both ends included) at most burst + ⌊D ÷ T⌋ are admitted.
/// Error: T is rounded up to a whole nanosecond, so the rate is never exceeded and falls short by less than rate ÷ per
/// (one part in a million at 1,000 a second). Requests that the top step refuses are not counted; those that a lower step
/// refuses are. Its cell is [`GcraCell`], 24 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra {
    /// T, nanoseconds.
    interval: u64,
    /// τ of each step, nanoseconds.
    tolerances: [u64; STEPS],
    ladder: Ladder,
}

/// What [`Gcra`] keeps for one key: the theoretical arrival time and the block that followed its last refusal; 24 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcraCell {
    pub(crate) arrival: u64,
    pub(crate) block: Block,
}

// === impl Gcra ===

impl Gcra {
    /// `rate` in each `per` nanoseconds, `burst` of them at once.
    ///
    /// # Errors
    /// [`Impossible::Limit`] for a rate of zero, [`Impossible::Rate`] for more than one each nanosecond,
    /// [`Impossible::Burst`] for a burst of zero or one that needs more than 64 bits of nanoseconds.
    pub fn new(rate: u32, per: u64, burst: u32) -> Result<Self, Impossible> {
        Self::with_steps(rate, per, Ladder::one(burst).map_err(|_| Impossible::Burst)?)
    }

    /// `rate` in each `per` nanoseconds, with several bursts.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_steps(rate: u32, per: u64, bursts: Ladder) -> Result<Self, Impossible> {
        if rate == 0 {
            return Err(Impossible::Limit);
        }
        if u64::from(rate) > per {
            return Err(Impossible::Rate);
        }
        let interval = per.div_ceil(u64::from(rate));
        let mut tolerances = [u64::MAX; STEPS];
        for (tolerance, step) in tolerances.iter_mut().zip(bursts.steps()) {
            let waiting = u64::from(step.limit.saturating_sub(1));
            *tolerance = interval.checked_mul(waiting).ok_or(Impossible::Burst)?;
        }
        Ok(Self { interval, tolerances, ladder: bursts })
    }

    /// Refuses on for at least `nanos` once the top step refused a request.
    #[must_use]
    pub fn blocking_for(self, nanos: u64) -> Self {
        Self { ladder: self.ladder.blocking_for(nanos), ..self }
    }

    /// Counts one request if it conforms, or if only a step below the top refuses it.
    pub fn admit(&self, cell: &mut GcraCell, now: u64) -> Admission {
        let next = cell.arrival.max(now).checked_add(self.interval);
        let Some(step) = self.standing(cell, now) else {
            let answer = self.admitted(cell, now);
            cell.arrival = next.unwrap_or(u64::MAX);
            return answer;
        };
        if step < self.ladder.top() {
            cell.arrival = next.unwrap_or(u64::MAX);
        }
        if cell.block.standing(now).is_none_or(|standing| standing < step) {
            let wait = cell.early(now).saturating_sub(self.tolerance(step));
            cell.block.begin(step, now, wait.max(self.ladder.step(step).block_for));
        }
        self.refused(cell, step, now)
    }

    /// What [`Self::admit`] would answer, counting nothing: for a request that several limits must agree on.
    ///
    /// A refusal here begins no block, so its `retry_after` may be shorter than the one of `admit`.
    pub fn check(&self, cell: &GcraCell, now: u64) -> Admission {
        match self.standing(cell, now) {
            Some(step) => self.refused(cell, step, now),
            None => self.admitted(cell, now),
        }
    }

    /// So much of a burst as is used: requests that came before their time.
    pub(crate) const fn counted(&self, cell: &GcraCell, now: u64) -> u64 {
        cell.early(now).div_ceil(self.interval)
    }

    /// A step with a block time still blocks.
    pub(crate) fn is_blocked(&self, cell: &GcraCell, now: u64) -> bool {
        self.ladder.is_blocked(cell.block, now)
    }

    /// The highest step that is reached or still blocks.
    fn standing(&self, cell: &GcraCell, now: u64) -> Option<u8> {
        // A clock at the end of its 584 years: an arrival time that stands still would admit without end.
        if cell.arrival.max(now).checked_add(self.interval).is_none() {
            return Some(self.ladder.top());
        }
        let early = cell.early(now);
        let steps = self.tolerances.iter().take(self.ladder.steps().len());
        ladder::highest(steps.map(|&tolerance| tolerance < early)).max(cell.block.standing(now))
    }

    fn admitted(&self, cell: &GcraCell, now: u64) -> Admission {
        let remaining = match self.tolerance(0).checked_sub(cell.early(now).saturating_add(self.interval)) {
            Some(room) => (room / self.interval).saturating_add(1),
            None => 0,
        };
        Admission::Admitted { remaining: u32::try_from(remaining).unwrap_or(u32::MAX) }
    }

    fn refused(&self, cell: &GcraCell, step: u8, now: u64) -> Admission {
        if cell.arrival.max(now).checked_add(self.interval).is_none() {
            return Admission::Refused { step, retry_after: u64::MAX };
        }
        let early = cell.early(now).saturating_sub(self.tolerance(0));
        Admission::Refused { step, retry_after: early.max(cell.block.left(now)) }
    }

    fn tolerance(&self, step: u8) -> u64 {
        self.tolerances.get(usize::from(step)).copied().unwrap_or(u64::MAX)
    }
}

// === impl GcraCell ===

impl GcraCell {
    /// How long before its theoretical arrival time a request of this moment comes, nanoseconds.
    const fn early(self, now: u64) -> u64 {
        self.arrival.saturating_sub(now)
    }
}

// === impl Cell ===

impl Cell for GcraCell {
    fn hold(&self, now: u64) -> Hold {
        if self.block.left(now) > 0 {
            return Hold::Blocked;
        }
        if self.arrival <= now { Hold::Spent } else { Hold::Idle }
    }
}

#[cfg(test)]
mod tests;
