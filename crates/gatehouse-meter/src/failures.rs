//! Counts of failed answers: "ten 401s within a minute, then refused for ten minutes"; successes never count.
//!
//! An answer comes after its request, so a burst of parallel tries would all pass before the first failure is known.
//! Therefore unanswered tries have a bound of their own: of tries that all fail, at most limit + in-flight − 1 pass.

use crate::block::Block;
use crate::impossible::Impossible;
use crate::span::Span;
use crate::table::{Cell, Hold};
use crate::window::Window;

/// At most `limit` failures in a window, with a bound on unanswered tries and a block once the limit is reached.
///
/// Refuses while the window holds `limit` failures, and in any case for `block_for` after the failure that reached the
/// limit. Failures that arrive during the block count in the window but do not lengthen the block. Error: as
/// [`WindowLimit`](crate::WindowLimit), up to one sub-window too long. Its cell is [`Failures`], 112 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureLimit {
    span: Span,
    limit: u32,
    in_flight: u32,
    block_for: u64,
}

/// What [`FailureLimit`] keeps for one key; 112 bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    window: Window,
    block: Block,
    /// When the first try of this cell came. A ticket names it, so that an answer to a try whose cell was evicted
    /// meanwhile does not give back a place that another try of the new cell holds (unless both cells are of the same
    /// nanosecond).
    born: u64,
    in_flight: u32,
}

/// A try that passed and has no answer yet. Give it back exactly once, by [`FailureLimit::answered`] or
/// [`FailureLimit::abandoned`]: a ticket that is lost holds its place until the cell is evicted.
#[must_use = "a ticket that is never given back holds a place for ever"]
#[derive(Debug, PartialEq, Eq)]
pub struct Ticket {
    born: u64,
}

/// Whether one more try may pass.
#[derive(Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It passes; the answer decides whether it counts.
    Admitted(Ticket),
    /// Too many failed.
    Blocked {
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
    pub const fn new(limit: u32, window: u64) -> Result<Self, Impossible> {
        if limit == 0 {
            return Err(Impossible::Limit);
        }
        match Span::new(window) {
            Ok(span) => Ok(Self { span, limit, in_flight: limit, block_for: 0 }),
            Err(problem) => Err(problem),
        }
    }

    /// At most `tries` unanswered ones.
    ///
    /// # Errors
    /// [`Impossible::InFlight`] for zero.
    pub const fn in_flight(self, tries: u32) -> Result<Self, Impossible> {
        if tries == 0 { Err(Impossible::InFlight) } else { Ok(Self { in_flight: tries, ..self }) }
    }

    /// Refuses for at least `nanos` after the failure that reached the limit.
    #[must_use]
    pub const fn blocking_for(self, nanos: u64) -> Self {
        Self { block_for: nanos, ..self }
    }

    /// Lets one try pass, or not.
    pub fn attempt(&self, cell: &mut Failures, now: u64) -> Attempt {
        let retry_after = self.blocked(cell, now);
        if retry_after > 0 {
            return Attempt::Blocked { retry_after };
        }
        if cell.in_flight >= self.in_flight {
            return Attempt::Busy;
        }
        if cell.born == 0 {
            cell.born = now.max(1);
        }
        cell.in_flight = cell.in_flight.saturating_add(1);
        Attempt::Admitted(Ticket { born: cell.born })
    }

    /// Takes the answer of a try. `cell` is the key's cell as it is now, fresh if the old one was evicted: a failure
    /// counts there too.
    pub fn answered(&self, cell: &mut Failures, ticket: Ticket, failed: bool, now: u64) {
        self.abandoned(cell, ticket);
        if !failed {
            return;
        }
        cell.window.add(self.span, now, 1);
        let reached = cell.window.count(self.span, now) >= u64::from(self.limit);
        if reached && cell.block.left(now).is_none() {
            cell.block.begin(now, self.block_for);
        }
    }

    /// Gives back a try that got no answer (the client or the upstream went away): neither success nor failure.
    pub fn abandoned(&self, cell: &mut Failures, ticket: Ticket) {
        if ticket.born == cell.born {
            cell.in_flight = cell.in_flight.saturating_sub(1);
        }
    }

    /// Nanoseconds for which the key is refused, 0 if it is not: for a limit that only looks.
    pub fn blocked(&self, cell: &Failures, now: u64) -> u64 {
        cell.window.below_in(self.span, now, self.limit).max(cell.block.left(now).unwrap_or(0))
    }
}

// === impl Failures ===

impl Failures {
    /// Tries that passed and are unanswered.
    pub const fn unanswered(&self) -> u32 {
        self.in_flight
    }
}

impl Cell for Failures {
    fn hold(&self, now: u64) -> Hold {
        if self.block.left(now).is_some() {
            return Hold::Blocked;
        }
        if self.in_flight > 0 { Hold::Busy } else { self.window.hold(now) }
    }
}

#[cfg(test)]
mod tests;
