//! One network as a range of addresses, and sets of networks.

use core::fmt;
use core::str::FromStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One network: an address and how many of its leading bits count (CIDR, RFC 4632 and RFC 4291 section 2.3). Bits after
/// the prefix are zero; a network of IPv4-mapped addresses is the IPv4 network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkError {
    /// The part before the slash is no IPv4 or IPv6 address.
    Address(String),
    /// Bits after the prefix are set; holds the network that contains the address.
    HostBits {
        /// As written.
        text: String,
        /// What was probably meant.
        network: Network,
    },
    /// The part after the slash is not a number from 0 to the address's number of bits.
    Prefix {
        /// As written.
        text: String,
        /// Highest prefix length for this kind of address: 32 or 128.
        bits: u8,
    },
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(text) => {
                write!(
                    f,
                    "`{text}` is no network: write an address, or a network such as `192.0.2.0/24` or `2001:db8::/32`"
                )
            }
            Self::HostBits { text, network } => {
                write!(
                    f,
                    "`{text}` has bits set after its prefix: write `{network}` for the network, or the address alone"
                )
            }
            Self::Prefix { text, bits } => {
                write!(f, "`{text}` has no such prefix length: write a whole number from 0 to {bits} after the slash")
            }
        }
    }
}

impl core::error::Error for NetworkError {}

impl Network {
    /// The network of `address` under `prefix` bits; a prefix longer than the address means the address alone, bits after
    /// the prefix are cleared.
    #[must_use]
    pub fn new(address: IpAddr, prefix: u8) -> Self {
        match (address, super::fold(address)) {
            (IpAddr::V6(_), folded @ IpAddr::V4(_)) if prefix >= 96 => Self::masked(folded, prefix - 96),
            _ => Self::masked(address, prefix),
        }
    }

    fn masked(address: IpAddr, prefix: u8) -> Self {
        let prefix = prefix.min(bits(address));
        match address {
            IpAddr::V4(v4) => Self { address: Ipv4Addr::from(u32::from(v4) & mask4(prefix)).into(), prefix },
            IpAddr::V6(v6) => Self { address: Ipv6Addr::from(u128::from(v6) & mask6(prefix)).into(), prefix },
        }
    }

    /// First address of the network.
    #[must_use]
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// Number of leading bits that count.
    #[must_use]
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Last address of the network.
    #[must_use]
    pub fn last(self) -> IpAddr {
        match self.address {
            IpAddr::V4(v4) => Ipv4Addr::from(u32::from(v4) | !mask4(self.prefix)).into(),
            IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) | !mask6(self.prefix)).into(),
        }
    }

    /// `address` lies in it. IPv4-mapped addresses count as IPv4; a network never contains the other kind.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.address, super::fold(address)) {
            (IpAddr::V4(own), IpAddr::V4(other)) => u32::from(other) & mask4(self.prefix) == u32::from(own),
            (IpAddr::V6(own), IpAddr::V6(other)) => u128::from(other) & mask6(self.prefix) == u128::from(own),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (before, after) = text.split_once('/').map_or((text, None), |(before, after)| (before, Some(after)));
        let address: IpAddr = before.parse().map_err(|_| NetworkError::Address(text.to_owned()))?;
        let bits = bits(address);
        let prefix = match after {
            None => bits,
            Some(digits) => length(digits, bits).ok_or_else(|| NetworkError::Prefix { text: text.to_owned(), bits })?,
        };
        let network = Self::new(address, prefix);
        let exact = Self::masked(address, prefix).address == address;
        if exact { Ok(network) } else { Err(NetworkError::HostBits { text: text.to_owned(), network }) }
    }
}

fn length(digits: &str, bits: u8) -> Option<u8> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let number: u8 = if plain { digits.parse().ok()? } else { return None };
    (number <= bits).then_some(number)
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// A set of networks as sorted, disjoint ranges: one binary search answers, however many networks there are (the caller
/// bounds their number).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Networks {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl Networks {
    /// Some network contains `address`.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match super::fold(address) {
            IpAddr::V4(v4) => within(&self.v4, u32::from(v4)),
            IpAddr::V6(v6) => within(&self.v6, u128::from(v6)),
        }
    }

    /// It contains no address at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }
}

impl FromIterator<Network> for Networks {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        let mut set = Self::default();
        for network in networks {
            match (network.address(), network.last()) {
                (IpAddr::V4(first), IpAddr::V4(last)) => set.v4.push((first.into(), last.into())),
                (IpAddr::V6(first), IpAddr::V6(last)) => set.v6.push((first.into(), last.into())),
                _ => {}
            }
        }
        Self { v4: disjoint(set.v4), v6: disjoint(set.v6) }
    }
}

/// Sorted, with overlapping ranges joined.
fn disjoint<T: Ord + Copy>(mut ranges: Vec<(T, T)>) -> Vec<(T, T)> {
    ranges.sort_unstable();
    ranges.dedup_by(|next, kept| {
        let joined = next.0 <= kept.1;
        if joined {
            kept.1 = kept.1.max(next.1);
        }
        joined
    });
    ranges
}

fn within<T: Ord>(ranges: &[(T, T)], value: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= value);
    after.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|(_, last)| value <= *last)
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn mask4(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0)
}

fn mask6(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0)
}
