//! What rules do, written.

use crate::image::{Builder, Section, action as a, effect as e};
use crate::spec::types::{Action, Document, Effect, Refusal, Then};

use super::Vocabulary;

/// Every `then` of a document: of its settings, its rules and the steps of their limits.
pub(super) fn of(document: &Document) -> impl Iterator<Item = &Then> {
    let settings = [&document.own, &document.defaults, &document.mandates];
    let otherwise = settings.into_iter().filter_map(|settings| settings.otherwise.as_ref()).map(|(then, _)| then);
    let rules = document.rules.iter().flat_map(|rule| {
        let steps = rule.limit.iter().flat_map(|limit| limit.steps.iter().filter_map(|step| step.then.as_ref()));
        core::iter::once(&rule.then).chain(steps)
    });
    otherwise.chain(rules)
}

/// Writes a `then`; gives its index.
pub(super) fn write(then: &Then, vocabulary: &Vocabulary, builder: &mut Builder) -> u32 {
    let effects: Vec<[u32; 6]> = then.effects.iter().map(|effect| words(effect, vocabulary, builder)).collect();
    let first = builder.count(Section::Effects);
    for words in &effects {
        builder.push(Section::Effects, words);
    }
    let count = builder.count(Section::Effects) - first;
    let action = then.decides.as_ref().map_or(0, |action| write_action(action, builder) + 1);
    builder.push(Section::Thens, &[first, count, action])
}

fn words(effect: &Effect, vocabulary: &Vocabulary, builder: &mut Builder) -> [u32; 6] {
    let of = |kind, [a, b]: [u32; 2], [c, d]: [u32; 2]| [kind, a, b, c, d, 0];
    match effect {
        Effect::Delay(ns) => of(e::DELAY, [*ns as u32, (ns >> 32) as u32], [0; 2]),
        Effect::Record => of(e::RECORD, [0; 2], [0; 2]),
        Effect::RemoveResponseHeaders(names) => of(e::REMOVE_RESPONSE_HEADERS, write_names(names, builder), [0; 2]),
        Effect::Route { header, value } => of(e::ROUTE, builder.text(header), builder.text(value)),
        Effect::Sanitize { headers, query } => {
            of(e::SANITIZE, write_names(headers, builder), write_names(query, builder))
        }
        Effect::SetResponseHeaders(pairs) => of(e::SET_RESPONSE_HEADERS, write_pairs(pairs, builder), [0; 2]),
        Effect::Tag { header, value } => of(e::TAG, builder.text(header), builder.text(value)),
        Effect::Weigh { weight, label } => {
            of(e::WEIGH, [weight.cast_unsigned(), vocabulary.label(label.as_deref())], [0; 2])
        }
    }
}

fn write_action(action: &Action, builder: &mut Builder) -> u32 {
    let refuse = |kind, refusal: &Refusal, builder: &mut Builder| {
        let mut status = u32::from(refusal.status);
        status |= if refusal.cache { a::CACHED } else { 0 };
        status |= refusal.body.as_ref().map_or(0, |_| a::HAS_BODY);
        let [text, length] = builder.text(refusal.body.as_deref().unwrap_or_default());
        let [first, count] = write_pairs(&refusal.headers, builder);
        [kind, status, text, length, first, count, 0, 0]
    };
    let words = match action {
        Action::Allow => [a::ALLOW, 0, 0, 0, 0, 0, 0, 0],
        Action::Drop | Action::Reject => [a::DROP, 0, 0, 0, 0, 0, 0, 0],
        Action::Block(refusal) => refuse(a::BLOCK, refusal, builder),
        Action::Limit(refusal) => refuse(a::LIMIT, refusal, builder),
        Action::Deceive { status, body, headers } => {
            let [text, length] = builder.text(body);
            let [first, count] = write_pairs(headers, builder);
            [a::DECEIVE, u32::from(*status) | a::HAS_BODY, text, length, first, count, 0, 0]
        }
        Action::Redirect { location, status } => {
            let [text, length] = builder.text(location);
            [a::REDIRECT, u32::from(*status), text, length, 0, 0, 0, 0]
        }
    };
    builder.push(Section::Actions, &words)
}

pub(super) fn write_names(names: &[String], builder: &mut Builder) -> [u32; 2] {
    builder.texts(Section::Names, names.iter().map(String::as_str))
}

fn write_pairs(pairs: &[(String, String)], builder: &mut Builder) -> [u32; 2] {
    let first = builder.count(Section::Pairs);
    for (name, value) in pairs {
        let ([a, b], [c, d]) = (builder.text(name), builder.text(value));
        builder.push(Section::Pairs, &[a, b, c, d]);
    }
    [first, builder.count(Section::Pairs) - first]
}
