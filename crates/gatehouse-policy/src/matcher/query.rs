//! `query`: every value of a parameter, on every reading; its name too.

use super::readings::{of_form, parameters};
use super::{Facts, Leaf, Truth, text};
use crate::Field;
use crate::image::node;

pub(super) fn holds(leaf: Leaf<'_>, facts: &Facts<'_>) -> Truth {
    if !facts.known.has(Field::Query) {
        return Truth::Unknown;
    }
    let name = leaf.text(node::A);
    let named = |written: &[u8]| of_form(written).any(|reading| reading.is(name));
    let mut values = parameters(facts.query.unwrap_or_default()).filter(|(written, _)| named(written));
    values.any(|(_, value)| of_form(value).any(|reading| text::holds(leaf, reading))).into()
}
