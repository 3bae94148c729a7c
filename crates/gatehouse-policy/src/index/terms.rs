//! What writing and asking the index must see alike.

use std::net::IpAddr;

use super::hash;

/// Longest ends of paths that are told apart by more than their last bytes.
pub(super) const MAX_ENDING: usize = 63;
/// Most segments of a path that a trie tells apart.
pub(super) const MAX_SEGMENTS: usize = 32;
/// The hash that stands for a name that is there, whatever its value.
pub(super) const PRESENT: u64 = 0;
/// The number whose hash stands for any segment; no segment has it by its text but by chance, which is harmless.
pub(super) const ANY: u64 = 0x2a;
/// Where the names that some table of headers looks for stand among the settings of all, as 64 bits.
pub(super) const META_NAMES: usize = 3;

/// Word and bit of a hash in a filter of so many words, a power of two.
#[inline]
pub(super) fn filter_bit(hash: u64, words: usize) -> (usize, u32) {
    let at = (hash >> 20) as usize;
    ((at >> 5) & (words.wrapping_sub(1)), at as u32 & 31)
}

/// The hash of an address whose bits after the prefix are zero.
pub(super) fn network_hash(address: IpAddr, prefix: u8) -> u64 {
    let (high, low) = match address {
        IpAddr::V4(v4) => (4, u64::from(u32::from(v4))),
        IpAddr::V6(v6) => {
            let bits = u128::from(v6);
            (hash::number((bits >> 64) as u64), bits as u64)
        }
    };
    hash::pair(high ^ u64::from(prefix), low)
}
