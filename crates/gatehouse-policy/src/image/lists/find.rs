//! Whether something is in a set.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gatehouse_signals::address::{Network, fold};
use gatehouse_signals::identity;

use super::{FEW, STRIDE};
use crate::image::{Section, View, set};
use crate::index::hash;

/// The set `index` holds the address.
pub(crate) fn holds_address(view: &View, index: usize, address: IpAddr) -> bool {
    match fold(address) {
        IpAddr::V4(v4) => holds4(view, index, v4.into()),
        IpAddr::V6(v6) => holds6(view, index, v6.into()),
    }
}

fn holds4(view: &View, index: usize, address: u32) -> bool {
    let (first, count) = (view.index(Section::Sets, index, set::FIRST), view.index(Section::Sets, index, set::COUNT));
    let bits = view.word(Section::Sets, index, set::BITS);
    let (mut low, mut high) = (0, count);
    if let Some(shift) = 32u32.checked_sub(bits).filter(|shift| *shift < 32) {
        let bucket = view.index(Section::Sets, index, set::BUCKETS) + (address >> shift) as usize;
        low = view.index(Section::Buckets, bucket, 0);
        high = view.index(Section::Buckets, bucket + 1, 0);
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if view.word(Section::V4, first + middle, 0) <= address { low = middle + 1 } else { high = middle }
    }
    let Some(last) = low.checked_sub(1).filter(|last| *last < count) else {
        return false;
    };
    let prefix = u32::from(view.byte(Section::V4Prefixes, first + last));
    (address ^ view.word(Section::V4, first + last, 0)).checked_shr(32 - prefix.min(32)).unwrap_or(0) == 0
}

fn holds6(view: &View, index: usize, address: u128) -> bool {
    let (first, count) = (view.index(Section::Sets, index, set::FIRST6), view.index(Section::Sets, index, set::COUNT6));
    let (mut low, mut high) = (0, count);
    if count > FEW {
        let samples = view.index(Section::Sets, index, set::SAMPLES);
        let sample = last_sample(view, first, samples, count.div_ceil(STRIDE), address);
        let Some(sample) = sample else {
            return false;
        };
        low = sample * STRIDE;
        high = count.min(low + STRIDE);
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if start6(view, first + middle) <= address { low = middle + 1 } else { high = middle }
    }
    let Some(last) = low.checked_sub(1) else {
        return false;
    };
    let prefix = u32::from(view.byte(Section::V6Prefixes, first + last));
    (address ^ start6(view, first + last)).checked_shr(128 - prefix.min(128)).unwrap_or(0) == 0
}

/// The last sample that begins at or before the address.
fn last_sample(view: &View, first: usize, samples: usize, count: usize, address: u128) -> Option<usize> {
    let leading = (address >> 64) as u64;
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        let at = samples + middle * 2;
        let sample =
            u64::from(view.word(Section::Buckets, at, 0)) << 32 | u64::from(view.word(Section::Buckets, at + 1, 0));
        let before = sample < leading || sample == leading && start6(view, first + middle * STRIDE) <= address;
        if before { low = middle + 1 } else { high = middle }
    }
    low.checked_sub(1)
}

fn start6(view: &View, index: usize) -> u128 {
    let bytes = view.entries(Section::V6, index, 1);
    bytes.first_chunk::<16>().map_or(0, |bytes| u128::from_le_bytes(*bytes))
}

/// The set `index` holds the number.
pub(crate) fn holds_number(view: &View, index: usize, number: u32) -> bool {
    let range = view.range(Section::Sets, index, set::FIRST);
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low + (high - low) / 2;
        match view.word(Section::Numbers, middle, 0).cmp(&number) {
            core::cmp::Ordering::Less => low = middle + 1,
            core::cmp::Ordering::Greater => high = middle,
            core::cmp::Ordering::Equal => return true,
        }
    }
    false
}

/// The set `index` holds the text.
pub(crate) fn holds_text(view: &View, index: usize, text: &[u8]) -> bool {
    let range = view.range(Section::Sets, index, set::FIRST);
    let wanted = hash::bytes(text);
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if view.long(Section::SetTexts, middle, 0) < wanted { low = middle + 1 } else { high = middle }
    }
    let equal = (low..range.end).take_while(|at| view.long(Section::SetTexts, *at, 0) == wanted);
    equal.into_iter().any(|at| view.text_bytes(Section::SetTexts, at, 2) == text)
}

/// The set `index` holds the SPIFFE id itself or a pattern of it.
pub(crate) fn holds_identity(view: &View, index: usize, id: &[u8]) -> bool {
    let mut patterns = view.range(Section::Sets, index, set::FIRST6);
    holds_text(view, index, id) || patterns.any(|at| identity::matches(view.text_bytes(Section::SetTexts, at, 2), id))
}

/// Every network of the set `index`.
pub(crate) fn networks(view: &View, index: usize) -> impl Iterator<Item = Network> {
    let v4 = view.range(Section::Sets, index, set::FIRST).map(move |at| {
        let address = Ipv4Addr::from(view.word(Section::V4, at, 0));
        Network::new(address.into(), view.byte(Section::V4Prefixes, at))
    });
    let v6 = view
        .range(Section::Sets, index, set::FIRST6)
        .map(move |at| Network::new(Ipv6Addr::from(start6(view, at)).into(), view.byte(Section::V6Prefixes, at)));
    v4.chain(v6)
}
