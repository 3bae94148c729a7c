//! Limits that hold across the workers of one process: `shared: true`.
//!
//! The cells lie in a fixed number of sets in the host's shared data ([`Slots`]), eight ways a set, each way with the
//! full 64-bit tag of its key, so that no two keys ever share a cell. A request loads the set of its tag, counts in the
//! cell, and stores the set by compare-and-swap; where another worker was faster it loads and counts again.
//!
//! **Promise**: of requests that were counted here, never more than the limit pass over all workers together, exactly as
//! one table of one worker would have it, in the order of the stores. Moments are those of the workers' common monotonic
//! clock; a reading that is older than the newest in the cell counts as that one.
//!
//! **Where it cannot be kept** the worker counts by itself, in a table of its own, and a counter says why ([`Fallbacks`]).
//! For such a key the limit holds for each worker that fell back, beside what the others share. That is so
//! - when all eight ways of the set count something for other keys. A way is given to another key only once nothing in
//!   it counts any more, neither count nor unanswered try nor block: a key that is in is never pushed out, so a flood of
//!   keys cannot wash away a count or a block. It can keep new keys out, which then are limited by each worker;
//! - when other workers were faster 32 times in a row. If the last state that was seen refuses, the answer is that; so
//!   each such call lets one request too many pass at most;
//! - when the host fails, or holds what is no set.
//!
//! A key that a worker refuses by its own count stays refused there, whatever the shared count says.
//!
//! **One pool** of sets may serve all shared limits if the tags are made for the limit ([`key`](crate::key): its name and
//! its numbers). When a policy changes, cells of limits that are gone leave by themselves once they are spent.

mod cell;
mod exchange;
mod set;
mod slots;

pub use set::FORMAT;
pub use slots::{SlotError, Slots, Stored, Version};

use crate::failures::{FailureLimit, Ticket};
use crate::gcra::Gcra;
use crate::impossible::{self, Impossible};
use crate::limit::{Decision, Limit, LimitTable, Over, Rule};
use crate::window::WindowLimit;
use exchange::{Buffers, Place, Why};
use set::WAYS;

/// The most sets: 2¹⁶, half a million keys.
const MOST_SETS: usize = 1 << 16;

/// A limit of requests, of a rate or of failures whose cells all workers share; each worker has one of these.
///
/// **Memory**: in the host at most 1,042 bytes a set and what the host needs for a key; in the worker the table for what
/// falls back, and two buffers of a set. No call allocates, unless [`Slots::load`] does.
#[derive(Clone, Debug)]
pub struct SharedLimit {
    kind: Kind,
    sets: u32,
    buffers: Buffers,
    local: LimitTable,
    fallbacks: Fallbacks,
}

/// Calls that could not be settled with the other workers, by what was in the way. Asking without counting is not told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fallbacks {
    /// Others were faster too often.
    pub contended: u64,
    /// All ways of the set are other keys' and count something.
    pub crowded: u64,
    /// The host holds what is no set; it is left as it is.
    pub damaged: u64,
    /// The host did not answer, or did not take it.
    pub failed: u64,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Failures(FailureLimit),
    Rate(Gcra),
    Window(WindowLimit),
}

/// The same exchange for whichever kind it is.
macro_rules! exchange {
    ($self:ident, $place:expr, $rule:ident, $cell:ident => $act:expr) => {
        match $self.kind {
            Kind::Failures($rule) => $self.buffers.exchange($place, |$cell| $act),
            Kind::Rate($rule) => $self.buffers.exchange($place, |$cell| $act),
            Kind::Window($rule) => $self.buffers.exchange($place, |$cell| $act),
        }
    };
}

// === impl SharedLimit ===

impl SharedLimit {
    /// A limit in `sets` sets of eight keys, with at least `local` cells for what falls back.
    ///
    /// # Errors
    /// [`Impossible::Shared`] for a distinct limit, [`Impossible::Capacity`] for no set or more than 2¹⁶, or no local cell
    /// or more than 2²⁴.
    pub fn try_new(limit: Limit, sets: u32, local: usize) -> Result<Self, Impossible> {
        let kind = match limit {
            Limit::Distinct(_) => return Err(Impossible::Shared),
            Limit::Failures(rule) => Kind::Failures(rule),
            Limit::Rate(rule) => Kind::Rate(rule),
            Limit::Window(rule) => Kind::Window(rule),
        };
        impossible::capacity(sets as usize, MOST_SETS)?;
        Ok(Self {
            kind,
            sets,
            buffers: Buffers::new(),
            local: LimitTable::of(limit, local)?,
            fallbacks: Fallbacks::default(),
        })
    }

    /// Counts a request, or begins a try, as [`LimitTable::request`], over all workers.
    pub fn request(&mut self, slots: &impl Slots, tag: u64, now: u64) -> Decision {
        if self.refuses_here(tag, now) {
            return self.local.request(tag, None, now);
        }
        let place = self.place(slots, tag, now);
        match exchange!(self, &place, rule, cell => rule.request(cell, None, now)) {
            Ok(decision) => decision,
            Err(unsettled) => {
                self.fallbacks.count(unsettled.why);
                match unsettled.last {
                    Some(decision) if decision.over.is_some() => decision,
                    _ => of_this_worker(self.local.request(tag, None, now)),
                }
            }
        }
    }

    /// What [`Self::request`] would say, counting nothing: as [`LimitTable::would`].
    pub fn would(&mut self, slots: &impl Slots, tag: u64, now: u64) -> Decision {
        if self.refuses_here(tag, now) {
            return self.local.would(tag, None, now);
        }
        let place = self.place(slots, tag, now);
        // Nothing changes in the cell, so nothing is stored.
        let asked = exchange!(self, &place, rule, cell => rule.would(cell, None, now));
        asked.unwrap_or_else(|_| self.local.would(tag, None, now))
    }

    /// Begins a try although the key is over its limit of failures, as [`LimitTable::pass`].
    pub fn pass(&mut self, slots: &impl Slots, tag: u64, now: u64) -> Option<Ticket> {
        let Kind::Failures(rule) = self.kind else { return None };
        let place = self.place(slots, tag, now);
        match self.buffers.exchange(&place, |cell| rule.pass(cell, now)) {
            Ok(ticket) => Some(ticket),
            Err(unsettled) => {
                self.fallbacks.count(unsettled.why);
                self.local.pass(tag, now).map(|ticket| Ticket { local: true, ..ticket })
            }
        }
    }

    /// Takes the answer of a try. Where it cannot be settled, a failure counts for this worker, and the try's place is
    /// free again once unanswered tries are given up.
    pub fn answer(&mut self, slots: &impl Slots, tag: u64, ticket: Ticket, failed: bool, now: u64) {
        let Kind::Failures(rule) = self.kind else { return };
        if !ticket.local {
            let place = self.place(slots, tag, now);
            let settled = self.buffers.exchange(&place, |cell| rule.answered(cell, ticket.again(), failed, now));
            match settled {
                Ok(()) => return,
                Err(unsettled) => self.fallbacks.count(unsettled.why),
            }
        }
        self.local.answer(tag, ticket, failed, now);
    }

    /// Takes back a try that gets no answer: neither success nor failure.
    pub fn abandon(&mut self, slots: &impl Slots, tag: u64, ticket: Ticket, now: u64) {
        self.answer(slots, tag, ticket, false, now);
    }

    /// The limit.
    pub const fn limit(&self) -> Limit {
        match self.kind {
            Kind::Failures(rule) => Limit::Failures(rule),
            Kind::Rate(rule) => Limit::Rate(rule),
            Kind::Window(rule) => Limit::Window(rule),
        }
    }

    /// The most keys that are counted across workers at once.
    pub const fn capacity(&self) -> usize {
        (self.sets as usize).saturating_mul(WAYS)
    }

    /// The most that the host keeps, in bytes of values.
    pub const fn host_bytes(&self) -> usize {
        (self.sets as usize).saturating_mul(set::MOST_BYTES)
    }

    /// Calls that were not settled with the other workers so far.
    pub const fn fallbacks(&self) -> Fallbacks {
        self.fallbacks
    }

    /// The cells of this worker alone, for what fell back.
    pub const fn local(&self) -> &LimitTable {
        &self.local
    }

    /// Whether this worker's own count refuses the key.
    fn refuses_here(&self, tag: u64, now: u64) -> bool {
        self.fallbacks != Fallbacks::default()
            && matches!(self.local.would(tag, None, now).over, Some(Over { busy: false, .. }))
    }

    const fn place<'a, S>(&self, slots: &'a S, tag: u64, now: u64) -> Place<'a, S> {
        Place { slots, set: (((tag >> 32) * self.sets as u64) >> 32) as u32, tag, now }
    }
}

fn of_this_worker(decision: Decision) -> Decision {
    Decision { ticket: decision.ticket.map(|ticket| Ticket { local: true, ..ticket }), ..decision }
}

// === impl Fallbacks ===

impl Fallbacks {
    fn count(&mut self, why: Why) {
        let count = match why {
            Why::Contended => &mut self.contended,
            Why::Crowded => &mut self.crowded,
            Why::Damaged => &mut self.damaged,
            Why::Failed => &mut self.failed,
        };
        *count = count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests;
