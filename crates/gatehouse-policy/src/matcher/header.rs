//! `headers`: every value of a repeated header is looked at, as bytes; one that holds is enough. Where the source cannot tell
//! headers, those that it tells are known all the same.

use super::{Facts, Leaf, Truth, text};
use crate::Field;
use crate::image::node;

pub(super) fn holds(leaf: Leaf<'_>, facts: &Facts<'_>) -> Truth {
    let name = leaf.text(node::A);
    let mut named = false;
    for value in facts.head.values(name) {
        named = true;
        if text::holds_received(leaf, value) {
            return Truth::True;
        }
    }
    if named || facts.known.has(Field::Headers) { Truth::False } else { Truth::Unknown }
}
