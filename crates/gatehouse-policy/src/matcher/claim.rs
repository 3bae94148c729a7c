//! `jwt`: every value of a claim, only as Envoy verified it. Unknown where nothing was verified.

use super::{Facts, Leaf, Truth, text};
use crate::Field;
use crate::image::node;

pub(super) fn holds(leaf: Leaf<'_>, facts: &Facts<'_>) -> Truth {
    let values = facts.claims.values(leaf.text(node::A)).filter(|_| facts.known.has(Field::Claims));
    values.map_or(Truth::Unknown, |mut values| values.any(|value| text::holds_received(leaf, value)).into())
}
