//! Where the sections of a table lie, and how they are read.

use core::ops::Range;

use super::check::LoadError;
use super::{MAX_BYTES, build::MAGIC};

/// Length of the header, in bytes.
pub(super) const HEADER_BYTES: usize = 32;

/// Entries of the bucket index.
pub(super) const BUCKETS: usize = 65537;

/// Bytes of one value: a country and a number.
const PLACE_BYTES: usize = 6;

/// The sections of one table, and how many entries each has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) values: usize,
    pub(super) v4: usize,
    pub(super) v6: usize,
    pub(super) deep: usize,
    /// Bytes of the number of a value.
    pub(super) width: usize,
    sections: [Range<usize>; 5],
}

impl Layout {
    /// Lays the sections out one after the other; `None`: they are longer than a table may be.
    pub(super) fn new([values, v4, v6, deep]: [usize; 4]) -> Option<Self> {
        let width = match values {
            0..=0xFF => 1,
            0x100..=0xFFFF => 2,
            _ => 3,
        };
        let buckets = if v4 > 0 { BUCKETS } else { 0 };
        let sizes = [(values, PLACE_BYTES), (buckets, 4), (v4, 2 + width), (v6, 8 + width), (deep, 16 + width)];
        let mut end = HEADER_BYTES;
        let mut sections = [const { 0..0 }; 5];
        for (section, (count, size)) in sections.iter_mut().zip(sizes) {
            let start = end;
            end = count.checked_mul(size).and_then(|bytes| bytes.checked_add(start))?;
            *section = start..end;
        }
        (end <= MAX_BYTES).then_some(Self { values, v4, v6, deep, width, sections })
    }

    /// What the header says, where it fits the length of the whole.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, LoadError> {
        let (name, version) = match (bytes.split_at_checked(7), MAGIC.split_at(7)) {
            (Some((name, [version, ..])), (ours, [known])) if name == ours => (*version, *known),
            _ => return Err(LoadError::Magic),
        };
        if name != version {
            return Err(LoadError::Version(name));
        }
        let number = |index: usize| word(bytes, index, 4).map(u32::from_le_bytes).unwrap_or_default() as usize;
        let layout = Self::new([number(3), number(4), number(5), number(6)]).ok_or(LoadError::Length)?;
        let fits = bytes.len() == layout.bytes() && number(2) == bytes.len() && number(7) == 0;
        if fits { Ok(layout) } else { Err(LoadError::Length) }
    }

    /// Length of the whole, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.sections[4].end
    }

    pub(super) fn places<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        section(bytes, &self.sections[0])
    }

    pub(super) fn buckets<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        section(bytes, &self.sections[1])
    }

    pub(super) fn v4<'a>(&self, bytes: &'a [u8]) -> Records<'a, 2> {
        Records { bytes: section(bytes, &self.sections[2]), width: self.width }
    }

    pub(super) fn v6<'a>(&self, bytes: &'a [u8]) -> Records<'a, 8> {
        Records { bytes: section(bytes, &self.sections[3]), width: self.width }
    }

    pub(super) fn deep<'a>(&self, bytes: &'a [u8]) -> Records<'a, 16> {
        Records { bytes: section(bytes, &self.sections[4]), width: self.width }
    }
}

/// Ranges: a start of `W` bytes, and the number of a value, each.
#[derive(Clone, Copy)]
pub(super) struct Records<'a, const W: usize> {
    bytes: &'a [u8],
    width: usize,
}

impl<const W: usize> Records<'_, W> {
    /// The start of the `index`th range.
    pub(super) fn start(self, index: usize) -> Option<[u8; W]> {
        word(self.bytes, index, W + self.width)
    }

    /// The number of the value of the `index`th range.
    pub(super) fn value(self, index: usize) -> Option<usize> {
        let at = index.checked_mul(W + self.width)?.checked_add(W)?;
        let number = self.bytes.get(at..at.checked_add(self.width)?)?;
        Some(number.iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte)))
    }

    /// Index of the last in `range` that does not start after `key`; where all do, the index before the range.
    pub(super) fn last_not_after<T: Ord>(self, range: Range<usize>, key: T, read: fn([u8; W]) -> T) -> Option<usize> {
        // Branches, not moves on a condition: the processor then fetches the next halves before it knows which it needs, which is
        // faster by a quarter where they are not in its cache.
        let (mut low, mut size) = (range.start, range.len());
        while size > 0 {
            let half = size / 2;
            let middle = low + half;
            if read(self.start(middle)?) <= key {
                low = middle + 1;
                size -= half + 1;
            } else {
                size = half;
            }
        }
        low.checked_sub(1)
    }
}

fn section<'a>(bytes: &'a [u8], range: &Range<usize>) -> &'a [u8] {
    bytes.get(range.clone()).unwrap_or_default()
}

/// The first `W` bytes of the `index`th group of `stride` bytes.
pub(super) fn word<const W: usize>(section: &[u8], index: usize, stride: usize) -> Option<[u8; W]> {
    section.get(index.checked_mul(stride)?..)?.first_chunk().copied()
}
