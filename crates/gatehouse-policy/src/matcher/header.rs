//! `headers`: every value of a repeated header is looked at, as bytes; one that holds is enough.

use gatehouse_signals::Head;

use super::Leaf;
use crate::image::node;

pub(super) fn holds(leaf: Leaf<'_>, head: Head<'_>) -> bool {
    let name = leaf.text(node::A);
    let mut values = head.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    if leaf.test == node::PRESENT {
        return values.next().is_some();
    }
    let operand = leaf.text(node::C);
    values.any(|value| match leaf.test {
        node::EQUALS => value == operand,
        node::PREFIX => value.starts_with(operand),
        node::SUFFIX => value.ends_with(operand),
        node::CONTAINS => contains(value, operand),
        node::REGEX => leaf.regex(node::C, value),
        _ => false,
    })
}

fn contains(value: &[u8], part: &[u8]) -> bool {
    part.is_empty() || value.windows(part.len()).any(|window| window == part)
}
