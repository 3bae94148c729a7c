//! `method`: equal, letter case included (RFC 9110, 9.1).

use super::Leaf;
use crate::image::node;

pub(super) fn holds(leaf: Leaf<'_>, method: &[u8]) -> bool {
    leaf.text(node::A) == method
}
