//! Runs of four bytes (of two or one where a literal is no longer) within values, in any letter case: a rule whose match needs
//! a literal is filed under the rarest run of it, so that one pass over a value finds all rules whose literal may be there,
//! however many there are.

#[cfg(feature = "yaml")]
use super::access::{Access, Atom};

/// Lengths of runs.
#[cfg(feature = "yaml")]
const LENGTHS: [usize; 3] = [4, 2, 1];

/// The runs of a literal, any of which may be looked up; of an empty one, nothing.
#[cfg(feature = "yaml")]
pub(super) fn of<'d>(kind: u8, name: &'d str, literal: &[u8]) -> Access<'d> {
    let Some(length) = LENGTHS.into_iter().find(|length| *length <= literal.len()) else {
        return Access::Nothing;
    };
    let run = |bytes: &[u8]| bytes.iter().fold(0u64, |run, byte| run << 8 | u64::from(byte.to_ascii_lowercase()));
    let runs = literal.windows(length).map(|bytes| Atom::Gram(kind, name, length as u8, run(bytes)));
    Access::All(runs.map(Access::One).collect())
}

/// The runs of a value that comes byte by byte.
pub(super) struct Runs<I> {
    bytes: I,
    mask: u64,
    run: u64,
    /// Bytes that are missing before the first run is whole.
    missing: usize,
}

impl<I: Iterator<Item = u8>> Runs<I> {
    /// Runs of `length` bytes, at most 8.
    #[inline]
    pub(super) fn new(bytes: I, length: usize) -> Self {
        let mask = u64::MAX.checked_shr(64 - 8 * length.clamp(1, 8) as u32).unwrap_or(u64::MAX);
        Self { bytes, mask, run: 0, missing: length }
    }
}

impl<I: Iterator<Item = u8>> Iterator for Runs<I> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        loop {
            let byte = self.bytes.next()?;
            self.run = (self.run << 8 | u64::from(byte.to_ascii_lowercase())) & self.mask;
            self.missing = self.missing.saturating_sub(1);
            if self.missing == 0 {
                return Some(self.run);
            }
        }
    }
}

#[cfg(test)]
#[cfg(feature = "yaml")]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_looked_up_by_one_of_its_runs() {
        let read = |literal: &str| match of(1, "", literal.as_bytes()) {
            Access::All(runs) => runs.len(),
            _ => 0,
        };
        assert_eq!([read(""), read("a"), read("abc"), read("abcd"), read("abcdef")], [0, 1, 2, 1, 3]);
    }

    #[test]
    fn runs_of_a_value_are_found_in_any_letter_case() {
        let runs: Vec<u64> = Runs::new(b"aBCd".iter().copied(), 2).collect();
        assert_eq!(runs, [0x6162, 0x6263, 0x6364]);
        assert_eq!(Runs::new(b"abc".iter().copied(), 4).count(), 0);
    }
}
