//! How many different items a key showed within a sliding window, estimated in one kilobyte.
//!
//! Linear counting (Whang, Vander-Zanden, Taylor: "A linear-time probabilistic counting algorithm for database
//! applications", 1990) over 1,024 cells that each remember the sub-window of their last hit instead of one bit, so that
//! the count slides. Thresholds too high for 1,024 cells look only at a sample of the items, by hash (the virtual bitmap
//! of Estan, Varghese, Fisk: "Bitmap algorithms for counting active flows on high-speed links", 2003).

use crate::admission::Admission;
use crate::block::Block;
use crate::impossible::Impossible;
use crate::ladder::{self, Ladder, STEPS};
use crate::span::{SLOTS, Span, slot, slot_before};
use crate::table::{Cell, Hold};

const CELLS: usize = 1024;

/// The most items in a sample at the threshold: one and a half for each cell, where linear counting errs by 2.9 %.
const FULLEST: u32 = 1536;

/// A threshold below the top must be so many times the parts of which one is looked at (less one): 11 % standard error.
const SAMPLED_AT_LEAST: u32 = 100;

/// More than `over` different items in any window: `distinct: { of: address, over: 200 per 5m }`; or several such
/// thresholds, each with its own block time, over one sketch ([`Ladder`]).
///
/// Every item counts, whether its request is refused or not: who goes on showing new items stays over.
///
/// Error, in time: as [`WindowLimit`](crate::WindowLimit), items of up to one sub-window before the window still count.
/// Error, in number (standard error near the threshold, for items hashed with a secret key): at most 3 % up to a
/// threshold of 1,536, at most 4.5 % above, and half a cell by rounding; a threshold up to 32 is never passed by that
/// many items or fewer. The sketch is set for the top step: where that is above 1,536, the steps below it err by at most
/// 11 %, or are refused. Counts far above the top threshold (five times) are only known to be above. Its cell is
/// [`Distinct`], 1,064 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DistinctLimit {
    span: Span,
    ladder: Ladder,
    /// An item is looked at if its hash begins with so many zero bits.
    sample_bits: u32,
    /// For each step the cells that its limit of items is expected to hit. Compared as whole numbers, so that every
    /// machine agrees.
    thresholds: [u16; STEPS],
}

/// What [`DistinctLimit`] keeps for one key; 1,064 bytes.
///
/// Every call must be given the same limit; a cell belongs to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distinct {
    newest: u64,
    spent_at: u64,
    block: Block,
    /// For each cell 0 (empty), or 1 + the slot of the sub-window of its last hit.
    stamps: [u8; CELLS],
    /// Cells that are not empty.
    occupied: u16,
}

// === impl DistinctLimit ===

impl DistinctLimit {
    /// More than `over` different items in any `window` nanoseconds.
    ///
    /// # Errors
    /// [`Impossible::Limit`] for zero (any item would do), [`Impossible::Window`] for a window below 16 ns.
    pub fn new(over: u32, window: u64) -> Result<Self, Impossible> {
        Self::with_steps(Ladder::one(over)?, window)
    }

    /// Several thresholds over the items of any `window` nanoseconds.
    ///
    /// # Errors
    /// [`Impossible::Window`] for a window below 16 ns, [`Impossible::Apart`] where the sample that the top step needs is
    /// too small for the lowest.
    pub fn with_steps(ladder: Ladder, window: u64) -> Result<Self, Impossible> {
        let span = Span::new(window)?;
        let top = ladder.step(ladder.top()).limit;
        let sample_bits = (0..u32::BITS).find(|bits| top >> bits <= FULLEST).unwrap_or(0);
        let left_out = (1_u32 << sample_bits).saturating_sub(1);
        if ladder.top() > 0 && ladder.lowest() < left_out.saturating_mul(SAMPLED_AT_LEAST) {
            return Err(Impossible::Apart);
        }
        let mut thresholds = [u16::MAX; STEPS];
        for (threshold, step) in thresholds.iter_mut().zip(ladder.steps()) {
            let sampled = f64::from(step.limit) / f64::from(1_u32 << sample_bits);
            let hit = CELLS as f64 * (1.0 - (sampled * empty_per_item()).exp());
            // A float turned into an integer saturates; this one is at most 795 by the bound on the sample.
            *threshold = hit.round() as u16;
        }
        Ok(Self { span, ladder, sample_bits, thresholds })
    }

    /// Refuses on for at least `nanos` once the top step refused.
    #[must_use]
    pub fn blocking_for(self, nanos: u64) -> Self {
        Self { ladder: self.ladder.blocking_for(nanos), ..self }
    }

    /// Counts an item by its 64-bit keyed hash and says whether the key is within its thresholds now.
    ///
    /// `remaining` is how many different items fit at least, as far as the sketch can tell.
    pub fn observe(&self, cell: &mut Distinct, item: u64, now: u64) -> Admission {
        cell.advance(self.span.index(now));
        if self.samples(item) {
            cell.hit(item);
            cell.spent_at = self.span.leaves_at(cell.newest);
        }
        let occupied = cell.occupied;
        let Some(step) = self.standing(cell, occupied, now) else { return self.admitted(occupied) };
        if cell.block.standing(now).is_none_or(|standing| standing < step) {
            let wait = cell.below_in(self.span, self.threshold(step), now);
            cell.block.begin(step, now, wait.max(self.ladder.step(step).block_for));
        }
        self.refused(cell, step, now)
    }

    /// What [`Self::observe`] would answer, or what holds without another item, counting nothing.
    pub fn check(&self, cell: &Distinct, item: Option<u64>, now: u64) -> Admission {
        let index = self.span.index(now);
        let more = item.is_some_and(|item| self.samples(item) && cell.is_empty_at(item, index));
        let occupied = cell.occupied_at(index).saturating_add(u16::from(more));
        match self.standing(cell, occupied, now) {
            Some(step) => self.refused(cell, step, now),
            None => self.admitted(occupied),
        }
    }

    /// How many different items, estimated. A full sketch gives its greatest estimate, five times the top threshold or
    /// more.
    pub fn estimate(&self, cell: &Distinct, now: u64) -> u64 {
        let occupied = cell.occupied_at(self.span.index(now));
        let empty = (CELLS as f64 - f64::from(occupied)).max(0.5);
        let sampled = (empty / CELLS as f64).ln() / empty_per_item();
        (sampled * f64::from(1_u32 << self.sample_bits)).round() as u64
    }

    /// A step with a block time still blocks.
    pub(crate) fn is_blocked(&self, cell: &Distinct, now: u64) -> bool {
        self.ladder.is_blocked(cell.block, now)
    }

    /// The highest step that is reached or still blocks.
    fn standing(&self, cell: &Distinct, occupied: u16, now: u64) -> Option<u8> {
        let steps = self.thresholds.iter().take(self.ladder.steps().len());
        ladder::highest(steps.map(|&threshold| threshold < occupied)).max(cell.block.standing(now))
    }

    fn admitted(&self, occupied: u16) -> Admission {
        let left = u64::from(self.threshold(0).saturating_sub(occupied)) << self.sample_bits;
        Admission::Admitted { remaining: u32::try_from(left).unwrap_or(u32::MAX) }
    }

    fn refused(&self, cell: &Distinct, step: u8, now: u64) -> Admission {
        let below = cell.below_in(self.span, self.threshold(0), now);
        // An item that is only asked about may be the one too many: then nothing has to leave first.
        Admission::Refused { step, retry_after: below.max(cell.block.left(now)).max(1) }
    }

    fn threshold(&self, step: u8) -> u16 {
        self.thresholds.get(usize::from(step)).copied().unwrap_or(u16::MAX)
    }

    const fn samples(&self, item: u64) -> bool {
        item.leading_zeros() >= self.sample_bits
    }
}

/// The logarithm of the share of cells that one item leaves empty.
fn empty_per_item() -> f64 {
    (-1.0 / CELLS as f64).ln_1p()
}

// === impl Distinct ===

impl Default for Distinct {
    fn default() -> Self {
        Self { newest: 0, spent_at: 0, block: Block::default(), stamps: [0; CELLS], occupied: 0 }
    }
}

impl Distinct {
    fn hit(&mut self, item: u64) {
        let stamp = stamp(self.newest);
        if let Some(cell) = self.stamps.get_mut(place(item)) {
            self.occupied = self.occupied.saturating_add(u16::from(*cell == 0));
            *cell = stamp;
        }
    }

    /// Empties the cells of sub-windows that no window reaches any more; one pass a sub-window, nothing in between.
    fn advance(&mut self, index: u64) {
        if index <= self.newest {
            return;
        }
        let stale = self.stale(index);
        self.occupied = 0;
        for cell in &mut self.stamps {
            *cell = if stale >> *cell & 1 == 1 { 0 } else { *cell };
            self.occupied = self.occupied.saturating_add(u16::from(*cell != 0));
        }
        self.newest = index;
    }

    /// The cells that are not empty in a window that ends in sub-window `index`.
    fn occupied_at(&self, index: u64) -> u16 {
        match self.stale(index) {
            0 => self.occupied,
            stale => self.stamps.iter().filter(|&&stamp| stamp != 0 && stale >> stamp & 1 == 0).count() as u16,
        }
    }

    fn is_empty_at(&self, item: u64, index: u64) -> bool {
        self.stamps.get(place(item)).is_some_and(|&stamp| stamp == 0 || self.stale(index) >> stamp & 1 == 1)
    }

    /// Nanoseconds until at most `threshold` cells are not empty, if nothing is added; 0 when it is so now.
    fn below_in(&self, span: Span, threshold: u16, now: u64) -> u64 {
        let index = span.index(now).max(self.newest);
        let mut left = self.occupied_at(index);
        if left <= threshold {
            return 0;
        }
        let mut hits = [0_u16; SLOTS + 1];
        for &stamp in &self.stamps {
            if let Some(hits) = hits.get_mut(usize::from(stamp)) {
                *hits = hits.saturating_add(1);
            }
        }
        let passed = index.saturating_sub(self.newest);
        for age in (0..(SLOTS as u64).saturating_sub(passed)).rev() {
            let stamp = slot_before(self.newest, age).saturating_add(1);
            left = left.saturating_sub(hits.get(stamp).copied().unwrap_or(0));
            if left <= threshold {
                return span.leaves_at(self.newest.saturating_sub(age)).saturating_sub(now).max(1);
            }
        }
        u64::MAX
    }

    /// One bit for each stamp whose sub-window no window that ends in `index` reaches.
    fn stale(&self, index: u64) -> u32 {
        let steps = index.saturating_sub(self.newest).min(SLOTS as u64);
        (1..=steps).fold(0, |mask, step| mask | 1 << stamp(self.newest.saturating_add(step)))
    }
}

/// The cell of an item.
const fn place(item: u64) -> usize {
    (item % CELLS as u64) as usize
}

/// The mark of a sub-window, 1 to 17.
const fn stamp(index: u64) -> u8 {
    (slot(index) as u8).saturating_add(1)
}

impl Cell for Distinct {
    fn hold(&self, now: u64) -> Hold {
        if self.block.left(now) > 0 {
            return Hold::Blocked;
        }
        if self.spent_at <= now { Hold::Spent } else { Hold::Idle }
    }
}

#[cfg(test)]
mod tests;
