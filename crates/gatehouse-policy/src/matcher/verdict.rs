//! `verdict`: the client is on a list that the house fills while it runs.

use super::{Facts, Leaf, Truth};
use crate::Field;
use crate::image::node;

pub(super) fn holds(leaf: Leaf<'_>, facts: &Facts<'_>) -> Truth {
    let on = facts.signals.on_verdict_list(leaf.index(node::A)).filter(|_| facts.known.has(Field::Verdicts));
    on.map_or(Truth::Unknown, Truth::from)
}
