//! GCRA: a steady rate with a burst, in one number a key.
//!
//! The generic cell rate algorithm as virtual scheduling, ITU-T I.371 annex A (also the ATM Forum's traffic management
//! specification 4.0, section 4.4.2): one theoretical arrival time (TAT), the increment T and the tolerance τ. An
//! arrival at `t` conforms if TAT − τ ≤ t; then TAT becomes max(t, TAT) + T. Here T = per ÷ rate, τ = (burst − 1) × T.

use crate::admission::Admission;
use crate::block::Block;
use crate::impossible::Impossible;
use crate::table::{Cell, Hold};

/// A steady rate that may be exceeded by a burst: `rate: 100 per 1m, burst: 20`.
///
/// `burst` is how many may come at once. In any span of D (both ends included) at most burst + ⌊D ÷ T⌋ are admitted.
/// Error: T is rounded up to a whole nanosecond, so the rate is never exceeded and falls short by less than rate ÷ per
/// (one part in a million at 1,000 a second). Its cell is [`GcraCell`], 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra {
    /// T, nanoseconds.
    interval: u64,
    /// τ, nanoseconds.
    tolerance: u64,
    block_for: u64,
}

/// What [`Gcra`] keeps for one key: the theoretical arrival time and the block that followed its last refusal; 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcraCell {
    arrival: u64,
    block: Block,
}

// === impl Gcra ===

impl Gcra {
    /// `rate` in each `per` nanoseconds, `burst` of them at once.
    ///
    /// # Errors
    /// [`Impossible::Limit`] for a rate of zero, [`Impossible::Rate`] for more than one each nanosecond,
    /// [`Impossible::Burst`] for a burst of zero or one that needs more than 64 bits of nanoseconds.
    pub const fn new(rate: u32, per: u64, burst: u32) -> Result<Self, Impossible> {
        if rate == 0 {
            return Err(Impossible::Limit);
        }
        if rate as u64 > per {
            return Err(Impossible::Rate);
        }
        let interval = per.div_ceil(rate as u64);
        let Some(waiting) = burst.checked_sub(1) else { return Err(Impossible::Burst) };
        match interval.checked_mul(waiting as u64) {
            Some(tolerance) => Ok(Self { interval, tolerance, block_for: 0 }),
            None => Err(Impossible::Burst),
        }
    }

    /// Refuses on for at least `nanos` once a request was refused.
    #[must_use]
    pub const fn blocking_for(self, nanos: u64) -> Self {
        Self { block_for: nanos, ..self }
    }

    /// Counts one request if it conforms.
    pub fn admit(&self, cell: &mut GcraCell, now: u64) -> Admission {
        match self.check(cell, now) {
            Admission::Admitted { remaining } => {
                // `check` refuses where this sum would not fit.
                cell.arrival = cell.arrival.max(now).saturating_add(self.interval);
                Admission::Admitted { remaining }
            }
            Admission::Refused { retry_after } if cell.block.left(now).is_none() => {
                let retry_after = retry_after.max(self.block_for);
                cell.block.begin(now, retry_after);
                Admission::Refused { retry_after }
            }
            refused @ Admission::Refused { .. } => refused,
        }
    }

    /// What [`Self::admit`] would answer, counting nothing: for a request that several limits must agree on.
    ///
    /// A refusal here begins no block, so its `retry_after` may be shorter than the one of `admit`.
    pub fn check(&self, cell: &GcraCell, now: u64) -> Admission {
        let arrival = cell.arrival.max(now);
        let blocked = cell.block.left(now).unwrap_or(0);
        let early = arrival.saturating_sub(now).saturating_sub(self.tolerance).max(blocked);
        if early > 0 {
            return Admission::Refused { retry_after: early };
        }
        // A clock at the end of its 584 years: an arrival time that stands still would admit without end.
        let Some(next) = arrival.checked_add(self.interval) else {
            return Admission::Refused { retry_after: u64::MAX };
        };
        let remaining = match self.tolerance.checked_sub(next.saturating_sub(now)) {
            Some(room) => (room / self.interval).saturating_add(1),
            None => 0,
        };
        Admission::Admitted { remaining: u32::try_from(remaining).unwrap_or(u32::MAX) }
    }
}

// === impl Cell ===

impl Cell for GcraCell {
    fn hold(&self, now: u64) -> Hold {
        match self.block.left(now) {
            Some(_) => Hold::Blocked,
            None if self.arrival <= now => Hold::Spent,
            None => Hold::Idle,
        }
    }
}

#[cfg(test)]
mod tests;
