//! `asn` and `country` of the client's address. Unknown without a table, and for an address that it does not know.

use super::{Facts, Leaf, Truth};
use crate::Field;
use crate::image::{lists, node};

pub(super) fn holds(leaf: Leaf<'_>, facts: &Facts<'_>) -> Truth {
    let field = if leaf.kind == node::ASN { Field::Asn } else { Field::Country };
    let place = facts.signals.place().filter(|_| facts.known.has(field));
    let number = place.and_then(|place| match field {
        Field::Asn => place.asn,
        _ => place.country.map(country),
    });
    let Some(number) = number else {
        return Truth::Unknown;
    };
    match leaf.test {
        node::IN_SET => match leaf.set(facts) {
            Ok(set) => set.is_some_and(|set| lists::holds_number(leaf.view, set, number)).into(),
            Err(unknown) => unknown,
        },
        _ => (leaf.word(node::A) == number).into(),
    }
}

/// The number that stands for a country.
pub(crate) const fn country([first, second]: [u8; 2]) -> u32 {
    (first as u32) << 8 | second as u32
}
