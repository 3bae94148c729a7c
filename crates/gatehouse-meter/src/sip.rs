//! SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012) over numbers as they come. The same as feeding their
//! little-endian bytes to any other implementation, which a test does; but a key is made of many short pieces, and here each
//! costs a shift where there it costs a copy.

/// Takes the bytes of a key.
pub(crate) trait Sink {
    /// The low `bytes` bytes of `value` (at most 8), the lowest first; its other bytes are zero.
    fn number(&mut self, value: u64, bytes: u32);

    /// Bytes as they are.
    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.number(u64::from_le_bytes(*word), 8);
        }
        let last = match bytes.last_chunk::<8>() {
            Some(eight) if !rest.is_empty() => u64::from_le_bytes(*eight) >> (64 - 8 * rest.len()),
            Some(_) => 0,
            None => rest.iter().rev().fold(0, |last, byte| last << 8 | u64::from(*byte)),
        };
        self.number(last, rest.len() as u32);
    }
}

/// A hash in the making.
#[derive(Clone, Copy)]
pub(crate) struct Sip {
    state: [u64; 4],
    /// Bytes that are no whole word yet, …
    tail: u64,
    /// … and how many bits they are, below 64.
    bits: u32,
    length: u64,
}

impl Sip {
    pub(crate) const fn new(secret: &[u8; 16]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *secret;
        let first = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let second = u64::from_le_bytes([i, j, k, l, m, n, o, p]);
        let state = [
            first ^ 0x736f_6d65_7073_6575,
            second ^ 0x646f_7261_6e64_6f6d,
            first ^ 0x6c79_6765_6e65_7261,
            second ^ 0x7465_6462_7974_6573,
        ];
        Self { state, tail: 0, bits: 0, length: 0 }
    }

    pub(crate) fn finish(&self) -> u64 {
        let mut state = self.state;
        compress(&mut state, self.length << 56 | self.tail);
        let [.., third, _] = &mut state;
        *third ^= 0xff;
        (0..3).for_each(|_| round(&mut state));
        let [a, b, c, d] = state;
        a ^ b ^ c ^ d
    }
}

impl Sink for Sip {
    #[inline]
    fn number(&mut self, value: u64, bytes: u32) {
        let bits = self.bits + 8 * bytes;
        self.tail |= value << self.bits;
        if bits >= 64 {
            compress(&mut self.state, self.tail);
            self.tail = value.checked_shr(64 - self.bits).unwrap_or(0);
        }
        self.bits = bits & 63;
        self.length = self.length.wrapping_add(bytes.into());
    }
}

#[inline]
fn compress(state: &mut [u64; 4], word: u64) {
    let [.., last] = state;
    *last ^= word;
    round(state);
    let [first, ..] = state;
    *first ^= word;
}

#[inline]
fn round(state: &mut [u64; 4]) {
    let [mut a, mut b, mut c, mut d] = *state;
    a = a.wrapping_add(b);
    b = b.rotate_left(13) ^ a;
    a = a.rotate_left(32);
    c = c.wrapping_add(d);
    d = d.rotate_left(16) ^ c;
    a = a.wrapping_add(d);
    d = d.rotate_left(21) ^ a;
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    *state = [a, b, c, d];
}

#[cfg(test)]
mod tests {
    use std::hash::Hasher as _;

    use proptest::prelude::*;
    use siphasher::sip::SipHasher13;

    use super::*;

    proptest! {
        #[test]
        fn pieces_of_any_length_hash_as_another_implementation_hashes_their_bytes(
            secret: [u8; 16],
            pieces in prop::collection::vec((any::<u64>(), 0_u32..=8, prop::collection::vec(any::<u8>(), 0..40)), 0..12),
        ) {
            let (mut own, mut other) = (Sip::new(&secret), SipHasher13::new_with_key(&secret));
            for (number, bytes, text) in pieces {
                let low = if bytes == 8 { number } else { number & ((1 << (8 * bytes)) - 1) };
                own.number(low, bytes);
                other.write(&low.to_le_bytes()[..bytes as usize]);
                own.bytes(&text);
                other.write(&text);
            }
            prop_assert_eq!(own.finish(), other.finish());
        }
    }
}
