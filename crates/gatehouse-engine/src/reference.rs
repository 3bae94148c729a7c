//! Reference ids: what an openly mitigated response carries, and how the operator finds the whole explanation.
//!
//! A reference is 16 characters of Crockford's base 32 (80 bits), e.g. `7Q2KM4XJ0T9RB3ZC`: the low 80 bits of
//! SipHash-2-4-128 of a counter under a key drawn at random when the worker's VM began. It tells a stranger nothing (neither how many
//! requests there were nor which worker judged), and two are equal with a chance of n²/2⁸¹ for n references.

use core::hash::Hasher as _;
use siphasher::sip128::{Hasher128 as _, SipHasher24};

/// The header that carries the reference of an openly mitigated request.
pub const HEADER: &str = "x-gatehouse-reference";

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 16;

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

/// The reference that somebody wrote or read aloud: in any letter case, with blanks or hyphens between, `O` for `0`, `I` or `L` for
/// `1`. `None`: it is not one.
#[must_use]
pub fn read(typed: &str) -> Option<String> {
    let mut reference = String::with_capacity(LENGTH);
    for c in typed.trim().chars().filter(|c| !matches!(c, ' ' | '-')) {
        let c = match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            c => c,
        };
        if reference.len() == LENGTH || !u8::try_from(c).is_ok_and(|byte| ALPHABET.contains(&byte)) {
            return None;
        }
        reference.push(c);
    }
    (reference.len() == LENGTH).then_some(reference)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_differ_and_are_sixteen_characters_of_the_alphabet() {
        let mut references = References::new(&[7; 16]);
        let made: std::collections::HashSet<String> = (0..10_000).map(|_| references.next_reference()).collect();
        assert_eq!(made.len(), 10_000);
        assert!(made.iter().all(|r| r.len() == LENGTH && r.bytes().all(|b| ALPHABET.contains(&b))));
        assert!(made.iter().all(|r| read(r).as_ref() == Some(r)));
    }

    #[test]
    fn two_keys_give_two_series() {
        assert_ne!(References::new(&[1; 16]).next_reference(), References::new(&[2; 16]).next_reference());
    }

    #[test]
    fn what_a_person_typed_is_read() {
        for typed in ["7Q2KM4XJ0T9RB3ZC", " 7q2k-m4xj-ot9r-b3zc\n", "7Q2K M4XJ OT9R B3ZC"] {
            assert_eq!(read(typed).as_deref(), Some("7Q2KM4XJ0T9RB3ZC"), "{typed}");
        }
        assert_eq!(read("IL00000000000000").as_deref(), Some("1100000000000000"));
        for typed in
            ["", "7Q2KM4XJ0T9RB3Z", "7Q2KM4XJ0T9RB3ZC0", "7Q2KM4XJ0T9RB3ZU", "7Q2KM4XJ0T9RB3Z\0", "７Q2KM4XJ0T9RB3ZC"]
        {
            assert_eq!(read(typed), None, "{typed}");
        }
    }
}
