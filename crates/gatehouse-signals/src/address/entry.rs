//! One entry of a forwarded header: an address in any of the ways that proxies write it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest entry that can be an address: a bracketed IPv6 address with a zone and a port, quoted.
pub(super) const MAX_ENTRY_BYTES: usize = 128;

/// See [`super::read`].
pub(super) fn read(entry: &[u8]) -> Option<IpAddr> {
    if entry.len() > MAX_ENTRY_BYTES {
        return None;
    }
    let entry = entry.trim_ascii();
    bare(entry.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).map_or(entry, <[u8]>::trim_ascii))
}

/// An address without quotes and blanks around it.
pub(super) fn bare(text: &[u8]) -> Option<IpAddr> {
    if let Some(plain) = dotted(text) {
        return (!plain.is_unspecified()).then_some(IpAddr::V4(plain));
    }
    let address = super::fold(address(core::str::from_utf8(text).ok()?)?);
    (!address.is_unspecified()).then_some(address)
}

/// An IPv4 address and nothing else: four numbers without leading zeros.
fn dotted(text: &[u8]) -> Option<Ipv4Addr> {
    let (first, rest) = number(text)?;
    let (second, rest) = number(rest.strip_prefix(b".")?)?;
    let (third, rest) = number(rest.strip_prefix(b".")?)?;
    let (fourth, rest) = number(rest.strip_prefix(b".")?)?;
    rest.is_empty().then(|| Ipv4Addr::new(first, second, third, fourth))
}

/// A number below 256 at the beginning of a text, without leading zeros, and what follows its digits; at most three are read.
#[inline]
fn number(text: &[u8]) -> Option<(u8, &[u8])> {
    let (first, rest) = digit(text)?;
    let Some((second, rest)) = digit(rest).filter(|_| first != 0) else { return Some((first, rest)) };
    let two = first * 10 + second;
    let Some((third, rest)) = digit(rest) else { return Some((two, rest)) };
    Some((two.checked_mul(10)?.checked_add(third)?, rest))
}

#[inline]
fn digit(text: &[u8]) -> Option<(u8, &[u8])> {
    let (first, rest) = text.split_first()?;
    let digit = first.wrapping_sub(b'0');
    (digit < 10).then_some((digit, rest))
}

fn address(text: &str) -> Option<IpAddr> {
    if let Some(rest) = text.strip_prefix('[') {
        let (inside, after) = rest.split_once(']')?;
        return if after.is_empty() || is_port(after.strip_prefix(':')?) { v6(inside) } else { None };
    }
    match text.split_once(':') {
        None => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        Some((host, port)) if !port.contains(':') => {
            if is_port(port) {
                host.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
            } else {
                None
            }
        }
        Some(_) => v6(text),
    }
}

fn v6(text: &str) -> Option<IpAddr> {
    let address = match text.split_once('%') {
        Some((address, zone)) if !zone.is_empty() => address,
        Some(_) => return None,
        None => text,
    };
    address.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

/// A number, or one that is hidden (`obfport` of RFC 7239, 6.2).
fn is_port(text: &str) -> bool {
    match text.strip_prefix('_') {
        Some(hidden) => !hidden.is_empty() && hidden.bytes().all(is_hidden),
        None => text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok(),
    }
}

fn is_hidden(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn four_numbers_are_read_as_the_standard_library_reads_them(
            text in "[0-9]{0,4}(\\.[0-9]{0,4}){2,4}|([0-9]{1,3}\\.){3}[0-9]{1,3}|[0-9.]{7,15}"
        ) {
            prop_assert_eq!(dotted(text.as_bytes()), text.parse::<Ipv4Addr>().ok());
        }
    }
}
