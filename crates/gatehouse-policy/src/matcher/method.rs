//! `method`: equal, letter case included (RFC 9110, 9.1).

use super::{Facts, Leaf, Truth};
use crate::Field;
use crate::image::node;

pub(super) fn holds(leaf: Leaf<'_>, facts: &Facts<'_>) -> Truth {
    if !facts.known.has(Field::Method) {
        return Truth::Unknown;
    }
    (leaf.text(node::A) == facts.method).into()
}
