//! Reference ids: what an openly mitigated response carries, and how the operator finds the whole explanation.
//!
//! A reference is 16 characters of Crockford's base 32 (80 bits), e.g. `7Q2KM4XJ0T9RB3ZC`: the low 80 bits of
//! SipHash-2-4-128 of a counter under a key drawn at random when the worker's VM began. It tells a stranger nothing (neither how many
//! requests there were nor which worker judged), and two are equal with a chance of n²/2⁸¹ for n references.

use core::hash::Hasher as _;
use siphasher::sip128::{Hasher128 as _, SipHasher24};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Makes the references of one worker.
#[derive(Debug, Clone)]
pub struct References {
    hasher: SipHasher24,
    counter: u64,
}

impl References {
    /// `key`: 16 random bytes, drawn once for the life of the VM.
    #[must_use]
    pub fn new(key: &[u8; 16]) -> Self {
        Self { hasher: SipHasher24::new_with_key(key), counter: 0 }
    }

    /// The next reference.
    pub fn next_reference(&mut self) -> String {
        self.counter = self.counter.wrapping_add(1);
        let mut hasher = self.hasher;
        hasher.write_u64(self.counter);
        let bits = hasher.finish128().as_u128();
        (0..16u32)
            .map(|i| {
                let index = ((bits >> (i * 5)) & 31) as usize;
                char::from(ALPHABET.get(index).copied().unwrap_or(b'0'))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_differ_and_are_sixteen_characters_of_the_alphabet() {
        let mut references = References::new(&[7; 16]);
        let made: std::collections::HashSet<String> = (0..10_000).map(|_| references.next_reference()).collect();
        assert_eq!(made.len(), 10_000);
        assert!(made.iter().all(|r| r.len() == 16 && r.bytes().all(|b| ALPHABET.contains(&b))));
    }

    #[test]
    fn two_keys_give_two_series() {
        assert_ne!(References::new(&[1; 16]).next_reference(), References::new(&[2; 16]).next_reference());
    }
}
