//! `fingerprint`: JA4, or ours of the headers (`h…`); one value or a list that may hold both.

use std::borrow::Cow;

use super::inputs::{self, Seen};
use super::{Facts, Leaf, Truth};
use crate::image::{Section, lists, node, set};
use crate::{Field, Fields};

pub(super) fn holds(leaf: Leaf<'_>, facts: &Facts<'_>) -> Truth {
    let set = match leaf.test {
        node::IN_SET => match leaf.set(facts) {
            Ok(Some(set)) => Some(set),
            Ok(None) => return Truth::False,
            Err(unknown) => return unknown,
        },
        _ => None,
    };
    let reads = fields(leaf);
    let is = |text: &[u8]| match set {
        Some(set) => lists::holds_text(leaf.view, set, text),
        None => text == leaf.text(node::A),
    };
    let mut known = true;
    if reads.has(Field::Fingerprint) {
        match facts.signals.fingerprint().filter(|_| facts.known.has(Field::Fingerprint)) {
            Some(own) if is(own.text().as_bytes()) => return Truth::True,
            own => known &= own.is_some(),
        }
    }
    if reads.has(Field::Ja4) {
        match facts.signals.ja4().filter(|_| facts.known.has(Field::Ja4)) {
            Some(ja4) if is(ja4.as_bytes()) => return Truth::True,
            ja4 => known &= ja4.is_some(),
        }
    }
    if known { Truth::False } else { Truth::Unknown }
}

/// The one that it names, of a leaf that reads both, else ours; Envoy's where it reads only that.
pub(super) fn seen<'a>(leaf: Leaf<'_>, facts: &Facts<'a>) -> Option<Seen<'a>> {
    let reads = fields(leaf);
    let own = || Some(Seen::Bytes(Cow::Owned(facts.signals.fingerprint()?.text().as_bytes().to_vec())));
    let ja4 = facts.signals.ja4().filter(|_| reads.has(Field::Ja4)).map(|ja4| inputs::bytes(ja4.as_bytes()));
    if !reads.has(Field::Fingerprint) {
        return ja4;
    }
    let named = |ja4: &Seen<'_>| match (leaf.set(facts), ja4) {
        (Ok(Some(set)), Seen::Bytes(text)) => lists::holds_text(leaf.view, set, text),
        _ => false,
    };
    ja4.filter(named).or_else(own)
}

/// Which of the two it reads.
pub(super) fn fields(leaf: Leaf<'_>) -> Fields {
    let bits = match leaf.test {
        node::IN_SET => leaf.view.word(Section::Sets, leaf.index(node::A), set::FIRST6),
        _ => kind(leaf.text(node::A)),
    };
    let pick = |bit, field| if bits & bit != 0 { Fields::of(field) } else { Fields::NONE };
    pick(1, Field::Fingerprint).with(pick(2, Field::Ja4))
}

/// 1: ours; 2: JA4.
pub(crate) fn kind(text: &[u8]) -> u32 {
    if text.first() == Some(&b'h') { 1 } else { 2 }
}
