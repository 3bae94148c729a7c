//! `address`: within one of a set of networks. Unknown where the client's address is.

use std::net::IpAddr;

use gatehouse_signals::address::fold;

use super::{Leaf, Truth};
use crate::image::{V4, V6, View, node};

pub(super) fn holds(leaf: Leaf<'_>, address: Option<IpAddr>) -> Truth {
    let Some(address) = address else {
        return Truth::Unknown;
    };
    let (first, count) = (leaf.word(node::A), leaf.word(node::A + 1));
    within(leaf.view, first, count, fold(address)).into()
}

/// Sets are sorted and disjoint, so only the last network that begins at or before the address can hold it.
fn within(view: &View, first: usize, count: usize, address: IpAddr) -> bool {
    let key = match address {
        IpAddr::V4(v4) => (V4, u128::from(u32::from(v4)) << 96),
        IpAddr::V6(v6) => (V6, u128::from(v6)),
    };
    let (mut low, mut high) = (first, first + count);
    while low < high {
        let middle = low + (high - low) / 2;
        let (family, _, start) = view.network(middle);
        if (family, start) <= key { low = middle + 1 } else { high = middle }
    }
    low.checked_sub(1).is_some_and(|found| found >= first && view.network_of(found).contains(address))
}
