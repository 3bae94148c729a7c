//! A match, written back: fields where conditions stand for fields, `any`, `all` and `not` where they do not.

use crate::document::size_text;
use crate::spec::moment::text::{moment_text, window_text};
use crate::spec::types::{Addresses, Condition, ListName, Range, Statuses, TimeWindow};
use crate::spec::{PathPattern, TextPattern};

use super::country;
use super::written::{Map, Written, list};

/// The match that reads as `condition`.
pub(crate) fn condition(condition: &Condition) -> Written {
    let mut map = Map::new();
    let mut rest = Vec::new();
    match condition {
        Condition::All(parts) => {
            for part in parts {
                add(part, &mut map, &mut rest);
            }
        }
        other => add(other, &mut map, &mut rest),
    }
    map.many("all", rest).done()
}

/// Puts `part` where it belongs in `map`; where its place is taken, among the `rest`.
fn add(part: &Condition, map: &mut Map, rest: &mut Vec<Written>) {
    let taken = std::mem::take(map);
    *map = match merged(part, taken) {
        Ok(map) => map,
        Err(map) => {
            rest.push(condition(part));
            map
        }
    };
}

/// `map` with `part` in it, or as it was.
fn merged(part: &Condition, mut map: Map) -> Result<Map, Map> {
    let (path, value) = match part {
        Condition::Always => (Where::one("always"), Written::Bool(true)),
        Condition::Not(inner) => (Where::one("not"), list(alternatives(inner).iter().map(condition))),
        Condition::Any(parts) => match part.field() {
            Some(_) if parts.iter().all(is_listed) => field(parts),
            _ => (Where::one("any"), list(parts.iter().map(condition))),
        },
        Condition::All(_) => return Err(map),
        leaf => field(std::slice::from_ref(leaf)),
    };
    let Some(inner) = path.inner else {
        return if map.get_mut(path.outer).is_some() { Err(map) } else { Ok(map.entry(path.outer, value)) };
    };
    match map.get_mut(path.outer) {
        None => {
            let value = path.innermost.iter().fold(value, |value, key| Map::new().entry(key, value).done());
            Ok(map.entry(path.outer, Map::new().entry(&inner, value).done()))
        }
        Some(Written::Map(entries)) => {
            let known = entries.iter_mut().find(|(key, _)| *key == inner);
            match (known, path.innermost) {
                (None, innermost) => {
                    let value = innermost.iter().fold(value, |value, key| Map::new().entry(key, value).done());
                    entries.push((inner, value));
                    Ok(map)
                }
                (Some((_, Written::Map(entries))), Some(innermost))
                    if entries.iter().all(|(key, _)| *key != innermost) =>
                {
                    entries.push((innermost, value));
                    Ok(map)
                }
                _ => Err(map),
            }
        }
        Some(_) => Err(map),
    }
}

fn alternatives(inner: &Condition) -> &[Condition] {
    match inner {
        // One field's values stay together: `not: [{ path: [a, b] }]`.
        Condition::Any(parts) if !(inner.field().is_some() && parts.iter().all(is_listed)) => parts,
        other => std::slice::from_ref(other),
    }
}

/// Where a value stands: under a key of the match, or of a map in it, or of a map in that one.
struct Where {
    outer: &'static str,
    inner: Option<String>,
    innermost: Option<String>,
}

impl Where {
    const fn one(outer: &'static str) -> Self {
        Self { outer, inner: None, innermost: None }
    }

    fn two(outer: &'static str, inner: &str) -> Self {
        Self { outer, inner: Some(inner.to_owned()), innermost: None }
    }
}

/// Fields whose values stand in a list; the others have one value.
const fn is_listed(leaf: &Condition) -> bool {
    !matches!(
        leaf,
        Condition::AgentVerified(_)
            | Condition::ResponseSize(_)
            | Condition::ResponseStatus(_)
            | Condition::Score { .. }
            | Condition::Size(_)
            | Condition::TlsMutual(_)
            | Condition::TlsVersion(_)
    )
}

/// Where the leaves of one field stand, and their value.
fn field(leaves: &[Condition]) -> (Where, Written) {
    let Some(first) = leaves.first() else { return (Where::one("always"), Written::Bool(true)) };
    let place = place(first);
    let value = match leaves {
        [only] if !is_listed(only) => value(only),
        several => list(several.iter().map(value)),
    };
    (place, value)
}

fn place(leaf: &Condition) -> Where {
    match leaf {
        Condition::Address(_) => Where::one("address"),
        Condition::AgentClass(_) => Where::two("agent", "class"),
        Condition::AgentName(_) => Where::two("agent", "name"),
        Condition::AgentVerified(_) => Where::two("agent", "verified"),
        Condition::Asn(_) | Condition::AsnList(_) => Where::one("asn"),
        Condition::Claim(name, _) => Where::two("jwt", name),
        Condition::Cookie(name, _) => Where::two("cookies", name),
        Condition::Country(_) | Condition::CountryList(_) => Where::one("country"),
        Condition::Destination(_) => Where::one("destination"),
        Condition::Fingerprint(_) | Condition::FingerprintList(_) => Where::one("fingerprint"),
        Condition::Header(name, _) => Where::two("headers", name),
        Condition::Host(_) => Where::one("host"),
        Condition::Identity(_) | Condition::IdentityList(_) | Condition::NoIdentity => Where::one("identity"),
        Condition::Label(_) => Where::one("label"),
        Condition::Method(_) => Where::one("method"),
        Condition::Path(_) => Where::one("path"),
        Condition::Port(_) => Where::one("port"),
        Condition::Query(name, _) => Where::two("query", name),
        Condition::ResponseHeader(name, _) => {
            Where { outer: "response", inner: Some("headers".to_owned()), innermost: Some(name.clone()) }
        }
        Condition::ResponseSize(_) => Where::two("response", "size"),
        Condition::ResponseStatus(_) => Where::two("response", "status"),
        Condition::ResponseType(_) => Where::two("response", "type"),
        Condition::Score { .. } => Where::one("score"),
        Condition::Size(_) => Where::one("size"),
        Condition::Sni(_) => Where::one("sni"),
        Condition::Time(_) => Where::one("time"),
        Condition::TlsMutual(_) => Where::two("tls", "mutual"),
        Condition::TlsVersion(_) => Where::two("tls", "version"),
        Condition::Verdict(_) => Where::one("verdict"),
        Condition::All(_) | Condition::Any(_) | Condition::Always | Condition::Not(_) => Where::one("all"),
    }
}

fn value(leaf: &Condition) -> Written {
    let equals = |text: String| Map::new().text("equals", &text).done();
    match leaf {
        Condition::Address(Addresses::Networks(networks)) | Condition::Destination(Addresses::Networks(networks)) => {
            Map::new().list("cidrs", networks.iter().map(|n| Written::Text(n.to_string()))).done()
        }
        Condition::Address(Addresses::List(name))
        | Condition::Destination(Addresses::List(name))
        | Condition::AsnList(name)
        | Condition::CountryList(name)
        | Condition::FingerprintList(name)
        | Condition::IdentityList(name)
        | Condition::Verdict(name) => named(name),
        Condition::AgentClass(class) => Written::Text(class.as_str().to_owned()),
        Condition::AgentName(text)
        | Condition::Label(text)
        | Condition::Method(text)
        | Condition::ResponseType(text) => Written::Text(text.clone()),
        Condition::AgentVerified(truth) | Condition::TlsMutual(truth) => Written::Bool(*truth),
        Condition::Asn(asn) => Map::new().entry("equals", Written::Number(i64::from(*asn))).done(),
        Condition::Claim(_, pattern)
        | Condition::Cookie(_, pattern)
        | Condition::Header(_, pattern)
        | Condition::Query(_, pattern)
        | Condition::ResponseHeader(_, pattern) => text_pattern(pattern),
        Condition::Country(code) => equals(country(*code)),
        Condition::Fingerprint(text) => equals(text.clone()),
        Condition::Host(host) | Condition::Sni(host) => Written::Text(host.to_string()),
        Condition::Identity(pattern) => Map::new().text("pattern", pattern).done(),
        Condition::NoIdentity => Map::new().entry("present", Written::Bool(false)).done(),
        Condition::Path(pattern) => path_pattern(pattern),
        Condition::Port(port) => Written::Number(i64::from(*port)),
        Condition::ResponseSize(range) | Condition::Size(range) => sizes(*range),
        Condition::ResponseStatus(statuses) => status_list(statuses),
        Condition::Score { at_least, label } => Map::new()
            .entry("atLeast", Written::Number(i64::from(*at_least)))
            .some("label", label.clone().map(Written::Text))
            .done(),
        Condition::Time(window) => time(window),
        Condition::TlsVersion(version) => Written::Text(format!("{}.{}", version / 10, version % 10)),
        Condition::All(_) | Condition::Any(_) | Condition::Always | Condition::Not(_) => condition(leaf),
    }
}

fn named(name: &ListName) -> Written {
    Map::new().text("list", &name.name).done()
}

fn text_pattern(pattern: &TextPattern) -> Written {
    let (word, text) = match pattern {
        TextPattern::Present(present) => return Map::new().entry("present", Written::Bool(*present)).done(),
        TextPattern::Contains(text) => ("contains", text),
        TextPattern::Equals(text) => ("equals", text),
        TextPattern::Prefix(text) => ("prefix", text),
        TextPattern::Regex(text) => ("regex", text),
        TextPattern::Suffix(text) => ("suffix", text),
    };
    Map::new().text(word, text).done()
}

fn path_pattern(pattern: &PathPattern) -> Written {
    let (word, text) = match pattern {
        PathPattern::Exact(text) | PathPattern::Segments(text) => ("pattern", text),
        PathPattern::Prefix(text) => ("prefix", text),
        PathPattern::Regex(text) => ("regex", text),
        PathPattern::Suffix(text) => ("suffix", text),
    };
    Map::new().text(word, text).done()
}

fn sizes(range: Range) -> Written {
    let size = |bytes: Option<u64>| bytes.map(|bytes| Written::Text(size_text(bytes)));
    Map::new().some("atLeast", size(range.least)).some("atMost", size(range.most)).done()
}

/// Statuses as texts: `401`, or `500-503`.
pub(super) fn status_list(statuses: &Statuses) -> Written {
    list(
        statuses.0.iter().map(|(first, last)| {
            Written::Text(if first == last { first.to_string() } else { format!("{first}-{last}") })
        }),
    )
}

fn time(window: &TimeWindow) -> Written {
    let (days, hours, zone) = window_text(window);
    let moment = |seconds: Option<u64>| seconds.map(|seconds| Written::Text(moment_text(seconds)));
    Map::new()
        .some("after", moment(window.after))
        .some("before", moment(window.before))
        .some("days", days.map(|days| list(days.into_iter().map(|day| Written::Text(day.to_owned())))))
        .some("hours", hours.map(Written::Text))
        .some("zone", zone.map(Written::Text))
        .done()
}
