//! Automata over bytes, as they stand in an image: the house builds them, the gate walks them, one table step a byte.
//!
//! ```text
//! every number is a u16
//!   0  columns of a row: one for each class of bytes, and the last for the end of the value
//!   1  row to begin with        rows are named by the number of their first entry
//!   2  entries of all rows
//!   3  entries of the accepts; 0: one pattern
//!   4  several patterns: the first row in which one is found; those behind it are all such
//!   5  class of each byte, 256 bytes
//! 133  rows: the next row for each column. Row 0: nothing can be found any more
//!      one pattern: the second row says that it is found
//!      several: for each row where its accepts begin (0: none); there a number, and so many patterns
//! ```
//!
//! A pattern is *found* when it matches somewhere in the value, as `^` and `$` allow. Limits: 32,768 entries (64 KiB) for one
//! pattern, 65,535 for several.

#[cfg(feature = "yaml")]
mod build;
#[cfg(feature = "yaml")]
mod literals;

#[cfg(test)]
#[cfg(feature = "yaml")]
mod tests;

#[cfg(feature = "yaml")]
pub(crate) use build::{combine, compile};
#[cfg(feature = "yaml")]
pub(crate) use literals::{escape, literals};

/// Entries before the rows.
const HEAD: usize = 133;
/// Most entries of the rows of one pattern.
#[cfg(feature = "yaml")]
const MAX_ENTRIES: usize = 32_768;

/// An automaton in an image. Whatever its bytes are, walking it ends with the value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Automaton<'v> {
    columns: usize,
    begin: u16,
    accepting: u16,
    classes: Option<&'v [u8; 256]>,
    rows: &'v [[u8; 2]],
    accepts: &'v [[u8; 2]],
}

impl<'v> Automaton<'v> {
    /// Over the bytes of its entries.
    pub(crate) fn new(bytes: &'v [u8]) -> Self {
        let (entries, _) = bytes.as_chunks::<2>();
        let head = |at: usize| entry(entries, at);
        let end = HEAD + usize::from(head(2));
        Self {
            columns: head(0).into(),
            begin: head(1),
            accepting: head(4),
            classes: bytes.get(10..).and_then(<[u8]>::first_chunk),
            rows: entries.get(HEAD..end).unwrap_or_default(),
            accepts: entries.get(end..).unwrap_or_default(),
        }
    }

    /// The pattern is found in these bytes.
    pub(crate) fn finds(self, bytes: impl Iterator<Item = u8>) -> bool {
        let found = self.columns as u16;
        let Some(classes) = self.classes else {
            return false;
        };
        let mut row = self.begin;
        for byte in bytes {
            let class = classes.get(usize::from(byte)).copied().unwrap_or(0);
            let Some(next) = self.rows.get(usize::from(row) + usize::from(class)) else { return false };
            row = u16::from_le_bytes(*next);
            if row <= found {
                return row == found;
            }
        }
        self.end(row) == found
    }

    /// Each of several patterns that is found in these bytes; some perhaps more than once.
    pub(crate) fn each_pattern(self, bytes: impl Iterator<Item = u8>, mut found: impl FnMut(usize)) {
        let Some(classes) = self.classes else {
            return;
        };
        // One comparison finds both a row in which something is found and row 0.
        let loud = self.accepting.wrapping_sub(1);
        let (mut row, mut told) = (self.begin, 0);
        for byte in bytes {
            let class = classes.get(usize::from(byte)).copied().unwrap_or(0);
            let Some(next) = self.rows.get(usize::from(row) + usize::from(class)) else { return };
            row = u16::from_le_bytes(*next);
            if row.wrapping_sub(1) >= loud {
                if row == 0 {
                    return;
                }
                if row != told {
                    self.tell(row, &mut found);
                    told = row;
                }
            }
        }
        let end = self.end(row);
        if end >= self.accepting {
            self.tell(end, &mut found);
        }
    }

    fn end(self, row: u16) -> u16 {
        entry(self.rows, usize::from(row) + self.columns.saturating_sub(1))
    }

    fn tell(self, row: u16, found: &mut impl FnMut(usize)) {
        let at = usize::from(row).checked_div(self.columns).map_or(0, |row| entry(self.accepts, row));
        if at > 0 {
            let count = usize::from(entry(self.accepts, at.into()));
            (1..=count).for_each(|pattern| found(entry(self.accepts, usize::from(at) + pattern).into()));
        }
    }
}

/// Entry `at` of an automaton over these bytes is sound; `several`: it finds several patterns.
pub(crate) fn entry_is_sound(bytes: &[u8], at: usize, several: bool) -> bool {
    let (bytes, _) = bytes.as_chunks::<2>();
    let count = bytes.len();
    let (columns, rows, accepts) = (entry(bytes, 0), usize::from(entry(bytes, 2)), usize::from(entry(bytes, 3)));
    let own = entry(bytes, at);
    match at {
        0 => (2..=257).contains(&columns) && count >= HEAD,
        1 => usize::from(own) < rows,
        2 => rows >= 2 * usize::from(columns) && rows.is_multiple_of(columns.max(1).into()),
        3 => HEAD + rows + accepts == count && (accepts > 0) == several,
        4 => true,
        5..HEAD => own.to_le_bytes().into_iter().all(|class| u16::from(class) < columns.saturating_sub(1)),
        _ if at < HEAD + rows => usize::from(own) < rows,
        _ => true,
    }
}

#[inline]
fn entry(entries: &[[u8; 2]], at: usize) -> u16 {
    entries.get(at).map_or(0, |two| u16::from_le_bytes(*two))
}
