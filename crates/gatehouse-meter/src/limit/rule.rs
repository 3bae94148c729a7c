//! The four kinds of limit behind one face: each turns its own answers into a [`Decision`].

use crate::admission::Admission;
use crate::distinct::{Distinct, DistinctLimit};
use crate::failures::{Attempt, FailureLimit, Failures, Ticket};
use crate::gcra::{Gcra, GcraCell};
use crate::limit::{BUSY_RETRY, Decision, Over};
use crate::table::Cell;
use crate::window::{WindowCell, WindowLimit};

/// A limit and what it keeps for a key.
pub(crate) trait Rule {
    type Cell: Cell;

    /// What [`Self::request`] would say, counting nothing.
    fn would(&self, cell: &Self::Cell, item: Option<u64>, now: u64) -> Decision;

    /// Counts a request.
    fn request(&self, cell: &mut Self::Cell, item: Option<u64>, now: u64) -> Decision;

    /// Counts a request that is known to be within the limit: [`Self::would`] said so, and nothing was counted since.
    fn count(&self, cell: &mut Self::Cell, item: Option<u64>, now: u64) -> Option<Ticket> {
        self.request(cell, item, now).ticket
    }

    /// Takes the answer of a try.
    fn answer(&self, _cell: &mut Self::Cell, _ticket: Ticket, _failed: bool, _now: u64) {}

    /// Takes back a try without an answer.
    fn abandon(&self, _cell: &mut Self::Cell, _ticket: Ticket) {}
}

impl Rule for WindowLimit {
    type Cell = WindowCell;

    fn would(&self, cell: &WindowCell, _: Option<u64>, now: u64) -> Decision {
        Decision::of(self.check(cell, now), || (self.counted(cell, now), self.is_blocked(cell, now)))
    }

    fn request(&self, cell: &mut WindowCell, _: Option<u64>, now: u64) -> Decision {
        let answer = self.admit(cell, now);
        Decision::of(answer, || (self.counted(cell, now), self.is_blocked(cell, now)))
    }

    fn count(&self, cell: &mut WindowCell, _: Option<u64>, now: u64) -> Option<Ticket> {
        self.add(cell, now);
        None
    }
}

impl Rule for Gcra {
    type Cell = GcraCell;

    fn would(&self, cell: &GcraCell, _: Option<u64>, now: u64) -> Decision {
        Decision::of(self.check(cell, now), || (self.counted(cell, now), self.is_blocked(cell, now)))
    }

    fn request(&self, cell: &mut GcraCell, _: Option<u64>, now: u64) -> Decision {
        let answer = self.admit(cell, now);
        Decision::of(answer, || (self.counted(cell, now), self.is_blocked(cell, now)))
    }
}

impl Rule for DistinctLimit {
    type Cell = Distinct;

    fn would(&self, cell: &Distinct, item: Option<u64>, now: u64) -> Decision {
        Decision::of(self.check(cell, item, now), || (self.estimate(cell, now), self.is_blocked(cell, now)))
    }

    fn request(&self, cell: &mut Distinct, item: Option<u64>, now: u64) -> Decision {
        let answer = match item {
            Some(item) => self.observe(cell, item, now),
            None => self.check(cell, None, now),
        };
        Decision::of(answer, || (self.estimate(cell, now), self.is_blocked(cell, now)))
    }
}

impl Rule for FailureLimit {
    type Cell = Failures;

    fn would(&self, cell: &Failures, _: Option<u64>, now: u64) -> Decision {
        match self.blocked(cell, now) {
            Some((step, retry_after)) => {
                Decision::over(step, retry_after, self.counted(cell, now), self.is_blocked(cell, now))
            }
            None if self.is_busy(cell, now) => Decision::busy(self.counted(cell, now)),
            None => Decision { over: None, remaining: self.remaining(cell, now), ticket: None },
        }
    }

    fn request(&self, cell: &mut Failures, _: Option<u64>, now: u64) -> Decision {
        match self.attempt(cell, now) {
            Attempt::Admitted(ticket) => {
                Decision { over: None, remaining: self.remaining(cell, now), ticket: Some(ticket) }
            }
            Attempt::Blocked { step, retry_after } => {
                Decision::over(step, retry_after, self.counted(cell, now), self.is_blocked(cell, now))
            }
            Attempt::Busy => Decision::busy(self.counted(cell, now)),
        }
    }

    fn answer(&self, cell: &mut Failures, ticket: Ticket, failed: bool, now: u64) {
        self.answered(cell, ticket, failed, now);
    }

    fn abandon(&self, cell: &mut Failures, ticket: Ticket) {
        self.abandoned(cell, ticket);
    }
}

// === impl Decision ===

impl Decision {
    fn over(step: u8, retry_after_ns: u64, count: u64, blocked: bool) -> Self {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        Self { over: Some(Over { step, retry_after_ns, busy: false, count, blocked }), remaining: 0, ticket: None }
    }

    fn busy(count: u64) -> Self {
        let Self { over, .. } = Self::over(0, BUSY_RETRY, count, false);
        Self { over: over.map(|over| Over { busy: true, ..over }), remaining: 0, ticket: None }
    }

    /// `found`: the count and whether a block runs, worked out only for who is over.
    fn of(answer: Admission, found: impl FnOnce() -> (u64, bool)) -> Self {
        match answer {
            Admission::Admitted { remaining } => Self { over: None, remaining, ticket: None },
            Admission::Refused { step, retry_after } => {
                let (count, blocked) = found();
                Self::over(step, retry_after, count, blocked)
            }
        }
    }
}
