//! The rules that may hold, in a buffer that is used again and again.

use gatehouse_signals::Head;
use gatehouse_signals::head::{Names, name_bit};

use crate::Rule;

use super::hash;
use super::values::Segments;

/// So many entries may repeat others before repeats are dropped.
const REPEATS: usize = 4096;

/// Indices of rules, ascending: in the order of decision. Cleared by whoever fills it; allocates nothing once it has grown.
#[derive(Debug, Clone, Default)]
pub struct Candidates {
    rules: Vec<u32>,
    /// Shelves that were looked into, as bits and as a list that clears them.
    looked_into: Vec<u64>,
    shelves: Vec<u32>,
    /// Headers of the request at hand that some rule may name; `None`: not picked out yet.
    headers: Vec<HeaderName>,
    picked: bool,
    /// Segments of the path at hand, and of the verified peer's id.
    path: Segments,
    peer: Segments,
    work: u64,
}

/// A header that some rule may name.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeaderName {
    /// Of its name; see [`name_bit`].
    pub(super) bit: u32,
    /// Of its name.
    pub(super) hash: u64,
    /// Its place among the headers.
    pub(super) header: u32,
}

impl Candidates {
    /// Each rule's index, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.rules.iter().copied()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Takes these rules instead, which must come in ascending order.
    pub fn fill<'p>(&mut self, rules: impl Iterator<Item = Rule<'p>>) {
        self.rules.clear();
        self.work = 0;
        self.rules.extend(rules.map(Rule::index));
    }

    /// Steps that the index took to find them: what tests count.
    #[must_use]
    pub fn work(&self) -> u64 {
        self.work
    }

    pub(super) fn begin(&mut self, shelves: usize) {
        self.rules.clear();
        self.work = 0;
        self.picked = false;
        self.path.forget();
        self.peer.forget();
        let words = shelves.div_ceil(64);
        if self.looked_into.len() < words {
            self.looked_into.resize(words, 0);
        }
    }

    /// Sorts what was found, each rule once.
    pub(super) fn finish(&mut self) {
        for shelf in self.shelves.drain(..) {
            if let Some(word) = self.looked_into.get_mut(shelf as usize / 64) {
                *word = 0;
            }
        }
        self.rules.sort_unstable();
        self.rules.dedup();
    }

    /// Picks out, once, the headers whose name is among these bits; how many there are.
    pub(super) fn headers(&mut self, head: &Head<'_>, names: impl FnOnce() -> u64) -> usize {
        if !self.picked {
            self.picked = true;
            self.headers.clear();
            let names = names();
            if !head.names.may_meet(Names::from_bits(names)) {
                return 0;
            }
            for ((name, _), header) in head.headers.iter().zip(0..) {
                let bit = name_bit(name);
                if names >> bit & 1 != 0 {
                    self.headers.push(HeaderName { bit, hash: hash::folded(name), header });
                }
            }
            self.work += head.headers.len() as u64;
        }
        self.headers.len()
    }

    /// The segments of the path, or else of the peer's id.
    #[inline]
    pub(super) fn segments(&mut self, of_path: bool) -> &mut Segments {
        if of_path { &mut self.path } else { &mut self.peer }
    }

    /// One of those.
    #[inline]
    pub(super) fn header(&self, at: usize) -> Option<HeaderName> {
        self.headers.get(at).copied()
    }

    #[inline]
    pub(super) fn step(&mut self) {
        self.work += 1;
    }

    #[inline]
    pub(super) fn steps(&mut self, count: usize) {
        self.work += count as u64;
    }

    /// The shelf has not been looked into yet; now it has.
    #[inline]
    pub(super) fn enter(&mut self, shelf: usize) -> bool {
        let bit = 1u64 << (shelf % 64);
        let Some(word) = self.looked_into.get_mut(shelf / 64).filter(|word| **word & bit == 0) else {
            return false;
        };
        *word |= bit;
        self.shelves.push(shelf as u32);
        true
    }

    /// Adds a rule, perhaps again: a request that repeats one value a thousand times finds one rule as often.
    #[inline]
    pub(super) fn add(&mut self, rule: u32) {
        if self.rules.last() == Some(&rule) {
            return;
        }
        self.rules.push(rule);
        if self.rules.len().is_multiple_of(REPEATS) {
            self.rules.sort_unstable();
            self.rules.dedup();
        }
    }
}
