//! Counts of failed answers: "ten 401s within a minute, then refused for ten minutes"; successes never count.
//!
//! An answer comes after its request, so a burst of parallel tries would all pass before the first failure is known.
//! Therefore unanswered tries have a bound of their own: of tries that all fail, at most limit + in-flight − 1 pass.

use crate::block::Block;
use crate::impossible::Impossible;
use crate::ladder::{Ladder, Step};
use crate::span::Span;
use crate::table::{Cell, Hold};
use crate::window::Window;

/// For how long an answer is waited for at first: five minutes, as long as Envoy lets a stream stand idle by default.
const PATIENCE: u64 = 300_000_000_000;

/// At most `limit` failures in a window, with a bound on unanswered tries and a block once the limit is reached; or
/// several such limits, each with its own block time, over one count ([`Ladder`]).
///
/// A step refuses while the window holds as many failures as its limit, and in any case for its block time after the
/// failure that reached it. Failures that arrive during the block count in the window but do not lengthen the block.
/// Where a lower step refuses, no failure can follow that would reach a higher one, but of tries that were under way or
/// that [`Self::pass`] let through. Error: as [`WindowLimit`](crate::WindowLimit), up to one sub-window too long. Its cell
/// is [`Failures`], 128 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureLimit {
    span: Span,
    ladder: Ladder,
    in_flight: u32,
    patience: u64,
}

/// What [`FailureLimit`] keeps for one key; 128 bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    pub(crate) window: Window,
    pub(crate) block: Block,
    /// When the first try of this cell came, or the first after all unanswered ones were given up. A ticket names it, so
    /// that an answer to a try that is no longer counted does not give back a place that another try holds (unless both
    /// are of the same nanosecond).
    pub(crate) born: u64,
    /// When the unanswered tries are given up.
    pub(crate) lapses_at: u64,
    pub(crate) in_flight: u32,
}

/// A try that passed and has no answer yet. Give it back exactly once, by `answered` or `abandoned`: a ticket that is lost
/// holds its place until no try was begun for as long as the limit waits, or its cell is evicted.
#[must_use = "a ticket that is never given back holds a place"]
#[derive(Debug, PartialEq, Eq)]
pub struct Ticket {
    pub(crate) born: u64,
    /// Counted by this worker alone although the limit is shared.
    pub(crate) local: bool,
}

/// Whether one more try may pass.
#[derive(Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It passes; the answer decides whether it counts.
    Admitted(Ticket),
    /// Too many failed.
    Blocked {
        /// The highest step that is reached or still blocks; 0 for a limit with one.
        step: u8,
        /// Nanoseconds until one would pass, if no failure is added; at least 1.
        retry_after: u64,
    },
    /// As many tries as allowed are unanswered; when one of them is answered the next may pass.
    Busy,
}

// === impl FailureLimit ===

impl FailureLimit {
    /// At most `limit` failures in any `window` nanoseconds, at most `limit` unanswered tries, no block.
    ///
    /// # Errors
    /// [`Impossible::Limit`] for a limit of zero, [`Impossible::Window`] for a window below 16 ns.
    pub fn new(limit: u32, window: u64) -> Result<Self, Impossible> {
        Self::with_steps(Ladder::one(limit)?, window)
    }

    /// Several thresholds over the failures of any `window` nanoseconds, with at most as many unanswered tries as the
    /// lowest allows failures.
    ///
    /// # Errors
    /// [`Impossible::Window`] for a window below 16 ns.
    pub fn with_steps(ladder: Ladder, window: u64) -> Result<Self, Impossible> {
        Ok(Self { span: Span::new(window)?, ladder, in_flight: ladder.lowest(), patience: PATIENCE })
    }

    /// At most `tries` unanswered ones.
    ///
    /// # Errors
    /// [`Impossible::InFlight`] for zero.
    pub const fn in_flight(self, tries: u32) -> Result<Self, Impossible> {
        if tries == 0 { Err(Impossible::InFlight) } else { Ok(Self { in_flight: tries, ..self }) }
    }

    /// Gives up unanswered tries when none was begun for `nanos` (five minutes if not said): a worker that died with its
    /// tickets must not leave a key busy for ever. Longer than any answer may take; whoever can hold answers back longer
    /// gets as many tries again as may be unanswered, once in this time.
    #[must_use]
    pub const fn waiting_for(self, nanos: u64) -> Self {
        Self { patience: nanos, ..self }
    }

    /// Refuses for at least `nanos` after the failure that reached the top step.
    #[must_use]
    pub fn blocking_for(self, nanos: u64) -> Self {
        Self { ladder: self.ladder.blocking_for(nanos), ..self }
    }

    /// Lets one try pass, or not.
    pub fn attempt(&self, cell: &mut Failures, now: u64) -> Attempt {
        if let Some((step, retry_after)) = self.blocked(cell, now) {
            return Attempt::Blocked { step, retry_after };
        }
        if self.is_busy(cell, now) {
            return Attempt::Busy;
        }
        Attempt::Admitted(self.pass(cell, now))
    }

    /// Lets one try pass in any case: where what follows on a step lets the request through (a tag, a delay, a rule that
    /// only watches), so that its failure counts towards the steps above.
    pub fn pass(&self, cell: &mut Failures, now: u64) -> Ticket {
        if cell.in_flight > 0 && cell.lapses_at <= now {
            cell.in_flight = 0;
            cell.born = 0;
        }
        if cell.born == 0 {
            cell.born = now.max(1);
        }
        cell.in_flight = cell.in_flight.saturating_add(1);
        cell.lapses_at = cell.lapses_at.max(now.saturating_add(self.patience));
        Ticket { born: cell.born, local: false }
    }

    /// Takes the answer of a try. `cell` is the key's cell as it is now, fresh if the old one was evicted: a failure
    /// counts there too.
    pub fn answered(&self, cell: &mut Failures, ticket: Ticket, failed: bool, now: u64) {
        self.abandoned(cell, ticket);
        if !failed {
            return;
        }
        cell.window.add(self.span, now, 1);
        if let Some(step) = self.ladder.reached(cell.window.count(self.span, now)) {
            let Step { limit, block_for } = self.ladder.step(step);
            cell.block.begin(step, now, block_for.max(cell.window.below_in(self.span, now, limit)));
        }
    }

    /// Gives back a try that got no answer (the client or the upstream went away): neither success nor failure.
    pub fn abandoned(&self, cell: &mut Failures, ticket: Ticket) {
        if ticket.born == cell.born {
            cell.in_flight = cell.in_flight.saturating_sub(1);
        }
    }

    /// The highest step that is reached or still blocks, and the nanoseconds until no step refuses (at least 1), if no
    /// failure is added: for a limit that only looks.
    pub fn blocked(&self, cell: &Failures, now: u64) -> Option<(u8, u64)> {
        let step = self.ladder.reached(cell.window.count(self.span, now)).max(cell.block.standing(now))?;
        let below = cell.window.below_in(self.span, now, self.ladder.lowest());
        Some((step, below.max(cell.block.left(now))))
    }

    /// Failures that are counted in the window.
    pub(crate) fn counted(&self, cell: &Failures, now: u64) -> u64 {
        cell.window.count(self.span, now)
    }

    /// A step with a block time still blocks.
    pub(crate) fn is_blocked(&self, cell: &Failures, now: u64) -> bool {
        self.ladder.is_blocked(cell.block, now)
    }

    /// Whether as many tries as allowed are unanswered.
    pub const fn is_busy(&self, cell: &Failures, now: u64) -> bool {
        cell.unanswered(now) >= self.in_flight
    }

    /// How many more failures are allowed before a step refuses.
    pub fn remaining(&self, cell: &Failures, now: u64) -> u32 {
        let left = u64::from(self.ladder.lowest()).saturating_sub(cell.window.count(self.span, now));
        u32::try_from(left).unwrap_or(u32::MAX)
    }
}

// === impl Failures ===

impl Failures {
    /// Tries that passed, are unanswered and are still waited for.
    pub const fn unanswered(&self, now: u64) -> u32 {
        if self.lapses_at > now { self.in_flight } else { 0 }
    }
}

// === impl Ticket ===

impl Ticket {
    /// The same ticket for an exchange that has to be tried again: only one of the two may count.
    pub(crate) const fn again(&self) -> Self {
        Self { born: self.born, local: self.local }
    }
}

impl Cell for Failures {
    fn hold(&self, now: u64) -> Hold {
        if self.block.left(now) > 0 {
            return Hold::Blocked;
        }
        if self.unanswered(now) > 0 { Hold::Busy } else { self.window.hold(now) }
    }
}

#[cfg(test)]
mod tests;
