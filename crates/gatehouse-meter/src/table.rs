//! A fixed number of cells by key: 8-way sets of full 64-bit tags.
//!
//! Nothing is chained, moved or grown, so a stranger who brings ten million keys costs time and other keys' memory, never more
//! memory.
//!
//! ```text
//! sets  0 … n-1 | n … 2n-1 | …    n: a power of two; each page is taken when the first key comes that belongs there
//! set   8 tags | when each was last used | 8 cells     a cache line, a cache line, the cells
//! ```

use std::array;

use crate::impossible::{self, Impossible};

const WAYS: usize = 8;

/// Not used by any key.
const FREE: u64 = 0;

/// Bytes of a page, about: little enough that to take one is never felt.
const PAGE_BYTES: usize = 32 * 1024;

/// The most cells that one table may have: 2²⁴.
const MOST: usize = 1 << 24;

/// How much the loss of a cell would cost; a full set gives up the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hold {
    /// It counts nothing any more; a fresh cell would behave the same.
    Spent,
    /// It counts something.
    Idle,
    /// Something of it is under way.
    Busy,
    /// Its key is refused; losing it would let the key in.
    Blocked,
}

/// What a table keeps for a key. A fresh one must behave as for a key that was never seen.
pub trait Cell: Default {
    /// How much the loss of this cell would cost at `now`.
    fn hold(&self, now: u64) -> Hold;
}

/// Keys that lost their cell to another since the table was made, by what was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evictions {
    /// Nothing was lost: [`Hold::Spent`].
    pub spent: u64,
    /// A count was lost: [`Hold::Idle`].
    pub idle: u64,
    /// Something under way was lost: [`Hold::Busy`].
    pub busy: u64,
    /// A block was lost, since all eight ways were blocked: [`Hold::Blocked`].
    pub blocked: u64,
}

/// Cells by the 64-bit keyed hash of their keys.
///
/// **Memory**: for each 8 cells 128 bytes and the cells (in all a multiple of 64), taken page by page (about 32 KiB) as keys come, never more
/// than for [`Self::capacity`]; [`Self::bytes`] tells how much it is.
/// **Two keys** never share a cell unless all 64 bits of their hashes are equal: at most 2⁻⁴⁰ for a new key against a full
/// table of 2²⁴. The hash must be keyed with a secret, or strangers find such keys (and keys of one set) at will.
/// **Eviction**: when all ways of a key's set are taken, the cell with the least [`Hold`] goes, among equals the one
/// least recently used. A table with twice as many cells as keys in use has to do so in about one set of fifty.
#[derive(Clone, Debug)]
pub struct Table<C> {
    pages: Box<[Option<Page<C>>]>,
    sets: usize,
    /// Sets of a page, as a power of two.
    page_bits: u32,
    /// Counts uses, from 1: the order of use is exact even where the clock stands still.
    uses: u64,
    evictions: Evictions,
}

type Page<C> = Box<[Set<C>]>;

/// In this order and on a line of its own: a look-up that finds nothing reads one line, one that finds a cell reads a second and
/// the cell.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Set<C> {
    tags: [u64; WAYS],
    /// 0: the way is free, whatever tag is left in it. (Every tag, zero too, is a key's.)
    used: [u64; WAYS],
    cells: [C; WAYS],
}

// === impl Table ===

impl<C: Cell> Table<C> {
    /// A table of at least `capacity` cells, rounded up to a multiple of 8.
    ///
    /// # Errors
    /// [`Impossible::Capacity`] for zero or more than 2²⁴.
    pub fn new(capacity: usize) -> Result<Self, Impossible> {
        let sets = impossible::capacity(capacity, MOST)?.div_ceil(WAYS);
        let page_bits = (PAGE_BYTES / size_of::<Set<C>>()).max(1).ilog2();
        let pages = (0..sets.div_ceil(1 << page_bits)).map(|_| None).collect();
        Ok(Self { pages, sets, page_bits, uses: 0, evictions: Evictions::default() })
    }

    /// The cell of a key, fresh if it had none; another key's may be evicted for it.
    #[expect(clippy::indexing_slicing, reason = "a place is below the numbers of pages and of sets, a way below 8")]
    pub fn entry(&mut self, tag: u64, now: u64) -> &mut C {
        self.uses = self.uses.wrapping_add(1);
        let (page, index) = self.place(tag);
        let size = (self.sets - (page << self.page_bits)).min(1 << self.page_bits);
        let page = self.pages[page].get_or_insert_with(|| (0..size).map(|_| Set::default()).collect());
        let set = &mut page[index];
        let way = set.find(tag).unwrap_or_else(|| set.admit(tag, now, &mut self.evictions));
        set.used[way] = self.uses;
        &mut set.cells[way]
    }

    /// The cell of a key, fresh if it had none; `None` where that would push out a cell that is not [`Hold::Spent`].
    pub fn claim(&mut self, tag: u64, now: u64) -> Option<&mut C> {
        let has_room = |set: &Set<C>| set.find(tag).is_some() || set.free().is_some() || set.has_spent(now);
        self.set(tag).is_none_or(has_room).then(|| self.entry(tag, now))
    }

    /// The cell of a key if it has one; counts as a use.
    pub fn find(&mut self, tag: u64) -> Option<&mut C> {
        self.uses = self.uses.wrapping_add(1);
        let uses = self.uses;
        let set = self.set_mut(tag)?;
        let way = set.find(tag)?;
        *set.used.get_mut(way)? = uses;
        set.cells.get_mut(way)
    }

    /// The cell of a key if it has one, only to look at.
    pub fn peek(&self, tag: u64) -> Option<&C> {
        let set = self.set(tag)?;
        set.cells.get(set.find(tag)?)
    }

    /// Forgets a key; says whether it had a cell.
    pub fn remove(&mut self, tag: u64) -> bool {
        let Some(set) = self.set_mut(tag) else { return false };
        let Some(used) = set.find(tag).and_then(|way| set.used.get_mut(way)) else { return false };
        *used = FREE;
        true
    }

    /// Forgets all keys, without counting them as evicted; passes over the sets.
    pub fn clear(&mut self) {
        for set in self.pages.iter_mut().flatten().flatten() {
            set.used = [FREE; WAYS];
        }
    }

    /// Cells that keys have now, spent ones included.
    pub fn len(&self) -> usize {
        self.all().map(|set| set.used.iter().filter(|used| **used != FREE).count()).sum()
    }

    /// Whether no key has a cell.
    pub fn is_empty(&self) -> bool {
        self.all().all(|set| set.used == [FREE; WAYS])
    }

    /// The most cells that keys can have.
    pub fn capacity(&self) -> usize {
        self.sets.saturating_mul(WAYS)
    }

    /// The memory of all cells so far, in bytes.
    pub fn bytes(&self) -> usize {
        self.pages.iter().flatten().map(|page| size_of_val(&**page)).sum()
    }

    /// Keys that lost their cell so far.
    pub const fn evictions(&self) -> Evictions {
        self.evictions
    }

    /// The page and the set in it of a tag: its upper half, spread over any number of sets (at most 2²¹, so nothing overflows).
    fn place(&self, tag: u64) -> (usize, usize) {
        let set = (((tag >> 32) * self.sets as u64) >> 32) as usize;
        (set >> self.page_bits, set & ((1 << self.page_bits) - 1))
    }

    /// The set of a tag, once some key came to its page.
    fn set(&self, tag: u64) -> Option<&Set<C>> {
        let (page, index) = self.place(tag);
        self.pages.get(page)?.as_ref()?.get(index)
    }

    fn set_mut(&mut self, tag: u64) -> Option<&mut Set<C>> {
        let (page, index) = self.place(tag);
        self.pages.get_mut(page)?.as_mut()?.get_mut(index)
    }

    fn all(&self) -> impl Iterator<Item = &Set<C>> {
        self.pages.iter().flatten().flatten()
    }
}

// === impl Set ===

impl<C: Cell> Default for Set<C> {
    fn default() -> Self {
        Self { tags: [0; WAYS], used: [FREE; WAYS], cells: array::from_fn(|_| C::default()) }
    }
}

impl<C: Cell> Set<C> {
    /// All tags are compared, since no branch could be foretold by where a key happens to stand.
    #[inline]
    fn find(&self, tag: u64) -> Option<usize> {
        let mut same = self.tags.iter().zip(0..).fold(0u32, |same, (held, way)| same | u32::from(*held == tag) << way);
        while same != 0 {
            let way = same.trailing_zeros() as usize;
            if self.used.get(way).is_some_and(|used| *used != FREE) {
                return Some(way);
            }
            same &= same - 1;
        }
        None
    }

    fn free(&self) -> Option<usize> {
        self.used.iter().position(|used| *used == FREE)
    }

    /// Whether a cell counts nothing any more, in a set whose ways are all taken.
    fn has_spent(&self, now: u64) -> bool {
        self.cells.iter().any(|cell| cell.hold(now) == Hold::Spent)
    }

    /// Gives a way to a tag that has none, with a fresh cell in it; the caller says when it was used.
    #[expect(clippy::indexing_slicing, reason = "a way is below 8")]
    fn admit(&mut self, tag: u64, now: u64, evictions: &mut Evictions) -> usize {
        let way = self.free().unwrap_or_else(|| self.evict(now, evictions));
        self.tags[way] = tag;
        self.cells[way] = C::default();
        way
    }

    /// The way that a full set gives up, counted.
    fn evict(&self, now: u64, evictions: &mut Evictions) -> usize {
        let ways = self.cells.iter().zip(self.used).enumerate();
        let least = ways.map(|(way, (cell, used))| (cell.hold(now), used, way)).min();
        let (hold, _, way) = least.unwrap_or((Hold::Spent, 0, 0));
        let count = match hold {
            Hold::Spent => &mut evictions.spent,
            Hold::Idle => &mut evictions.idle,
            Hold::Busy => &mut evictions.busy,
            Hold::Blocked => &mut evictions.blocked,
        };
        *count = count.saturating_add(1);
        way
    }
}

#[cfg(test)]
mod tests;
