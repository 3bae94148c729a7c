//! The canonical host of `:authority` (or of `host`): one name for all the ways of writing it.

use std::borrow::Cow;
use std::net::Ipv6Addr;

/// The host that a request names, canonical: lower case, without trailing dot, port and user information.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Host<'a> {
    /// Lower-case name or address; IPv6 in brackets, in its shortest form (RFC 5952). Empty: none was named. Bytes that no
    /// host can hold stay as they are: they match nothing.
    pub name: Cow<'a, [u8]>,
    /// Port, where a valid one is written.
    pub port: Option<u16>,
    /// User information stood before the host (`user:password@host`); it is never part of anything.
    pub userinfo: bool,
}

impl<'a> Host<'a> {
    /// Reads an authority (RFC 3986, 3.2). Total; also takes a whole URI, of which it reads the authority. Borrows where
    /// the name is canonical already.
    #[must_use]
    pub fn parse(authority: &'a [u8]) -> Self {
        let (rest, userinfo) = without_userinfo(bare_authority(authority));
        let (name, port) = split_port(rest);
        Self { name: canonical(name), port, userinfo }
    }
}

/// The authority without user information: `host:port` as received.
#[must_use]
pub fn without_userinfo(authority: &[u8]) -> (&[u8], bool) {
    match authority.iter().rposition(|byte| *byte == b'@') {
        Some(at) => (authority.get(at + 1..).unwrap_or_default(), true),
        None => (authority, false),
    }
}

/// What stands between a scheme, if there is one, and the path.
fn bare_authority(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii();
    let text = text.windows(3).position(|w| w == b"://").and_then(|at| text.get(at + 3..)).unwrap_or(text);
    text.split(|byte| matches!(byte, b'/' | b'?' | b'#')).next().unwrap_or(text)
}

/// Splits a port off; an empty or impossible one is dropped, as a server would fall back to its default.
fn split_port(text: &[u8]) -> (&[u8], Option<u16>) {
    let start = match text.iter().position(|byte| *byte == b']') {
        Some(bracket) if text.first() == Some(&b'[') => bracket + 1,
        _ => 0,
    };
    let colon = text.get(start..).and_then(|after| after.iter().rposition(|byte| *byte == b':'));
    let Some(colon) = colon.map(|at| at + start) else { return (text, None) };
    let (name, digits) = (text.get(..colon).unwrap_or_default(), text.get(colon + 1..).unwrap_or_default());
    if !digits.iter().all(u8::is_ascii_digit) {
        return (text, None);
    }
    (name, core::str::from_utf8(digits).ok().and_then(|d| d.parse().ok()))
}

fn canonical(name: &[u8]) -> Cow<'_, [u8]> {
    if let Some(address) = name.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")) {
        let text = core::str::from_utf8(address).unwrap_or_default();
        let text = text.split_once('%').map_or(text, |(address, _zone)| address);
        if let Ok(v6) = text.parse::<Ipv6Addr>() {
            return Cow::Owned(format!("[{v6}]").into_bytes());
        }
    }
    let name = name.strip_suffix(b".").unwrap_or(name);
    if name.iter().any(u8::is_ascii_uppercase) { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(authority: &str) -> (String, Option<u16>, bool) {
        let host = Host::parse(authority.as_bytes());
        (String::from_utf8_lossy(&host.name).into_owned(), host.port, host.userinfo)
    }

    #[test]
    fn all_ways_of_writing_a_host_are_one_name() {
        for way in
            ["shop.example.com", "SHOP.Example.COM", "shop.example.com.", " shop.example.com ", "shop.example.com:"]
        {
            assert_eq!(name(way), ("shop.example.com".into(), None, false), "{way}");
        }
        assert_eq!(name("Shop.example.com.:8443"), ("shop.example.com".into(), Some(8443), false));
        assert_eq!(name("https://a:b@Shop.example.com:1/x@y?z"), ("shop.example.com".into(), Some(1), true));
        assert_eq!(name("shop.example.com:99999"), ("shop.example.com".into(), None, false));
    }

    #[test]
    fn ipv6_hosts_are_short_and_bracketed() {
        assert_eq!(name("[2001:DB8:0:0::1]:443"), ("[2001:db8::1]".into(), Some(443), false));
        assert_eq!(name("[fe80::1%eth0]"), ("[fe80::1]".into(), None, false));
        assert_eq!(name("[nonsense]:1"), ("[nonsense]".into(), Some(1), false));
    }

    #[test]
    fn the_host_after_the_last_at_sign_counts() {
        assert_eq!(name("good.example@evil.example").0, "evil.example");
        assert_eq!(name("a@b@c").0, "c");
    }

    #[test]
    fn a_canonical_name_is_borrowed() {
        assert!(matches!(Host::parse(b"shop.example.com:80").name, Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn parsing_is_total_and_idempotent(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let host = Host::parse(&bytes);
            let again = Host::parse(&host.name);
            if host.name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-') {
                prop_assert_eq!(&again.name, &host.name);
            }
        }
    }
}
