//! `match`: several fields hold together, a list of values means any of them, `not`, `any` and `all` nest. What each field
//! holds is read in `request` and `who`.

use crate::document::{Fields, Node, Problems, Value};

use super::identity::Context;
use super::types::Condition;
use super::{request, who};

/// Reads the value of one field.
type Read = fn(&Node, &Context, &mut Problems) -> Option<Condition>;

/// Every field, in the order of the reference.
const FIELDS: [(&str, Read); 25] = [
    ("host", request::host),
    ("path", request::path),
    ("method", request::method),
    ("headers", request::headers),
    ("query", request::query),
    ("cookies", request::cookies),
    ("address", who::address),
    ("identity", who::identity),
    ("serviceAccounts", who::service_accounts),
    ("jwt", request::claims),
    ("sni", request::sni),
    ("port", request::port),
    ("destination", who::destination),
    ("tls", request::tls),
    ("fingerprint", who::fingerprints),
    ("agent", who::agent),
    ("country", who::countries),
    ("asn", who::asns),
    ("size", request::size),
    ("time", request::time),
    ("verdict", who::verdict),
    ("label", who::label),
    ("score", who::score),
    ("response", request::response),
    ("not", not),
];

/// Reads a `match`; an empty one is refused, since it is seldom meant.
pub(super) fn read(node: &Node, cx: &Context, problems: &mut Problems) -> Option<Condition> {
    let mut fields = Fields::of("match", node, "`match`", problems)?;
    if matches!(&node.value, Value::Map(entries) if entries.is_empty()) {
        problems.push(&node.place, "an empty match matches every request", "write `all: true` if that is meant");
        return None;
    }
    let told = problems.0.len();
    let mut parts = Vec::new();
    for (word, read) in FIELDS {
        if let Some(node) = fields.take(word) {
            parts.push(read(node, cx, problems));
        }
    }
    if let Some(node) = fields.take("any") {
        parts.push(nested(node, cx, problems).map(Condition::any));
    }
    let alone = parts.is_empty();
    let always = fields.take("always");
    if let Some(node) = fields.take("all") {
        parts.push(all(node, alone && always.is_none(), cx, problems));
    }
    if let Some(node) = always {
        parts.push(read_always(node, "always", parts.is_empty(), problems));
    }
    fields.finish(problems);
    let whole: Option<Vec<Condition>> = parts.into_iter().collect();
    whole.filter(|_| problems.0.len() == told).map(Condition::all)
}

/// One value or a list of them, any of which may hold.
pub(super) fn each(
    node: &Node,
    problems: &mut Problems,
    mut read: impl FnMut(&Node, &mut Problems) -> Option<Condition>,
) -> Option<Condition> {
    let items = node.one_or_many();
    if items.is_empty() {
        problems.push(&node.place, "an empty list matches nothing", "write values, or leave the field out");
        return None;
    }
    let read: Vec<Option<Condition>> = items.iter().map(|item| read(item, problems)).collect();
    read.into_iter().collect::<Option<Vec<_>>>().map(Condition::any)
}

fn not(node: &Node, cx: &Context, problems: &mut Problems) -> Option<Condition> {
    each(node, problems, |node, problems| read(node, cx, problems)).map(Condition::negated)
}

fn nested(node: &Node, cx: &Context, problems: &mut Problems) -> Option<Vec<Condition>> {
    let items = node.list(problems)?;
    if items.is_empty() {
        problems.push(&node.place, "the list is empty", "write at least one match in it");
        return None;
    }
    let read: Vec<Option<Condition>> = items.iter().map(|item| read(item, cx, problems)).collect();
    read.into_iter().collect()
}

/// `all: true` (every request) or `all: [...]` (all of these).
fn all(node: &Node, alone: bool, cx: &Context, problems: &mut Problems) -> Option<Condition> {
    match &node.value {
        Value::Bool(true) => read_always(node, "all", alone, problems),
        Value::List(_) => nested(node, cx, problems).map(Condition::all),
        _ => {
            problems.push(&node.place, format!("{} where `true` or a list is expected", node.kind()), "");
            None
        }
    }
}

fn read_always(node: &Node, word: &str, alone: bool, problems: &mut Problems) -> Option<Condition> {
    if !node.boolean(problems)? {
        let help = "write `true`, or a match";
        problems.push(&node.place, format!("`{word}: false` matches nothing"), help);
        return None;
    }
    if !alone {
        let message = format!("`{word}: true` stands beside other fields");
        problems.push(&node.place, message, "leave it out: fields hold together already");
        return None;
    }
    Some(Condition::Always)
}
