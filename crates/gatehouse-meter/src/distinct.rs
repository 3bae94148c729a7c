//! How many different items a key showed within a sliding window, estimated in one kilobyte.
//!
//! Linear counting (Whang, Vander-Zanden, Taylor: "A linear-time probabilistic counting algorithm for database
//! applications", 1990) over 1,024 cells that each remember the sub-window of their last hit instead of one bit, so that
//! the count slides. Thresholds too high for 1,024 cells look only at a sample of the items, by hash (the virtual bitmap
//! of Estan, Varghese, Fisk: "Bitmap algorithms for counting active flows on high-speed links", 2003).

use crate::impossible::Impossible;
use crate::span::{SLOTS, Span, slot};
use crate::table::{Cell, Hold};

const CELLS: usize = 1024;

/// The most items in a sample at the threshold: one and a half for each cell, where linear counting errs by 2.9 %.
const FULLEST: u32 = 1536;

/// More than `over` different items in any window: `distinct: { of: address, over: 200 per 5m }`.
///
/// Error, in time: as [`WindowLimit`](crate::WindowLimit), items of up to one sub-window before the window still count.
/// Error, in number (standard error near the threshold, for items hashed with a secret key): at most 3 % up to a
/// threshold of 1,536, at most 4.5 % above, and half a cell by rounding; a threshold up to 32 is never passed by that
/// many items or fewer. Counts far above the threshold (five times) are only known to be above. Its cell is [`Distinct`],
/// 1,048 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DistinctLimit {
    span: Span,
    /// An item is looked at if its hash begins with so many zero bits.
    sample_bits: u32,
    /// The cells that `over` items are expected to hit. Compared as a whole number, so that every machine agrees.
    threshold: u16,
}

/// What [`DistinctLimit`] keeps for one key; 1,048 bytes.
///
/// Every call must be given the same limit; a cell belongs to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distinct {
    newest: u64,
    spent_at: u64,
    /// For each cell 0 (empty), or 1 + the slot of the sub-window of its last hit.
    stamps: [u8; CELLS],
    /// Cells that are not empty.
    occupied: u16,
    over: bool,
}

// === impl DistinctLimit ===

impl DistinctLimit {
    /// More than `over` different items in any `window` nanoseconds.
    ///
    /// # Errors
    /// [`Impossible::Limit`] for zero (any item would do), [`Impossible::Window`] for a window below 16 ns.
    pub fn new(over: u32, window: u64) -> Result<Self, Impossible> {
        if over == 0 {
            return Err(Impossible::Limit);
        }
        let span = Span::new(window)?;
        let sample_bits = (0..u32::BITS).find(|bits| over >> bits <= FULLEST).unwrap_or(0);
        let sampled = f64::from(over) / f64::from(1_u32 << sample_bits);
        let hit = CELLS as f64 * (1.0 - (sampled * empty_per_item()).exp());
        // A float turned into an integer saturates; this one is at most 795 by the bound on the sample.
        Ok(Self { span, sample_bits, threshold: hit.round() as u16 })
    }

    /// Counts an item by its 64-bit keyed hash and says whether the key is over the threshold now.
    pub fn observe(&self, cell: &mut Distinct, item: u64, now: u64) -> bool {
        cell.advance(self.span.index(now));
        if item.leading_zeros() >= self.sample_bits {
            cell.hit(item);
            cell.spent_at = self.span.leaves_at(cell.newest);
        }
        cell.over = cell.occupied > self.threshold;
        cell.over
    }

    /// Whether the key is over the threshold now, counting nothing.
    pub fn is_over(&self, cell: &mut Distinct, now: u64) -> bool {
        cell.advance(self.span.index(now));
        cell.over = cell.occupied > self.threshold;
        cell.over
    }

    /// How many different items, estimated. A full sketch gives its greatest estimate, five times the threshold or
    /// more.
    pub fn estimate(&self, cell: &mut Distinct, now: u64) -> u64 {
        cell.advance(self.span.index(now));
        let empty = (CELLS as f64 - f64::from(cell.occupied)).max(0.5);
        let sampled = (empty / CELLS as f64).ln() / empty_per_item();
        (sampled * f64::from(1_u32 << self.sample_bits)).round() as u64
    }
}

/// The logarithm of the share of cells that one item leaves empty.
fn empty_per_item() -> f64 {
    (-1.0 / CELLS as f64).ln_1p()
}

// === impl Distinct ===

impl Default for Distinct {
    fn default() -> Self {
        Self { newest: 0, spent_at: 0, stamps: [0; CELLS], occupied: 0, over: false }
    }
}

impl Distinct {
    fn hit(&mut self, item: u64) {
        let stamp = stamp(self.newest);
        if let Some(cell) = self.stamps.get_mut((item % CELLS as u64) as usize) {
            self.occupied = self.occupied.saturating_add(u16::from(*cell == 0));
            *cell = stamp;
        }
    }

    /// Empties the cells of sub-windows that no window reaches any more; one pass a sub-window, nothing in between.
    fn advance(&mut self, index: u64) {
        let passed = index.saturating_sub(self.newest);
        if passed == 0 {
            return;
        }
        let steps = passed.min(SLOTS as u64);
        let stale = (1..=steps).fold(0_u32, |mask, step| mask | 1 << stamp(self.newest.saturating_add(step)));
        self.occupied = 0;
        for cell in &mut self.stamps {
            *cell = if stale >> *cell & 1 == 1 { 0 } else { *cell };
            self.occupied = self.occupied.saturating_add(u16::from(*cell != 0));
        }
        self.newest = index;
    }
}

/// The mark of a sub-window, 1 to 17.
const fn stamp(index: u64) -> u8 {
    (slot(index) as u8).saturating_add(1)
}

impl Cell for Distinct {
    fn hold(&self, now: u64) -> Hold {
        match (self.spent_at <= now, self.over) {
            (true, _) => Hold::Spent,
            (false, true) => Hold::Blocked,
            (false, false) => Hold::Idle,
        }
    }
}

#[cfg(test)]
mod tests;
