//! Asking the shelves of a scope what a request may be met by. Nothing here can fail, whatever an image holds: each shelf is
//! looked into once, each table costs what the request brings, not what the table holds. What several tables need of a request
//! is worked out once.

mod places;
mod sets;
mod texts;

use crate::Candidates;
use crate::image::{Section, View, table, target};
use crate::matcher::Facts;

use super::keys::{self, MAX_RUN};
use super::values;

/// Shelves within shelves that are looked into; ours are fewer.
const DEPTH: usize = 16;

/// Puts into `into` every rule of these shelves that may hold.
pub(crate) fn collect(view: &View, facts: &Facts<'_>, shelves: impl Iterator<Item = usize>, into: &mut Candidates) {
    into.begin(view.count(Section::Shelves));
    let mut search = Search { view, facts, into, header: None, depth: 0 };
    for shelf in shelves {
        search.shelf(shelf);
    }
    search.into.finish();
}

struct Search<'s, 'f> {
    view: &'s View,
    facts: &'s Facts<'f>,
    into: &'s mut Candidates,
    /// Hash of the header name that led to the shelf at hand.
    header: Option<u64>,
    depth: usize,
}

/// The entries of a table or a trie node that are found by hash.
#[derive(Clone, Copy)]
struct Keys {
    first: usize,
    count: usize,
    bucket: usize,
    bits: u32,
}

impl Keys {
    #[inline]
    fn new(first: u32, count: u32, bucket: u32, bits: u32) -> Self {
        Self { first: first as usize, count: count as usize, bucket: bucket as usize, bits: bits & 31 }
    }

    /// Where the entries of this hash lead; a few others may be among them.
    #[inline]
    fn leads(self, view: &View, hash: u64) -> impl Iterator<Item = u32> {
        let (mut start, mut end) = (0, self.count);
        if self.bits > 0 {
            let [from] = view.words(Section::Buckets, self.bucket + keys::bucket(hash, self.bits));
            let [to] = view.words(Section::Buckets, self.bucket + keys::bucket(hash, self.bits) + 1);
            (start, end) = (from as usize, (to as usize).min(self.count));
        }
        let run = view.entries(Section::Keys, self.first + start, end.saturating_sub(start).min(MAX_RUN));
        let (entries, _) = run.as_chunks::<8>();
        entries.iter().filter_map(move |entry| {
            let [a, b, c, d, e, f, g, h] = *entry;
            (u32::from_le_bytes([a, b, c, d]) == hash as u32).then(|| u32::from_le_bytes([e, f, g, h]))
        })
    }
}

/// A table, read.
#[derive(Clone, Copy)]
struct Table {
    kind: u8,
    field: u8,
    /// Bytes of a run.
    length: usize,
    name: (u32, u32),
    keys: Keys,
    extra: usize,
    extras: usize,
}

impl Table {
    fn read(view: &View, index: usize) -> Self {
        let [head, name, size, first, count, bucket, bits, extra, extras] = view.words(Section::Tables, index);
        Self {
            kind: head as u8,
            field: (head >> 8) as u8,
            length: (head >> 16) as usize,
            name: (name, size),
            keys: Keys::new(first, count, bucket, bits),
            extra: extra as usize,
            extras: extras as usize,
        }
    }

    fn filter(self, view: &View) -> &[u8] {
        view.entries(Section::Filters, self.extra, self.extras)
    }

    /// Of the header, cookie, parameter or claim whose values it looks into.
    fn name(self, view: &View) -> &[u8] {
        let (offset, length) = self.name;
        view.string(offset, length)
    }
}

impl Search<'_, '_> {
    fn shelf(&mut self, index: usize) {
        if self.depth >= DEPTH || !self.into.enter(index) {
            return;
        }
        self.into.step();
        self.depth += 1;
        let [rule, rules, table, tables] = self.view.words(Section::Shelves, index);
        let postings = self.view.entries(Section::Postings, rule as usize, rules as usize);
        for posting in postings.as_chunks::<4>().0 {
            self.into.add(u32::from_le_bytes(*posting));
        }
        for table in table..table.saturating_add(tables) {
            self.table(Table::read(self.view, table as usize));
        }
        self.depth -= 1;
    }

    /// A rule, or a shelf.
    #[inline]
    fn follow(&mut self, leads: u32) {
        if leads == target::NONE {
            return;
        }
        if leads & target::SHELF == 0 {
            self.into.add(leads);
        } else {
            self.shelf((leads & !target::SHELF) as usize);
        }
    }

    #[inline]
    fn look_up(&mut self, keys: Keys, hash: u64) {
        self.into.step();
        for leads in keys.leads(self.view, hash) {
            self.follow(leads);
        }
    }

    fn table(&mut self, table: Table) {
        match table.kind {
            table::VALUE => values::each_hash(table.field, self.facts, |hash| self.look_up(table.keys, hash)),
            table::DOMAIN => self.domain(table),
            table::ENDING => self.ending(table),
            table::SEGMENTS => self.segments(table),
            table::NAMED => self.named(table),
            table::NETWORK => self.network(table),
            table::SETS | table::VERDICTS | table::SCORES => self.numbers(table),
            table::GRAMS => self.grams(table),
            table::AUTOMATON => self.automaton(table),
            _ => {}
        }
    }
}

/// The two words of a filter that begin at byte `at`.
fn long(filter: &[u8], at: usize) -> u64 {
    let word =
        |at: usize| filter.get(at..).and_then(|rest| rest.first_chunk::<4>()).map_or(0, |w| u32::from_le_bytes(*w));
    u64::from(word(at)) | u64::from(word(at + 4)) << 32
}
