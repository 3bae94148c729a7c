//! Sums of weights that fade with a half-life: what `then: { weigh: +10, label: scanner }` adds up for a client.
//!
//! Whole numbers only, with a table of 2^(−n/4096) that the compiler works out, so that a gate in WebAssembly and a command
//! line on any processor come to the same sum, bit for bit.

use crate::impossible::Impossible;
use crate::table::{Cell, Hold};

/// The most labels that one policy may weigh by; they are numbered from 0.
pub const LABELS: usize = 15;

/// The highest sum in points; what goes beyond stays there.
pub const CAP: u32 = u16::MAX as u32;

/// Parts of a half-life after which sums fade by one step.
const TICKS: u64 = 4096;

/// One point, in the 65,536ths that are kept.
const POINT: u32 = 1 << 16;

/// How sums fade: by half in each half-life.
///
/// **Error**: a sum of positive weights that stays below the cap is too high or too low by at most 0.02 % (time passes in
/// steps of 1/4,096 half-life) and too low by at most a tenth of a point more (fading rounds down), however often it is
/// added to. Sums never rise by time, never go below 0 nor above [`CAP`], and are 0 after 32 half-lives. Asking changes
/// nothing. Its cell is [`ScoreCell`], 88 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scores {
    /// Nanoseconds.
    tick: u64,
    /// In 65,536ths; 0 where no sum is worth more than another.
    kept_from: u32,
}

/// What [`Scores`] keeps for one client: a sum over everything and one for each label; 88 bytes.
///
/// Every call must be given the same [`Scores`]; a cell belongs to one. Labels are numbers of one policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScoreCell {
    /// The tick of the sums.
    at: u64,
    /// When all sums are 0.
    fades_at: u64,
    /// Until when the total may still be worth keeping; rounded up to a half-life.
    kept_until: u64,
    total: u32,
    labels: [u32; LABELS],
}

// === impl Scores ===

impl Scores {
    /// Sums that are half of what they were after `half_life` nanoseconds (rounded up to a multiple of 4,096).
    ///
    /// # Errors
    /// [`Impossible::HalfLife`] for less than 4,096 ns.
    pub const fn new(half_life: u64) -> Result<Self, Impossible> {
        if half_life < TICKS {
            return Err(Impossible::HalfLife);
        }
        Ok(Self { tick: half_life.div_ceil(TICKS), kept_from: 0 })
    }

    /// Lets a full table give up cells with a total of at least `points` last ([`Hold::Blocked`]): the lowest score that a
    /// rule of the policy acts on, so that a flood of new clients does not wash away those that are acted on.
    #[must_use]
    pub const fn kept_from(self, points: u32) -> Self {
        Self { kept_from: points.saturating_mul(POINT), ..self }
    }

    /// Adds a weight in points, which may be negative, to the total and to a label's sum; a label above 14 has none. Gives
    /// the new total.
    pub fn add(&self, cell: &mut ScoreCell, label: Option<u8>, weight: i32, now: u64) -> u32 {
        if weight == 0 {
            return self.total(cell, now);
        }
        let ticks = self.since(cell, now);
        cell.total = weighed(faded(cell.total, ticks), weight);
        for (number, sum) in cell.labels.iter_mut().enumerate() {
            let own = label.is_some_and(|label| usize::from(label) == number);
            let left = faded(*sum, ticks);
            *sum = if own { weighed(left, weight) } else { left };
        }
        cell.at = cell.at.saturating_add(ticks);
        let highest = cell.labels.iter().fold(cell.total, |highest, &sum| highest.max(sum));
        cell.fades_at = self.after(cell.at, highest);
        // From the lowest sum worth keeping the total is as many half-lives away as their ratio has bits.
        cell.kept_until = cell.total.checked_div(self.kept_from).map_or(0, |ratio| self.after(cell.at, ratio));
        cell.total / POINT
    }

    /// The sum over all weights in whole points, rounded down: "at least N" holds exactly when this is at least N.
    pub fn total(&self, cell: &ScoreCell, now: u64) -> u32 {
        faded(cell.total, self.since(cell, now)) / POINT
    }

    /// The sum of a label in whole points, rounded down; 0 for a label above 14.
    pub fn of(&self, cell: &ScoreCell, label: u8, now: u64) -> u32 {
        let sum = cell.labels.get(usize::from(label)).copied().unwrap_or(0);
        faded(sum, self.since(cell, now)) / POINT
    }

    /// Ticks since the sums were taken; none if the clock ran back.
    const fn since(&self, cell: &ScoreCell, now: u64) -> u64 {
        (now / self.tick).saturating_sub(cell.at)
    }

    /// When a number of these bits has faded to nothing, counted from a tick; the clock's zero for 0.
    const fn after(&self, tick: u64, number: u32) -> u64 {
        if number == 0 {
            return 0;
        }
        let bits = u32::BITS.saturating_sub(number.leading_zeros()) as u64;
        tick.saturating_add(bits.saturating_mul(TICKS)).saturating_mul(self.tick)
    }
}

/// A sum after so many ticks, rounded down.
const fn faded(sum: u32, ticks: u64) -> u32 {
    let halves = ticks / TICKS;
    if sum == 0 || halves >= u32::BITS as u64 {
        return 0;
    }
    let left = (sum as u64).saturating_mul(factor(ticks % TICKS)) >> 31;
    (left >> halves) as u32
}

/// A sum and a weight in points, within 0 and the cap.
fn weighed(sum: u32, weight: i32) -> u32 {
    let sum = i64::from(sum).saturating_add(i64::from(weight).saturating_mul(i64::from(POINT)));
    u32::try_from(sum.max(0)).unwrap_or(u32::MAX)
}

/// 2^(−ticks/4096) in 2⁻³¹ units, for less than 4,096 ticks; off by less than three units.
const fn factor(ticks: u64) -> u64 {
    let coarse = at(&COARSE, ticks / 64);
    let fine = at(&FINE, ticks % 64);
    coarse.saturating_mul(fine) >> 31
}

/// 2^(−n/64) and 2^(−n/4096), in 2⁻³¹ units.
const COARSE: [u64; 64] = powers(6);
const FINE: [u64; 64] = powers(12);

/// The first 64 powers of the number that is one half after `roots` squarings, worked out in 2⁻⁶³ units.
#[expect(clippy::indexing_slicing, reason = "runs in the compiler only, where a wrong index is an error")]
const fn powers(roots: u32) -> [u64; 64] {
    let mut root = 1_u128 << 62;
    let mut squarings = 0;
    while squarings < roots {
        root = (root << 63).isqrt();
        squarings += 1;
    }
    let (mut table, mut power, mut n) = ([0; 64], 1_u128 << 63, 0);
    while n < 64 {
        table[n] = ((power + (1 << 31)) >> 32) as u64;
        power = (power * root) >> 63;
        n += 1;
    }
    table
}

#[expect(clippy::indexing_slicing, reason = "an index is cut to the table's 64 places")]
const fn at(table: &[u64; 64], n: u64) -> u64 {
    table[(n % 64) as usize]
}

// === impl Cell ===

impl Cell for ScoreCell {
    fn hold(&self, now: u64) -> Hold {
        if self.kept_until > now {
            return Hold::Blocked;
        }
        if self.fades_at <= now { Hold::Spent } else { Hold::Idle }
    }
}

#[cfg(test)]
mod tests;
