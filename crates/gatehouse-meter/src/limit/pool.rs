//! Cells of many limits in one table a kind, so that memory does not grow with the number of limits.

use crate::failures::Ticket;
use crate::impossible::Impossible;
use crate::limit::rule::Rule;
use crate::limit::{Decision, Limit};
use crate::table::{Evictions, Table};
use crate::{Distinct, Failures, GcraCell, WindowCell};

/// How many cells each kind may have; each is taken when a limit of the kind is asked for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacities {
    /// Cells of distinct counts: 1,088 bytes each.
    pub distinct: usize,
    /// Cells of counts of failures: 152 bytes each.
    pub failures: usize,
    /// Cells of rates: 40 bytes each.
    pub rate: usize,
    /// Cells of windows: 120 bytes each.
    pub window: usize,
}

/// Cells by tag, for any number of limits whose tags are made for each ([`Keys::key`](crate::Keys::key) with a domain of its
/// own), the same calls as those of a [`LimitTable`](crate::LimitTable), the limit given with each.
///
/// **Memory**: [`Capacities`], taken by kind, page by page, as keys come, never more. **Eviction**: as [`Table`], over all
/// limits of the kind: blocked keys last, then those with a try under way.
#[derive(Clone, Debug)]
pub struct Pool {
    capacities: Capacities,
    distinct: Option<Table<Distinct>>,
    failures: Option<Table<Failures>>,
    rate: Option<Table<GcraCell>>,
    window: Option<Table<WindowCell>>,
}

/// The same question to the table of whichever kind a limit is.
macro_rules! each {
    ($self:ident, $limit:expr, $rule:ident, $table:ident => $ask:expr) => {
        match $limit {
            Limit::Distinct($rule) => $self.distinct.as_mut().map(|$table| $ask),
            Limit::Failures($rule) => $self.failures.as_mut().map(|$table| $ask),
            Limit::Rate($rule) => $self.rate.as_mut().map(|$table| $ask),
            Limit::Window($rule) => $self.window.as_mut().map(|$table| $ask),
        }
    };
}

// === impl Pool ===

impl Pool {
    /// A pool without cells yet.
    #[must_use]
    pub const fn new(capacities: Capacities) -> Self {
        Self { capacities, distinct: None, failures: None, rate: None, window: None }
    }

    /// Takes the cells for the kind of this limit, if it has none yet.
    ///
    /// # Errors
    /// [`Impossible::Capacity`] for zero cells of its kind or more than 2²⁴.
    pub fn prepare(&mut self, limit: &Limit) -> Result<(), Impossible> {
        match limit {
            Limit::Distinct(_) => take(&mut self.distinct, self.capacities.distinct),
            Limit::Failures(_) => take(&mut self.failures, self.capacities.failures),
            Limit::Rate(_) => take(&mut self.rate, self.capacities.rate),
            Limit::Window(_) => take(&mut self.window, self.capacities.window),
        }
    }

    /// What [`Self::request`] would say, counting nothing; a kind without cells says what it says of a new key.
    pub fn would(&self, limit: &Limit, tag: u64, item: Option<u64>, now: u64) -> Decision {
        match limit {
            Limit::Distinct(rule) => would(rule, self.distinct.as_ref(), tag, item, now),
            Limit::Failures(rule) => would(rule, self.failures.as_ref(), tag, item, now),
            Limit::Rate(rule) => would(rule, self.rate.as_ref(), tag, item, now),
            Limit::Window(rule) => would(rule, self.window.as_ref(), tag, item, now),
        }
    }

    /// Counts a request, as [`LimitTable::request`](crate::LimitTable::request). `None`: the kind was not prepared.
    pub fn request(&mut self, limit: &Limit, tag: u64, item: Option<u64>, now: u64) -> Option<Decision> {
        each!(self, limit, rule, table => rule.request(table.entry(tag, now), item, now))
    }

    /// Counts a request that is known to be within the limit: [`Self::would`] said so of the same key at the same moment, and
    /// nothing was counted for it since. Gives the ticket of a limit of failures.
    pub fn count(&mut self, limit: &Limit, tag: u64, item: Option<u64>, now: u64) -> Option<Ticket> {
        each!(self, limit, rule, table => rule.count(table.entry(tag, now), item, now)).flatten()
    }

    /// Begins a try although the key is over its limit of failures; `None` for the other kinds.
    pub fn pass(&mut self, limit: &Limit, tag: u64, now: u64) -> Option<Ticket> {
        match (limit, self.failures.as_mut()) {
            (Limit::Failures(rule), Some(table)) => Some(rule.pass(table.entry(tag, now), now)),
            _ => None,
        }
    }

    /// Takes the answer of a try.
    pub fn answer(&mut self, limit: &Limit, tag: u64, ticket: Ticket, failed: bool, now: u64) {
        if failed {
            each!(self, limit, rule, table => rule.answer(table.entry(tag, now), ticket, true, now));
        } else {
            self.abandon(limit, tag, ticket);
        }
    }

    /// Takes back a try that gets no answer: neither success nor failure.
    pub fn abandon(&mut self, limit: &Limit, tag: u64, ticket: Ticket) {
        each!(self, limit, rule, table => {
            if let Some(cell) = table.find(tag) {
                rule.abandon(cell, ticket);
            }
        });
    }

    /// The memory of all cells so far, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let distinct = self.distinct.as_ref().map_or(0, Table::bytes);
        let failures = self.failures.as_ref().map_or(0, Table::bytes);
        let rate = self.rate.as_ref().map_or(0, Table::bytes);
        distinct + failures + rate + self.window.as_ref().map_or(0, Table::bytes)
    }

    /// Keys that have a cell now, spent ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        let distinct = self.distinct.as_ref().map_or(0, Table::len);
        let failures = self.failures.as_ref().map_or(0, Table::len);
        let rate = self.rate.as_ref().map_or(0, Table::len);
        distinct + failures + rate + self.window.as_ref().map_or(0, Table::len)
    }

    /// Whether no key has a cell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keys that lost their cell so far, over all kinds.
    #[must_use]
    pub fn evictions(&self) -> Evictions {
        let kinds = [
            self.distinct.as_ref().map(Table::evictions),
            self.failures.as_ref().map(Table::evictions),
            self.rate.as_ref().map(Table::evictions),
            self.window.as_ref().map(Table::evictions),
        ];
        kinds.into_iter().flatten().fold(Evictions::default(), |sum, kind| Evictions {
            spent: sum.spent.saturating_add(kind.spent),
            idle: sum.idle.saturating_add(kind.idle),
            busy: sum.busy.saturating_add(kind.busy),
            blocked: sum.blocked.saturating_add(kind.blocked),
        })
    }
}

fn take<C: crate::table::Cell>(table: &mut Option<Table<C>>, capacity: usize) -> Result<(), Impossible> {
    if table.is_none() {
        *table = Some(Table::new(capacity)?);
    }
    Ok(())
}

fn would<R: Rule>(rule: &R, table: Option<&Table<R::Cell>>, tag: u64, item: Option<u64>, now: u64) -> Decision {
    match table.and_then(|table| table.peek(tag)) {
        Some(cell) => rule.would(cell, item, now),
        None => rule.would(&R::Cell::default(), item, now),
    }
}

#[cfg(test)]
mod tests;
