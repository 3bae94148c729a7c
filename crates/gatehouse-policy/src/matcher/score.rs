//! `score` and `label`: what was weighed against the client. Unknown where the client is.

use super::{Facts, Leaf, Truth};
use crate::Field;
use crate::image::node;

pub(super) fn holds(leaf: Leaf<'_>, facts: &Facts<'_>) -> Truth {
    let label = leaf.word(node::B).checked_sub(1).and_then(|label| u8::try_from(label).ok());
    let score = facts.signals.score(label).filter(|_| facts.known.has(Field::Score));
    score.map_or(Truth::Unknown, |score| (score >= leaf.word(node::A)).into())
}
