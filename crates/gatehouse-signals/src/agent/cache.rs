//! Judgements kept for a worker, so that a user agent seen a thousand times is read once.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use super::{Agent, AgentClass, LIMIT, Reading};

/// Entries that share a set; within it the one that was used longest ago gives way.
const WAYS: usize = 4;

/// A cache of readings with a fixed number of entries.
///
/// Sets of four by the low bits of a keyed 64-bit hash (SipHash-1-3) of what [`super::classify`] would look at; the whole
/// hash is compared. In a full set the entry that was used longest ago gives way. 16 bytes an entry. A client that does not
/// know the key can neither fill one set nor meet another's hash.
#[derive(Debug)]
pub struct AgentCache {
    hasher: SipHasher13,
    sets: Vec<[Entry; WAYS]>,
    hits: u64,
    misses: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    tag: u64,
    /// Absent in an entry that was never used.
    reading: Option<Reading>,
}

const EMPTY: Entry = Entry { tag: 0, reading: None };

impl AgentCache {
    /// A cache of at least `entries` (rounded up to four times a power of two, at most 65,536), hashing by `key`. All
    /// memory is taken here.
    #[must_use]
    pub fn new(entries: usize, key: &[u8; 16]) -> Self {
        let sets = entries.min(65_536).div_ceil(WAYS).next_power_of_two();
        Self { hasher: SipHasher13::new_with_key(key), sets: vec![[EMPTY; WAYS]; sets], hits: 0, misses: 0 }
    }

    /// The same as [`super::classify`], from memory if it can.
    pub fn classify<'a>(&mut self, user_agent: &'a [u8]) -> Agent<'a> {
        let mut hasher = self.hasher;
        hasher.write(user_agent.get(..LIMIT).unwrap_or(user_agent));
        let tag = hasher.finish();
        let slot = usize::try_from(tag & (self.sets.len() as u64 - 1)).unwrap_or(0);
        let Some(set) = self.sets.get_mut(slot) else { return super::classify(user_agent) };
        let known = set.iter().position(|entry| entry.tag == tag && entry.reading.is_some());
        let reading = match known.and_then(|way| set.get(way)).and_then(|entry| entry.reading) {
            Some(reading) => {
                self.hits = self.hits.saturating_add(1);
                reading
            }
            None => {
                self.misses = self.misses.saturating_add(1);
                Reading::of(user_agent)
            }
        };
        if let Some(newest_to_known) = set.get_mut(..=known.unwrap_or(WAYS - 1)) {
            newest_to_known.rotate_right(1);
        }
        if let Some(newest) = set.first_mut() {
            *newest = Entry { tag, reading: Some(reading) };
        }
        reading.agent(user_agent)
    }

    /// How many entries it has room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.sets.len() * WAYS
    }

    /// Answers from memory since the start.
    #[must_use]
    pub const fn hits(&self) -> u64 {
        self.hits
    }

    /// Answers that had to be worked out since the start.
    #[must_use]
    pub const fn misses(&self) -> u64 {
        self.misses
    }
}

/// An entry stays at 16 bytes: the class leaves room for the absent reading.
const _: () = assert!(size_of::<Entry>() == 16 && size_of::<AgentClass>() == 1);
