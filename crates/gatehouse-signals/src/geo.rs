//! Country and autonomous system by address: one compact table, built by the house, used by the gate as the bytes it came in.
//!
//! Every address lies in one range that begins at a start and ends where the next begins. Little-endian; no padding; the carrier
//! brings a checksum of its own, so there is none:
//!
//! ```text
//!  0   8  "ghgeo", 0, 0, version (1)
//!  8   4  length of the whole, in bytes; at most 8 MiB
//! 12   4  V  number of values
//! 16   4  A  number of IPv4 ranges
//! 20   4  B  number of IPv6 ranges
//! 24   4  D  number of deep ranges
//! 28   4  0
//! 32      V × 6       values, ascending bytes: country (two letters, or 0 0), number of the autonomous system (0: none)
//!         65537 × 4   IPv4 buckets: how many ranges start before addresses with these upper 16 bits (absent where A = 0)
//!         A × (2+w)   IPv4 ranges: start (its lower 16 bits, ascending within a bucket), number of the value
//!         B × (8+w)   IPv6 ranges: start (its upper 64 bits, ascending), number of the value;
//!                     V itself: this one /64 is cut finer, look among the deep ranges
//!         D × (16+w)  deep ranges: start (the whole address, ascending; the first of each such /64 is the /64's own first
//!                     address), number of the value
//! ```
//!
//! w is the fewest bytes that hold V: 1, 2 or 3. An address before the first start has neither country nor system.

mod build;
mod check;
mod layout;

use core::fmt;
use std::net::IpAddr;

pub use build::{BuildError, build};
pub use check::{LoadError, Loading, Progress};

use crate::address::fold;

use layout::{Layout, word};

/// Longest table, in bytes.
pub const MAX_BYTES: usize = 8 << 20;

/// What a table says of an address. `None`: it says nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Place {
    /// Country, two upper-case letters (ISO 3166-1 alpha-2).
    pub country: Option<[u8; 2]>,
    /// Number of the autonomous system that announces it (RFC 6793); never 0.
    pub asn: Option<u32>,
}

/// How many IPv6 ranges lie between two fences.
const FENCE: usize = 16;

/// A checked table.
#[derive(Clone, PartialEq, Eq)]
pub struct Table {
    bytes: Vec<u8>,
    layout: Layout,
    /// The start of every [`FENCE`]th IPv6 range: few enough to stay in a processor's cache.
    fences: Vec<u64>,
}

impl Table {
    /// Takes a table as [`build`] makes it, and checks every part of it. Linear; the bytes are kept as they are, and half a byte
    /// more for each IPv6 range. Where nobody may wait for a large one: [`Loading`].
    ///
    /// # Errors
    /// The bytes are no such table, or one of another version; the first thing that is wrong.
    pub fn load(bytes: Vec<u8>) -> Result<Self, LoadError> {
        let mut loading = Loading::new(bytes)?;
        loop {
            match loading.step(usize::MAX)? {
                Progress::More(rest) => loading = rest,
                Progress::Done(table) => return Ok(table),
            }
        }
    }

    /// What is known of `address`. An IPv4-mapped address is the IPv4 address it maps. Two short searches, nothing allocated.
    #[must_use]
    pub fn lookup(&self, address: IpAddr) -> Place {
        let value = match fold(address) {
            IpAddr::V4(v4) => self.value_v4(v4.into()),
            IpAddr::V6(v6) => self.value_v6(v6.into()),
        };
        value.and_then(|value| self.place(value)).unwrap_or_default()
    }

    /// Number of ranges, of both kinds.
    #[must_use]
    pub fn ranges(&self) -> usize {
        self.layout.v4 + self.layout.v6 + self.layout.deep
    }

    /// Whether it says the country of any address. Linear in the values.
    #[must_use]
    pub fn has_countries(&self) -> bool {
        self.places().any(|place| place.country.is_some())
    }

    /// Whether it says the autonomous system of any address. Linear in the values.
    #[must_use]
    pub fn has_asns(&self) -> bool {
        self.places().any(|place| place.asn.is_some())
    }

    fn places(&self) -> impl Iterator<Item = Place> {
        (0..self.layout.values).filter_map(|value| self.place(value))
    }

    /// Length of the table in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    fn value_v4(&self, address: u32) -> Option<usize> {
        let buckets = self.layout.buckets(&self.bytes);
        let bucket = (address >> 16) as usize;
        let begin = u32::from_le_bytes(word(buckets, bucket, 4)?) as usize;
        let end = u32::from_le_bytes(word(buckets, bucket + 1, 4)?) as usize;
        let ranges = self.layout.v4(&self.bytes);
        // Where no range starts in this bucket at or before the address, the last one of the buckets before it holds it.
        ranges.value(ranges.last_not_after(begin..end, address as u16, u16::from_le_bytes)?)
    }

    fn value_v6(&self, address: u128) -> Option<usize> {
        let upper = (address >> 64) as u64;
        let begin = self.fences.partition_point(|start| *start <= upper).checked_sub(1)? * FENCE;
        let ranges = self.layout.v6(&self.bytes);
        let end = self.layout.v6.min(begin + FENCE);
        let value = ranges.value(ranges.last_not_after(begin..end, upper, u64::from_le_bytes)?)?;
        if value < self.layout.values {
            return Some(value);
        }
        let deep = self.layout.deep(&self.bytes);
        deep.value(deep.last_not_after(0..self.layout.deep, address, u128::from_le_bytes)?)
    }

    fn place(&self, value: usize) -> Option<Place> {
        let [first, second, asn @ ..] = word::<6>(self.layout.places(&self.bytes), value, 6)?;
        let asn = u32::from_le_bytes(asn);
        Some(Place { country: (first != 0).then_some([first, second]), asn: (asn != 0).then_some(asn) })
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("bytes", &self.bytes()).field("ranges", &self.ranges()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
