//! Repetitions of a request from many addresses: each from the next one of a network.

use std::net::IpAddr;

use gatehouse_policy::document::{Node, Problems, quoted};
use gatehouse_signals::Network;

/// The network of `addresses`, which must hold as many as there are repetitions.
pub(super) fn read(node: &Node, repeat: u64, problems: &mut Problems) -> Option<Network> {
    let text = node.string(problems)?;
    let Ok(network) = text.parse::<Network>() else {
        let message = format!("{} is no network", quoted(text));
        problems.push(&node.place, message, "write one with its prefix, such as `198.51.100.0/24`");
        return None;
    };
    if after(network, repeat.saturating_sub(1)).is_none() {
        let message = format!("{} holds fewer addresses than the {repeat} of `repeat`", quoted(text));
        problems.push(&node.place, message, "write a larger network: no address comes twice");
        return None;
    }
    Some(network)
}

/// The address so many behind the first; `None`: the network ends before it.
pub(super) fn after(network: Network, number: u64) -> Option<IpAddr> {
    let address = match network.address() {
        IpAddr::V4(first) => IpAddr::V4(u32::from(first).checked_add(u32::try_from(number).ok()?)?.into()),
        IpAddr::V6(first) => IpAddr::V6(u128::from(first).checked_add(u128::from(number))?.into()),
    };
    network.contains(address).then_some(address)
}
