//! Fields of a match about the request and its connection, and those about the response.

use crate::document::{Fields, Node, Problems, Value, quoted};
use crate::text;

use super::condition::each;
use super::identity::Context;
use super::types::{Condition, Range};
use super::{HostPattern, PathPattern, TextPattern, bounds, moment, quantity};

pub(super) fn host(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    each(node, problems, |node, problems| HostPattern::read(node, problems).map(Condition::Host))
}

pub(super) fn path(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    each(node, problems, |node, problems| PathPattern::read(node, problems).map(Condition::Path))
}

pub(super) fn method(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    each(node, problems, |node, problems| {
        let written = node.string(problems)?;
        let upper = written.to_ascii_uppercase();
        let (message, help) = if !text::is_token(written) {
            (format!("{} is not a method", quoted(written)), "write one such as `GET`".to_owned())
        } else if written != upper {
            (format!("methods are case-sensitive: {}", quoted(written)), format!("write `{upper}`"))
        } else {
            return Some(Condition::Method(upper));
        };
        problems.push(&node.place, message, help);
        None
    })
}

pub(super) fn headers(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    named("headers", node, problems, Name::Header, Condition::Header)
}

pub(super) fn query(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    named("query", node, problems, Name::Parameter, Condition::Query)
}

pub(super) fn cookies(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    named("cookies", node, problems, Name::Cookie, Condition::Cookie)
}

pub(super) fn claims(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    named("jwt", node, problems, Name::Parameter, Condition::Claim)
}

/// What may stand as the name in a map of texts.
#[derive(Clone, Copy)]
enum Name {
    Cookie,
    /// Any case; held in lower case.
    Header,
    Parameter,
}

impl Name {
    fn read(self, written: &str) -> Result<String, (&'static str, &'static str)> {
        match self {
            Self::Header if text::is_token(written) => Ok(written.to_ascii_lowercase()),
            Self::Header => Err(("a header name", "for a pseudo-header use `method`, `path` or `host`")),
            Self::Cookie if text::is_token(written) => Ok(written.to_owned()),
            Self::Cookie => Err(("a cookie's name", "write letters, digits and `-_.`")),
            Self::Parameter if text::is_parameter(written) => Ok(written.to_owned()),
            Self::Parameter => Err(("a name that can be read", "write 1 to 128 printable bytes")),
        }
    }
}

/// A map from names to what their values must be.
fn named(
    word: &str,
    node: &Node,
    problems: &mut Problems,
    name: Name,
    condition: fn(String, TextPattern) -> Condition,
) -> Option<Condition> {
    let entries = node.entries(problems)?;
    if entries.is_empty() {
        problems.push(&node.place, format!("`{word}` is empty"), "write `NAME: value` in it, or leave it out");
        return None;
    }
    let mut parts = Vec::new();
    for entry in entries {
        let name = match name.read(&entry.key) {
            Ok(name) => name,
            Err((what, help)) => {
                problems.push(&entry.key_place, format!("{} is not {what}", quoted(&entry.key)), help);
                parts.push(None);
                continue;
            }
        };
        parts.push(each(&entry.value, problems, |node, problems| {
            TextPattern::read(node, problems).map(|test| condition(name.clone(), test))
        }));
    }
    parts.into_iter().collect::<Option<Vec<_>>>().map(Condition::all)
}

pub(super) fn sni(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    each(node, problems, |node, problems| HostPattern::read(node, problems).map(Condition::Sni))
}

pub(super) fn port(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    each(node, problems, |node, problems| {
        node.integer(1..=65535, problems).and_then(|port| u16::try_from(port).ok()).map(Condition::Port)
    })
}

/// `{ mutual, version }`.
pub(super) fn tls(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    let mut fields = Fields::of("tls", node, "`tls`", problems)?;
    let (mutual, version) = (fields.take("mutual"), fields.take("version"));
    fields.finish(problems);
    if mutual.is_none() && version.is_none() {
        problems.push(&node.place, "`tls` says nothing", "write `mutual` or `version`");
        return None;
    }
    let mutual = mutual.map(|n| n.boolean(problems).map(Condition::TlsMutual));
    let version = version.map(|n| tls_version(n, problems).map(Condition::TlsVersion));
    mutual.into_iter().chain(version).collect::<Option<Vec<_>>>().map(Condition::all)
}

/// `1.2`, quoted or not, as 12.
fn tls_version(node: &Node, problems: &mut Problems) -> Option<u8> {
    let written = match &node.value {
        Value::String(text) => text.clone(),
        Value::Float(number) => number.to_string(),
        Value::Integer(number) => number.to_string(),
        _ => node.string(problems)?.to_owned(),
    };
    let version = match written.as_str() {
        "1.0" => 10,
        "1.1" => 11,
        "1.2" => 12,
        "1.3" => 13,
        _ => {
            let help = "write `\"1.0\"`, `\"1.1\"`, `\"1.2\"` or `\"1.3\"`; that version and later ones match";
            problems.push(&node.place, format!("{} is not a version of TLS", quoted(&written)), help);
            return None;
        }
    };
    Some(version)
}

/// `{ atLeast, atMost }` of the request's content-length.
pub(super) fn size(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    read_size(node, problems).map(Condition::Size)
}

fn read_size(node: &Node, problems: &mut Problems) -> Option<Range> {
    let mut fields = Fields::of("size", node, "`size`", problems)?;
    let (least, most) = (fields.take("atLeast"), fields.take("atMost"));
    fields.finish(problems);
    let (written_least, written_most) = (least.is_some(), most.is_some());
    let least = least.and_then(|n| n.size(problems));
    let most = most.and_then(|n| n.size(problems));
    if written_least && least.is_none() || written_most && most.is_none() {
        return None;
    }
    quantity::range(least, most, node, problems)
}

pub(super) fn time(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    each(node, problems, |node, problems| moment::window(node, problems).map(Condition::Time))
}

/// `{ status, headers, type, size }` of the response.
pub(super) fn response(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    let mut fields = Fields::of("response", node, "`response`", problems)?;
    let found = ["status", "headers", "type", "size"].map(|word| (word, fields.take(word)));
    fields.finish(problems);
    let mut parts = Vec::new();
    for (word, node) in found {
        let Some(node) = node else { continue };
        parts.push(match word {
            "status" => quantity::statuses(node, problems).map(Condition::ResponseStatus),
            "headers" => named("headers", node, problems, Name::Header, Condition::ResponseHeader),
            "type" => each(node, problems, media_type),
            _ => read_size(node, problems).map(Condition::ResponseSize),
        });
    }
    if parts.is_empty() {
        problems.push(&node.place, "`response` says nothing", "write `status`, `headers`, `type` or `size`");
        return None;
    }
    parts.into_iter().collect::<Option<Vec<_>>>().map(Condition::all)
}

/// `text/html`, `text/*`.
fn media_type(node: &Node, problems: &mut Problems) -> Option<Condition> {
    let written = node.string(problems)?;
    let lower = written.to_ascii_lowercase();
    let sound = lower.split_once('/').is_some_and(|(kind, sub)| {
        text::is_token(kind) && kind != "*" && (sub == "*" || text::is_token(sub) && !sub.contains('*'))
    });
    if !sound || written.len() > bounds::PARAMETER {
        let help = "write one such as `text/html` or `text/*`, without parameters";
        problems.push(&node.place, format!("{} is not a media type", quoted(written)), help);
        return None;
    }
    Some(Condition::ResponseType(lower))
}
