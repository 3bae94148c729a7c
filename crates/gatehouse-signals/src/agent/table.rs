//! The name lists as one hash table made at compile time, keyed by a pattern's first four bytes: one multiplication and one
//! load tell nearly every position of a text that nothing begins there.

use super::names;
use super::sign::Sign;

/// One pattern, its markers taken off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pattern {
    /// Lower case, four bytes at least.
    pub(super) text: &'static [u8],
    /// Its first four bytes, as the scanner reads them.
    key: u32,
    /// What it tells.
    pub(super) sign: Sign,
    /// It counts only at the start of the text.
    pub(super) at_start: bool,
    /// A letter may follow it.
    pub(super) open: bool,
}

const NOTHING: Pattern = Pattern { text: &[], key: 0, sign: Sign::Quiet, at_start: false, open: false };

/// Lists whose patterns begin where a word begins.
const WORD_LISTS: &[(Sign, &[&str])] = &[
    (Sign::Quiet, names::QUIET),
    (Sign::Scanner, names::SCANNERS),
    (Sign::Ai, names::AI),
    (Sign::Crawler, names::CRAWLERS),
    (Sign::Library, names::LIBRARIES),
    (Sign::App, names::APPS),
    (Sign::Runtime, names::RUNTIMES),
    (Sign::Brand, names::BRANDS),
    (Sign::Family, names::FAMILIES),
    (Sign::Base, names::BASES),
    (Sign::Engine, names::ENGINES),
    (Sign::Desktop, names::DESKTOPS),
    (Sign::Unix, names::UNIXES),
    (Sign::Handheld, names::HANDHELDS),
    (Sign::Phone, names::PHONES),
    (Sign::Mozilla, &["mozilla*"]),
    (Sign::Compatible, &["compatible"]),
    (Sign::Java, &["java", "java/*"]),
];

/// Lists whose patterns begin anywhere. Their `open` is the other way round: open unless marked `$`.
const PART_LISTS: &[(Sign, &[&str])] = &[
    (Sign::Strong, names::STRONG),
    (Sign::Hint, names::HINTS),
    (Sign::Scan, names::SCANS),
    (Sign::Contact, &["http://", "https://", "mailto:", "(at)", "[at]", "www."]),
    (Sign::Guest, &["like gecko ", "like gecko,", "like gecko;"]),
    (Sign::AppPart, &["player", "webview"]),
];

/// Patterns that begin where a word begins.
pub(super) static WORDS: Table<{ count(WORD_LISTS) }, 4096> = Table::of(WORD_LISTS, false);

/// Patterns that begin anywhere.
pub(super) static PARTS: Table<{ count(PART_LISTS) }, 1024> = Table::of(PART_LISTS, true);

/// Open addressing: a slot holds a pattern's number and one, 0 is empty. `SLOTS` is a power of two, far above `PATTERNS`.
#[derive(Debug)]
pub(super) struct Table<const PATTERNS: usize, const SLOTS: usize> {
    patterns: [Pattern; PATTERNS],
    slots: [u16; SLOTS],
}

impl<const PATTERNS: usize, const SLOTS: usize> Table<PATTERNS, SLOTS> {
    /// The patterns whose first four bytes make `key`.
    #[inline]
    pub(super) fn find(&'static self, key: u32) -> Candidates<PATTERNS, SLOTS> {
        Candidates { table: self, key, slot: Self::slot(key) }
    }

    /// All patterns, for the tests of the lists.
    #[cfg(test)]
    pub(super) fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    #[inline]
    const fn slot(key: u32) -> usize {
        (key.wrapping_mul(0x9E37_79B1) >> (32 - SLOTS.trailing_zeros())) as usize
    }

    #[expect(clippy::indexing_slicing, reason = "runs only at compile time, where a wrong index stops the build")]
    const fn of(lists: &[(Sign, &'static [&'static str])], parts: bool) -> Self {
        let mut table = Self { patterns: [NOTHING; PATTERNS], slots: [0; SLOTS] };
        let (mut list, mut number) = (0, 0);
        while list < lists.len() {
            let (sign, names) = lists[list];
            let mut name = 0;
            while name < names.len() {
                let pattern = parse(names[name], sign, parts);
                let mut slot = Self::slot(pattern.key);
                while table.slots[slot] != 0 {
                    slot = (slot + 1) % SLOTS;
                }
                table.patterns[number] = pattern;
                number += 1;
                table.slots[slot] = number as u16;
                name += 1;
            }
            list += 1;
        }
        table
    }
}

/// The patterns of one lookup.
#[derive(Debug)]
pub(super) struct Candidates<const PATTERNS: usize, const SLOTS: usize> {
    table: &'static Table<PATTERNS, SLOTS>,
    key: u32,
    slot: usize,
}

impl<const PATTERNS: usize, const SLOTS: usize> Iterator for Candidates<PATTERNS, SLOTS> {
    type Item = &'static Pattern;

    #[inline]
    fn next(&mut self) -> Option<&'static Pattern> {
        loop {
            let number = *self.table.slots.get(self.slot)?;
            let pattern = self.table.patterns.get(usize::from(number).checked_sub(1)?)?;
            self.slot = (self.slot + 1) % SLOTS;
            if pattern.key == self.key {
                return Some(pattern);
            }
        }
    }
}

const fn count(lists: &[(Sign, &[&str])]) -> usize {
    let mut rest = lists;
    let mut sum = 0;
    while let Some(((_, names), tail)) = rest.split_first() {
        sum += names.len();
        rest = tail;
    }
    sum
}

const fn parse(name: &'static str, sign: Sign, part: bool) -> Pattern {
    let mut text = name.as_bytes();
    let at_start = matches!(text.first(), Some(b'^'));
    if let (true, Some((_, rest))) = (at_start, text.split_first()) {
        text = rest;
    }
    let marked = matches!(text.last(), Some(b'*' | b'$'));
    let open = if part { !marked } else { matches!(text.last(), Some(b'*')) };
    if let (true, Some((_, rest))) = (marked, text.split_last()) {
        text = rest;
    }
    Pattern { text, key: first_four(text), sign, at_start, open }
}

/// The first four bytes as the scanner reads them.
#[expect(clippy::panic, reason = "runs only at compile time: a name too short for the table stops the build")]
const fn first_four(text: &[u8]) -> u32 {
    match text.first_chunk::<4>() {
        Some(four) => u32::from_le_bytes(*four),
        None => panic!("a name has fewer than four bytes"),
    }
}
