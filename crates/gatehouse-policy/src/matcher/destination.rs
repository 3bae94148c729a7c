//! `destination`: the address that the connection was made to, within one of a set of networks. Unknown where it is.

use super::{Facts, Leaf, Truth};
use crate::Field;
use crate::image::lists;

pub(super) fn holds(leaf: Leaf<'_>, facts: &Facts<'_>) -> Truth {
    let address = facts.head.connection.local.filter(|_| facts.known.has(Field::Destination));
    let Some(address) = address else {
        return Truth::Unknown;
    };
    match leaf.set(facts) {
        Ok(set) => set.is_some_and(|set| lists::holds_address(leaf.view, set, address)).into(),
        Err(unknown) => unknown,
    }
}
