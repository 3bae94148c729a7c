//! The index: shelves, tables, tries and automata each have their own stretch of what they point into, in order, so that what a
//! request can make of them is bounded by their number; a trie is a tree.

use super::{State, texts};
use crate::automata;
use crate::image::{Section, View, regex, shelf, table, target, trie};
use crate::text;

/// Most leading bits of buckets.
const MAX_BITS: u32 = 24;

/// Where each stretch ends so far.
#[derive(Debug, Default)]
pub(super) struct Carry {
    rules: usize,
    tables: usize,
    keys: usize,
    automata: usize,
    /// Tries so far, and keys of tables.
    roots: usize,
    table_keys: usize,
    owner: Owner,
}

/// The automaton that the entry at hand belongs to.
#[derive(Debug, Default)]
struct Owner {
    /// Regexes, then tables.
    index: usize,
    first: usize,
    count: usize,
    several: bool,
}

impl Carry {
    pub(super) fn shelves_are_whole(&self, view: &View) -> bool {
        self.rules == view.count(Section::Postings) && self.tables == view.count(Section::Tables)
    }

    pub(super) fn tables_are_whole(&mut self, view: &View) -> bool {
        self.table_keys = self.keys;
        self.automata == view.count(Section::Automata) && self.roots <= view.count(Section::Trie)
    }

    pub(super) fn tries_are_whole(&self, view: &View) -> bool {
        let children = self.keys - self.table_keys;
        self.keys == view.count(Section::Keys) && self.roots + children == view.count(Section::Trie)
    }
}

/// The range at `word` begins where the one before ends, and lies within a section.
fn follows(view: &View, section: Section, index: usize, word: usize, of: Section, end: &mut usize) -> bool {
    let (first, count) = (view.index(section, index, word), view.index(section, index, word + 1));
    let sound = first == *end && count <= view.count(of).saturating_sub(first);
    *end = first.saturating_add(count);
    sound
}

pub(super) fn regex(state: &mut State, view: &View, index: usize) -> bool {
    let own = Section::Regexes;
    follows(view, own, index, regex::FIRST_ENTRY, Section::Automata, &mut state.index.automata)
        && texts::has(view, own, index, regex::PATTERN, text::MAX_VALUE + 8)
}

pub(super) fn shelf(state: &mut State, view: &View, index: usize) -> bool {
    let own = Section::Shelves;
    follows(view, own, index, shelf::FIRST_RULE, Section::Postings, &mut state.index.rules)
        && follows(view, own, index, shelf::FIRST_TABLE, Section::Tables, &mut state.index.tables)
}

pub(super) fn table(state: &mut State, view: &View, index: usize) -> bool {
    let own = Section::Tables;
    let carry = &mut state.index;
    let (extra, extras) = (view.index(own, index, table::FIRST_EXTRA), view.index(own, index, table::EXTRAS));
    let filter = |words: usize| extras == words && within(extra, extras, view.count(Section::Filters));
    let head = view.word(own, index, table::KIND);
    let kind = match head as u8 {
        table::VALUE | table::DOMAIN | table::SETS | table::VERDICTS | table::SCORES => true,
        table::ENDING | table::NAMED => filter(2),
        table::NETWORK => filter(7),
        table::GRAMS => {
            (1..=8).contains(&(head >> 16))
                && extras.is_power_of_two()
                && within(extra, extras, view.count(Section::Filters))
        }
        table::SEGMENTS => {
            carry.roots += 1;
            extra == carry.roots - 1
        }
        table::AUTOMATON => {
            follows(view, own, index, table::FIRST_EXTRA, Section::Automata, &mut carry.automata) && extras > 0
        }
        _ => false,
    };
    kind && texts::has(view, own, index, table::NAME, text::MAX_VALUE)
        && follows(view, own, index, table::FIRST_KEY, Section::Keys, &mut carry.keys)
        && buckets(view, own, index, table::FIRST_BUCKET, table::BITS)
}

pub(super) fn node(state: &mut State, view: &View, index: usize) -> bool {
    let own = Section::Trie;
    let leads = |word| leads(view, view.word(own, index, word));
    follows(view, own, index, trie::FIRST_KEY, Section::Keys, &mut state.index.keys)
        && buckets(view, own, index, trie::FIRST_BUCKET, trie::BITS)
        && leads(trie::HERE)
        && leads(trie::FROM_HERE)
        && leads(trie::BELOW)
}

/// Keys of tables lead to rules and shelves; those of tries to the next node each.
pub(super) fn key(state: &mut State, view: &View, index: usize) -> bool {
    let own = view.word(Section::Keys, index, 1);
    match index.checked_sub(state.index.table_keys) {
        Some(child) => own as usize == state.index.roots + child,
        None => leads(view, own),
    }
}

pub(super) fn posting(_: &mut State, view: &View, index: usize) -> bool {
    view.index(Section::Postings, index, 0) < view.count(Section::Rules)
}

pub(super) fn automaton(state: &mut State, view: &View, index: usize) -> bool {
    let owner = &mut state.index.owner;
    while index >= owner.first + owner.count {
        let regexes = view.count(Section::Regexes);
        let at = owner.index;
        owner.index += 1;
        let (section, at, word) = match at.checked_sub(regexes) {
            None => (Section::Regexes, at, regex::FIRST_ENTRY),
            Some(at) if at < view.count(Section::Tables) => (Section::Tables, at, table::FIRST_EXTRA),
            Some(_) => return false,
        };
        let several = section == Section::Tables;
        if several && view.word(section, at, table::KIND) as u8 != table::AUTOMATON {
            continue;
        }
        (owner.first, owner.count) = (view.index(section, at, word), view.index(section, at, word + 1));
        owner.several = several;
    }
    let bytes = view.entries(Section::Automata, owner.first, owner.count);
    index >= owner.first && automata::entry_is_sound(bytes, index - owner.first, owner.several)
}

fn within(first: usize, count: usize, of: usize) -> bool {
    first.checked_add(count).is_some_and(|end| end <= of)
}

fn buckets(view: &View, section: Section, index: usize, first: usize, bits: usize) -> bool {
    let bits = view.word(section, index, bits) & 255;
    let first = view.index(section, index, first);
    bits <= MAX_BITS && (bits == 0 || within(first, (1 << bits) + 1, view.count(Section::Buckets)))
}

/// Nowhere, a rule or a shelf.
fn leads(view: &View, leads: u32) -> bool {
    let index = (leads & !target::SHELF) as usize;
    match leads {
        target::NONE => true,
        _ if leads & target::SHELF != 0 => index < view.count(Section::Shelves),
        _ => index < view.count(Section::Rules),
    }
}
