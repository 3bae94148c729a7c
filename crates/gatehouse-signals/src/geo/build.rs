//! The table of what is known of networks: ranges from nested networks, then bytes.

use core::fmt;
use std::collections::BTreeMap;
use std::net::IpAddr;

use super::layout::{BUCKETS, Layout};
use super::{MAX_BYTES, Place};
use crate::address::Network;

/// What a table begins with: name and version.
pub(super) const MAGIC: &[u8; 8] = b"ghgeo\0\0\x01";

/// Why there is no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildError {
    /// The country given for this network is not of two upper-case letters.
    Country(Network),
    /// The table would be longer than a table may be ([`MAX_BYTES`]); this many ranges are too many.
    TooLong {
        /// Ranges, of both kinds.
        ranges: usize,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Country(network) => write!(f, "the country of `{network}` is not of two upper-case letters"),
            Self::TooLong { ranges } => {
                write!(f, "a table of {ranges} ranges is longer than {} MiB", MAX_BYTES >> 20)
            }
        }
    }
}

impl core::error::Error for BuildError {}

/// Builds the bytes of a table. For country and system each the most specific network that says something of it counts (so both
/// may come from sources of their own, one after the other); of two that are equal, the later. System 0, which nobody has, says
/// nothing. Neighbours that say the same become one range. n log n in the number of networks, of which about 80 bytes each are
/// kept while it builds.
///
/// # Errors
/// A country is none, or the table would be longer than [`MAX_BYTES`].
pub fn build(
    networks: impl IntoIterator<Item = (Network, Option<[u8; 2]>, Option<u32>)>,
) -> Result<Vec<u8>, BuildError> {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for (network, country, asn) in networks {
        if country.is_some_and(|letters| !letters.iter().all(u8::is_ascii_uppercase)) {
            return Err(BuildError::Country(network));
        }
        let place = Place { country, asn: asn.filter(|asn| *asn != 0) };
        match (network.address(), network.last()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                v4.push(Span { first: u32::from(first).into(), last: u32::from(last).into(), place });
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => v6.push(Span { first: first.into(), last: last.into(), place }),
            _ => {}
        }
    }
    let (v4, v6) = (flat(v4, u32::MAX.into()), flat(v6, u128::MAX));
    let places = v4.iter().chain(&v6).map(|range| range.place).chain([Place::default()]);
    let mut numbers: BTreeMap<[u8; 6], usize> = places.map(|place| (packed(place), 0)).collect();
    numbers.values_mut().enumerate().for_each(|(number, value)| *value = number);
    let number_of = |place| numbers.get(&packed(place)).copied().unwrap_or_default();
    let (upper, deep) = split(&v6, numbers.len(), number_of);
    let counts = [numbers.len(), v4.len(), upper.len(), deep.len()];
    let ranges = v4.len() + upper.len() + deep.len();
    let layout = Layout::new(counts).ok_or(BuildError::TooLong { ranges })?;
    let v4: Vec<(u128, usize)> = v4.iter().map(|range| (range.start, number_of(range.place))).collect();
    let mut out = Writer { bytes: Vec::with_capacity(layout.bytes()), width: layout.width };
    out.header(&layout, counts);
    numbers.keys().for_each(|place| out.bytes.extend_from_slice(place));
    out.buckets(&v4);
    out.section(&v4, 2);
    out.section(&upper, 8);
    out.section(&deep, 16);
    Ok(out.bytes)
}

/// What one network says.
struct Span {
    first: u128,
    last: u128,
    place: Place,
}

/// Where what is said changes.
#[derive(Clone, Copy)]
struct Change {
    start: u128,
    place: Place,
}

/// Networks that lie within each other, as ranges one after the other. `most`: the last address of all.
fn flat(mut spans: Vec<Span>, most: u128) -> Vec<Change> {
    // Stable: of two that are equal the later stays the later, and lies within the earlier.
    spans.sort_by_key(|span| (span.first, core::cmp::Reverse(span.last)));
    let mut changes = Vec::new();
    let mut open: Vec<(u128, Place)> = Vec::new();
    for span in spans {
        close(&mut open, &mut changes, |last| last < span.first);
        let around = open.last().map(|(_, place)| *place).unwrap_or_default();
        let place = Place { country: span.place.country.or(around.country), asn: span.place.asn.or(around.asn) };
        change(&mut changes, span.first, place);
        open.push((span.last, place));
    }
    close(&mut open, &mut changes, |last| last < most);
    changes
}

/// Ends the innermost networks for which `ends` holds; after each, what is around it is said again.
fn close(open: &mut Vec<(u128, Place)>, changes: &mut Vec<Change>, ends: impl Fn(u128) -> bool) {
    while let Some((last, _)) = open.pop_if(|(last, _)| ends(*last)) {
        let around = open.last().map(|(_, place)| *place).unwrap_or_default();
        change(changes, last + 1, around);
    }
}

fn change(changes: &mut Vec<Change>, start: u128, place: Place) {
    // What was said for no address is not said.
    changes.pop_if(|change| change.start == start);
    if changes.last().map(|change| change.place).unwrap_or_default() != place {
        changes.push(Change { start, place });
    }
}

/// Starts with the numbers of their values.
type Ranges = Vec<(u128, usize)>;

/// IPv6 ranges by the upper half of their starts, and those of the /64s that are cut finer, which `mark` stands for.
fn split(changes: &[Change], mark: usize, number_of: impl Fn(Place) -> usize) -> (Ranges, Ranges) {
    let (mut upper, mut deep): (Ranges, Ranges) = (Vec::new(), Vec::new());
    let mut before = Place::default();
    for within in changes.chunk_by(|one, next| one.start >> 64 == next.start >> 64) {
        let (Some(first), Some(last)) = (within.first(), within.last()) else { continue };
        let block = first.start >> 64;
        if last.start == block << 64 {
            // The range that the /64 before it left open is taken up here.
            upper.pop_if(|(start, _)| *start == block);
            upper.push((block, number_of(last.place)));
        } else {
            upper.pop_if(|(start, _)| *start == block);
            upper.push((block, mark));
            if first.start != block << 64 {
                deep.push((block << 64, number_of(before)));
            }
            deep.extend(within.iter().map(|change| (change.start, number_of(change.place))));
            if block < u128::from(u64::MAX) {
                upper.push((block + 1, number_of(last.place)));
            }
        }
        before = last.place;
    }
    (upper, deep)
}

/// Country and system as a table holds them.
fn packed(place: Place) -> [u8; 6] {
    let [first, second] = place.country.unwrap_or_default();
    let [a, b, c, d] = place.asn.unwrap_or_default().to_le_bytes();
    [first, second, a, b, c, d]
}

struct Writer {
    bytes: Vec<u8>,
    /// Bytes of the number of a value.
    width: usize,
}

impl Writer {
    fn header(&mut self, layout: &Layout, [values, v4, v6, deep]: [usize; 4]) {
        self.bytes.extend_from_slice(MAGIC);
        [layout.bytes(), values, v4, v6, deep, 0].into_iter().for_each(|number| self.number(number as u128, 4));
    }

    /// How many starts lie before each bucket, and before the end.
    fn buckets(&mut self, ranges: &[(u128, usize)]) {
        if ranges.is_empty() {
            return;
        }
        let mut before = 0;
        for bucket in 0..BUCKETS as u128 {
            let rest = ranges.get(before..).unwrap_or_default();
            before += rest.iter().take_while(|(start, _)| start >> 16 < bucket).count();
            self.number(before as u128, 4);
        }
    }

    /// The lower `size` bytes of each start, and the number of its value.
    fn section(&mut self, ranges: &[(u128, usize)], size: usize) {
        for (start, value) in ranges {
            self.number(*start, size);
            self.number(*value as u128, self.width);
        }
    }

    fn number(&mut self, number: u128, size: usize) {
        self.bytes.extend(number.to_le_bytes().iter().take(size));
    }
}
