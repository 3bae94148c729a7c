//! Lists of keys that leave by themselves: what the house hands out as verdicts, in a fixed number of places.
//!
//! Open addressing with linear probing over twice as many slots as places, so that a list takes exactly its capacity;
//! removal shifts the keys behind it back, so no tombstones gather. Times to live come and go as what *remains*: the
//! clock of another machine, or of this one before a restart, means nothing here.

use siphasher::sip::SipHasher13;

use crate::impossible::{self, Impossible};

/// The most keys that one list may have: 2²².
const MOST: usize = 1 << 22;

/// A key of a list: `u64` (a hash) or `u128` (an IPv6 address, a longer hash).
pub trait TtlKey: Copy + Eq + Default + sealed::Sealed {
    /// Its keyed hash, for its place.
    #[doc(hidden)]
    fn hash(self, hasher: &SipHasher13) -> u64;
}

/// Keys that each leave after a time of their own.
///
/// **Memory**: 16 bytes a slot for `u64`, 32 for `u128`, and as many slots as the power of two at or above twice the
/// capacity, taken at once ([`Self::bytes`]). **Error**: none; a key is listed until the nanosecond when its time ends.
/// **When full**: keys whose time has ended make room; if there is none, the new key is refused and counted
/// ([`Self::refused`]), so that nobody can push out an entry by adding others.
/// **Cost**: looking up is a hash and a probe or two. Adding to a full list may pass over all of it once for each moment
/// at which entries end.
#[derive(Clone, Debug)]
pub struct TtlList<K> {
    hasher: SipHasher13,
    slots: Box<[Slot<K>]>,
    /// Slots taken, by keys whose time has ended too.
    taken: usize,
    capacity: usize,
    /// No listed key ends before this.
    earliest: u64,
    refused: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot<K> {
    key: K,
    /// When the key leaves; 0 in an empty slot.
    until: u64,
}

/// What became of a key that was put on a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is new.
    Added,
    /// The list is full; the key is not on it.
    Full,
    /// Nothing remained of its time: it is not on the list, or no more.
    Lapsed,
    /// It was there; what remains is what was said now, be it more or less.
    Renewed,
}

// === impl TtlList ===

impl<K: TtlKey> TtlList<K> {
    /// A list of `capacity` keys, placed by a hash with the secret `seed` so that strangers cannot choose keys that meet.
    ///
    /// # Errors
    /// [`Impossible::Capacity`] for zero or more than 2²².
    pub fn new(capacity: usize, seed: &[u8; 16]) -> Result<Self, Impossible> {
        let capacity = impossible::capacity(capacity, MOST)?;
        let slots = capacity.saturating_mul(2).next_power_of_two();
        Ok(Self {
            hasher: SipHasher13::new_with_key(seed),
            slots: vec![Slot::default(); slots].into_boxed_slice(),
            taken: 0,
            capacity,
            earliest: u64::MAX,
            refused: 0,
        })
    }

    /// Lists a key for `remaining` nanoseconds from `now`.
    pub fn put(&mut self, key: K, remaining: u64, now: u64) -> Put {
        if remaining == 0 {
            self.remove(key);
            return Put::Lapsed;
        }
        let until = now.saturating_add(remaining);
        if let Some(at) = self.find(key) {
            let renewed = self.slot(at).until > now;
            self.write(at, Slot { key, until });
            return if renewed { Put::Renewed } else { Put::Added };
        }
        if self.taken >= self.capacity && self.earliest <= now {
            self.sweep(now);
        }
        if self.taken >= self.capacity {
            self.refused = self.refused.saturating_add(1);
            return Put::Full;
        }
        let at = self.probe(key, |slot| slot.until == 0);
        self.write(at, Slot { key, until });
        self.taken = self.taken.saturating_add(1);
        Put::Added
    }

    /// Nanoseconds that remain of a key's time, `None` if it is not listed.
    pub fn remaining(&self, key: K, now: u64) -> Option<u64> {
        match self.slot(self.find(key)?).until.saturating_sub(now) {
            0 => None,
            left => Some(left),
        }
    }

    /// Whether a key is listed.
    pub fn contains(&self, key: K, now: u64) -> bool {
        self.remaining(key, now).is_some()
    }

    /// Takes a key off; says whether it held a place (its time may have ended).
    pub fn remove(&mut self, key: K) -> bool {
        match self.find(key) {
            Some(at) => {
                self.vacate(at);
                true
            }
            None => false,
        }
    }

    /// Every listed key with the nanoseconds that remain, in no order.
    pub fn iter(&self, now: u64) -> impl Iterator<Item = (K, u64)> + '_ {
        self.slots
            .iter()
            .filter(move |slot| slot.until > now)
            .map(move |slot| (slot.key, slot.until.saturating_sub(now)))
    }

    /// How many keys are listed; passes over all slots.
    pub fn len(&self, now: u64) -> usize {
        self.iter(now).count()
    }

    /// Whether no key is listed; passes over the slots.
    pub fn is_empty(&self, now: u64) -> bool {
        self.iter(now).next().is_none()
    }

    /// The most keys that can be listed.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// The memory of all slots, in bytes; it never changes.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.slots)
    }

    /// Keys that were refused so far since the list was full.
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    fn find(&self, key: K) -> Option<usize> {
        let at = self.probe(key, |slot| slot.until == 0 || slot.key == key);
        (self.slot(at).until != 0).then_some(at)
    }

    /// The first slot from the key's own that satisfies `stop`; at least half of all slots are empty, so one does.
    fn probe(&self, key: K, stop: impl Fn(&Slot<K>) -> bool) -> usize {
        let home = self.home(key);
        let (before, from) = self.slots.split_at_checked(home).unwrap_or((&[], &self.slots));
        match from.iter().chain(before).position(stop) {
            Some(steps) => self.wrap(home.wrapping_add(steps)),
            None => home,
        }
    }

    /// Empties a slot and shifts back the keys that were pushed past it.
    fn vacate(&mut self, at: usize) {
        let mut gap = at;
        for next in (1..self.slots.len()).map(|step| at.wrapping_add(step)) {
            let next = self.wrap(next);
            let slot = self.slot(next);
            if slot.until == 0 {
                break;
            }
            // It may move back if its own slot is not between the gap (exclusive) and where it stands.
            let from_home = self.wrap(next.wrapping_sub(self.home(slot.key)));
            if from_home >= self.wrap(next.wrapping_sub(gap)) {
                self.write(gap, slot);
                gap = next;
            }
        }
        self.write(gap, Slot::default());
        self.taken = self.taken.saturating_sub(1);
    }

    /// Takes off every key whose time has ended.
    fn sweep(&mut self, now: u64) {
        for at in 0..self.slots.len() {
            // What shifts into the slot is looked at again.
            while (1..=now).contains(&self.slot(at).until) {
                self.vacate(at);
            }
        }
        self.earliest = self.slots.iter().map(|slot| slot.until).filter(|&until| until != 0).min().unwrap_or(u64::MAX);
    }

    fn slot(&self, at: usize) -> Slot<K> {
        self.slots.get(at).copied().unwrap_or_default()
    }

    fn write(&mut self, at: usize, value: Slot<K>) {
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = value;
        }
        if value.until != 0 {
            self.earliest = self.earliest.min(value.until);
        }
    }

    fn home(&self, key: K) -> usize {
        self.wrap(key.hash(&self.hasher) as usize)
    }

    /// The number of slots is a power of two.
    const fn wrap(&self, at: usize) -> usize {
        at & self.slots.len().wrapping_sub(1)
    }
}

// === impl TtlKey ===

mod sealed {
    pub trait Sealed {}
    impl Sealed for u64 {}
    impl Sealed for u128 {}
}

impl TtlKey for u64 {
    fn hash(self, hasher: &SipHasher13) -> u64 {
        hasher.hash(&self.to_le_bytes())
    }
}

impl TtlKey for u128 {
    fn hash(self, hasher: &SipHasher13) -> u64 {
        hasher.hash(&self.to_le_bytes())
    }
}

#[cfg(test)]
mod tests;
