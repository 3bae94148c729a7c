//! Rules, what they do, and limits.

use super::{State, option, range, texts};
use crate::image::{Section, View, action as a, effect as e, limit as l, part as p, rule as r, then as t};
use crate::text;

/// Most effects of a `then`, pairs or names of an effect.
const MAX_EFFECTS: usize = 4096;
/// Longest name of a rule: packs put theirs before it.
const MAX_RULE_NAME: usize = 4 * text::MAX_NAME;
/// Longest delay: 10 s.
const MAX_DELAY: u64 = 10_000_000_000;

pub(super) fn rule(_: &mut State, view: &View, index: usize) -> bool {
    let word = |w| view.word(Section::Rules, index, w);
    let kind = word(r::KIND);
    let (tier, rollout, percent, phase) = (kind & 255, kind >> 8 & 255, kind >> 16 & 255, kind >> 24);
    let rollout = match rollout {
        r::ENFORCE | r::MONITOR => percent == 0,
        r::CANARY => (1..=99).contains(&percent),
        _ => false,
    };
    texts::has(view, Section::Rules, index, r::NAME, MAX_RULE_NAME)
        && is_rule_name(view.text(Section::Rules, index, r::NAME))
        && (word(r::DOCUMENT) as usize) < view.count(Section::Documents)
        && tier <= 3
        && rollout
        && phase <= 1
        && (word(r::THEN) as usize) < view.count(Section::Thens)
        && option(view, Section::Rules, index, r::LIMIT, Section::Limits)
}

fn is_rule_name(text: &str) -> bool {
    let character = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'/');
    !text.is_empty() && text.bytes().all(character)
}

pub(super) fn then(_: &mut State, view: &View, index: usize) -> bool {
    range(view, Section::Thens, index, t::FIRST_EFFECT, Section::Effects, MAX_EFFECTS)
        && option(view, Section::Thens, index, t::ACTION, Section::Actions)
}

pub(super) fn effect(_: &mut State, view: &View, index: usize) -> bool {
    let names = |word| range(view, Section::Effects, index, word, Section::Names, MAX_EFFECTS);
    let text = |word| texts::has(view, Section::Effects, index, word, text::MAX_VALUE);
    match view.word(Section::Effects, index, e::KIND) {
        e::DELAY => view.long(Section::Effects, index, e::A) <= MAX_DELAY,
        e::RECORD => true,
        e::REMOVE_RESPONSE_HEADERS => names(e::A),
        e::SANITIZE => names(e::A) && names(e::C),
        e::SET_RESPONSE_HEADERS => range(view, Section::Effects, index, e::A, Section::Pairs, MAX_EFFECTS),
        e::ROUTE | e::TAG => text(e::A) && text(e::C) && is_settable(view, index),
        e::WEIGH => option(view, Section::Effects, index, e::B, Section::Labels),
        _ => false,
    }
}

/// A request header that may be set, and that is known to be, so that no client gets one through.
fn is_settable(view: &View, index: usize) -> bool {
    let name = view.text(Section::Effects, index, e::A);
    text::may_be_tagged(name)
        && text::is_header_value(view.text(Section::Effects, index, e::C))
        && view.find_by(Section::SetHeaders, |own| own.cmp(name.as_bytes())).is_some()
}

pub(super) fn action(_: &mut State, view: &View, index: usize) -> bool {
    let word = |w| view.word(Section::Actions, index, w);
    let status = word(a::STATUS);
    let (code, flags) = (status & 0xffff, status >> 16);
    let body = texts::has(view, Section::Actions, index, a::TEXT, text::MAX_BODY);
    let pairs = range(view, Section::Actions, index, a::FIRST_PAIR, Section::Pairs, MAX_EFFECTS);
    let location = || {
        texts::has(view, Section::Actions, index, a::TEXT, text::MAX_VALUE)
            && text::is_redirect(view.text(Section::Actions, index, a::TEXT))
    };
    let sound = match word(a::KIND) {
        a::ALLOW | a::DROP => true,
        a::BLOCK | a::LIMIT => (400..=499).contains(&code),
        a::DECEIVE => (200..=499).contains(&code),
        a::REDIRECT => (300..=399).contains(&code) && location(),
        _ => false,
    };
    sound && body && pairs && flags <= 3
}

pub(super) fn limit(_: &mut State, view: &View, index: usize) -> bool {
    let word = |w| view.word(Section::Limits, index, w);
    let within = |w, section, most| range(view, Section::Limits, index, w, section, most);
    let count = match word(l::COUNT) {
        l::REQUESTS => true,
        l::FAILURES => within(l::COUNT_FIRST, Section::Statuses, 512),
        l::DISTINCT => (word(l::COUNT_FIRST) as usize) < view.count(Section::Parts),
        _ => false,
    };
    (word(l::RULE) as usize) < view.count(Section::Rules)
        && within(l::FIRST_PART, Section::Parts, l::MAX_PARTS)
        && within(l::FIRST_STEP, Section::Steps, l::MAX_STEPS)
        && word(l::STEPS) > 0
        && count
        && word(l::SHARED) <= 1
}

pub(super) fn step(_: &mut State, view: &View, index: usize) -> bool {
    view.long(Section::Steps, index, l::STEP_PER) > 0
        && option(view, Section::Steps, index, l::STEP_THEN, Section::Thens)
}

pub(super) fn part(_: &mut State, view: &View, index: usize) -> bool {
    let text = texts::has(view, Section::Parts, index, l::PART_TEXT, text::MAX_VALUE);
    match view.word(Section::Parts, index, l::PART_KIND) {
        p::CLAIM => view.index(Section::Parts, index, l::PART_TEXT) < view.count(Section::Claims),
        p::COOKIE | p::HEADER | p::QUERY => text,
        kind => kind <= p::TLS_VERSION,
    }
}
