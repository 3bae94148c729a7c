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
        self.check(cell, now).into()
    }

    fn request(&self, cell: &mut WindowCell, _: Option<u64>, now: u64) -> Decision {
        self.admit(cell, now).into()
    }

    fn count(&self, cell: &mut WindowCell, _: Option<u64>, now: u64) -> Option<Ticket> {
        self.add(cell, now);
        None
    }
}

impl Rule for Gcra {
    type Cell = GcraCell;

    fn would(&self, cell: &GcraCell, _: Option<u64>, now: u64) -> Decision {
        self.check(cell, now).into()
    }

    fn request(&self, cell: &mut GcraCell, _: Option<u64>, now: u64) -> Decision {
        self.admit(cell, now).into()
    }
}

impl Rule for DistinctLimit {
    type Cell = Distinct;

    fn would(&self, cell: &Distinct, item: Option<u64>, now: u64) -> Decision {
        self.check(cell, item, now).into()
    }

    fn request(&self, cell: &mut Distinct, item: Option<u64>, now: u64) -> Decision {
        match item {
            Some(item) => self.observe(cell, item, now).into(),
            None => self.check(cell, None, now).into(),
        }
    }
}

impl Rule for FailureLimit {
    type Cell = Failures;

    fn would(&self, cell: &Failures, _: Option<u64>, now: u64) -> Decision {
        match self.blocked(cell, now) {
            Some((step, retry_after)) => Decision::over(step, retry_after),
            None if self.is_busy(cell, now) => Decision::busy(),
            None => Decision { over: None, remaining: self.remaining(cell, now), ticket: None },
        }
    }

    fn request(&self, cell: &mut Failures, _: Option<u64>, now: u64) -> Decision {
        match self.attempt(cell, now) {
            Attempt::Admitted(ticket) => {
                Decision { over: None, remaining: self.remaining(cell, now), ticket: Some(ticket) }
            }
            Attempt::Blocked { step, retry_after } => Decision::over(step, retry_after),
            Attempt::Busy => Decision::busy(),
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
    const fn over(step: u8, retry_after_ns: u64) -> Self {
        Self { over: Some(Over { step, retry_after_ns, busy: false }), remaining: 0, ticket: None }
    }

    const fn busy() -> Self {
        Self { over: Some(Over { step: 0, retry_after_ns: BUSY_RETRY, busy: true }), remaining: 0, ticket: None }
    }
}

impl From<Admission> for Decision {
    fn from(answer: Admission) -> Self {
        match answer {
            Admission::Admitted { remaining } => Self { over: None, remaining, ticket: None },
            Admission::Refused { step, retry_after } => Self::over(step, retry_after),
        }
    }
}
