//! The operator's brake: above mandates, by scope, for rules and settings alike.

use crate::brake::Brake;

use super::gate::*;

const TOP: &str = "
scope: acme
mandates:
  requireMutualTls: true
  rules: [{ name: m, match: { path: /m }, then: block }]";
const SHOP: &str = "
scope: acme/retail/shop
hosts: shop.example.com
otherwise: block
rules: [{ name: r, match: { path: /r }, then: block }]";

fn gate() -> Gate {
    Gate::of(documents(&[("top", TOP), ("low", SHOP)]))
}

fn brake(gate: &mut Gate, scope: &str) {
    gate.state.set_brake(Brake::new(vec![(scope.into(), gate.now_ns + 1_000_000_000)]));
}

fn ask(gate: &mut Gate, path: &str, identity: bool) -> String {
    let ask = Ask::get(path);
    said(&gate.ask(&if identity { ask.identity("spiffe://a/ns/b/sa/c") } else { ask }))
}

#[test]
fn a_brake_on_a_scope_reaches_its_rules_and_settings_and_nothing_above() {
    let mut gate = gate();
    assert_eq!(ask(&mut gate, "/x", true), "block low/otherwise");
    assert_eq!(ask(&mut gate, "/r", true), "block low/r");
    brake(&mut gate, "acme/retail");
    assert_eq!(ask(&mut gate, "/x", true), "allow");
    assert_eq!(ask(&mut gate, "/r", true), "allow");
    assert_eq!(ask(&mut gate, "/m", true), "block top/m");
    assert_eq!(
        ask(&mut gate, "/x", false),
        "block top/mutual-tls",
        "the organisation's own word stands above the brake"
    );
}

#[test]
fn a_brake_on_everything_lets_everything_through_and_says_what_would_have_been() {
    for scope in ["", "acme"] {
        let mut gate = gate();
        brake(&mut gate, scope);
        for path in ["/m", "/r", "/x"] {
            assert_eq!(ask(&mut gate, path, false), "allow", "{scope:?} {path}");
        }
        let judged = gate.ask(&Ask::get("/m"));
        assert_eq!(would(&judged), ["block top/mutual-tls", "block top/m", "block low/otherwise"]);
    }
}

#[test]
fn a_brake_ends_by_itself_and_reaches_no_neighbour() {
    let mut gate = gate();
    brake(&mut gate, "acme/retail/shopping");
    assert_eq!(ask(&mut gate, "/r", true), "block low/r");
    brake(&mut gate, "acme");
    assert_eq!(ask(&mut gate, "/m", true), "allow");
    gate.seconds(1);
    assert_eq!(ask(&mut gate, "/m", true), "block top/m");
}

#[test]
fn ambiguous_and_identity_headers_are_braked_too_and_what_is_ours_is_still_removed() {
    let spec = "
scope: acme/retail
hosts: shop.example.com
ambiguous: reject
identityHeaders: { action: refuse, names: [x-user] }";
    let mut gate = Gate::of(documents(&[("p", spec)]));
    let ask = Ask::get("/a/../b").header("x-user", "root").header("x-gatehouse-class", "good");
    assert_eq!(said(&gate.ask(&ask)), "block p/identity-headers");
    brake(&mut gate, "acme");
    let judged = gate.ask(&ask);
    assert_eq!(would(&judged), ["block p/identity-headers", "block p/ambiguous"]);
    let names: Vec<String> = forwarded(&judged).unwrap().into_iter().map(|(name, _)| name).collect();
    assert!(!names.contains(&"x-gatehouse-class".to_owned()) && names.contains(&"x-user".to_owned()), "{names:?}");
}

#[test]
fn a_braked_limit_counts_on() {
    let mut gate = Gate::new("rules: [{ name: l, match: { all: true }, limit: { rate: 2 per 1m }, then: limit }]");
    brake(&mut gate, "");
    let during: Vec<String> = (0..3).map(|_| said(&gate.ask(&Ask::get("/")))).collect();
    assert_eq!(during, ["allow"; 3]);
    gate.seconds(1);
    assert_eq!(said(&gate.ask(&Ask::get("/"))), "limit p/l", "what was let through meanwhile was counted");
}
