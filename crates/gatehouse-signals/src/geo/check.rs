//! What a table must hold before anything is looked up in it: hostile bytes are refused here, once.

use core::fmt;

use super::layout::{BUCKETS, Layout, word};
use super::{FENCE, Table};

/// Why bytes are no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadError {
    /// The buckets of IPv4 ranges do not count them.
    Buckets,
    /// The deep ranges are not those of the /64s that are cut finer.
    Deep,
    /// Its length is not what its header says, or more than a table may have.
    Length,
    /// It does not begin as a table does.
    Magic,
    /// Starts do not ascend.
    Order,
    /// A country is not of two upper-case letters, or values do not ascend.
    Places,
    /// A range has the number of a value that is not there.
    Value,
    /// It is of another version, which is told.
    Version(u8),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Buckets => f.write_str("the buckets of the table do not count its ranges"),
            Self::Deep => f.write_str("the table's deep ranges are not those of the networks that need them"),
            Self::Length => f.write_str("the table is not as long as its header says"),
            Self::Magic => f.write_str("this is no table of countries and systems"),
            Self::Order => f.write_str("the starts of the table's ranges do not ascend"),
            Self::Places => f.write_str("the values of the table are not countries in order"),
            Self::Value => f.write_str("a range of the table has a value that is not there"),
            Self::Version(version) => write!(f, "the table is of version {version}, not 1"),
        }
    }
}

impl core::error::Error for LoadError {}

/// A table on its way in: what a lookup relies on is checked a part at a time, so that a worker may go on between parts.
pub struct Loading {
    bytes: Vec<u8>,
    layout: Layout,
    phase: Phase,
    /// The next entry of the phase.
    at: usize,
    /// The bucket that the next IPv4 range lies in, and where it ends.
    bucket: usize,
    bucket_end: usize,
    /// How many /64s that are cut finer were seen among the IPv6 ranges, less those that have deep ranges.
    marks: usize,
    fences: Vec<u64>,
}

/// How far a table has come.
#[derive(Debug)]
pub enum Progress {
    /// Parts of it are left.
    More(Loading),
    /// It may be used.
    Done(Table),
}

/// The sections, in the order of their checks.
#[derive(Clone, Copy)]
enum Phase {
    Places,
    Buckets,
    V4,
    V6,
    Deep,
}

impl Loading {
    /// Takes a table as [`build`](super::build) makes it, and looks at its header.
    ///
    /// # Errors
    /// It does not begin as a table does, or is not as long as it says.
    pub fn new(bytes: Vec<u8>) -> Result<Self, LoadError> {
        let layout = Layout::read(&bytes)?;
        let fences = Vec::with_capacity(layout.v6.div_ceil(FENCE));
        Ok(Self { bytes, layout, phase: Phase::Places, at: 0, bucket: 0, bucket_end: 0, marks: 0, fences })
    }

    /// Checks so many entries more (with 0 it comes no further). Each costs about four nanoseconds, in wasm about eight: 200 000
    /// entries are a millisecond or two.
    ///
    /// # Errors
    /// Something is wrong with one of them; the bytes are dropped.
    pub fn step(mut self, entries: usize) -> Result<Progress, LoadError> {
        let mut left = entries;
        loop {
            let (count, next) = match self.phase {
                Phase::Places => (self.layout.values, Some(Phase::Buckets)),
                Phase::Buckets => (if self.layout.v4 > 0 { BUCKETS } else { 0 }, Some(Phase::V4)),
                Phase::V4 => (self.layout.v4, Some(Phase::V6)),
                Phase::V6 => (self.layout.v6, Some(Phase::Deep)),
                Phase::Deep => (self.layout.deep, None),
            };
            let end = count.min(self.at.saturating_add(left));
            left -= end - self.at;
            self.check(end)?;
            self.at = end;
            match next {
                _ if end < count => return Ok(Progress::More(self)),
                Some(phase) => (self.phase, self.at) = (phase, 0),
                None if self.marks > 0 => return Err(LoadError::Deep),
                None => {
                    let Self { bytes, layout, fences, .. } = self;
                    return Ok(Progress::Done(Table { bytes, layout, fences }));
                }
            }
        }
    }

    /// Checks the entries of the phase up to `end`.
    fn check(&mut self, end: usize) -> Result<(), LoadError> {
        let mut entries = self.at..end;
        match self.phase {
            Phase::Places => entries.try_for_each(|at| self.place(at)),
            Phase::Buckets => entries.try_for_each(|at| self.bucket(at)),
            Phase::V4 => entries.try_for_each(|at| self.v4(at)),
            Phase::V6 => entries.try_for_each(|at| self.v6(at)),
            Phase::Deep => entries.try_for_each(|at| self.deep(at)),
        }
    }

    fn place(&self, at: usize) -> Result<(), LoadError> {
        let place = |at: usize| word::<6>(self.layout.places(&self.bytes), at, 6);
        let Some(this @ [a, b, ..]) = place(at) else { return Err(LoadError::Places) };
        let real = (a == 0 && b == 0) || (a.is_ascii_uppercase() && b.is_ascii_uppercase());
        let ascends = at == 0 || place(at - 1).is_some_and(|before| before < this);
        if real && ascends { Ok(()) } else { Err(LoadError::Places) }
    }

    /// Where the bucket begins: what a lookup takes two of.
    fn begin_of(&self, bucket: usize) -> Option<usize> {
        word(self.layout.buckets(&self.bytes), bucket, 4).map(|count| u32::from_le_bytes(count) as usize)
    }

    fn bucket(&self, at: usize) -> Result<(), LoadError> {
        let begin = self.begin_of(at);
        let right = match at {
            0 => begin == Some(0),
            _ => begin >= self.begin_of(at - 1),
        };
        let last = at + 1 < BUCKETS || begin == Some(self.layout.v4);
        if right && last { Ok(()) } else { Err(LoadError::Buckets) }
    }

    fn v4(&mut self, at: usize) -> Result<(), LoadError> {
        let is_first = at >= self.bucket_end;
        // The buckets were found to end at the last range.
        while at >= self.bucket_end && self.bucket < BUCKETS {
            self.bucket += 1;
            self.bucket_end = self.begin_of(self.bucket).unwrap_or(self.layout.v4);
        }
        let ranges = self.layout.v4(&self.bytes);
        let start = |at: usize| ranges.start(at).map(u16::from_le_bytes);
        if !is_first && start(at - 1) >= start(at) {
            return Err(LoadError::Order);
        }
        within(ranges.value(at), self.layout.values)
    }

    fn v6(&mut self, at: usize) -> Result<(), LoadError> {
        let ranges = self.layout.v6(&self.bytes);
        let start = |at: usize| ranges.start(at).map(u64::from_le_bytes);
        let this = start(at).ok_or(LoadError::Order)?;
        if at > 0 && start(at - 1) >= Some(this) {
            return Err(LoadError::Order);
        }
        let value = ranges.value(at);
        if value == Some(self.layout.values) {
            // It is one /64 long.
            if start(at + 1) != this.checked_add(1) {
                return Err(LoadError::Deep);
            }
            self.marks += 1;
        }
        if at.is_multiple_of(FENCE) {
            self.fences.push(this);
        }
        within(value, self.layout.values + 1)
    }

    fn deep(&mut self, at: usize) -> Result<(), LoadError> {
        let ranges = self.layout.deep(&self.bytes);
        let start = |at: usize| ranges.start(at).map(u128::from_le_bytes);
        let this = start(at).ok_or(LoadError::Order)?;
        let before = if at > 0 { start(at - 1) } else { None };
        if before >= Some(this) {
            return Err(LoadError::Order);
        }
        if before.is_none_or(|before| before >> 64 != this >> 64) {
            let upper = self.layout.v6(&self.bytes);
            let block = (this >> 64) as u64;
            let range = upper.last_not_after(0..self.layout.v6, block, u64::from_le_bytes);
            let range = range.filter(|at| upper.start(*at).map(u64::from_le_bytes) == Some(block));
            let is_marked = range.and_then(|at| upper.value(at)) == Some(self.layout.values);
            if !is_marked || this != u128::from(block) << 64 {
                return Err(LoadError::Deep);
            }
            self.marks = self.marks.checked_sub(1).ok_or(LoadError::Deep)?;
        }
        within(ranges.value(at), self.layout.values)
    }
}

fn within(value: Option<usize>, limit: usize) -> Result<(), LoadError> {
    if value.is_some_and(|value| value < limit) { Ok(()) } else { Err(LoadError::Value) }
}

impl fmt::Debug for Loading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loading").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}
