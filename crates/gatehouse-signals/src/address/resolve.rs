//! The walk from the direct peer outwards.

use std::net::IpAddr;

use super::{Client, MAX_FORWARDED_ENTRIES, Networks, Source, Trust, entry, fold, forwarded};
use crate::connection::Connection;
use crate::head::{Head, Pair, is_named};

const X_FORWARDED_FOR: &[u8] = b"x-forwarded-for";

/// What was found.
pub(super) struct Found {
    pub(super) client: Client,
    /// It is the client by what the trust says, not what was left when the header could not tell.
    pub(super) told: bool,
}

#[inline]
pub(super) fn resolve(head: &Head<'_>, source: &Source, trust: &Trust) -> Found {
    let peer = Client::from_peer(head.connection.peer);
    if !believes(head.connection, peer.address, trust) {
        return Found { client: peer, told: true };
    }
    match source {
        Source::Peer => Found { client: peer, told: true },
        Source::Header(name) => at(single(head, name), peer),
        Source::XForwardedFor => {
            let mut entries = Entries::of(head);
            let last = entries.next();
            let last = last.filter(|last| last.is_none() || *last != peer.address);
            walk(last.into_iter().chain(entries), trust, peer)
        }
        Source::Forwarded => {
            walk(values(head, b"forwarded").flat_map(forwarded::elements).map(forwarded::address), trust, peer)
        }
    }
}

/// The direct peer's word is taken at all.
pub(super) fn is_trusted(connection: &Connection, trust: &Trust) -> bool {
    believes(connection, connection.peer.map(fold), trust)
}

/// The same where the peer's address is folded already.
#[inline]
fn believes(connection: &Connection, peer: Option<IpAddr>, trust: &Trust) -> bool {
    match trust {
        Trust::None => false,
        Trust::Networks(networks) => match peer {
            Some(peer) => networks.contains(peer),
            None => connection.peer_local && !networks.is_empty(),
        },
        Trust::Hops(hops) => *hops > 0 && (peer.is_some() || connection.peer_local),
    }
}

/// The entries of every value of `x-forwarded-for`, the last first.
struct Entries<'a> {
    /// Headers that come before the value at hand.
    headers: &'a [Pair<'a>],
    /// What is left of it.
    value: Option<&'a [u8]>,
}

impl<'a> Entries<'a> {
    fn of(head: &Head<'a>) -> Self {
        let headers = if head.names.may_have(X_FORWARDED_FOR) { head.headers } else { &[] };
        Self { headers, value: None }
    }

    fn next_value(&mut self) -> Option<&'a [u8]> {
        while let [before @ .., (name, value)] = self.headers {
            self.headers = before;
            if is_named(name, X_FORWARDED_FOR) {
                return Some(value);
            }
        }
        None
    }
}

impl Iterator for Entries<'_> {
    /// `None`: no address.
    type Item = Option<IpAddr>;

    #[inline]
    fn next(&mut self) -> Option<Option<IpAddr>> {
        let value = match self.value.take() {
            Some(value) => value,
            None => self.next_value()?,
        };
        let (address, before) = entry::last(value);
        self.value = before;
        Some(address)
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
    headers.iter().rev().filter(move |(own, _)| is_named(own, name)).map(|(_, value)| *value)
}
