//! One entry of a forwarded header: an address in any of the ways that proxies write it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest entry that can be an address: a bracketed IPv6 address with a zone and a port, quoted.
const MAX_ENTRY_BYTES: usize = 128;

/// The address in one entry: surrounding blanks and quotes, brackets, a port and a zone are passed over. `None`: it is no
/// address (`unknown`, `_hidden`, a name, nothing, or the unspecified address, which nobody can have).
pub(super) fn parse(entry: &[u8]) -> Option<IpAddr> {
    if entry.len() > MAX_ENTRY_BYTES {
        return None;
    }
    let text = core::str::from_utf8(entry).ok()?.trim();
    let text = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text).trim();
    let address = super::fold(bare(text)?);
    (!address.is_unspecified()).then_some(address)
}

fn bare(text: &str) -> Option<IpAddr> {
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

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok()
}
