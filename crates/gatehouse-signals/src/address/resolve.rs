//! The walk from the direct peer outwards.

use std::net::IpAddr;

use super::{Client, MAX_FORWARDED_ENTRIES, Source, Trust, entry, fold};
use crate::head::Head;

pub(super) fn resolve(head: &Head<'_>, source: Source, trust: &Trust) -> Client {
    let Some(peer) = head.connection.peer.map(fold) else { return Client::default() };
    match trust {
        Trust::None | Trust::Hops(0) => Client::from_peer(Some(peer)),
        Trust::Networks(networks) if !networks.contains(peer) => Client::from_peer(Some(peer)),
        Trust::Networks(networks) => walk(head, source, peer, |address, _| networks.contains(address)),
        Trust::Hops(hops) => walk(head, source, peer, |_, number| number < usize::from(*hops)),
    }
}

/// `trusted` is asked of each entry with its number (1: the one that the peer wrote); the first that is not trusted is the
/// client.
fn walk(head: &Head<'_>, source: Source, peer: IpAddr, trusted: impl Fn(IpAddr, usize) -> bool) -> Client {
    let mut client = Client::from_peer(Some(peer));
    let mut number = 0;
    for (position, entry) in entries(head, source).take(MAX_FORWARDED_ENTRIES).enumerate() {
        let Some(address) = entry::parse(entry) else { break };
        if position == 0 && address == peer {
            continue;
        }
        number += 1;
        client = Client { address: Some(address), forwarded: true };
        if !trusted(address, number) {
            break;
        }
    }
    client
}

/// Every entry of every value, right to left.
fn entries<'a>(head: &Head<'a>, source: Source) -> impl Iterator<Item = &'a [u8]> {
    let name: &[u8] = match source {
        Source::XForwardedFor => b"x-forwarded-for",
    };
    let values = head.headers.iter().rev().filter(move |(n, _)| n.eq_ignore_ascii_case(name));
    values.flat_map(|(_, value)| value.rsplit(|byte| *byte == b','))
}
