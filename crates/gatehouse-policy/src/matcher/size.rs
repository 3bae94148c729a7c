//! `size`: the announced length of the body, in bytes. Unknown without one.

use gatehouse_signals::Pair;

use super::{Facts, Leaf, Truth};
use crate::Field;
use crate::image::{Section, node};

pub(super) fn holds(leaf: Leaf<'_>, facts: &Facts<'_>) -> Truth {
    let size = length(facts.head.headers).filter(|_| facts.known.has(Field::Size));
    size.map_or(Truth::Unknown, |size| within(leaf, size).into())
}

/// The number of bytes lies between both ends of the leaf's range, which stands in `Times`.
pub(super) fn within(leaf: Leaf<'_>, size: u64) -> bool {
    let at = leaf.index(node::A);
    let end = |word| leaf.view.long(Section::Times, at, word);
    (end(0)..=end(2)).contains(&size)
}

/// `content-length` (RFC 9110, 8.6), where all its values say the same number.
pub(super) fn length(headers: &[Pair<'_>]) -> Option<u64> {
    let mut values = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"content-length"));
    let (_, first) = values.next()?;
    let same = values.all(|(_, value)| value == first);
    let digits = !first.is_empty() && first.iter().all(u8::is_ascii_digit);
    core::str::from_utf8(first).ok()?.parse().ok().filter(|_| same && digits)
}
