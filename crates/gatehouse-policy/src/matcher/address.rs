//! `address`: within one of a set of networks. Unknown where the client's address is.

use super::{Facts, Leaf, Truth};
use crate::Field;
use crate::image::lists;

pub(super) fn holds(leaf: Leaf<'_>, facts: &Facts<'_>) -> Truth {
    let Some(address) = facts.address.filter(|_| facts.known.has(Field::Address)) else {
        return Truth::Unknown;
    };
    match leaf.set(facts) {
        Ok(set) => set.is_some_and(|set| lists::holds_address(leaf.view, set, address)).into(),
        Err(unknown) => unknown,
    }
}
