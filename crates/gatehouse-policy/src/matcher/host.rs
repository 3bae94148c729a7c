//! `host`: the canonical host itself, or any under a domain. A request without one has no host: it matches none.

use super::Leaf;
use crate::image::node;

pub(super) fn holds(leaf: Leaf<'_>, host: &[u8]) -> bool {
    let pattern = leaf.text(node::A);
    match leaf.test {
        node::SUFFIX => host.len() > pattern.len() && host.ends_with(pattern),
        _ => host == pattern,
    }
}
