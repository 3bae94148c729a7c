//! The test of a text: equals, prefix, suffix, contains, regex, present; on bytes as they stand, or decoded on the way.

use super::Leaf;
use super::readings::{Decoded, Reading};
use crate::image::node;

/// The test of `leaf` holds for one reading of a value.
pub(super) fn holds(leaf: Leaf<'_>, value: Reading<'_>) -> bool {
    match value {
        Reading::Received(value) => holds_received(leaf, value),
        Reading::Decoded(value) => holds_decoded(leaf, value),
    }
}

/// The same for a value as it came.
pub(super) fn holds_received(leaf: Leaf<'_>, value: &[u8]) -> bool {
    let operand = || leaf.text(node::C);
    match leaf.test {
        node::PRESENT => true,
        node::EQUALS => value == operand(),
        node::PREFIX => value.starts_with(operand()),
        node::SUFFIX => value.ends_with(operand()),
        node::CONTAINS => contains(value, operand()),
        node::REGEX => leaf.regexes.found(leaf.view, leaf.index(node::C), value),
        _ => false,
    }
}

/// The same for a value that is decoded on the way.
fn holds_decoded(leaf: Leaf<'_>, value: Decoded<'_>) -> bool {
    let operand = || leaf.text(node::C).iter().copied();
    match leaf.test {
        node::PRESENT => true,
        node::EQUALS => value.eq(operand()),
        node::PREFIX => starts(value, operand()),
        node::SUFFIX => {
            let before = value.count().checked_sub(leaf.text(node::C).len());
            before.is_some_and(|before| value.skip(before).eq(operand()))
        }
        node::CONTAINS => {
            let mut at = value;
            loop {
                if starts(at, operand()) {
                    return true;
                }
                if at.next().is_none() {
                    return false;
                }
            }
        }
        node::REGEX => leaf.regexes.found_decoded(leaf.view, leaf.index(node::C), value),
        _ => false,
    }
}

fn starts(mut value: impl Iterator<Item = u8>, operand: impl Iterator<Item = u8>) -> bool {
    operand.into_iter().all(|byte| value.next() == Some(byte))
}

fn contains(value: &[u8], part: &[u8]) -> bool {
    let Some((first, rest)) = part.split_first() else {
        return true;
    };
    let mut value = value;
    while let Some(at) = value.iter().position(|byte| byte == first) {
        value = value.get(at + 1..).unwrap_or_default();
        if value.starts_with(rest) {
            return true;
        }
    }
    false
}
