//! Networks (CIDR), and the client's address through trusted proxies.
//!
//! An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) is the IPv4 address it maps, everywhere.

mod entry;
mod network;
mod resolve;

use std::net::IpAddr;

pub use network::{Network, NetworkError, Networks};

use crate::head::Head;

/// How many entries of the forwarded header are looked at, at most; what lies further left is never the client.
pub const MAX_FORWARDED_ENTRIES: usize = 64;

/// Where the addresses of proxies and clients before the direct peer are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Source {
    /// Every value of `x-forwarded-for`, joined in order.
    #[default]
    XForwardedFor,
}

/// Whose word is taken for who stood before them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// Nobody's: the client is the direct peer.
    #[default]
    None,
    /// Proxies in these networks, the direct peer among them.
    Networks(Networks),
    /// So many proxies, the direct peer being the first; 0 trusts nobody.
    Hops(u8),
}

/// The client's address and how it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Client {
    /// The address; `None`: not known.
    pub address: Option<IpAddr>,
    /// It came from a forwarded header (through trusted proxies only).
    pub forwarded: bool,
}

impl Client {
    /// The direct peer itself.
    #[must_use]
    pub fn from_peer(peer: Option<IpAddr>) -> Self {
        Self { address: peer.map(fold), forwarded: false }
    }

    /// The client of `head`: from the direct peer outwards, through proxies that `trust` names, to the first that it does
    /// not. With no peer known, no header is believed and the address is `None`.
    ///
    /// The walk goes over every value of the header, right to left, and passes over one entry that is the peer itself
    /// (Envoy appends it). An entry that is no address ends it: the client is then the last trusted hop before it. At most
    /// [`MAX_FORWARDED_ENTRIES`] entries are looked at.
    #[must_use]
    pub fn resolve(head: &Head<'_>, source: &Source, trust: &Trust) -> Self {
        resolve::resolve(head, *source, trust)
    }
}

/// An IPv4-mapped IPv6 address as the IPv4 address it is; any other as it stands.
#[must_use]
pub fn fold(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

#[cfg(test)]
mod tests;
