//! Tables over names and values: headers, cookies, parameters, claims, and texts within them.

use super::{Keys, Search, Table, long};
use crate::automata::Automaton;
use crate::image::{Section, node, target};
use crate::index::candidates::HeaderName;
use crate::index::terms::{META_NAMES, PRESENT, filter_bit};
use crate::index::values::{bit_of, each_named, each_value, name_hash, value_hash};
use crate::index::{grams, hash};
use crate::matcher::Reading;

impl Search<'_, '_> {
    pub(super) fn named(&mut self, table: Table) {
        let names = long(table.filter(self.view), 0);
        if table.field == node::HEADER {
            return self.headers(table.keys, names);
        }
        let view = self.view;
        each_named(table.field, self.facts, |name, found| {
            self.into.step();
            if names >> bit_of(name) & 1 == 0 {
                return;
            }
            let own = name_hash(name);
            if table.keys.leads(view, own).any(|leads| leads == target::NONE) {
                self.look_up(table.keys, hash::pair(own, PRESENT));
                found.each(|value| self.look_up(table.keys, hash::pair(own, value_hash(value))));
            }
        });
    }

    /// Headers that some rule names were picked out once for all tables.
    fn headers(&mut self, keys: Keys, names: u64) {
        let (view, facts) = (self.view, self.facts);
        let picked = self.into.headers(&facts.head, || view.long(Section::Meta, 0, META_NAMES));
        for at in 0..picked {
            let Some(HeaderName { bit, hash: own, header }) = self.into.header(at) else { return };
            self.into.step();
            if names >> bit & 1 == 0 || !keys.leads(view, own).any(|leads| leads == target::NONE) {
                continue;
            }
            self.header = Some(own);
            self.look_up(keys, hash::pair(own, PRESENT));
            self.header = None;
            if let Some((_, value)) = facts.head.headers.get(header as usize) {
                self.look_up(keys, hash::pair(own, hash::bytes(value)));
            }
        }
    }

    pub(super) fn grams(&mut self, table: Table) {
        let (filter, _) = table.filter(self.view).as_chunks::<4>();
        self.values(table, |search, value| match value {
            Reading::Received(value) => search.runs(table, filter, value.iter().copied()),
            Reading::Decoded(value) => search.runs(table, filter, value),
        });
    }

    /// Every reading of every value that a table looks into. Headers of the name that led here were picked out already.
    fn values(&mut self, table: Table, mut found: impl FnMut(&mut Self, Reading<'_>)) {
        let facts = self.facts;
        let picked = if table.field == node::HEADER { self.header.take() } else { None };
        let Some(name) = picked else {
            return each_value(table.field, table.name(self.view), facts, |value| found(self, value));
        };
        let mut at = 0;
        while let Some(picked) = self.into.header(at) {
            at += 1;
            if picked.hash == name
                && let Some((_, value)) = facts.head.headers.get(picked.header as usize)
            {
                found(self, Reading::Received(value));
            }
        }
        self.header = Some(name);
    }

    /// Looks up the runs of one value that pass the filter.
    fn runs(&mut self, table: Table, filter: &[[u8; 4]], value: impl Iterator<Item = u8>) {
        let mut count = 0;
        for run in grams::Runs::new(value, table.length) {
            count += 1;
            let hash = hash::number(run);
            let (word, bit) = filter_bit(hash, filter.len());
            if filter.get(word).is_some_and(|word| u32::from_le_bytes(*word) >> bit & 1 != 0) {
                self.look_up(table.keys, hash);
            }
        }
        self.into.steps(count);
    }

    pub(super) fn automaton(&mut self, table: Table) {
        let view = self.view;
        let automaton = Automaton::new(view.entries(Section::Automata, table.extra, table.extras));
        self.values(table, |search, value| {
            search.into.steps(value.length());
            let mut found = |pattern: usize| {
                if pattern < table.keys.count {
                    search.into.step();
                    let [_, leads] = view.words(Section::Keys, table.keys.first + pattern);
                    search.follow(leads);
                }
            };
            match value {
                Reading::Received(value) => automaton.each_pattern(value.iter().copied(), &mut found),
                Reading::Decoded(value) => automaton.each_pattern(value, &mut found),
            }
        });
    }
}
