//! Composite keys: parts of a request, each with its kind, hashed to the 64-bit tag that the tables go by.
//!
//! Everything is fed to SipHash-1-3 (see `sip`) in a form from which the
//! parts could be read back: first what the tag is for, then for each part its kind and its fields, those of free length
//! behind their length. So two different lists of parts are never the same bytes, and without the secret nobody can find
//! two that meet but by chance (2⁻⁶⁴ for a pair).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::sip::{Sink, Sip};

/// What may be a part of a key. `None` is a value that the request has not: another part than an empty one.
///
/// A field of which a request has several (a repeated header) is as many parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// The client's address; an IPv4 address within IPv6 (`::ffff:192.0.2.1`) is the IPv4 address.
    Address(IpAddr),
    /// The number of the autonomous system.
    Asn(Option<u32>),
    /// A claim of a verified token.
    Claim {
        /// Its name.
        name: &'a [u8],
        /// Its value.
        value: Option<&'a [u8]>,
    },
    /// What the policy takes for the client, as bytes of the caller's making.
    Client(&'a [u8]),
    /// A cookie.
    Cookie {
        /// Its name.
        name: &'a [u8],
        /// Its value.
        value: Option<&'a [u8]>,
    },
    /// The country, two letters.
    Country(Option<[u8; 2]>),
    /// A fingerprint.
    Fingerprint(Option<&'a [u8]>),
    /// A request header.
    Header {
        /// Its name; the caller makes it lowercase.
        name: &'a [u8],
        /// Its value.
        value: Option<&'a [u8]>,
    },
    /// The host that is asked for.
    Host(&'a [u8]),
    /// The verified peer's identity.
    Identity(Option<&'a [u8]>),
    /// The method.
    Method(&'a [u8]),
    /// The path itself.
    Path(&'a [u8]),
    /// The class of the path.
    PathClass(&'a [u8]),
    /// The network that an address lies in.
    Prefix {
        /// The address; IPv4 within IPv6 as above.
        address: IpAddr,
        /// How many of its bits count: 24 for a /24; all of them where it has fewer.
        bits: u8,
    },
    /// A parameter of the query.
    Query {
        /// Its name.
        name: &'a [u8],
        /// Its value.
        value: Option<&'a [u8]>,
    },
    /// How the connection is secured: what is asked of it, and the answer.
    Tls {
        /// Which property.
        name: &'a [u8],
        /// What it is.
        value: Option<&'a [u8]>,
    },
}

/// The secret by which all keys of a process are hashed.
#[derive(Clone, Copy)]
pub struct Keys {
    hasher: Sip,
}

/// A tag in the making.
#[derive(Clone, Copy)]
pub struct Tag {
    hasher: Sip,
}

/// Makes tags for one purpose out of tags that are hashed with the secret already.
///
/// A permutation of all 64-bit numbers (the finalizer of MurmurHash3, Appleby 2011), entered by a secret of its own: two tags that
/// differ stay different, and who does not know them learns nothing that would not be in a hash of them. A tenth of hashing anew.
#[derive(Clone, Copy)]
pub struct Derived {
    secret: u64,
}

/// What a tag is for.
#[derive(Clone, Copy)]
enum Use {
    Key = 1,
    Item = 2,
    Derived = 3,
}

// === impl Keys ===

impl Keys {
    /// Hashes with this secret: 16 random bytes. Workers that share cells must have the same.
    pub fn new(secret: &[u8; 16]) -> Self {
        Self { hasher: Sip::new(secret) }
    }

    /// Begins the tag of a key that `domain` counts: a number of the caller's for each limit or other table, so that the
    /// same client has another tag in each. Where cells outlive a policy, it must change with the limit's numbers.
    pub fn key(&self, domain: u64) -> Tag {
        self.begin(Use::Key, domain)
    }

    /// Begins the hash of an item that a distinct limit counts; it has nothing to do with a key of the same parts.
    pub fn item(&self, domain: u64) -> Tag {
        self.begin(Use::Item, domain)
    }

    /// What makes the tags that `domain` counts out of clients' tags; they have nothing to do with a key of that domain.
    pub fn derived(&self, domain: u64) -> Derived {
        Derived { secret: self.begin(Use::Derived, domain).finish() }
    }

    fn begin(&self, purpose: Use, domain: u64) -> Tag {
        let mut hasher = self.hasher;
        feed_start(&mut hasher, purpose, domain);
        Tag { hasher }
    }
}

// === impl Tag ===

impl Tag {
    /// Adds a part.
    #[must_use]
    #[inline]
    pub fn part(mut self, part: Part<'_>) -> Self {
        feed(&mut self.hasher, part);
        self
    }

    /// The 64-bit tag of all parts in their order.
    pub fn finish(&self) -> u64 {
        self.hasher.finish()
    }
}

// === impl Derived ===

impl Derived {
    /// The tag made of `tag`, which must itself be of [`Tag::finish`].
    #[must_use]
    #[inline]
    pub const fn of(self, tag: u64) -> u64 {
        let mut mixed = tag ^ self.secret;
        mixed = (mixed ^ mixed >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed = (mixed ^ mixed >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        mixed ^ mixed >> 33
    }
}

impl fmt::Debug for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Derived(secret)")
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(secret)")
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tag(secret)")
    }
}

fn feed_start(sink: &mut impl Sink, purpose: Use, domain: u64) {
    sink.number(purpose as u64, 1);
    sink.number(domain, 8);
}

/// Kind, then the fields.
fn feed(sink: &mut impl Sink, part: Part<'_>) {
    match part {
        Part::Address(address) => feed_address(sink, 1, 2, address),
        Part::Asn(None) => sink.number(3, 1),
        Part::Asn(Some(number)) => {
            sink.number(4, 1);
            sink.number(number.into(), 4);
        }
        Part::Claim { name, value } => feed_named(sink, 5, name, value),
        Part::Client(client) => feed_value(sink, 7, Some(client)),
        Part::Cookie { name, value } => feed_named(sink, 8, name, value),
        Part::Fingerprint(value) => feed_value(sink, 10, value),
        Part::Header { name, value } => feed_named(sink, 12, name, value),
        Part::Identity(value) => feed_value(sink, 14, value),
        Part::PathClass(class) => feed_value(sink, 16, Some(class)),
        Part::Prefix { address, bits } => {
            let (network, bits) = network(address.to_canonical(), bits);
            feed_address(sink, 17, 18, network);
            sink.number(u64::from(bits), 1);
        }
        Part::Query { name, value } => feed_named(sink, 19, name, value),
        Part::Country(country) => feed_value(sink, 21, country.as_ref().map(<[u8; 2]>::as_slice)),
        Part::Host(host) => feed_value(sink, 23, Some(host)),
        Part::Method(method) => feed_value(sink, 25, Some(method)),
        Part::Path(path) => feed_value(sink, 27, Some(path)),
        Part::Tls { name, value } => feed_named(sink, 29, name, value),
    }
}

fn feed_address(sink: &mut impl Sink, v4: u8, v6: u8, address: IpAddr) {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            sink.number(u64::from(v4), 1);
            sink.number(u32::from_le_bytes(address.octets()).into(), 4);
        }
        IpAddr::V6(address) => {
            sink.number(u64::from(v6), 1);
            sink.bytes(&address.octets());
        }
    }
}

/// A name, and a value whose kind is this one, or the next where there is none.
fn feed_named(sink: &mut impl Sink, kind: u8, name: &[u8], value: Option<&[u8]>) {
    feed_value(sink, kind.saturating_add(u8::from(value.is_none())), Some(name));
    if let Some(value) = value {
        feed_bytes(sink, value);
    }
}

/// A value of this kind, or of the next where there is none.
fn feed_value(sink: &mut impl Sink, kind: u8, value: Option<&[u8]>) {
    match value {
        Some(value) => {
            sink.number(u64::from(kind), 1);
            feed_bytes(sink, value);
        }
        None => sink.number(u64::from(kind.saturating_add(1)), 1),
    }
}

fn feed_bytes(sink: &mut impl Sink, bytes: &[u8]) {
    sink.number(bytes.len() as u64, 8);
    sink.bytes(bytes);
}

/// The address with all bits cleared but the first ones, and how many these are.
fn network(address: IpAddr, bits: u8) -> (IpAddr, u8) {
    match address {
        IpAddr::V4(address) => {
            let bits = bits.min(32);
            let mask = u32::MAX.checked_shl(u32::from(32_u8.saturating_sub(bits))).unwrap_or(0);
            (Ipv4Addr::from_bits(address.to_bits() & mask).into(), bits)
        }
        IpAddr::V6(address) => {
            let bits = bits.min(128);
            let mask = u128::MAX.checked_shl(u32::from(128_u8.saturating_sub(bits))).unwrap_or(0);
            (Ipv6Addr::from_bits(address.to_bits() & mask).into(), bits)
        }
    }
}

#[cfg(test)]
mod tests;
