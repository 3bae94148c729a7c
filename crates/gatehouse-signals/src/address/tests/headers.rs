//! `forwarded`, headers of a single address, peers without an address, and the names of sources.

use super::*;

const XFF: Source = Source::XForwardedFor;

/// The client of a request from `peer` (`local`: over a socket without addresses) with these headers.
fn found(peer: &str, headers: &[(&str, &str)], source: &Source, trust: &Trust) -> (Option<IpAddr>, bool) {
    let connection = Connection { peer: peer.parse().ok(), peer_local: peer == "local", ..Connection::default() };
    let headers: Vec<Pair<'_>> = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    let client = Client::resolve(&Head::new(&headers, &connection), source, trust);
    (client.address, client.forwarded)
}

fn by_forwarded(values: &[&str], trust: &Trust) -> (Option<IpAddr>, bool) {
    let headers: Vec<_> = values.iter().map(|value| ("forwarded", *value)).collect();
    found("10.0.0.1", &headers, &Source::Forwarded, trust)
}

#[test]
fn elements_of_forwarded_are_walked_right_to_left_over_all_lines() {
    let trust = networks(&["10.0.0.0/8", "2001:db8::/32"]);
    for values in [
        &["for=7.7.7.7, for=192.0.2.5"][..],
        &["for=7.7.7.7", "For=192.0.2.5;proto=https;by=10.0.0.1"],
        &["for=7.7.7.7,proto=http;FOR=\"192.0.2.5:4711\" , for=10.0.0.2", "for=\"[2001:db8::1]\""],
        &["for=192.0.2.5;host=\"a,b;for=9.9.9.9\", for=\"[2001:db8::1%eth0]:80\""],
        &["for=\"\\192.0.2\\.5\""],
        &["for=192.0.2.5:_obfuscated"],
    ] {
        assert_eq!(by_forwarded(values, &trust), forwarded("192.0.2.5"), "{values:?}");
    }
}

#[test]
fn a_quote_that_a_client_leaves_open_hides_nobody() {
    let trust = networks(&["10.0.0.0/8"]);
    for opened in
        ["for=\"", "for=7.7.7.7;x=\"", "for=\"7.7.7.7", "x=\"\\\"", "\"", "for=7.7.7.7\\", "for=\"7.7.7.7\\\""]
    {
        let value = format!("{opened}, for=192.0.2.5;by=\"_edge\", for=10.0.0.2;host=\"a\\\",b\"");
        assert_eq!(by_forwarded(&[&value], &trust), forwarded("192.0.2.5"), "{value}");
        let value = format!("for=8.8.8.8, {opened}, for=10.0.0.2");
        assert_ne!(by_forwarded(&[&value], &trust), forwarded("8.8.8.8"), "{value}");
    }
}

#[test]
fn an_element_without_one_address_ends_the_walk_and_counts_as_a_hop() {
    for odd in ["for=unknown", "for=_hidden", "for=\"\"", "proto=https", "for=1.1.1.1;for=2.2.2.2", "for=\"1.1.1.1", ""]
    {
        let value = format!("for=7.7.7.7, {odd}, for=10.0.0.2");
        assert_eq!(by_forwarded(&[&value], &networks(&["10.0.0.0/8"])), forwarded("10.0.0.2"), "{odd}");
        assert_eq!(by_forwarded(&[&value], &Trust::Hops(2)), peer("10.0.0.1"), "{odd}");
    }
    assert_eq!(by_forwarded(&["for=7.7.7.7, for=_a, for=unknown"], &Trust::Hops(3)), forwarded("7.7.7.7"));
}

#[test]
fn only_the_header_that_the_policy_names_is_read() {
    let headers = [("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=2.2.2.2"), ("X-Real-IP", "3.3.3.3")];
    let real = Source::header("X-Real-Ip").unwrap();
    for (source, expected) in [(&XFF, "1.1.1.1"), (&Source::Forwarded, "2.2.2.2"), (&real, "3.3.3.3")] {
        for trust in [networks(&["10.0.0.0/8"]), Trust::Hops(1)] {
            assert_eq!(found("10.0.0.1", &headers, source, &trust), forwarded(expected));
        }
        assert_eq!(found("192.0.2.9", &headers, source, &networks(&["10.0.0.0/8"])), peer("192.0.2.9"));
    }
    assert_eq!(found("10.0.0.1", &headers, &Source::Peer, &Trust::Hops(1)), peer("10.0.0.1"));
}

#[test]
fn a_header_of_one_address_holds_one_or_is_not_believed() {
    let source = Source::header("cf-connecting-ip").unwrap();
    let trust = networks(&["10.0.0.0/8"]);
    let ask = |values: &[&str]| {
        let headers: Vec<_> = values.iter().map(|value| ("CF-Connecting-IP", *value)).collect();
        found("10.0.0.1", &headers, &source, &trust)
    };
    assert_eq!(ask(&[" [2001:db8::5]:80 "]), forwarded("2001:db8::5"));
    // An address within the trusted networks is what the proxy says of its client all the same.
    assert_eq!(ask(&["10.9.9.9"]), forwarded("10.9.9.9"));
    for values in
        [&["7.7.7.7, 8.8.8.8"][..], &["7.7.7.7", "8.8.8.8"], &["7.7.7.7", "7.7.7.7"], &["unknown"], &[""], &[]]
    {
        assert_eq!(ask(values), peer("10.0.0.1"), "{values:?}");
    }
}

#[test]
fn a_peer_over_a_local_socket_is_believed_where_anybody_is() {
    let headers = [("x-forwarded-for", "7.7.7.7, 192.0.2.5, 10.0.0.2")];
    assert_eq!(found("local", &headers, &XFF, &networks(&["10.0.0.0/8"])), forwarded("192.0.2.5"));
    assert_eq!(found("local", &headers, &XFF, &Trust::Hops(1)), forwarded("10.0.0.2"));
    for nobody in [Trust::None, Trust::Hops(0), networks(&[])] {
        assert_eq!(found("local", &headers, &XFF, &nobody), (None, false));
    }
    for trust in [networks(&["0.0.0.0/0", "::/0"]), Trust::Hops(1)] {
        assert_eq!(found("unknown", &headers, &XFF, &trust), (None, false));
    }
}

#[test]
fn what_the_header_cannot_tell_is_not_told() {
    let told = |values: &[&str], trust: &Trust| {
        let connection = Connection { peer: Some(ip("10.0.0.1")), ..Connection::default() };
        let headers: Vec<Pair<'_>> = values.iter().map(|value| (&b"x-forwarded-for"[..], value.as_bytes())).collect();
        Client::told(&Head::new(&headers, &connection), &XFF, trust)
    };
    let trust = networks(&["10.0.0.0/8"]);
    assert_eq!(told(&["192.0.2.5, 10.0.0.2"], &trust), Some(ip("192.0.2.5")));
    assert_eq!(told(&["192.0.2.5"], &networks(&["172.16.0.0/12"])), Some(ip("10.0.0.1")));
    for values in [&["10.0.0.3, 10.0.0.2"][..], &["7.7.7.7, nonsense, 10.0.0.2"], &[]] {
        assert_eq!(told(values, &trust), None, "{values:?}");
    }
    assert_eq!(told(&["7.7.7.7"], &Trust::Hops(2)), None);
}

#[test]
fn sources_are_named_as_operators_write_them() {
    for (text, source) in [
        ("x-forwarded-for", Source::XForwardedFor),
        ("X-Forwarded-For", Source::XForwardedFor),
        ("Forwarded", Source::Forwarded),
        ("peer", Source::Peer),
        ("True-Client-IP", Source::Header((*b"true-client-ip").into())),
    ] {
        assert_eq!(text.parse(), Ok(source), "{text}");
    }
    for (name, says) in [
        ("", "no header is named"),
        ("X-Forwarded-For", "`X-Forwarded-For` holds a list of addresses, not one"),
        ("forwarded", "`forwarded` holds a list of addresses, not one"),
        (":authority", "`:authority` is no header name"),
        ("x real ip", "`x real ip` is no header name"),
    ] {
        assert_eq!(Source::header(name).unwrap_err().to_string(), says);
    }
    assert!(Source::header(&"x".repeat(129)).is_err());
}

#[test]
fn addresses_are_counted_under_their_prefix() {
    for (address, v6, expected) in [
        ("192.0.2.77", 64, "192.0.2.0/24"),
        ("::ffff:192.0.2.77", 64, "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", 64, "2001:db8:1:2::/64"),
        ("2001:db8:1:2:3::4", 48, "2001:db8:1::/48"),
        ("2001:db8::1", 200, "2001:db8::1/128"),
    ] {
        assert_eq!(prefix(ip(address), 24, v6).to_string(), expected);
    }
}
