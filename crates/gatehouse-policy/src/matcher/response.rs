//! `response`: status, headers, media type and size. Unknown until there is a response.

use gatehouse_signals::Pair;

use super::{Facts, Leaf, Truth, size, text};
use crate::Field;
use crate::image::{Section, node};

pub(super) fn holds(leaf: Leaf<'_>, facts: &Facts<'_>) -> Truth {
    let Some(response) = facts.response else {
        return Truth::Unknown;
    };
    let known = |field| facts.known.has(field);
    match leaf.kind {
        node::RESPONSE_STATUS => match response.status.filter(|_| known(Field::ResponseStatus)) {
            Some(status) => has_status(leaf, status).into(),
            None => Truth::Unknown,
        },
        node::RESPONSE_HEADER => has_header(leaf, response.headers, known(Field::ResponseHeaders)),
        node::RESPONSE_TYPE => match values(response.headers, b"content-type").next() {
            Some(value) => is_type(leaf.text(node::A), value).into(),
            None if known(Field::ResponseType) => Truth::False,
            None => Truth::Unknown,
        },
        _ => match size::length(response.headers).filter(|_| known(Field::ResponseSize)) {
            Some(size) => size::within(leaf, size).into(),
            None => Truth::Unknown,
        },
    }
}

fn has_status(leaf: Leaf<'_>, status: u16) -> bool {
    let first = leaf.index(node::A);
    (first..first + leaf.index(node::B)).any(|index| {
        let range = leaf.view.word(Section::Statuses, index, 0);
        (range as u16..=(range >> 16) as u16).contains(&status)
    })
}

fn has_header(leaf: Leaf<'_>, headers: &[Pair<'_>], known: bool) -> Truth {
    let mut named = false;
    for value in values(headers, leaf.text(node::A)) {
        named = true;
        if text::holds_received(leaf, value) {
            return Truth::True;
        }
    }
    if named || known { Truth::False } else { Truth::Unknown }
}

/// `text/html` of `Text/HTML; charset=utf-8`; `text/*` of both.
fn is_type(pattern: &[u8], value: &[u8]) -> bool {
    let media = media(value);
    match pattern.strip_suffix(b"*") {
        Some(start) => media.get(..start.len()).is_some_and(|own| own.eq_ignore_ascii_case(start)),
        None => media.eq_ignore_ascii_case(pattern),
    }
}

/// A media type without its parameters.
pub(super) fn media(value: &[u8]) -> &[u8] {
    value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}

pub(super) fn values<'a>(headers: &'a [Pair<'a>], name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_told_without_its_parameters() {
        assert!(is_type(b"text/html", b"Text/HTML ; charset=utf-8") && is_type(b"text/*", b"text/css"));
        assert!(!is_type(b"text/html", b"text/htmlx") && !is_type(b"text/*", b"application/json"));
    }
}
