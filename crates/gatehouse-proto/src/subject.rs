//! Subjects of verdicts: what one is about, as the key of a list's entry and as words for people.
//!
//! None of the kinds is one that a stranger can choose alone to hurt another.

use std::fmt;
use std::net::IpAddr;

/// Longest key, bytes.
pub const MAX_KEY_BYTES: usize = 2049;

const ADDRESS: u8 = 1;
const NETWORK: u8 = 2;
const IDENTITY: u8 = 3;
const FINGERPRINT: u8 = 4;
const ASN: u8 = 5;
const CLIENT: u8 = 6;

/// Whom a verdict is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// One address; never an IPv4-mapped one.
    Address(IpAddr),
    /// An autonomous system.
    Asn(u32),
    /// A client, by the text of its key.
    Client(String),
    /// A fingerprint, by its text.
    Fingerprint(String),
    /// A verified identity, by its URI.
    Identity(String),
    /// A network: its first address and its length in bits.
    Network(IpAddr, u8),
}

impl Subject {
    /// The key of a list's entry; see `gatehouse.v1.ListEntry`.
    #[must_use]
    pub fn key(&self) -> Vec<u8> {
        match self {
            Self::Address(address) => with_address(ADDRESS, *address, None),
            Self::Network(address, bits) => with_address(NETWORK, *address, Some(*bits)),
            Self::Asn(number) => [&[ASN][..], &number.to_le_bytes()].concat(),
            Self::Client(text) => with_text(CLIENT, text),
            Self::Fingerprint(text) => with_text(FINGERPRINT, text),
            Self::Identity(text) => with_text(IDENTITY, text),
        }
    }

    /// Reads a key back; `None`: it is none.
    #[must_use]
    pub fn read(key: &[u8]) -> Option<Self> {
        let (kind, value) = key.split_first().filter(|_| key.len() <= MAX_KEY_BYTES)?;
        let text = || String::from_utf8(value.to_vec()).ok().filter(|text| !text.is_empty());
        Some(match *kind {
            ADDRESS => Self::Address(address(value)?),
            NETWORK => {
                let (bits, network) = value.split_last()?;
                let network = address(network)?;
                let most = if network.is_ipv4() { 32 } else { 128 };
                Self::Network(network, Some(*bits).filter(|bits| *bits <= most)?)
            }
            ASN => Self::Asn(u32::from_le_bytes(value.try_into().ok()?)),
            CLIENT => Self::Client(text()?),
            FINGERPRINT => Self::Fingerprint(text()?),
            IDENTITY => Self::Identity(text()?),
            _ => return None,
        })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "address {address}"),
            Self::Asn(number) => write!(f, "asn {number}"),
            Self::Client(text) => write!(f, "client {text}"),
            Self::Fingerprint(text) => write!(f, "fingerprint {text}"),
            Self::Identity(text) => write!(f, "identity {text}"),
            Self::Network(address, bits) => write!(f, "prefix {address}/{bits}"),
        }
    }
}

fn with_text(kind: u8, text: &str) -> Vec<u8> {
    [&[kind][..], text.as_bytes()].concat()
}

fn with_address(kind: u8, address: IpAddr, bits: Option<u8>) -> Vec<u8> {
    let mut key = vec![kind];
    match address.to_canonical() {
        IpAddr::V4(v4) => key.extend_from_slice(&v4.octets()),
        IpAddr::V6(v6) => key.extend_from_slice(&v6.octets()),
    }
    key.extend(bits);
    key
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(|bytes| IpAddr::from(bytes).to_canonical()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_comes_back_from_its_key_and_reads_as_words() {
        for (subject, words) in [
            (Subject::Address([192, 0, 2, 7].into()), "address 192.0.2.7"),
            (Subject::Address("2001:db8::1".parse().expect("an address")), "address 2001:db8::1"),
            (Subject::Network([192, 0, 2, 0].into(), 24), "prefix 192.0.2.0/24"),
            (Subject::Identity("spiffe://a/ns/b/sa/c".into()), "identity spiffe://a/ns/b/sa/c"),
            (
                Subject::Fingerprint("t13d1516h2_8daaf6152771_b186095e22b6".into()),
                "fingerprint t13d1516h2_8daaf6152771_b186095e22b6",
            ),
            (Subject::Asn(64500), "asn 64500"),
            (Subject::Client("00ff".into()), "client 00ff"),
        ] {
            assert_eq!(Subject::read(&subject.key()), Some(subject.clone()));
            assert_eq!(subject.to_string(), words);
        }
        assert_eq!(Subject::Address([192, 0, 2, 7].into()).key(), [1, 192, 0, 2, 7]);
        assert_eq!(Subject::Asn(1).key(), [5, 1, 0, 0, 0]);
        let mapped: IpAddr = "::ffff:192.0.2.7".parse().expect("an address");
        assert_eq!(Subject::Address(mapped).key(), Subject::Address([192, 0, 2, 7].into()).key());
    }

    #[test]
    fn what_is_no_key_is_none() {
        for key in [&[][..], &[1], &[1, 2, 3], &[2, 1, 2, 3, 4, 33], &[9, 1], &[5, 1], &[3], &[3, 0xff], &[3; 3000]] {
            assert_eq!(Subject::read(key), None, "{key:?}");
        }
    }
}
