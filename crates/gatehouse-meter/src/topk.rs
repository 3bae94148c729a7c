//! The heaviest keys of a stream in a fixed number of counters: Space-Saving (Metwally, Agrawal, El Abbadi: "Efficient
//! computation of frequent and top-k elements in data streams", 2005).

use std::cmp::Reverse;

use crate::impossible::{self, Impossible};

/// The most counters: a search passes over all tags, two kilobytes at this size.
const MOST: usize = 256;

/// The heaviest keys, each with a value of the caller's (its name, say).
///
/// **Memory**: 24 bytes and a value for each of the `k` counters, taken at once; what a value owns is the caller's.
/// **Error**: with W the sum of all weights, every key heavier than W ÷ k is kept, and a kept weight is too high by at
/// most its own [`Heavy::error`], which is at most W ÷ k, and never too low (weights stop at `u64::MAX`).
/// **When full**: a new key replaces the lightest (any of equals) and takes over its weight as error.
/// **Cost**: a pass over k tags, and one over k weights for a key that is not kept.
#[derive(Clone, Debug)]
pub struct TopK<V> {
    tags: Vec<u64>,
    heavy: Vec<Heavy<V>>,
    k: usize,
}

/// A kept key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heavy<V> {
    /// What the caller gave when the key was last taken up.
    pub value: V,
    /// Its weight, too high by at most `error`.
    pub weight: u64,
    /// The weight that was taken over from the key that it replaced.
    pub error: u64,
}

impl<V> TopK<V> {
    /// A list of the `k` heaviest.
    ///
    /// # Errors
    /// [`Impossible::Capacity`] for zero or more than 256.
    pub fn new(k: usize) -> Result<Self, Impossible> {
        let k = impossible::capacity(k, MOST)?;
        Ok(Self { tags: Vec::with_capacity(k), heavy: Vec::with_capacity(k), k })
    }

    /// Adds to the weight of a key, named by a 64-bit keyed hash; `value` is asked for only if the key is taken up.
    pub fn add(&mut self, tag: u64, weight: u64, value: impl FnOnce() -> V) {
        if let Some(at) = self.tags.iter().position(|&held| held == tag) {
            if let Some(heavy) = self.heavy.get_mut(at) {
                heavy.weight = heavy.weight.saturating_add(weight);
            }
            return;
        }
        if self.tags.len() < self.k {
            self.tags.push(tag);
            self.heavy.push(Heavy { value: value(), weight, error: 0 });
            return;
        }
        let lightest = self.heavy.iter_mut().zip(&mut self.tags).min_by_key(|(heavy, _)| heavy.weight);
        if let Some((heavy, held)) = lightest {
            *held = tag;
            *heavy = Heavy { value: value(), weight: heavy.weight.saturating_add(weight), error: heavy.weight };
        }
    }

    /// A kept key.
    pub fn find(&self, tag: u64) -> Option<&Heavy<V>> {
        self.heavy.get(self.tags.iter().position(|&held| held == tag)?)
    }

    /// Every kept key with its tag, the heaviest first. Allocates a list of k references: for reports.
    pub fn ranked(&self) -> Vec<(u64, &Heavy<V>)> {
        let mut ranked: Vec<_> = self.tags.iter().copied().zip(&self.heavy).collect();
        ranked.sort_by_key(|(_, heavy)| Reverse(heavy.weight));
        ranked
    }

    /// The most keys that are kept.
    pub const fn capacity(&self) -> usize {
        self.k
    }

    /// The memory of all counters, in bytes, without what the values own; it never changes.
    pub fn bytes(&self) -> usize {
        self.k.saturating_mul(size_of::<u64>().saturating_add(size_of::<Heavy<V>>()))
    }

    /// Forgets everything, for the next period.
    pub fn clear(&mut self) {
        self.tags.clear();
        self.heavy.clear();
    }
}

#[cfg(test)]
mod tests;
