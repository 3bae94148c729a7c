//! A limit of any kind with the cells of its keys, in a fixed number.

use crate::distinct::DistinctLimit;
use crate::failures::{FailureLimit, Ticket};
use crate::gcra::Gcra;
use crate::impossible::Impossible;
use crate::limit::rule::Rule;
use crate::limit::{Decision, Limit, LimitSpec};
use crate::table::{Evictions, Table};
use crate::window::WindowLimit;

/// A limit and, by 64-bit tag, the cells that it keeps.
///
/// **Memory**: that of a [`Table`] of the kind's cells, taken at once; for each key 25 bytes and 24 (rate), 104 (window),
/// 128 (failures) or 1,064 (distinct), rounded up to 8 a set of eight. **Eviction**: as [`Table`]; blocked keys last.
/// **Error**: as the limit. A key that lost its cell begins anew.
#[derive(Clone, Debug)]
pub struct LimitTable {
    cells: Cells,
}

#[derive(Clone, Debug)]
enum Cells {
    Distinct(Kept<DistinctLimit>),
    Failures(Kept<FailureLimit>),
    Rate(Kept<Gcra>),
    Window(Kept<WindowLimit>),
}

/// A limit of one kind and its cells.
#[derive(Clone, Debug)]
struct Kept<R: Rule> {
    rule: R,
    table: Table<R::Cell>,
}

/// The same question to whichever kind it is.
macro_rules! each {
    ($cells:expr, $kept:ident => $ask:expr) => {
        match $cells {
            Cells::Distinct($kept) => $ask,
            Cells::Failures($kept) => $ask,
            Cells::Rate($kept) => $ask,
            Cells::Window($kept) => $ask,
        }
    };
}

// === impl LimitTable ===

impl LimitTable {
    /// A table of at least `capacity` cells for the limit that a policy asks for.
    ///
    /// # Errors
    /// As [`Limit::try_new`]; [`Impossible::Capacity`] for zero cells or more than 2²⁴.
    pub fn try_new(spec: LimitSpec, capacity: usize) -> Result<Self, Impossible> {
        Self::of(Limit::try_new(spec)?, capacity)
    }

    /// A table of at least `capacity` cells for a limit.
    ///
    /// # Errors
    /// [`Impossible::Capacity`] for zero cells or more than 2²⁴.
    pub fn of(limit: Limit, capacity: usize) -> Result<Self, Impossible> {
        let cells = match limit {
            Limit::Distinct(rule) => Cells::Distinct(Kept { rule, table: Table::new(capacity)? }),
            Limit::Failures(rule) => Cells::Failures(Kept { rule, table: Table::new(capacity)? }),
            Limit::Rate(rule) => Cells::Rate(Kept { rule, table: Table::new(capacity)? }),
            Limit::Window(rule) => Cells::Window(Kept { rule, table: Table::new(capacity)? }),
        };
        Ok(Self { cells })
    }

    /// Counts a request; for a limit of failures, begins a try if the key is not over it. `item` is what a distinct limit
    /// counts, a 64-bit keyed hash; the other kinds do not look at it. A request without an item counts in no distinct limit.
    pub fn request(&mut self, tag: u64, item: Option<u64>, now: u64) -> Decision {
        each!(&mut self.cells, kept => kept.rule.request(kept.table.entry(tag, now), item, now))
    }

    /// What [`Self::request`] would say, counting nothing and not even as a use of the cell; only that a block that the
    /// request would begin is not in `retry_after_ns` yet.
    pub fn would(&self, tag: u64, item: Option<u64>, now: u64) -> Decision {
        each!(&self.cells, kept => kept.would(tag, item, now))
    }

    /// Begins a try although the key is over its limit of failures; `None` for the other kinds.
    pub fn pass(&mut self, tag: u64, now: u64) -> Option<Ticket> {
        match &mut self.cells {
            Cells::Failures(kept) => Some(kept.rule.pass(kept.table.entry(tag, now), now)),
            _ => None,
        }
    }

    /// Takes the answer of a try that `request` or `pass` began.
    pub fn answer(&mut self, tag: u64, ticket: Ticket, failed: bool, now: u64) {
        if failed {
            each!(&mut self.cells, kept => kept.rule.answer(kept.table.entry(tag, now), ticket, failed, now));
        } else {
            self.abandon(tag, ticket);
        }
    }

    /// Takes back a try that gets no answer: neither success nor failure.
    pub fn abandon(&mut self, tag: u64, ticket: Ticket) {
        each!(&mut self.cells, kept => {
            if let Some(cell) = kept.table.find(tag) {
                kept.rule.abandon(cell, ticket);
            }
        });
    }

    /// The limit; a new policy with an equal one may keep the table.
    pub fn limit(&self) -> Limit {
        match &self.cells {
            Cells::Distinct(kept) => Limit::Distinct(kept.rule),
            Cells::Failures(kept) => Limit::Failures(kept.rule),
            Cells::Rate(kept) => Limit::Rate(kept.rule),
            Cells::Window(kept) => Limit::Window(kept.rule),
        }
    }

    /// Cells that keys have now, spent ones included.
    pub fn len(&self) -> usize {
        each!(&self.cells, kept => kept.table.len())
    }

    /// Whether no key has a cell.
    pub fn is_empty(&self) -> bool {
        each!(&self.cells, kept => kept.table.is_empty())
    }

    /// The most cells that keys can have.
    pub fn capacity(&self) -> usize {
        each!(&self.cells, kept => kept.table.capacity())
    }

    /// The memory of all cells, in bytes; it never changes.
    pub fn bytes(&self) -> usize {
        each!(&self.cells, kept => kept.table.bytes())
    }

    /// Keys that lost their cell so far.
    pub fn evictions(&self) -> Evictions {
        each!(&self.cells, kept => kept.table.evictions())
    }
}

// === impl Kept ===

impl<R: Rule> Kept<R> {
    fn would(&self, tag: u64, item: Option<u64>, now: u64) -> Decision {
        match self.table.peek(tag) {
            Some(cell) => self.rule.would(cell, item, now),
            None => self.rule.would(&R::Cell::default(), item, now),
        }
    }
}
