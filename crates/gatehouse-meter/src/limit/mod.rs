//! One type for whatever a `limit:` of a policy counts, so that the engine need not know which kind it asks.
//!
//! **How an engine uses it.** Each limit of a policy has a [`LimitTable`] (or a [`SharedLimit`](crate::shared::SharedLimit))
//! and a tag for the request, made by [`key`](crate::key). For one request:
//!
//! 1. *Ask.* For each limit whose rule matches otherwise: [`LimitTable::would`]. A rule matches if its limit is over; which
//!    action follows is the step's. Nothing is counted, so the order of asking does not matter.
//! 2. *Decide* by all of it, in the order of the policy.
//! 3. *Count.* If the request passes: [`LimitTable::request`] for every limit that was asked, those of rules that only
//!    watch too. If it is refused by a limit: `request` for that one only (it begins the block, and lower steps count on);
//!    the others never see it, so a flood that one limit refuses does not use up the rest. If it is refused by a rule
//!    without a limit: none.
//! 4. *Failures.* `request` gives a [`Ticket`] with which the answer is reported: [`LimitTable::answer`], or
//!    [`LimitTable::abandon`] if there will be none (reset, mitigated by the response phase). If a limit of failures is over
//!    and the request passes all the same, by a step that only tags or delays, [`LimitTable::pass`] gives the ticket. A rule
//!    that only watches takes none then: an enforced one would have let no failure happen.
//!
//! Between asking and counting of one request nothing else may be counted in the same table; then both say the same. In a
//! shared limit other workers count too: there `request` may refuse what `would` had room for. So shared limits are
//! counted first, and a refusal then decides, at the cost of what was counted in those before it.
//!
//! When a policy is replaced, a table whose [`LimitTable::limit`] is equal to the new one may be kept with its counts.

mod pool;
mod rule;
mod table;

pub use pool::{Capacities, Pool};
pub use table::LimitTable;

pub(crate) use rule::Rule;

use crate::distinct::DistinctLimit;
use crate::failures::{FailureLimit, Ticket};
use crate::gcra::Gcra;
use crate::impossible::Impossible;
use crate::ladder::Ladder;
use crate::window::WindowLimit;

/// What is said to who comes while too many tries are unanswered, when nobody knows how long: a second.
pub const BUSY_RETRY: u64 = 1_000_000_000;

/// What a limit counts, and over which time; all times in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Different items in a sliding window; a step's limit is how many are still allowed.
    Distinct {
        /// The window's length.
        window: u64,
    },
    /// Failed answers in a sliding window; a step's limit is how many are allowed.
    Failures {
        /// The window's length.
        window: u64,
        /// How many tries may be unanswered; `None`: as many as the lowest step allows failures.
        in_flight: Option<u32>,
    },
    /// Requests at a steady rate; a step's limit is its burst.
    Rate {
        /// How many in each `per`.
        rate: u32,
        /// The time of the rate.
        per: u64,
    },
    /// Requests in a sliding window; a step's limit is how many are admitted.
    Window {
        /// The window's length.
        window: u64,
    },
}

/// A limit as a policy says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitSpec {
    /// What it counts.
    pub count: Count,
    /// Its thresholds; the meaning of their limits is that of the count.
    pub steps: Ladder,
}

/// A limit of any kind, ready to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Of different items.
    Distinct(DistinctLimit),
    /// Of failed answers.
    Failures(FailureLimit),
    /// Of a steady rate.
    Rate(Gcra),
    /// Of requests in a window.
    Window(WindowLimit),
}

/// What a limit says of one request.
#[must_use = "a refusal that nobody reads limits nothing"]
#[derive(Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the key is over the limit; `None`: it is not.
    pub over: Option<Over>,
    /// How many more would pass at this same moment (of failures: how many more may fail); 0 when over.
    pub remaining: u32,
    /// For a limit of failures, once a try was begun: what the answer must bring back.
    pub ticket: Option<Ticket>,
}

/// How far a key is over its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// The highest step that is reached or still blocks; 0 for a limit with one.
    pub step: u8,
    /// Nanoseconds until one request would pass, if nothing else comes; at least 1.
    pub retry_after_ns: u64,
    /// Too many tries are unanswered, rather than too many counted: `retry_after_ns` is a guess, [`BUSY_RETRY`].
    pub busy: bool,
    /// What is counted for the key at this moment, with the error of its kind: requests or failures of the window, different
    /// items without the one that is asked about, so much of a burst as is used; `u32::MAX` for more. Where a step below the
    /// top refuses and counts a request, that one is in it.
    pub count: u32,
    /// A block runs that a step with a block time began: it lasts whatever the count.
    pub blocked: bool,
}

// === impl Limit ===

impl Limit {
    /// The limit that a policy asks for.
    ///
    /// # Errors
    /// What the limit of its kind cannot have: see [`DistinctLimit`], [`FailureLimit`], [`Gcra`], [`WindowLimit`].
    pub fn try_new(spec: LimitSpec) -> Result<Self, Impossible> {
        let steps = spec.steps;
        Ok(match spec.count {
            Count::Distinct { window } => Self::Distinct(DistinctLimit::with_steps(steps, window)?),
            Count::Failures { window, in_flight } => {
                let limit = FailureLimit::with_steps(steps, window)?;
                Self::Failures(in_flight.map_or(Ok(limit), |tries| limit.in_flight(tries))?)
            }
            Count::Rate { rate, per } => Self::Rate(Gcra::with_steps(rate, per, steps)?),
            Count::Window { window } => Self::Window(WindowLimit::with_steps(steps, window)?),
        })
    }
}

// === impl Decision ===

impl Decision {
    /// Whether the request is within the limit.
    pub const fn is_within(&self) -> bool {
        self.over.is_none()
    }
}

#[cfg(test)]
mod tests;
