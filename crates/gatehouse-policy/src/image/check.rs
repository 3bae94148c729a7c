//! One pass over an image: every offset, count, tag and text. What passes here can be matched against without a further look.

use super::{MAX_NESTING, Section, V4, V6, View, action, document, node, rule};
use crate::PolicyError;
use crate::regex::MAX_REGEXES;
use crate::text;

/// Checks the sections of an image whose frame is sound.
pub(crate) fn check(view: &View) -> Result<(), PolicyError> {
    let sets = &Sets::read(view);
    part(Section::Strings, core::str::from_utf8(view.strings()).is_ok())?;
    each(view, Section::Documents, |view, index| document_is_sound(view, sets, index))?;
    part(Section::Documents, documents_share_all_rules(view))?;
    for section in [Section::Hosts, Section::Suffixes] {
        each(view, section, |view, index| host_is_sound(view, section, index))?;
    }
    each(view, Section::Shared, shared_is_sound)?;
    each(view, Section::Rules, rule_is_sound)?;
    part(Section::Nodes, conditions_are_sound(view, sets))?;
    each(view, Section::Networks, network_is_sound)?;
    part(Section::Regexes, view.count(Section::Regexes) <= MAX_REGEXES)?;
    each(view, Section::Regexes, |view, index| has_text(view, Section::Regexes, index, 0, text::MAX_VALUE))?;
    each(view, Section::Actions, action_is_sound)?;
    each(view, Section::Pairs, pair_is_sound)?;
    each(view, Section::SetHeaders, set_header_is_sound)
}

fn part(section: Section, sound: bool) -> Result<(), PolicyError> {
    if sound { Ok(()) } else { Err(PolicyError::Malformed(section.name())) }
}

fn each(view: &View, section: Section, sound: impl Fn(&View, usize) -> bool) -> Result<(), PolicyError> {
    part(section, (0..view.count(section)).all(|index| sound(view, index)))
}

/// Text of at most `most` bytes that lies within the strings, on character borders (the strings as a whole are UTF-8). The
/// bound keeps the whole check linear, however often an image points at the same bytes.
fn has_text(view: &View, section: Section, index: usize, word: usize, most: usize) -> bool {
    let offset = view.index(section, index, word);
    let length = view.index(section, index, word + 1);
    let strings = view.strings();
    let border = |at: usize| at == strings.len() || strings.get(at).is_some_and(|byte| byte & 0xC0 != 0x80);
    length <= most
        && offset.checked_add(length).is_some_and(|end| end <= strings.len() && border(offset) && border(end))
}

fn range(first: usize, count: usize, of: usize) -> bool {
    first.checked_add(count).is_some_and(|end| end <= of)
}

fn document_is_sound(view: &View, sets: &Sets, index: usize) -> bool {
    use document as d;
    let word = |w| view.word(Section::Documents, index, w);
    let documents = view.count(Section::Documents);
    let trust = match word(d::TRUST) {
        d::TRUST_NOBODY => true,
        d::TRUST_NETWORKS => sets.hold(word(d::TRUST_A) as usize, word(d::TRUST_B) as usize),
        d::TRUST_HOPS => word(d::TRUST_A) <= 255,
        _ => false,
    };
    let otherwise = match word(d::OTHERWISE) {
        0 => true,
        action => is_verdict(view, action as usize - 1),
    };
    let named = has_text(view, Section::Documents, index, d::NAME, text::MAX_NAME) && {
        let name = view.text(Section::Documents, index, d::NAME);
        if index == 0 { name.is_empty() } else { text::is_name(name) }
    };
    named
        && trust
        && otherwise
        && word(d::OTHERWISE_MODE) <= rule::MONITOR
        && word(d::AMBIGUOUS_MODE) <= rule::MONITOR
        && word(d::AMBIGUOUS) <= d::AMBIGUOUS_REJECT
        && (word(d::OTHERWISE_OWNER) as usize) < documents
        && (word(d::AMBIGUOUS_OWNER) as usize) < documents
        && word(d::FLAGS) <= d::COVERED
        && range(word(d::FIRST_RULE) as usize, word(d::RULES) as usize, view.count(Section::Rules))
}

/// The documents' rules follow each other and leave none out.
fn documents_share_all_rules(view: &View) -> bool {
    let mut next = 0;
    for index in 0..view.count(Section::Documents) {
        if view.index(Section::Documents, index, document::FIRST_RULE) != next {
            return false;
        }
        next += view.index(Section::Documents, index, document::RULES);
    }
    next == view.count(Section::Rules) && view.count(Section::Documents) > 0
}

fn host_is_sound(view: &View, section: Section, index: usize) -> bool {
    let document = view.index(section, index, 2);
    let own = view.text_bytes(section, index, 0);
    let sorted = || index.checked_sub(1).is_none_or(|before| view.text_bytes(section, before, 0) < own);
    has_text(view, section, index, 0, text::MAX_VALUE)
        && sorted()
        && document > 0
        && document < view.count(Section::Documents)
}

fn shared_is_sound(view: &View, index: usize) -> bool {
    let own = view.index(Section::Shared, index, 0);
    let ordered = index.checked_sub(1).is_none_or(|before| {
        let before = view.index(Section::Shared, before, 0);
        crate::policy::order(view, before) < crate::policy::order(view, own)
    });
    own < view.count(Section::Rules) && ordered
}

fn rule_is_sound(view: &View, index: usize) -> bool {
    let word = |w| view.word(Section::Rules, index, w);
    let document = word(rule::DOCUMENT) as usize;
    let first = view.index(Section::Documents, document, document::FIRST_RULE);
    let count = view.index(Section::Documents, document, document::RULES);
    let ordered = index == first
        || index.checked_sub(1).is_some_and(|b| crate::policy::order(view, b) < crate::policy::order(view, index));
    has_text(view, Section::Rules, index, rule::NAME, text::MAX_NAME)
        && text::is_name(view.text(Section::Rules, index, rule::NAME))
        && document > 0
        && (first..first + count).contains(&index)
        && ordered
        && word(rule::MODE) <= rule::MONITOR
        && (1..=4).contains(&word(rule::LAYER))
        && word(rule::PRIORITY) <= 2000
        && (word(rule::ACTION) as usize) < view.count(Section::Actions)
}

/// Trees stand one after another, one a rule, and fill the section: so no node is reached twice.
fn conditions_are_sound(view: &View, sets: &Sets) -> bool {
    let mut next = 0;
    for index in 0..view.count(Section::Rules) {
        if view.index(Section::Rules, index, rule::NODE) != next {
            return false;
        }
        match tree(view, sets, next, view.count(Section::Nodes), 0) {
            Some(end) => next = end,
            None => return false,
        }
    }
    next == view.count(Section::Nodes)
}

/// The end of the sound tree that begins at `at` and ends by `limit`.
fn tree(view: &View, sets: &Sets, at: usize, limit: usize, depth: usize) -> Option<usize> {
    let end = view.index(Section::Nodes, at, node::END);
    if at >= limit || end <= at || end > limit || depth > MAX_NESTING {
        return None;
    }
    let kind = view.word(Section::Nodes, at, node::KIND);
    let mut children = 0;
    let mut next = at + 1;
    while next < end {
        next = tree(view, sets, next, end, depth + 1)?;
        children += 1;
    }
    let expected = match kind as u8 {
        node::ALL | node::ANY => children > 0 && kind >> 8 == 0,
        node::NOT => children == 1 && kind >> 8 == 0,
        _ => children == 0 && leaf_is_sound(view, sets, at, kind as u8, kind >> 8),
    };
    (expected && next == end).then_some(end)
}

fn leaf_is_sound(view: &View, sets: &Sets, at: usize, kind: u8, test: u32) -> bool {
    let Ok(test) = u8::try_from(test) else {
        return false;
    };
    let text = |word| has_text(view, Section::Nodes, at, word, text::MAX_VALUE);
    let regex = |word| view.index(Section::Nodes, at, word) < view.count(Section::Regexes);
    match (kind, test) {
        (node::ALWAYS, 0) => true,
        (node::METHOD, node::EQUALS) | (node::HOST, node::EQUALS | node::SUFFIX) => text(node::A),
        (node::PATH, node::EQUALS | node::PREFIX | node::SUFFIX | node::SEGMENTS) => text(node::A),
        (node::PATH, node::REGEX) => regex(node::A),
        (node::HEADER, node::PRESENT) => text(node::A),
        (node::HEADER, node::EQUALS | node::PREFIX | node::SUFFIX | node::CONTAINS) => text(node::A) && text(node::C),
        (node::HEADER, node::REGEX) => text(node::A) && regex(node::C),
        (node::ADDRESS, 0) => {
            sets.hold(view.index(Section::Nodes, at, node::A), view.index(Section::Nodes, at, node::A + 1))
        }
        _ => false,
    }
}

/// Where sets of networks may lie: for each network, how many up to it do not follow the one before in sorted order, disjoint.
struct Sets(Vec<u32>);

impl Sets {
    fn read(view: &View) -> Self {
        let mut breaks = 0;
        let follows = |index: usize| {
            let Some(before) = index.checked_sub(1) else {
                return false;
            };
            let (left, right) = (view.network(before), view.network(index));
            let disjoint = !view.network_of(before).contains(view.network_of(index).address());
            (left.0, left.2) < (right.0, right.2) && disjoint
        };
        let count = |index| {
            breaks += u32::from(!follows(index));
            breaks
        };
        Self((0..view.count(Section::Networks)).map(count).collect())
    }

    /// Networks `first..first + count` are one sorted, disjoint set.
    fn hold(&self, first: usize, count: usize) -> bool {
        let Some(last) = count.checked_sub(1) else {
            return first <= self.0.len();
        };
        let last = first.checked_add(last).and_then(|last| self.0.get(last));
        last.is_some() && self.0.get(first) == last
    }
}

fn network_is_sound(view: &View, index: usize) -> bool {
    let (family, prefix, address) = view.network(index);
    let network = view.network_of(index);
    match family {
        V4 => prefix <= 32 && address << 32 == 0 && network.address().is_ipv4(),
        V6 => prefix <= 128 && network.address().is_ipv6(),
        _ => false,
    }
}

/// An action that ends the evaluation.
fn is_verdict(view: &View, index: usize) -> bool {
    let kind = view.word(Section::Actions, index, action::KIND);
    index < view.count(Section::Actions) && matches!(kind, action::ALLOW | action::BLOCK | action::BLOCK_WITH)
}

fn action_is_sound(view: &View, index: usize) -> bool {
    let word = |w| view.word(Section::Actions, index, w);
    let text = |w| view.text(Section::Actions, index, w);
    let most = if word(action::KIND) == action::BLOCK_WITH { text::MAX_BODY } else { text::MAX_VALUE };
    let texts = has_text(view, Section::Actions, index, action::TEXT, most)
        && has_text(view, Section::Actions, index, action::TEXT2, text::MAX_VALUE);
    let status = word(action::STATUS);
    let pairs = range(word(action::FIRST_PAIR) as usize, word(action::PAIRS) as usize, view.count(Section::Pairs));
    let sound = || match word(action::KIND) {
        action::ALLOW | action::RECORD => true,
        action::BLOCK | action::BLOCK_WITH => (400..=499).contains(&status),
        action::REDIRECT => (300..=399).contains(&status) && text::is_location(text(action::TEXT)),
        action::TAG => {
            text::may_be_tagged(text(action::TEXT))
                && text::is_header_value(text(action::TEXT2))
                && view.find(Section::SetHeaders, text(action::TEXT).as_bytes()).is_some()
        }
        _ => false,
    };
    texts && pairs && sound()
}

fn pair_is_sound(view: &View, index: usize) -> bool {
    has_text(view, Section::Pairs, index, 0, text::MAX_VALUE)
        && has_text(view, Section::Pairs, index, 2, text::MAX_VALUE)
        && text::may_be_answered(view.text(Section::Pairs, index, 0))
        && text::is_header_value(view.text(Section::Pairs, index, 2))
}

fn set_header_is_sound(view: &View, index: usize) -> bool {
    let own = view.text_bytes(Section::SetHeaders, index, 0);
    let sorted = || index.checked_sub(1).is_none_or(|before| view.text_bytes(Section::SetHeaders, before, 0) < own);
    has_text(view, Section::SetHeaders, index, 0, text::MAX_VALUE)
        && sorted()
        && text::may_be_tagged(view.text(Section::SetHeaders, index, 0))
}
