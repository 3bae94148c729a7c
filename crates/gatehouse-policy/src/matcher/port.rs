//! `port`: the local port of the connection.

use super::{Facts, Leaf, Truth};
use crate::Field;
use crate::image::node;

pub(super) fn holds(leaf: Leaf<'_>, facts: &Facts<'_>) -> Truth {
    let port = facts.head.connection.local_port.filter(|_| facts.known.has(Field::Port));
    port.map_or(Truth::Unknown, |port| (u32::from(port) == leaf.word(node::A)).into())
}
