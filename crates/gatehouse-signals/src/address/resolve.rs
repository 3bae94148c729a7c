//! The walk from the direct peer outwards.

use std::net::IpAddr;

use super::{Client, MAX_FORWARDED_ENTRIES, Networks, Source, Trust, entry, fold, forwarded};
use crate::connection::Connection;
use crate::head::Head;

/// What was found.
pub(super) struct Found {
    pub(super) client: Client,
    /// It is the client by what the trust says, not what was left when the header could not tell.
    pub(super) told: bool,
}

pub(super) fn resolve(head: &Head<'_>, source: &Source, trust: &Trust) -> Found {
    let peer = Client::from_peer(head.connection.peer);
    if !is_trusted(head.connection, trust) {
        return Found { client: peer, told: true };
    }
    match source {
        Source::Peer => Found { client: peer, told: true },
        Source::Header(name) => at(single(head, name), peer),
        Source::XForwardedFor => {
            let values = values(head, b"x-forwarded-for");
            let mut entries = values.flat_map(|value| value.rsplit(|byte| *byte == b',')).map(entry::read).peekable();
            entries.next_if(|last| last.is_some() && *last == peer.address);
            walk(entries, trust, peer)
        }
        Source::Forwarded => {
            walk(values(head, b"forwarded").flat_map(forwarded::elements).map(forwarded::address), trust, peer)
        }
    }
}

/// The direct peer's word is taken at all.
pub(super) fn is_trusted(connection: &Connection, trust: &Trust) -> bool {
    let local = connection.peer.is_none() && connection.peer_local;
    match trust {
        Trust::None => false,
        Trust::Networks(networks) => match connection.peer {
            Some(peer) => networks.contains(fold(peer)),
            None => local && !networks.is_empty(),
        },
        Trust::Hops(hops) => *hops > 0 && (connection.peer.is_some() || local),
    }
}

/// The one address of a header that is there once.
fn single(head: &Head<'_>, name: &[u8]) -> Option<IpAddr> {
    let mut values = values(head, name);
    let value = values.next()?;
    if values.next().is_some() { None } else { entry::read(value) }
}

/// `entries`: from the one that the peer wrote outwards; `None`: no address.
fn walk(entries: impl Iterator<Item = Option<IpAddr>>, trust: &Trust, peer: Client) -> Found {
    let mut entries = entries.take(MAX_FORWARDED_ENTRIES);
    match trust {
        Trust::None => Found { client: peer, told: true },
        Trust::Networks(networks) => to_untrusted(entries, networks, peer),
        Trust::Hops(hops) => at(entries.nth(usize::from(*hops).saturating_sub(1)).flatten(), peer),
    }
}

/// The first entry that no network contains.
fn to_untrusted(entries: impl Iterator<Item = Option<IpAddr>>, networks: &Networks, peer: Client) -> Found {
    let mut client = peer;
    for entry in entries {
        let Some(address) = entry else { break };
        client = Client { address: Some(address), forwarded: true };
        if !networks.contains(address) {
            return Found { client, told: true };
        }
    }
    Found { client, told: false }
}

/// The client where the header tells it; the peer where it does not.
fn at(address: Option<IpAddr>, peer: Client) -> Found {
    match address {
        Some(_) => Found { client: Client { address, forwarded: true }, told: true },
        None => Found { client: peer, told: false },
    }
}

/// Every value of a header, the last first.
fn values<'a>(head: &Head<'a>, name: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    let headers = if head.names.may_have(name) { head.headers } else { &[] };
    headers.iter().rev().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
}
