//! Whose count a request belongs to.

use super::gate::*;

fn limited(by: &str, rate: u32) -> Gate {
    Gate::new(&format!(
        "rules: [{{ name: l, match: {{ all: true }}, limit: {{ by: {by}, rate: {rate} per 1m }}, then: limit }}]"
    ))
}

/// How many of these in turn get through.
fn through(gate: &mut Gate, asks: impl Iterator<Item = Ask>) -> usize {
    asks.filter(|ask| passed(&gate.ask(ask))).count()
}

#[test]
fn ten_thousand_made_up_credentials_from_one_peer_are_one_client() {
    let made_up = |n: u32| {
        Ask::get(&format!("/?key={n}"))
            .header("x-api-key", &format!("key-{n}"))
            .header("x-forwarded-for", &format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255))
            .header("cookie", &format!("session={n}"))
            .header("user-agent", &format!("agent/{n}"))
    };
    for by in [
        "client",
        "address",
        "\"headers.x-api-key\"",
        "\"cookies.session\"",
        "\"query.key\"",
        "[\"headers.x-api-key\", \"cookies.session\", \"headers.user-agent\"]",
    ] {
        assert_eq!(through(&mut limited(by, 100), (0..10_000).map(made_up)), 100, "{by}");
    }
}

#[test]
fn one_credential_from_many_addresses_is_one_key() {
    let mut gate = limited("\"headers.x-api-key\"", 10);
    let asks = (0..100).map(|n| Ask::get("/").header("x-api-key", "one").from(&format!("10.0.0.{n}")));
    assert_eq!(through(&mut gate, asks), 10);
    assert!(passed(&gate.ask(&Ask::get("/").header("x-api-key", "two").from("10.0.1.1"))));
}

#[test]
fn a_refused_request_does_not_use_up_the_address_beside_its_key() {
    let mut gate = limited("\"headers.x-api-key\"", 10);
    let key = |key: &str, from: &str| Ask::get("/").header("x-api-key", key).from(from);
    // The key is used up elsewhere; its flood from the shared address admits nothing there.
    assert_eq!(through(&mut gate, (0..10).map(|_| key("a", "10.0.0.1"))), 10);
    assert_eq!(through(&mut gate, (0..500).map(|_| key("a", "10.0.0.2"))), 0);
    assert_eq!(through(&mut gate, (0..20).map(|_| key("b", "10.0.0.2"))), 10);
}

#[test]
fn beside_an_unproven_key_an_ipv6_client_is_its_64_and_alone_its_address() {
    let from = |n: u32| format!("2001:db8:0:1::{n:x}");
    let asks = |n: u32| Ask::get("/").header("x-api-key", &n.to_string()).from(&from(n));
    assert_eq!(through(&mut limited("\"headers.x-api-key\"", 10), (1..100).map(asks)), 10);
    assert_eq!(through(&mut limited("address", 10), (1..100).map(asks)), 99);
    assert_eq!(through(&mut limited("address.prefix", 10), (1..100).map(asks)), 10);
}

#[test]
fn an_ipv4_address_within_ipv6_is_the_ipv4_address() {
    let mut gate = limited("address", 1);
    assert!(passed(&gate.ask(&Ask::get("/").from("192.0.2.9"))));
    assert!(!passed(&gate.ask(&Ask::get("/").from("::ffff:192.0.2.9"))));
}

#[test]
fn a_client_is_the_first_of_its_keys_that_is_proven() {
    let spec = "
client: { key: [jwt.sub, identity, address] }
rules: [{ name: l, match: { all: true }, limit: { rate: 5 per 1m }, then: limit }]";
    let mut gate = Gate::new(spec);
    let alice =
        |n: u32| Ask::get("/").claim("sub", "alice").identity(&format!("spiffe://a/{n}")).from(&format!("10.0.0.{n}"));
    assert_eq!(through(&mut gate, (0..20).map(alice)), 5, "one subject, wherever it comes from");
    let service = |n: u32| Ask::get("/").identity("spiffe://a/b").from(&format!("10.0.1.{n}"));
    assert_eq!(through(&mut gate, (0..20).map(service)), 5);
    let forged = |_| {
        Ask::get("/").header("authorization", "Bearer alice").connection(|c| c.peer_uri = Some("spiffe://a/b".into()))
    };
    assert_eq!(
        through(&mut gate, (0..20).map(forged)),
        5,
        "an identity that nobody verified is none: the address counts"
    );
}

#[test]
fn parts_of_a_key_count_apart_together() {
    let mut gate = limited("[client, path, method]", 1);
    for ask in [Ask::get("/a"), Ask::get("/b"), Ask::new("POST", "/a"), Ask::get("/a").from("192.0.2.2")] {
        assert!(passed(&gate.ask(&ask)) && !passed(&gate.ask(&ask)));
    }
    let mut gate = limited("[path.class]", 2);
    let asks = (0..10).map(|n| Ask::get(&format!("/users/{}/orders", 1000 + n)));
    assert_eq!(through(&mut gate, asks), 2, "ids in a path are one class");
}

#[test]
fn what_cannot_be_known_is_counted_by_no_limit_and_told() {
    use gatehouse_policy::Field;
    for (by, ask) in [
        ("client", Ask::get("/").from("unknown")),
        ("address", Ask::get("/").from("unknown")),
        ("asn", Ask::get("/")),
        ("country", Ask::get("/")),
        ("jwt.sub", Ask::get("/")),
        ("identity", Ask::get("/").connection(|c| c.mutual_tls = None)),
        ("\"headers.x-key\"", Ask::get("/").without(Field::Headers)),
        ("\"cookies.c\"", Ask::get("/").without(Field::Cookies)),
        ("fingerprint", Ask::get("/").without(Field::Fingerprint)),
        ("method", Ask::get("/").without(Field::Method)),
    ] {
        let mut gate = limited(by, 1);
        assert_eq!(through(&mut gate, (0..5).map(|_| ask.clone())), 5, "{by}");
        assert_eq!(gate.state.counts().unkeyed, 5, "{by}");
    }
    // A log without all headers that has this one all the same.
    let mut gate = limited("\"headers.x-key\"", 1);
    let asks = (0..5).map(|_| Ask::get("/").without(Field::Headers).header("x-key", "1"));
    assert_eq!((through(&mut gate, asks), gate.state.counts().unkeyed), (1, 0));
}

#[test]
fn absent_is_a_value_of_its_own() {
    let mut gate = limited("[\"headers.x-key\"]", 1);
    assert!(passed(&gate.ask(&Ask::get("/"))));
    assert!(!passed(&gate.ask(&Ask::get("/"))));
    assert!(passed(&gate.ask(&Ask::get("/").header("x-key", "").from("192.0.2.2"))), "an empty one is another");
}
