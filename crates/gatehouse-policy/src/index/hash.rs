//! Hashes of what the index is asked for. The same in every build: they stand in images. They protect nothing: what is found
//! by one is looked at itself before it counts.

const K: u64 = 0x9e37_79b9_7f4a_7c15;
const M: u64 = 0xd6e8_feb8_6659_fd93;

/// Hash of bytes.
#[inline]
pub(crate) fn bytes(text: &[u8]) -> u64 {
    words(text, |word| word)
}

/// Hash of bytes in any letter case (ASCII).
#[inline]
pub(crate) fn folded(text: &[u8]) -> u64 {
    words(text, lower)
}

/// Two hashes as one; which is which matters.
#[inline]
pub(crate) fn pair(first: u64, second: u64) -> u64 {
    finish(first.rotate_left(23).wrapping_mul(K) ^ second)
}

/// Hash of a number.
#[inline]
pub(crate) fn number(number: u64) -> u64 {
    finish(number.wrapping_mul(K))
}

/// Hash of bytes that come one by one, in any letter case or as they are: not the same as of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Running(u64);

impl Running {
    pub(crate) const fn new() -> Self {
        Self(M)
    }

    #[inline]
    pub(crate) fn push(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(K).rotate_left(29);
    }

    #[inline]
    pub(crate) fn finish(self) -> u64 {
        finish(self.0)
    }
}

/// The same as [`bytes`] of bytes that come one by one.
pub(crate) fn stream(text: impl Iterator<Item = u8>) -> u64 {
    let (mut hash, mut word, mut length) = (M, 0u64, 0u64);
    for byte in text {
        word |= u64::from(byte) << (8 * (length % 8));
        length += 1;
        if length.is_multiple_of(8) {
            hash = step(hash, word);
            word = 0;
        }
    }
    finish(step(hash, word) ^ length)
}

#[inline]
fn words(text: &[u8], fold: impl Fn(u64) -> u64) -> u64 {
    let mut hash = M;
    let (chunks, rest) = text.as_chunks::<8>();
    for chunk in chunks {
        hash = step(hash, fold(u64::from_le_bytes(*chunk)));
    }
    let last = match text.last_chunk::<8>() {
        Some(eight) if !rest.is_empty() => u64::from_le_bytes(*eight) >> (8 * (8 - rest.len())),
        Some(_) => 0,
        None => short(rest),
    };
    finish(step(hash, fold(last)) ^ text.len() as u64)
}

/// Fewer than eight bytes as a number, the first the lowest: two halves that may overlap, where there are enough.
#[inline]
fn short(text: &[u8]) -> u64 {
    match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            let shift = 8 * (text.len() as u32 & 7).saturating_sub(4);
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << shift
        }
        _ => text.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)),
    }
}

#[inline]
fn step(hash: u64, word: u64) -> u64 {
    let mixed = (hash ^ word).wrapping_mul(K);
    mixed ^ mixed >> 32
}

#[inline]
fn finish(hash: u64) -> u64 {
    let mixed = (hash ^ hash >> 32).wrapping_mul(M);
    mixed ^ mixed >> 29
}

/// Eight bytes at once with the letters `A` to `Z` in lower case.
#[inline]
fn lower(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let seven = word & (0x7f * EACH);
    let from_a = seven + (0x80 - b'A' as u64) * EACH;
    let after_z = seven + (0x7f - b'Z' as u64) * EACH;
    let upper = (from_a & !after_z & !word) & (0x80 * EACH);
    word | upper >> 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn letter_case_is_folded_and_nothing_else(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(folded(&text), bytes(&text.to_ascii_lowercase()));
            prop_assert_eq!(folded(&text.to_ascii_uppercase()), folded(&text));
            prop_assert_eq!(stream(text.iter().copied()), bytes(&text));
        }
    }

    #[test]
    fn a_thousand_similar_texts_have_a_thousand_hashes_in_every_half() {
        let hashes: Vec<u64> = (0..1000).map(|i| bytes(format!("/item/{i}").as_bytes())).collect();
        for shift in [0, 32] {
            let halves: std::collections::BTreeSet<u32> = hashes.iter().map(|hash| (hash >> shift) as u32).collect();
            assert!(halves.len() > 998, "{}", halves.len());
        }
    }
}
