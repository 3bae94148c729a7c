//! Lists that the house fills, by every kind of subject.

use std::rc::Rc;

use gatehouse_signals::geo;

use super::gate::*;

const SPEC: &str = "
client: { key: [jwt.sub, identity, address] }
lists: { banned: { from: verdicts } }
rules:
- { name: listed, match: { verdict: { list: banned } }, then: drop }
- { name: not, match: { not: { verdict: { list: banned } } }, then: allow }";

const END: u64 = 60_000_000_000;

fn put(gate: &mut Gate, kind: u8, value: &[u8]) {
    let key = [&[kind], value].concat();
    assert!(gate.state.verdicts_mut().put("banned", &key, END, gate.now_ns));
}

/// Who is listed and who is not, until the time is over.
fn holds(mut gate: Gate, listed: &Ask, other: &Ask) {
    assert_eq!(said(&gate.ask(listed)), "drop p/listed");
    assert_eq!(said(&gate.ask(other)), "allow p/not");
    gate.now_ns += END - 1;
    assert_eq!(said(&gate.ask(listed)), "drop p/listed");
    gate.now_ns += 1;
    assert_eq!(said(&gate.ask(listed)), "allow p/not");
}

#[test]
fn nobody_is_on_a_list_that_nobody_filled() {
    assert_eq!(said(&Gate::new(SPEC).ask(&Ask::get("/"))), "allow p/not");
}

#[test]
fn by_address_and_network() {
    let mut gate = Gate::new(SPEC);
    put(&mut gate, 1, &[192, 0, 2, 7]);
    holds(gate, &Ask::get("/").from("::ffff:192.0.2.7"), &Ask::get("/").from("192.0.2.8"));
    let mut gate = Gate::new(SPEC);
    put(&mut gate, 2, &[198, 51, 100, 0, 24]);
    holds(gate, &Ask::get("/").from("198.51.100.99"), &Ask::get("/").from("198.51.101.1"));
    let mut gate = Gate::new(SPEC);
    let network: std::net::Ipv6Addr = "2001:db8:1::".parse().unwrap();
    put(&mut gate, 2, &[&network.octets()[..], &[48]].concat());
    holds(gate, &Ask::get("/").from("2001:db8:1:2::3"), &Ask::get("/").from("2001:db8:2::1"));
}

#[test]
fn by_the_decided_address_and_never_by_a_forged_one() {
    let mut gate = Gate::new(SPEC);
    put(&mut gate, 1, &[203, 0, 113, 9]);
    assert_eq!(said(&gate.ask(&Ask::get("/").header("x-forwarded-for", "203.0.113.9"))), "allow p/not");
}

#[test]
fn by_identity_only_where_it_was_verified() {
    let mut gate = Gate::new(SPEC);
    put(&mut gate, 3, b"spiffe://a/ns/b/sa/c");
    let unverified = Ask::get("/").connection(|c| c.peer_uri = Some("spiffe://a/ns/b/sa/c".into()));
    holds(gate, &Ask::get("/").identity("spiffe://a/ns/b/sa/c"), &unverified);
}

#[test]
fn by_our_fingerprint_and_by_ja4() {
    let tool = Ask::get("/").header("user-agent", "x").header("accept", "y");
    let mut gate = Gate::new(SPEC);
    put(&mut gate, 4, b"h1_ua_-");
    holds(gate, &tool, &Ask::get("/").header("accept", "y"));
    let mut gate = Gate::new(SPEC);
    let ja4 = |ja4: &str| Ask::get("/").connection(|c| c.ja4 = Some(ja4.to_owned()));
    put(&mut gate, 4, b"t13d1516h2_8daaf6152771_b186095e22b6");
    holds(gate, &ja4("t13d1516h2_8daaf6152771_b186095e22b6"), &ja4("t13d1516h2_000000000000_b186095e22b6"));
}

#[test]
fn by_autonomous_system() {
    let networks = [("192.0.2.0/24", 64_496), ("198.51.100.0/24", 64_497)];
    let table = geo::build(networks.map(|(network, asn)| (network.parse().unwrap(), None, Some(asn)))).unwrap();
    let mut gate = Gate::new(SPEC);
    gate.state.set_geo(Some(Rc::new(geo::Table::load(table).unwrap())));
    put(&mut gate, 5, &64_496_u32.to_le_bytes());
    holds(gate, &Ask::get("/"), &Ask::get("/").from("198.51.100.1"));
}

#[test]
fn by_the_clients_key_as_records_show_it() {
    let hash_key = [42; 16];
    let shown = |ask: &Ask, gate: &mut Gate| {
        let judged = gate.ask(ask);
        let context = crate::record::Context {
            origin: gatehouse_verdict::record::Origin::default(),
            hash_key,
            hash_key_id: 1,
            address_form: gatehouse_verdict::redact::AddressForm::Full,
            usual: gatehouse_signals::sensitive::UsualTexts::default(),
        };
        ask.with(crate::request::Now::default(), |request| {
            let id = gatehouse_verdict::record::RecordId::default();
            let outcome = crate::record::Outcome::default();
            crate::record::tests::told(id, 1, request.head, &judged, &outcome, &context).downstream.client_key
        })
    };
    let asks = [
        Ask::get("/"),
        Ask::get("/").from("2001:db8::1"),
        Ask::get("/").identity("spiffe://a/b"),
        Ask::get("/").claim("sub", "alice"),
        Ask::get("/").claim("sub", "192.0.2.1"),
    ];
    for listed in &asks {
        let mut gate = Gate::new(SPEC);
        gate.state.set_hash_key(&hash_key);
        let key = shown(listed, &mut gate);
        assert_eq!(key.len(), 32);
        put(&mut gate, 6, key.as_bytes());
        let dropped = asks.iter().filter(|ask| said(&gate.ask(ask)) == "drop p/listed").count();
        assert_eq!((said(&gate.ask(listed)).as_str(), dropped), ("drop p/listed", 1));
    }
}

#[test]
fn what_is_not_known_of_a_client_makes_the_list_unknown_unless_another_entry_tells() {
    let mut gate = Gate::new(SPEC);
    put(&mut gate, 1, &[192, 0, 2, 7]);
    let unknown = Ask::get("/").from("unknown");
    assert_eq!(said(&gate.ask(&unknown)), "allow", "neither the rule nor its opposite");
    put(&mut gate, 3, b"spiffe://a/b");
    assert_eq!(said(&gate.ask(&unknown.identity("spiffe://a/b"))), "drop p/listed");
}
