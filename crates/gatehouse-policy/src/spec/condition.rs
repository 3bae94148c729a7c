//! `match`: several fields hold together, a list of values means any of them, `not`, `any` and `all` nest.

use crate::document::{Fields, Node, Problems, Value, quoted};
use crate::text;

use super::{Addresses, HostPattern, PathPattern, TextPattern};

/// Fields of the language whose machinery does not exist yet.
const NOT_BUILT: [&str; 20] = [
    "agent",
    "asn",
    "cookies",
    "country",
    "fingerprint",
    "identity",
    "jwt",
    "label",
    "port",
    "query",
    "response",
    "score",
    "serviceAccounts",
    "size",
    "sni",
    "time",
    "tls",
    "verdict",
    "scheme",
    "destination",
];

/// What must hold of a request.
#[derive(Debug)]
pub(crate) enum Condition {
    Address(Addresses),
    All(Vec<Self>),
    Always,
    Any(Vec<Self>),
    Header(String, TextPattern),
    Host(HostPattern),
    Method(String),
    Not(Box<Self>),
    Path(PathPattern),
}

impl Condition {
    /// Reads a `match`; an empty one is refused, since it is seldom meant.
    pub(super) fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`match`", problems)?;
        if matches!(&node.value, Value::Map(entries) if entries.is_empty()) {
            problems.push(&node.place, "an empty match matches every request", "write `all: true` if that is meant");
            return None;
        }
        let told = problems.0.len();
        let mut parts = Vec::new();
        if let Some(n) = fields.take("host") {
            parts.push(each(n, problems, |n, p| HostPattern::read(n, p).map(Self::Host)));
        }
        if let Some(n) = fields.take("path") {
            parts.push(each(n, problems, |n, p| PathPattern::read(n, p).map(Self::Path)));
        }
        if let Some(n) = fields.take("method") {
            parts.push(each(n, problems, method));
        }
        if let Some(n) = fields.take("headers") {
            parts.push(headers(n, problems));
        }
        if let Some(n) = fields.take("address") {
            parts.push(Addresses::read(n, problems).map(Self::Address));
        }
        if let Some(n) = fields.take("not") {
            parts.push(each(n, problems, Self::read).map(|inner| Self::Not(Box::new(inner))));
        }
        if let Some(n) = fields.take("any") {
            parts.push(nested(n, problems).map(Self::Any));
        }
        let all = fields.take("all");
        if let Some(n) = all {
            let alone = parts.is_empty();
            parts.push(read_all(n, alone, problems));
        }
        fields.not_built(&NOT_BUILT);
        fields.finish(problems);
        let whole: Option<Vec<Self>> = parts.into_iter().collect();
        whole.filter(|_| problems.0.len() == told).map(|parts| Self::group(parts, Self::All))
    }

    /// One part stands for itself, several for `wrap` of them.
    fn group(mut parts: Vec<Self>, wrap: impl FnOnce(Vec<Self>) -> Self) -> Self {
        match parts.pop() {
            Some(only) if parts.is_empty() => only,
            Some(last) => {
                parts.push(last);
                wrap(parts)
            }
            None => Self::Always,
        }
    }
}

/// One value or a list of them, any of which may hold.
fn each(
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
    let all: Option<Vec<Condition>> = read.into_iter().collect();
    all.map(|parts| Condition::group(parts, Condition::Any))
}

fn nested(node: &Node, problems: &mut Problems) -> Option<Vec<Condition>> {
    let items = node.list(problems)?;
    if items.is_empty() {
        problems.push(&node.place, "the list is empty", "write at least one match in it");
        return None;
    }
    let read: Vec<Option<Condition>> = items.iter().map(|item| Condition::read(item, problems)).collect();
    read.into_iter().collect()
}

/// `all: true` (every request) or `all: [...]` (all of these).
fn read_all(node: &Node, alone: bool, problems: &mut Problems) -> Option<Condition> {
    match &node.value {
        Value::Bool(true) if alone => Some(Condition::Always),
        Value::Bool(true) => {
            problems.push(
                &node.place,
                "`all: true` stands beside other fields",
                "leave it out: fields hold together already",
            );
            None
        }
        Value::List(_) => nested(node, problems).map(Condition::All),
        _ => {
            problems.push(&node.place, format!("{} where `true` or a list is expected", node.kind()), "");
            None
        }
    }
}

fn method(node: &Node, problems: &mut Problems) -> Option<Condition> {
    let written = node.string(problems)?;
    let upper = written.to_ascii_uppercase();
    if !text::is_token(written) {
        problems.push(&node.place, format!("{} is not a method", quoted(written)), "write one such as `GET`");
        return None;
    }
    if written != upper {
        problems.push(
            &node.place,
            format!("methods are case-sensitive: {}", quoted(written)),
            format!("write `{upper}`"),
        );
        return None;
    }
    Some(Condition::Method(upper))
}

fn headers(node: &Node, problems: &mut Problems) -> Option<Condition> {
    let entries = node.entries(problems)?;
    if entries.is_empty() {
        problems.push(&node.place, "`headers` is empty", "write `NAME: value` in it, or leave it out");
        return None;
    }
    let mut parts = Vec::new();
    for entry in entries {
        let name = entry.key.to_ascii_lowercase();
        if !text::is_token(&name) {
            let help = "for a pseudo-header use `method`, `path` or `host`";
            problems.push(&entry.key_place, format!("{} is not a header name", quoted(&entry.key)), help);
            continue;
        }
        let test =
            |n: &Node, p: &mut Problems| TextPattern::read(n, p).map(|test| Condition::Header(name.clone(), test));
        parts.push(each(&entry.value, problems, test));
    }
    let parts: Option<Vec<Condition>> = parts.into_iter().collect();
    parts.map(|parts| Condition::group(parts, Condition::All))
}
