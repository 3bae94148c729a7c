//! What a rule does, written back: a list of words, each with all that can be set.

use crate::spec::types::{Action, Effect, Refusal, Then};

use super::span;
use super::written::{Map, Written, texts};

/// Every word, what adds up first.
pub(super) fn words(then: &Then) -> impl Iterator<Item = Written> {
    let adding = then.effects.iter().map(|effect| word(effect.word(), effect_value(effect)));
    adding.chain(then.decides.as_ref().map(action))
}

/// The one action of `otherwise`.
pub(super) fn action(action: &Action) -> Written {
    word(action.word(), action_value(action))
}

fn word(word: &str, value: Written) -> Written {
    Map::new().entry(word, value).done()
}

fn effect_value(effect: &Effect) -> Written {
    match effect {
        Effect::Delay(nanos) => Written::Text(span(*nanos)),
        Effect::Record => Map::new().done(),
        Effect::RemoveResponseHeaders(names) => texts(names),
        Effect::Route { header, value } | Effect::Tag { header, value } => {
            Map::new().text("header", header).text("value", value).done()
        }
        Effect::Sanitize { headers, query } => {
            let many = |names: &[String]| names.iter().cloned().map(Written::Text).collect::<Vec<_>>();
            Map::new().many("headers", many(headers)).many("query", many(query)).done()
        }
        Effect::SetResponseHeaders(pairs) => pairs_map(pairs).done(),
        Effect::Weigh { weight, label } => Map::new()
            .entry("weight", Written::Number(i64::from(*weight)))
            .some("label", label.clone().map(Written::Text))
            .done(),
    }
}

fn action_value(action: &Action) -> Written {
    match action {
        Action::Allow | Action::Drop | Action::Reject => Map::new().done(),
        Action::Block(refusal) | Action::Limit(refusal) => refused(refusal),
        Action::Deceive { status, body, headers } => Map::new()
            .entry("status", Written::Number(i64::from(*status)))
            .some("body", (!body.is_empty()).then(|| Written::Text(body.clone())))
            .some("headers", headers_of(headers))
            .done(),
        Action::Redirect { location, status } => {
            Map::new().text("location", location).entry("status", Written::Number(i64::from(*status))).done()
        }
    }
}

fn refused(refusal: &Refusal) -> Written {
    Map::new()
        .entry("status", Written::Number(i64::from(refusal.status)))
        .some("body", refusal.body.clone().map(Written::Text))
        .some("headers", headers_of(&refusal.headers))
        .some("cache", refusal.cache.then_some(Written::Bool(true)))
        .done()
}

fn headers_of(headers: &[(String, String)]) -> Option<Written> {
    (!headers.is_empty()).then(|| pairs_map(headers).done())
}

fn pairs_map(pairs: &[(String, String)]) -> Map {
    pairs.iter().fold(Map::new(), |map, (name, value)| map.text(name, value))
}
