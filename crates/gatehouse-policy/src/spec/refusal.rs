//! How answers of the gate look: refusals, deceptions, redirects, and the headers of each.

use crate::document::{Fields, Node, Problems, quoted};
use crate::text;

use super::bounds;
use super::types::{Action, Refusal};

/// What the gate fills in, in bodies of refusals.
pub(crate) const PLACEHOLDERS: [&str; 3] = ["{reference}", "{retry_after}", "{support}"];
/// Statuses of redirects.
pub(crate) const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

impl Refusal {
    /// The gate's own, with `status`.
    pub(super) const fn plain(status: u16) -> Self {
        Self { status, body: None, headers: Vec::new(), cache: false }
    }
}

/// `{ status, body, headers, cache }` of `block` and `limit`.
pub(super) fn read(word: &'static str, default: u16, node: &Node, problems: &mut Problems) -> Option<Refusal> {
    let mut fields = Fields::of("refusal", node, format!("`{word}`"), problems)?;
    let status = match fields.take("status") {
        Some(n) => n.integer(400..=499, problems).and_then(|n| u16::try_from(n).ok()),
        None => Some(default),
    };
    let body = fields.take("body").map(|n| read_body(n, problems));
    let headers = fields.take("headers").map_or(Some(Vec::new()), |n| read_headers(n, problems));
    let cache = fields.take("cache").map_or(Some(false), |n| n.boolean(problems));
    fields.finish(problems);
    let body = match body {
        Some(read) => Some(read?),
        None => None,
    };
    Some(Refusal { status: status?, body, headers: headers?, cache: cache? })
}

/// As if nothing were there.
pub(super) const fn plain_deception() -> Action {
    Action::Deceive { status: bounds::DECEIVE_STATUS, body: String::new(), headers: Vec::new() }
}

/// `{ status, body, headers }` of `deceive`: an answer that says nothing of the gate.
pub(super) fn deception(node: &Node, problems: &mut Problems) -> Option<Action> {
    let mut fields = Fields::of("deceive", node, "`deceive`", problems)?;
    let status = match fields.take("status") {
        Some(n) => n.integer(200..=499, problems).and_then(|n| u16::try_from(n).ok()),
        None => Some(bounds::DECEIVE_STATUS),
    };
    let body_node = fields.take("body");
    let body = body_node.map_or_else(|| Some(String::new()), |n| read_body(n, problems));
    let headers_node = fields.take("headers");
    let headers = headers_node.map_or(Some(Vec::new()), |n| read_headers(n, problems));
    fields.finish(problems);
    let (status, body, headers) = (status?, body?, headers?);
    if let Some(held) = PLACEHOLDERS.iter().find(|held| body.contains(**held)) {
        let place = body_node.map_or(&node.place, |n| &n.place);
        problems.push(
            place,
            format!("`{held}` would tell of the gate"),
            "a deception says nothing of it: leave it out",
        );
        return None;
    }
    if let Some((name, _)) = headers.iter().find(|(name, _)| name.starts_with("x-gatehouse-")) {
        let place = headers_node.map_or(&node.place, |n| &n.place);
        problems.push(
            place,
            format!("{} would tell of the gate", quoted(name)),
            "a deception says nothing of it: leave it out",
        );
        return None;
    }
    if matches!(status, 204 | 205 | 304) && !body.is_empty() {
        let place = body_node.map_or(&node.place, |n| &n.place);
        problems.push(
            place,
            format!("an answer with status {status} has no body"),
            "leave `body` out, or choose another status",
        );
        return None;
    }
    Some(Action::Deceive { status, body, headers })
}

fn read_body(node: &Node, problems: &mut Problems) -> Option<String> {
    let body = node.string(problems)?;
    if body.len() > text::MAX_BODY {
        problems.push(&node.place, "the body is larger than 64 KiB", "write a shorter one");
        return None;
    }
    Some(body.to_owned())
}

/// A map from names of headers to the value that an answer gets.
pub(super) fn read_headers(node: &Node, problems: &mut Problems) -> Option<Vec<(String, String)>> {
    let entries = node.entries(problems)?;
    if entries.len() > bounds::HEADERS {
        problems.push(&node.place, format!("more than {} headers", bounds::HEADERS), "");
        return None;
    }
    let mut headers: Vec<Option<(String, String)>> = Vec::new();
    for entry in entries {
        let name = entry.key.to_ascii_lowercase();
        let twice = headers.iter().flatten().any(|(known, _)| *known == name);
        let named = text::may_be_answered(&name) && !twice;
        if !named {
            let message = match twice {
                true => format!("{} is set twice", quoted(&name)),
                false => format!("{} may not be set on an answer", quoted(&entry.key)),
            };
            problems.push(&entry.key_place, message, "leave it out");
        }
        let value = header_value(&entry.value, problems);
        headers.push(value.filter(|_| named).map(|value| (name, value)));
    }
    headers.into_iter().collect()
}

/// What may stand as the value of a header.
pub(super) fn header_value(node: &Node, problems: &mut Problems) -> Option<String> {
    let value = node.string(problems)?;
    if !text::is_header_value(value) {
        let help = "write printable ASCII without blanks at the ends";
        problems.push(&node.place, format!("{} cannot stand in a header", quoted(value)), help);
        return None;
    }
    Some(value.to_owned())
}

/// `{ location, status }`.
pub(super) fn redirect(node: &Node, problems: &mut Problems) -> Option<Action> {
    let mut fields = Fields::of("redirect", node, "`redirect`", problems)?;
    let location = fields.require("location");
    let status = match fields.take("status") {
        Some(n) => redirect_status(n, problems),
        None => Some(bounds::REDIRECT_STATUS),
    };
    fields.finish(problems);
    let node = location?;
    let location = node.string(problems)?;
    if !text::is_redirect(location) {
        let help = "write an absolute URL that begins with `https://`, or a path that begins with one `/`";
        problems.push(&node.place, format!("{} is not a place to send a client to", quoted(location)), help);
        return None;
    }
    Some(Action::Redirect { location: location.to_owned(), status: status? })
}

fn redirect_status(node: &Node, problems: &mut Problems) -> Option<u16> {
    let status = node.integer(300..=399, problems).and_then(|n| u16::try_from(n).ok())?;
    if !REDIRECTS.contains(&status) {
        problems.push(&node.place, format!("`{status}` is not a redirect"), "write 301, 302, 303, 307 or 308");
        return None;
    }
    Some(status)
}
