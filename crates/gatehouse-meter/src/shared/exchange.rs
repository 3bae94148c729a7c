//! One exchange with a set: load, count, store if nobody was faster, and again if somebody was.

use super::cell::SharedCell;
use super::set::{self, Found};
use super::slots::{SlotError, Slots, Stored};

/// How often a set is loaded before a worker gives up.
pub(super) const TRIES: u32 = 32;

/// A set as it was loaded, and as it shall be stored.
#[derive(Clone, Debug)]
pub(super) struct Buffers {
    loaded: Vec<u8>,
    next: Vec<u8>,
}

/// Where the cell of a key is.
pub(super) struct Place<'a, S> {
    pub(super) slots: &'a S,
    pub(super) set: u32,
    pub(super) tag: u64,
    pub(super) now: u64,
}

/// Why a call was not settled, and what the last state that was seen would have said.
pub(super) struct Unsettled<T> {
    pub(super) why: Why,
    pub(super) last: Option<T>,
}

#[derive(Clone, Copy)]
pub(super) enum Why {
    Contended,
    Crowded,
    Damaged,
    Failed,
}

// === impl Buffers ===

impl Buffers {
    /// Room for the longest set, so that nothing grows later.
    pub(super) fn new() -> Self {
        let buffer = || Vec::with_capacity(set::MOST_BYTES);
        Self { loaded: buffer(), next: buffer() }
    }

    /// Does something with the cell of a key, as if no other worker did at the same time. `act` may run several times; the
    /// one that is returned is the one that counts.
    pub(super) fn exchange<C: SharedCell, S: Slots, T>(
        &mut self,
        place: &Place<'_, S>,
        mut act: impl FnMut(&mut C) -> T,
    ) -> Result<T, Unsettled<T>> {
        let mut last = None;
        for _ in 0..TRIES {
            match self.once(place, &mut act) {
                Ok((answer, Stored::Done)) => return Ok(answer),
                Ok((answer, Stored::Conflict)) => last = Some(answer),
                Err(why) => return Err(Unsettled { why, last: None }),
            }
        }
        Err(Unsettled { why: Why::Contended, last })
    }

    /// One load, one act, and one store if the act changed the cell.
    fn once<C: SharedCell, S: Slots, T>(
        &mut self,
        place: &Place<'_, S>,
        act: &mut impl FnMut(&mut C) -> T,
    ) -> Result<(T, Stored), Why> {
        self.loaded.clear();
        let version = place.slots.load(place.set, &mut self.loaded)?;
        let Found::Cell(mut cell) = set::find::<C>(&self.loaded, place.tag, place.now)? else {
            return Err(Why::Crowded);
        };
        let before = cell.clone();
        let answer = act(&mut cell);
        if cell == before {
            return Ok((answer, Stored::Done));
        }
        set::replace(&self.loaded, place.tag, &cell, place.now, &mut self.next)?;
        Ok((answer, place.slots.store(place.set, &self.next, version)?))
    }
}

// === impl Why ===

impl From<SlotError> for Why {
    fn from(_: SlotError) -> Self {
        Self::Failed
    }
}

impl From<set::Damaged> for Why {
    fn from(_: set::Damaged) -> Self {
        Self::Damaged
    }
}
