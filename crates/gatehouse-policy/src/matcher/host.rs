//! `host`: the canonical host itself, or any under a domain. A request without one has no host: it matches none.

use super::{Facts, Leaf, Truth};
use crate::Field;
use crate::image::node;

pub(super) fn holds(leaf: Leaf<'_>, facts: &Facts<'_>) -> Truth {
    if !facts.known.has(Field::Host) {
        return Truth::Unknown;
    }
    is(leaf, facts.host).into()
}

/// The pattern of a leaf against a host in lower case.
pub(super) fn is(leaf: Leaf<'_>, host: &[u8]) -> bool {
    let pattern = leaf.text(node::A);
    match leaf.test {
        node::SUFFIX => host.len() > pattern.len() && host.ends_with(pattern),
        _ => host == pattern,
    }
}
