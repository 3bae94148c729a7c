//! The canonical host of `:authority` (or of `host`): one name for all the ways of writing it.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use crate::percent::escape_at;

/// The host that a request names, canonical: lower case, without trailing dot, port and user information.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Host<'a> {
    /// Lower-case name or address, percent-encoding of its letters, digits, dots and dashes undone; IPv6 in brackets, in its
    /// shortest form (RFC 5952), without zone. Empty: none was named. Bytes that no host can hold stay as they are: they match
    /// nothing.
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
        if is_plain(authority) {
            return Self { name: Cow::Borrowed(authority), port: None, userinfo: false };
        }
        let (rest, userinfo) = without_userinfo(bare_authority(authority));
        let (name, port) = split_port(rest);
        Self { name: canonical(name), port, userinfo }
    }
}

/// The host of a mesh's server name, `outbound_.PORT_.SUBSET_.HOST`, by which one Istio proxy tells another where to go on to.
/// `None`: it is another name.
#[must_use]
pub fn mesh_name(sni: &[u8]) -> Option<&[u8]> {
    let rest = sni.strip_prefix(b"outbound_.")?;
    let port = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = rest.get(port..).filter(|_| (1..=5).contains(&port))?.strip_prefix(b"_.")?;
    let subset = rest.windows(2).position(|pair| pair == b"_.")?;
    rest.get(subset + 2..).filter(|host| !host.is_empty())
}

/// A name that is canonical as it stands, without anything around it.
fn is_plain(authority: &[u8]) -> bool {
    let letters =
        authority.iter().fold(true, |all, byte| all & PLAIN.get(usize::from(*byte)).copied().unwrap_or(false));
    letters && authority.last() != Some(&b'.')
}

/// What a name is made of that is canonical as it stands.
#[expect(clippy::indexing_slicing, reason = "while compiling")]
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        plain[byte] = matches!(byte as u8, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_');
        byte += 1;
    }
    plain
};

/// The authority without user information: `host:port` as received.
#[must_use]
pub fn without_userinfo(authority: &[u8]) -> (&[u8], bool) {
    match authority.iter().rposition(|byte| *byte == b'@') {
        Some(at) => (authority.get(at + 1..).unwrap_or_default(), true),
        None => (authority, false),
    }
}

/// What stands between a scheme, if there is one, and the path. (`://` further on, in a path, begins nothing.)
fn bare_authority(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii();
    let scheme = text.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')).count();
    let text = text.get(scheme..).and_then(|rest| rest.strip_prefix(b"://")).unwrap_or(text);
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
    match spelled_out(name) {
        Cow::Borrowed(name) => lower(name.strip_suffix(b".").unwrap_or(name)),
        Cow::Owned(name) => Cow::Owned(lower(name.strip_suffix(b".").unwrap_or(&name)).into_owned()),
    }
}

/// Escapes of characters that host names are made of are undone (RFC 3986, 6.2.2.2); others stay.
fn spelled_out(name: &[u8]) -> Cow<'_, [u8]> {
    if !name.contains(&b'%') {
        return Cow::Borrowed(name);
    }
    let mut out = Vec::with_capacity(name.len());
    let mut at = 0;
    while let Some(&byte) = name.get(at) {
        match escape_at(name, at).filter(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')) {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    Cow::Owned(out)
}

fn lower(name: &[u8]) -> Cow<'_, [u8]> {
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
    fn nothing_is_named_by_what_holds_no_host() {
        for (nothing, port) in
            [("", None), (" ", None), (".", None), (":80", Some(80)), ("user@", None), ("http://", None), ("/x", None)]
        {
            assert_eq!((name(nothing).0.as_str(), name(nothing).1), ("", port), "{nothing:?}");
        }
    }

    #[test]
    fn a_scheme_further_on_begins_no_authority() {
        for way in
            ["shop.example.com/x://evil.example", "shop.example.com?u=http://evil.example/", "shop.example.com#a://b"]
        {
            assert_eq!(name(way).0, "shop.example.com", "{way}");
        }
        assert_eq!(name("WSS+x://Shop.example.com").0, "shop.example.com");
    }

    #[test]
    fn an_encoded_name_is_the_name() {
        assert_eq!(name("sh%6Fp.ex%41mple%2ecom%2E:80"), ("shop.example.com".into(), Some(80), false));
        assert_eq!(name("shop%2F.example%40x%zz").0, "shop%2f.example%40x%zz");
    }

    #[test]
    fn an_ipv6_zone_is_left_out_in_both_spellings_and_ports_are_told_from_groups() {
        assert_eq!(name("[fe80::1%25eth0]:8080"), ("[fe80::1]".into(), Some(8080), false));
        assert_eq!(name("u:p@[2001:DB8::A]"), ("[2001:db8::a]".into(), None, true));
        assert_eq!(name("[::]").0, "[::]");
        for odd in ["[::1", "2001:db8::1", "[]", "[::1]x:1"] {
            assert_ne!(name(odd).0, "[::1]", "{odd}");
        }
    }

    #[test]
    fn one_trailing_dot_is_the_root_and_two_are_no_name() {
        assert_eq!(name("shop.example.com..").0, "shop.example.com.");
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
            prop_assert!(!host.name.iter().any(u8::is_ascii_uppercase) && host.name.len() <= bytes.len().max(64));
            if host.name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-') {
                prop_assert_eq!(&again.name, &host.name);
            }
        }
    }
}
