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

/// The address of the last entry of a list, and what stands before its comma; `None`: nothing does.
#[inline]
pub(super) fn last(list: &[u8]) -> (Option<IpAddr>, Option<&[u8]>) {
    if let Some((plain, before)) = dotted_last(list) {
        return ((!plain.is_unspecified()).then_some(IpAddr::V4(plain)), before);
    }
    match list.iter().rposition(|byte| *byte == b',') {
        Some(comma) => (list.get(comma + 1..).and_then(read), list.get(..comma)),
        None => (read(list), None),
    }
}

/// The same where it is an IPv4 address as nearly every proxy writes one, read once, from its end.
fn dotted_last(list: &[u8]) -> Option<(Ipv4Addr, Option<&[u8]>)> {
    let (fourth, rest) = number_last(list)?;
    let (third, rest) = number_last(rest.strip_suffix(b".")?)?;
    let (second, rest) = number_last(rest.strip_suffix(b".")?)?;
    let (first, rest) = number_last(rest.strip_suffix(b".")?)?;
    let before = match rest {
        [] => None,
        [before @ .., b',', b' '] | [before @ .., b','] => Some(before),
        _ => return None,
    };
    Some((Ipv4Addr::new(first, second, third, fourth), before))
}

/// A number below 256 at the end of a text, without leading zeros, and what stands before its digits; at most three are read.
#[inline]
fn number_last(text: &[u8]) -> Option<(u8, &[u8])> {
    let (last, rest) = digit_last(text)?;
    let Some((tens, rest)) = digit_last(rest) else { return Some((last, rest)) };
    let two = tens * 10 + last;
    let Some((hundreds, rest)) = digit_last(rest) else { return (tens != 0).then_some((two, rest)) };
    Some((hundreds.checked_mul(100)?.checked_add(two)?, rest)).filter(|_| hundreds != 0)
}

#[inline]
fn digit_last(text: &[u8]) -> Option<(u8, &[u8])> {
    let (last, rest) = text.split_last()?;
    let digit = last.wrapping_sub(b'0');
    (digit < 10).then_some((digit, rest))
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

        #[test]
        fn the_last_of_a_list_is_what_stands_behind_its_last_comma(
            list in "([0-9a-f:.]{0,8},? ?){0,3}([0-9]{0,4}(\\.[0-9]{0,4}){2,4}|([0-9]{1,3}\\.){3}[0-9]{1,3}|\\[::1\\]:80)[ ,]?"
        ) {
            let list = list.as_bytes();
            let expected = match list.iter().rposition(|byte| *byte == b',') {
                Some(comma) => (read(&list[comma + 1..]), Some(&list[..comma])),
                None => (read(list), None),
            };
            prop_assert_eq!(last(list), expected);
        }
    }
}
