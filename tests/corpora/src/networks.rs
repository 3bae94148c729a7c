//! Networks as reputation lists hold them: mostly single IPv4 addresses, some networks, some of IPv6.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Dice;

/// So many different networks, as text: of ten, seven are IPv4 addresses, two IPv4 networks (/16 to /28), one an IPv6 /48 to /64.
/// None lies in the private, documentation or test ranges that requests come from.
#[must_use]
pub fn networks(count: usize, seed: u64) -> Vec<String> {
    let mut dice = Dice::new(seed);
    let mut found = BTreeSet::new();
    while found.len() < count {
        let text = match dice.below(10) {
            0 => v6(&mut dice),
            1 | 2 => {
                let bits = 16 + dice.below(13) as u32;
                let address = Ipv4Addr::from_bits(public(&mut dice) & (u32::MAX << (32 - bits)));
                format!("{address}/{bits}")
            }
            _ => Ipv4Addr::from_bits(public(&mut dice)).to_string(),
        };
        found.insert(text);
    }
    found.into_iter().collect()
}

/// An address that some network of the list holds: its first, or the network's own.
pub(crate) fn inside(network: &str) -> Option<IpAddr> {
    network.split('/').next()?.parse().ok()
}

/// From 11.0.0.0 to 99.255.255.255.
fn public(dice: &mut Dice) -> u32 {
    0x0b00_0000 + dice.below(0x5900_0000) as u32
}

fn v6(dice: &mut Dice) -> String {
    let bits = 48 + 4 * dice.below(5) as u32;
    let high = (0x2a00 << 48) | (dice.bits() >> 16);
    let high = high & (u64::MAX << (64 - bits));
    format!("{}/{bits}", Ipv6Addr::from_bits(u128::from(high) << 64))
}
