//! Sliding windows: never more than N admitted in any window of W, exact to one of 16 sub-windows.
//!
//! A ring of 17 counters, one for each sub-window that a window can touch. The sum of all seventeen holds every event of
//! the last W (so no window is ever over its limit) and at most those of one sub-window before it (the early side).

use crate::admission::Admission;
use crate::block::Block;
use crate::impossible::Impossible;
use crate::ladder::{Ladder, Step};
use crate::span::{SLOTS, Span, slot};
use crate::table::{Cell, Hold};

/// At most `limit` admitted in any window of a given length: `rate: 100 per 1m`; or several such limits, each with its
/// own block time, over one count ([`Ladder`]).
///
/// Error: a request may be refused for up to one sub-window longer than an exact count would. Requests that the top step
/// refuses are not counted; those that a lower step refuses are. Its cell is [`WindowCell`], 104 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowLimit {
    span: Span,
    ladder: Ladder,
}

/// What [`WindowLimit`] keeps for one key: a window and the block that followed its last refusal; 104 bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WindowCell {
    pub(crate) window: Window,
    pub(crate) block: Block,
}

/// Events of a sliding window, without a limit: for several thresholds over one count. 88 bytes.
///
/// Every call must be given the same [`Span`]; a cell belongs to one. Each counter stops at `u32::MAX` and stays there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The newest sub-window that was counted in.
    pub(crate) newest: u64,
    /// When nothing of it counts any more: what lets a table reclaim the cell without knowing the span.
    pub(crate) spent_at: u64,
    pub(crate) counts: [u32; SLOTS],
}

// === impl WindowLimit ===

impl WindowLimit {
    /// At most `limit` in any `window` nanoseconds.
    ///
    /// # Errors
    /// [`Impossible::Limit`] for a limit of zero, [`Impossible::Window`] for a window below 16 ns.
    pub fn new(limit: u32, window: u64) -> Result<Self, Impossible> {
        Self::with_steps(Ladder::one(limit)?, window)
    }

    /// Several thresholds over the requests of any `window` nanoseconds.
    ///
    /// # Errors
    /// [`Impossible::Window`] for a window below 16 ns.
    pub fn with_steps(ladder: Ladder, window: u64) -> Result<Self, Impossible> {
        Ok(Self { span: Span::new(window)?, ladder })
    }

    /// Refuses on for at least `nanos` once the top step refused a request.
    #[must_use]
    pub fn blocking_for(self, nanos: u64) -> Self {
        Self { ladder: self.ladder.blocking_for(nanos), ..self }
    }

    /// Counts one request if it is within the limit, or if only a step below the top refuses it.
    pub fn admit(&self, cell: &mut WindowCell, now: u64) -> Admission {
        let counted = cell.window.count(self.span, now);
        let Some(step) = self.standing(cell, counted, now) else {
            cell.window.add(self.span, now, 1);
            return self.admitted(counted);
        };
        if step < self.ladder.top() {
            cell.window.add(self.span, now, 1);
        }
        if cell.block.standing(now).is_none_or(|standing| standing < step) {
            let Step { limit, block_for } = self.ladder.step(step);
            cell.block.begin(step, now, block_for.max(cell.window.below_in(self.span, now, limit)));
        }
        self.refused(cell, step, now)
    }

    /// Counts one request that is known to be within the limit, as [`Self::admit`] would.
    pub fn add(&self, cell: &mut WindowCell, now: u64) {
        cell.window.add(self.span, now, 1);
    }

    /// What [`Self::admit`] would answer, counting nothing: for a request that several limits must agree on.
    ///
    /// A refusal here begins no block, so its `retry_after` may be shorter than the one of `admit`.
    pub fn check(&self, cell: &WindowCell, now: u64) -> Admission {
        let counted = cell.window.count(self.span, now);
        match self.standing(cell, counted, now) {
            Some(step) => self.refused(cell, step, now),
            None => self.admitted(counted),
        }
    }

    /// Requests that are counted in the window.
    pub(crate) fn counted(&self, cell: &WindowCell, now: u64) -> u64 {
        cell.window.count(self.span, now)
    }

    /// A step with a block time still blocks.
    pub(crate) fn is_blocked(&self, cell: &WindowCell, now: u64) -> bool {
        self.ladder.is_blocked(cell.block, now)
    }

    /// The highest step that is reached or still blocks.
    fn standing(&self, cell: &WindowCell, counted: u64, now: u64) -> Option<u8> {
        self.ladder.reached(counted).max(cell.block.standing(now))
    }

    fn admitted(&self, counted: u64) -> Admission {
        let left = u64::from(self.ladder.lowest()).saturating_sub(counted).saturating_sub(1);
        Admission::Admitted { remaining: u32::try_from(left).unwrap_or(u32::MAX) }
    }

    fn refused(&self, cell: &WindowCell, step: u8, now: u64) -> Admission {
        let below = cell.window.below_in(self.span, now, self.ladder.lowest());
        Admission::Refused { step, retry_after: below.max(cell.block.left(now)) }
    }
}

// === impl Window ===

impl Window {
    /// Counts `n` events at `now`. A moment before the newest counts as the newest.
    pub fn add(&mut self, span: Span, now: u64, n: u32) {
        self.advance(span.index(now));
        if let Some(count) = self.counts.get_mut(slot(self.newest)) {
            *count = count.saturating_add(n);
        }
        self.spent_at = span.leaves_at(self.newest);
    }

    /// Events of the last window, and at most those of the one sub-window before it.
    pub fn count(&self, span: Span, now: u64) -> u64 {
        let passed = span.index(now).saturating_sub(self.newest);
        if passed >= SLOTS as u64 {
            return 0;
        }
        let all: u64 = self.counts.iter().map(|&count| u64::from(count)).sum();
        let stale = (1..=passed).filter_map(|step| self.counts.get(slot(self.newest.saturating_add(step))));
        all.saturating_sub(stale.map(|&count| u64::from(count)).sum())
    }

    /// Nanoseconds until fewer than `limit` (at least 1) are counted, if nothing is added; 0 when it is so now.
    pub fn below_in(&self, span: Span, now: u64, limit: u32) -> u64 {
        let mut left = self.count(span, now);
        if left < u64::from(limit) {
            return 0;
        }
        let passed = span.index(now).saturating_sub(self.newest);
        for (age, count) in self.by_age().filter(|(age, _)| age.saturating_add(passed) < SLOTS as u64) {
            left = left.saturating_sub(count);
            if left < u64::from(limit) {
                // At the very end of a saturated clock the answer must still be a refusal.
                return span.leaves_at(self.newest.saturating_sub(age)).saturating_sub(now).max(1);
            }
        }
        u64::MAX
    }

    /// Whether nothing counts any more.
    pub const fn is_spent(&self, now: u64) -> bool {
        self.spent_at <= now
    }

    /// (How many sub-windows before the newest, its events), the oldest first.
    fn by_age(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let after = slot(self.newest).saturating_add(1);
        let (newer, older) = self.counts.split_at_checked(after).unwrap_or((self.counts.as_slice(), &[]));
        let ages = (0..SLOTS as u64).rev();
        ages.zip(older.iter().chain(newer).map(|&count| u64::from(count)))
    }

    fn advance(&mut self, index: u64) {
        let passed = index.saturating_sub(self.newest);
        if passed >= SLOTS as u64 {
            self.counts = [0; SLOTS];
        } else {
            for stale in (1..=passed).map(|step| slot(self.newest.saturating_add(step))) {
                if let Some(count) = self.counts.get_mut(stale) {
                    *count = 0;
                }
            }
        }
        self.newest = self.newest.max(index);
    }
}

// === impl Cell ===

impl Cell for Window {
    fn hold(&self, now: u64) -> Hold {
        if self.is_spent(now) { Hold::Spent } else { Hold::Idle }
    }
}

impl Cell for WindowCell {
    fn hold(&self, now: u64) -> Hold {
        if self.block.left(now) > 0 { Hold::Blocked } else { self.window.hold(now) }
    }
}

#[cfg(test)]
mod tests;
