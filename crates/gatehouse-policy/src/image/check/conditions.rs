//! Conditions: trees stand one after another in preorder, one a rule, and fill the section, so that no node is reached twice.

use super::{State, range, texts};
use crate::image::{MAX_NESTING, Section, View, node, rule, set, time};
use crate::text;

/// Where the walk over the nodes is.
#[derive(Debug, Default)]
pub(super) struct Carry {
    /// Of each node that is open: where its subtree ends, its kind, how many children were seen.
    open: Vec<(usize, u8, usize)>,
    /// Rules whose tree began.
    rules: usize,
}

impl Carry {
    pub(super) fn is_whole(&self, view: &View) -> bool {
        let mut rest = Self { open: self.open.clone(), rules: self.rules };
        rest.close(view.count(Section::Conditions)) && rest.open.is_empty() && self.rules == view.count(Section::Rules)
    }

    /// Closes every subtree that ends at `at`.
    fn close(&mut self, at: usize) -> bool {
        while let Some((end, kind, children)) = self.open.last().copied() {
            if end != at {
                return end > at;
            }
            if !matches!((kind, children), (node::NOT, 1) | (node::ALL | node::ANY, 1..)) {
                return false;
            }
            self.open.pop();
        }
        true
    }
}

pub(super) fn node(state: &mut State, view: &View, at: usize) -> bool {
    let carry = &mut state.conditions;
    if !carry.close(at) {
        return false;
    }
    let limit = match carry.open.last_mut() {
        Some((end, _, children)) => {
            *children += 1;
            *end
        }
        None => {
            let begins = carry.rules < view.count(Section::Rules)
                && view.index(Section::Rules, carry.rules, rule::CONDITION) == at;
            if !begins {
                return false;
            }
            carry.rules += 1;
            view.count(Section::Conditions)
        }
    };
    let word = view.word(Section::Conditions, at, node::KIND);
    let end = view.index(Section::Conditions, at, node::END);
    let kind = word as u8;
    let Ok(test) = u8::try_from(word >> 8) else {
        return false;
    };
    if end <= at || end > limit || carry.open.len() > MAX_NESTING {
        return false;
    }
    if matches!(kind, node::ALL | node::ANY | node::NOT) {
        carry.open.push((end, kind, 0));
        return test == 0;
    }
    end == at + 1 && leaf(view, at, kind, test)
}

fn leaf(view: &View, at: usize, kind: u8, test: u8) -> bool {
    let text = |word| texts::has(view, Section::Conditions, at, word, text::MAX_VALUE);
    let index = |word, section| view.index(Section::Conditions, at, word) < view.count(section);
    let regex = |word| index(word, Section::Regexes);
    let folded = || view.word(Section::Conditions, at, node::B) == node::NO_REGEX || regex(node::B);
    match (kind, test) {
        (node::ALWAYS, 0) => true,
        (
            node::METHOD
            | node::AGENT_CLASS
            | node::AGENT_NAME
            | node::IDENTITY
            | node::FINGERPRINT
            | node::RESPONSE_TYPE,
            node::EQUALS,
        )
        | (node::HOST | node::SNI, node::EQUALS | node::SUFFIX)
        | (node::PATH, node::EQUALS | node::PREFIX | node::SUFFIX | node::SEGMENTS) => text(node::A),
        (node::PATH, node::REGEX) => regex(node::A) && folded(),
        (node::IDENTITY, node::NONE) => true,
        (node::HEADER | node::QUERY | node::COOKIE | node::CLAIM | node::RESPONSE_HEADER, _) => {
            text(node::A)
                && match test {
                    node::PRESENT => true,
                    node::EQUALS | node::PREFIX | node::SUFFIX | node::CONTAINS => text(node::C),
                    node::REGEX => regex(node::C),
                    _ => false,
                }
        }
        (
            node::ADDRESS | node::DESTINATION | node::ASN | node::COUNTRY | node::FINGERPRINT | node::IDENTITY,
            node::IN_SET,
        ) => is_set(view, view.index(Section::Conditions, at, node::A), kind),
        (
            node::AGENT_VERIFIED | node::ASN | node::COUNTRY | node::PORT | node::TLS_MUTUAL | node::TLS_VERSION,
            node::EQUALS,
        ) => true,
        (node::LABEL | node::SCORE, node::EQUALS) => {
            view.index(Section::Conditions, at, node::B) <= view.count(Section::Labels)
        }
        (node::VERDICT, node::EQUALS) => index(node::A, Section::VerdictLists),
        (node::SIZE | node::RESPONSE_SIZE | node::TIME, node::EQUALS) => index(node::A, Section::Times),
        (node::RESPONSE_STATUS, node::EQUALS) => range(view, Section::Conditions, at, node::A, Section::Statuses, 512),
        _ => false,
    }
}

fn is_set(view: &View, index: usize, kind: u8) -> bool {
    let expected = match kind {
        node::ASN => set::ASNS,
        node::COUNTRY => set::COUNTRIES,
        node::FINGERPRINT => set::FINGERPRINTS,
        node::IDENTITY => set::IDENTITIES,
        _ => set::NETWORKS,
    };
    index < view.count(Section::Sets) && view.word(Section::Sets, index, set::KIND) == expected
}

/// Windows of time, and ranges of sizes, of which only the first four words are read.
pub(super) fn time(_: &mut State, view: &View, index: usize) -> bool {
    let hours = view.word(Section::Times, index, time::HOURS);
    let offset = view.word(Section::Times, index, time::OFFSET).cast_signed();
    let minutes = hours & 0xffff <= 1440 && hours >> 16 <= 1440;
    (hours == time::ALL_DAY || minutes)
        && view.word(Section::Times, index, time::DAYS) <= 0x7f
        && (-1440..=1440).contains(&offset)
}

pub(super) fn statuses(_: &mut State, view: &View, index: usize) -> bool {
    let range = view.word(Section::Statuses, index, 0);
    let (from, to) = (range & 0xffff, range >> 16);
    from <= to && (100..=599).contains(&from) && to <= 599
}
