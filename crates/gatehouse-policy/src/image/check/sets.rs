//! Sets: each has its own stretch of the entries, in order, so that all of them are looked at once.

use super::{State, texts};
use crate::image::{Section, View, set};
use crate::text;

/// How far sets reach, and which set the entry at hand belongs to.
#[derive(Debug, Default)]
pub(super) struct Carry {
    ends: [usize; 4],
    owners: [usize; 4],
}

/// The sections that sets have stretches of.
const SECTIONS: [Section; 4] = [Section::V4, Section::V6, Section::Numbers, Section::SetTexts];
const V4: usize = 0;
const V6: usize = 1;
const NUMBERS: usize = 2;
const TEXTS: usize = 3;

impl Carry {
    pub(super) fn is_whole(&self, view: &View) -> bool {
        self.ends.iter().zip(SECTIONS).all(|(end, section)| *end == view.count(section))
    }

    /// The stretch at the words `word` begins where the one before ends.
    fn extend(&mut self, view: &View, index: usize, which: usize, word: usize) -> bool {
        let (first, count) = (view.index(Section::Sets, index, word), view.index(Section::Sets, index, word + 1));
        let Some((end, section)) = self.ends.get_mut(which).zip(SECTIONS.get(which)) else {
            return false;
        };
        let follows = *end == first && count <= view.count(*section) - first;
        *end = first.saturating_add(count);
        follows
    }

    /// Entry `at` is the first of its set.
    fn begins(&mut self, view: &View, at: usize, which: usize) -> bool {
        let Some(owner) = self.owners.get_mut(which) else {
            return true;
        };
        let mut begins = at == 0;
        while *owner < view.count(Section::Sets) && end_of(view, *owner, which) <= at {
            *owner += 1;
            begins = true;
        }
        begins
    }
}

/// Where the stretch of a set ends; 0: it has none of that section.
fn end_of(view: &View, index: usize, which: usize) -> usize {
    let end = |word| view.range(Section::Sets, index, word).end;
    match (which, view.word(Section::Sets, index, set::KIND)) {
        (V4, set::NETWORKS) | (NUMBERS, set::ASNS | set::COUNTRIES) | (TEXTS, set::FINGERPRINTS) => end(set::FIRST),
        (V6, set::NETWORKS) => end(set::FIRST6),
        (TEXTS, set::IDENTITIES) => end(set::FIRST6),
        _ => 0,
    }
}

pub(super) fn set(state: &mut State, view: &View, index: usize) -> bool {
    let carry = &mut state.sets;
    let bits = view.word(Section::Sets, index, set::BITS);
    match view.word(Section::Sets, index, set::KIND) {
        set::NETWORKS => {
            matches!(bits, 0 | 8 | 16)
                && carry.extend(view, index, V4, set::FIRST)
                && carry.extend(view, index, V6, set::FIRST6)
        }
        set::ASNS | set::COUNTRIES => carry.extend(view, index, NUMBERS, set::FIRST),
        set::FINGERPRINTS => {
            carry.extend(view, index, TEXTS, set::FIRST) && view.word(Section::Sets, index, set::FIRST6) <= 3
        }
        set::IDENTITIES => {
            carry.extend(view, index, TEXTS, set::FIRST) && carry.extend(view, index, TEXTS, set::FIRST6)
        }
        _ => false,
    }
}

/// Sorted and disjoint within a set, without bits after the prefix.
pub(super) fn v4(state: &mut State, view: &View, at: usize) -> bool {
    let last = |at| {
        let prefix = u32::from(view.byte(Section::V4Prefixes, at));
        view.word(Section::V4, at, 0) | u32::MAX.checked_shr(prefix).unwrap_or(0)
    };
    let start = view.word(Section::V4, at, 0);
    let follows = state.sets.begins(view, at, V4) || at.checked_sub(1).is_some_and(|before| last(before) < start);
    let prefix = u32::from(view.byte(Section::V4Prefixes, at));
    follows && prefix <= 32 && start & u32::MAX.checked_shr(prefix).unwrap_or(0) == 0
}

/// The same of IPv6.
pub(super) fn v6(state: &mut State, view: &View, at: usize) -> bool {
    let start =
        |at| view.entries(Section::V6, at, 1).first_chunk::<16>().map_or(0, |bytes| u128::from_le_bytes(*bytes));
    let rest = |at| u128::MAX.checked_shr(u32::from(view.byte(Section::V6Prefixes, at))).unwrap_or(0);
    let own = start(at);
    let follows =
        state.sets.begins(view, at, V6) || at.checked_sub(1).is_some_and(|before| start(before) | rest(before) < own);
    follows && view.byte(Section::V6Prefixes, at) <= 128 && own & rest(at) == 0
}

pub(super) fn number(state: &mut State, view: &View, at: usize) -> bool {
    let word = |at| view.word(Section::Numbers, at, 0);
    state.sets.begins(view, at, NUMBERS) || at.checked_sub(1).is_some_and(|before| word(before) < word(at))
}

pub(super) fn text(_: &mut State, view: &View, at: usize) -> bool {
    texts::has(view, Section::SetTexts, at, 2, text::MAX_VALUE)
}
