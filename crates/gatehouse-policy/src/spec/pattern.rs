//! Hosts, paths and texts inside a match.

use std::fmt;

use gatehouse_signals::host::Host;
use gatehouse_signals::path;

use crate::document::{Fields, Node, Problems, Value, quoted};
use crate::regex;

use super::bounds;

/// A host, or every host under a domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HostPattern {
    /// This host, canonical.
    Exact(String),
    /// `*.example.com`, held as `.example.com`: any number of labels before it, at least one.
    Under(String),
}

/// What a path must be. All but regexes are in canonical form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PathPattern {
    Exact(String),
    /// Segments where `*` is any one that is not empty and a last `**` is the rest, which may be empty.
    Segments(String),
    /// Ends at a segment border.
    Prefix(String),
    Regex(String),
    Suffix(String),
}

/// What the value of a header, a parameter, a cookie or a claim must be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TextPattern {
    Contains(String),
    Equals(String),
    Prefix(String),
    Present(bool),
    Regex(String),
    Suffix(String),
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Under(domain) => write!(f, "*{domain}"),
        }
    }
}

impl HostPattern {
    pub(super) fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let written = node.string(problems)?;
        let mut refuse = |help: &str| {
            problems.push(&node.place, format!("{} is not a host", quoted(written)), help);
            None
        };
        if written == "*" {
            return refuse("leave `hosts` out in an organisation's document to hold for every host");
        }
        if !written.is_ascii() {
            return refuse("write its ASCII form (`xn--…`)");
        }
        let (name, under) = written.strip_prefix("*.").map_or((written, false), |rest| (rest, true));
        let host = Host::parse(name.as_bytes());
        let canonical = String::from_utf8_lossy(&host.name).into_owned();
        let whole = host.port.is_none()
            && !host.userinfo
            && canonical.eq_ignore_ascii_case(name.strip_suffix('.').unwrap_or(name));
        let address = canonical.starts_with('[') && canonical.ends_with(']') && !under;
        let label = |l: &str| !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !whole || canonical.len() > 253 || !(address || canonical.split('.').all(label)) {
            return refuse("write a name such as `shop.example.com` or `*.example.com`, without port and path");
        }
        Some(if under { Self::Under(format!(".{canonical}")) } else { Self::Exact(canonical) })
    }
}

impl PathPattern {
    pub(super) fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if !matches!(node.value, Value::Map(_)) {
            return Self::segments(node, problems);
        }
        let mut fields = Fields::of("path", node, "`path`", problems)?;
        let words = ["pattern", "prefix", "suffix", "regex"];
        let found = words.map(|word| (word, fields.take(word)));
        fields.finish(problems);
        let (word, value) = only(node, &found, problems)?;
        match word {
            "pattern" => Self::segments(value, problems),
            "prefix" => literal(value, true, problems).map(Self::Prefix),
            "suffix" => literal(value, false, problems).map(Self::Suffix),
            _ => read_regex(value, problems).map(Self::Regex),
        }
    }

    /// `/a/*/{id}/**`.
    fn segments(node: &Node, problems: &mut Problems) -> Option<Self> {
        let written = literal_text(node, true, problems)?;
        if !written.contains(['*', '{', '}']) {
            return literal(node, true, problems).map(Self::Exact);
        }
        let count = written.split('/').count();
        let mut segments = Vec::with_capacity(count);
        for (index, segment) in written.split('/').enumerate() {
            let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            let last = index + 1 == count;
            match segment {
                "*" => segments.push("*".to_owned()),
                "**" if last => segments.push("**".to_owned()),
                _ if name.is_some_and(|n| !n.is_empty() && !n.contains(['{', '}', '*'])) => {
                    segments.push("*".to_owned())
                }
                _ if segment.contains(['*', '{', '}']) => {
                    let message = format!("{} in {} is not a segment", quoted(segment), quoted(written));
                    let help =
                        "`*` and `{name}` stand for one whole segment, `**` for the rest at the end; else use `regex`";
                    problems.push(&node.place, message, help);
                    return None;
                }
                _ => segments.push(canonical(segment)),
            }
        }
        Some(Self::Segments(segments.join("/")))
    }
}

impl TextPattern {
    pub(super) fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if !matches!(node.value, Value::Map(_)) {
            return operand(node, true, problems).map(Self::Equals);
        }
        let mut fields = Fields::of("text", node, "a text's match", problems)?;
        let words = ["equals", "prefix", "suffix", "contains", "regex", "present"];
        let found = words.map(|word| (word, fields.take(word)));
        fields.finish(problems);
        let (word, value) = only(node, &found, problems)?;
        match word {
            "equals" => operand(value, true, problems).map(Self::Equals),
            "prefix" => operand(value, false, problems).map(Self::Prefix),
            "suffix" => operand(value, false, problems).map(Self::Suffix),
            "contains" => operand(value, false, problems).map(Self::Contains),
            "regex" => read_regex(value, problems).map(Self::Regex),
            _ => value.boolean(problems).map(Self::Present),
        }
    }
}

/// The one field of several that was written.
pub(super) fn only<'n>(
    node: &Node,
    found: &[(&'static str, Option<&'n Node>)],
    problems: &mut Problems,
) -> Option<(&'static str, &'n Node)> {
    let mut written = found.iter().filter_map(|(word, value)| value.map(|value| (*word, value)));
    let first = written.next();
    if first.is_none() || written.next().is_some() {
        let words: Vec<String> = found.iter().map(|(word, _)| format!("`{word}`")).collect();
        problems.push(&node.place, format!("exactly one of {} is expected here", words.join(", ")), "");
        return None;
    }
    first
}

fn operand(node: &Node, empty: bool, problems: &mut Problems) -> Option<String> {
    let written = node.string(problems)?;
    if written.len() > bounds::PATTERN || written.is_empty() && !empty {
        let help = format!("write 1 to {} bytes", bounds::PATTERN);
        problems.push(&node.place, format!("{} is too long or empty", quoted(written)), help);
        return None;
    }
    Some(written.to_owned())
}

fn literal_text<'n>(node: &'n Node, rooted: bool, problems: &mut Problems) -> Option<&'n str> {
    let written = node.string(problems)?;
    let mut refuse = |message: &str, help: &str| {
        problems.push(&node.place, format!("the path {} {message}", quoted(written)), help);
        None
    };
    if written.is_empty() || written.len() > bounds::PATTERN {
        return refuse("is too long or empty", "");
    }
    if rooted && !written.starts_with('/') && written != "*" {
        return refuse("does not begin with `/`", "a path begins with a slash");
    }
    if written.contains(['?', '#']) {
        return refuse("holds a query or fragment", "a path ends before `?`");
    }
    if written.contains("//") || written.split('/').any(|s| s == "." || s == "..") {
        return refuse("can never match", "requests are matched without dot segments and repeated slashes");
    }
    Some(written)
}

fn literal(node: &Node, rooted: bool, problems: &mut Problems) -> Option<String> {
    literal_text(node, rooted, problems).map(canonical)
}

fn canonical(written: &str) -> String {
    String::from_utf8_lossy(&path::literal(written.as_bytes())).into_owned()
}

fn read_regex(node: &Node, problems: &mut Problems) -> Option<String> {
    let written = operand(node, false, problems)?;
    match regex::compile(&written) {
        Ok(_) => Some(written),
        Err(why) => {
            problems.push(&node.place, format!("{} is not a usable regex: {why}", quoted(&written)), "");
            None
        }
    }
}
