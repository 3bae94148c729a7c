//! Networks (CIDR), and the client's address through trusted proxies.
//!
//! An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) is the IPv4 address it maps, everywhere. A zone (`%eth0`) says something
//! only on the machine that wrote it, so it is read and left out.

mod entry;
mod forwarded;
mod network;
mod resolve;
mod source;

use std::net::IpAddr;

pub use network::{Network, NetworkError, Networks};
pub use source::{Source, SourceError};

use crate::connection::Connection;
use crate::head::Head;

/// How many entries of the forwarded header are looked at, at most; what lies further left is never the client.
pub const MAX_FORWARDED_ENTRIES: usize = 64;

/// Whose word is taken for who stood before them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// Nobody's: the client is the direct peer.
    #[default]
    None,
    /// Proxies in these networks, the direct peer among them. No networks: nobody.
    Networks(Networks),
    /// So many proxies, the direct peer being the first; 0 trusts nobody. A header of a single address is believed from 1 on.
    Hops(u8),
}

impl Trust {
    /// The direct peer of `connection` is a proxy whose word is taken.
    #[must_use]
    pub fn believes(&self, connection: &Connection) -> bool {
        resolve::is_trusted(connection, self)
    }
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
    /// not. The header is read only where the direct peer is trusted; with no peer known (and none that is
    /// [local](crate::Connection::peer_local)), no header is believed and the address is `None`.
    ///
    /// Lists ([`Source::XForwardedFor`], [`Source::Forwarded`]) are walked over every value, right to left; of
    /// `x-forwarded-for` one last entry that is the peer itself is passed over (Envoy appends it). At most
    /// [`MAX_FORWARDED_ENTRIES`] entries are looked at. Where the header cannot tell:
    ///
    /// - [`Trust::Networks`]: an entry that is no address ends the walk, and so does the end of the header; the client is then
    ///   the last trusted hop before it.
    /// - [`Trust::Hops`]: exactly the entry so many from the right counts. Fewer entries, or no address there, mean that the
    ///   request did not come by way of these proxies, and the client is the direct peer, as Envoy has it.
    /// - [`Source::Header`]: absent, several, or no address; the client is the direct peer.
    #[must_use]
    pub fn resolve(head: &Head<'_>, source: &Source, trust: &Trust) -> Self {
        resolve::resolve(head, source, trust).client
    }

    /// The address of [`Client::resolve`], only where it is known to be the client's by what `trust` says; `None` where the
    /// header could not tell, and `resolve` gives the direct peer or the last trusted hop in its place.
    #[must_use]
    pub fn told(head: &Head<'_>, source: &Source, trust: &Trust) -> Option<IpAddr> {
        let found = resolve::resolve(head, source, trust);
        found.client.address.filter(|_| found.told)
    }
}

/// An IPv4-mapped IPv6 address as the IPv4 address it is; any other as it stands.
#[must_use]
pub fn fold(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The address in a text as proxies and Envoy write one: blanks, double quotes, brackets, a port and a zone around it are
/// passed over. Total. `None`: it is no address (`unknown`, `_hidden`, a name, a socket's path, nothing, more than 128 bytes,
/// or the unspecified address, which nobody can have).
#[must_use]
pub fn read(text: &[u8]) -> Option<IpAddr> {
    entry::read(text)
}

/// The network that `address` is counted under: its first `v4` or `v6` bits (24 and 64, or 48, are usual). A longer prefix
/// than the address has means the address alone.
#[must_use]
pub fn prefix(address: IpAddr, v4: u8, v6: u8) -> Network {
    let address = fold(address);
    Network::new(address, if address.is_ipv4() { v4 } else { v6 })
}

#[cfg(test)]
mod tests;
