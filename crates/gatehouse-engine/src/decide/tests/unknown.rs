//! What cannot be known: through every connective, by every signal, and counted.

use gatehouse_policy::Field;

use super::gate::*;

/// What comes of a match for this request: `true`, `false` or, where neither it nor its opposite fires, unknown.
fn truth(condition: &str, ask: &Ask) -> Option<bool> {
    let spec = format!(
        "lists: {{ old: {{ cidrs: 192.0.2.0/24, expires: 2026-01-01T00:00:00Z }}, new: {{ cidrs: 192.0.2.0/24, expires: 2036-01-01T00:00:00Z }} }}\n\
         rules:\n- {{ name: yes-it-is, match: {condition}, then: block }}\n- {{ name: not-it-is, match: {{ not: {condition} }}, then: drop }}"
    );
    let mut gate = Gate::new(&spec);
    gate.wall_s = if format!("{ask:?}").contains("x-no-clock") { None } else { gate.wall_s };
    match said(&gate.ask(ask)).as_str() {
        "block p/yes-it-is" => Some(true),
        "drop p/not-it-is" => Some(false),
        "allow" => None,
        other => panic!("{other}"),
    }
}

#[test]
fn unknown_is_neither_true_nor_false_through_not_any_and_all() {
    let known = Ask::get("/a");
    let unknown = "{ country: DE }";
    for (condition, expected) in [
        (unknown.to_owned(), None),
        (format!("{{ not: {unknown} }}"), None),
        (format!("{{ any: [{{ path: /a }}, {unknown}] }}"), Some(true)),
        (format!("{{ any: [{{ path: /b }}, {unknown}] }}"), None),
        (format!("{{ all: [{{ path: /a }}, {unknown}] }}"), None),
        (format!("{{ all: [{{ path: /b }}, {unknown}] }}"), Some(false)),
        (format!("{{ not: {{ any: [{unknown}, {{ path: /b }}] }} }}"), None),
        (format!("{{ not: {{ all: [{unknown}, {{ path: /b }}] }} }}"), Some(true)),
    ] {
        assert_eq!(truth(&condition, &known), expected, "{condition}");
    }
}

#[test]
fn every_field_that_nobody_told_is_unknown() {
    let bare = Ask::get("/").from("unknown").connection(|c| c.mutual_tls = None);
    for condition in [
        "{ address: 192.0.2.0/24 }",
        "{ agent: { verified: true } }",
        "{ asn: 64496 }",
        "{ country: DE }",
        "{ fingerprint: t13d1516h2_8daaf6152771_b186095e22b6 }",
        "{ identity: none }",
        "{ identity: \"spiffe://a/*\" }",
        "{ jwt: { sub: alice } }",
        "{ port: 443 }",
        "{ score: 1 }",
        "{ size: { atLeast: 1B } }",
        "{ sni: shop.example.com }",
        "{ tls: { mutual: true } }",
        "{ tls: { version: \"1.2\" } }",
    ] {
        assert_eq!(truth(condition, &bare), None, "{condition}");
    }
    for (field, condition) in [
        (Field::Agent, "{ agent: browser }"),
        (Field::Cookies, "{ cookies: { a: b } }"),
        (Field::Fingerprint, "{ fingerprint: h1_ua_- }"),
        (Field::Headers, "{ headers: { x-a: b } }"),
        (Field::Method, "{ method: GET }"),
        (Field::Path, "{ path: /a }"),
        (Field::Query, "{ query: { a: b } }"),
    ] {
        assert_eq!(truth(condition, &Ask::get("/").without(field)), None, "{condition}");
        assert!(truth(condition, &Ask::get("/")).is_some(), "{condition}");
    }
}

#[test]
fn a_list_that_ends_needs_a_clock_and_nothing_is_in_it_afterwards() {
    let (clock, none) = (Ask::get("/"), Ask::get("/").header("x-no-clock", "1"));
    assert_eq!(truth("{ address: { list: new } }", &clock), Some(true));
    assert_eq!(truth("{ address: { list: old } }", &clock), Some(false));
    assert_eq!(truth("{ address: { list: new } }", &none), None);
}

#[test]
fn a_policy_whose_list_ends_asks_for_the_time() {
    let spec = |expires: &str| {
        format!(
            "lists: {{ l: {{ cidrs: 192.0.2.0/24{expires} }} }}\nrules: [{{ name: r, match: {{ address: {{ list: l }} }}, then: block }}]"
        )
    };
    let reads = |spec: &str| document(spec).reads().request.has(Field::Time);
    assert!(
        reads(&spec(", expires: 2036-01-01T00:00:00Z")),
        "else no gate would tell it the time, and nothing would be in the list"
    );
    assert!(!reads(&spec("")));
}

#[test]
fn what_could_not_be_known_is_counted_by_field_once_a_request() {
    let spec = "
hosts: shop.example.com
rules:
- { name: a, match: { country: DE, path: /a }, then: block }
- { name: b, match: { jwt: { sub: x }, path: /a }, then: block }
- { name: l, match: { path: /a }, limit: { by: asn, rate: 5 per 1m }, then: limit }";
    let mut gate = Gate::new(spec);
    for _ in 0..3 {
        gate.ask(&Ask::get("/a/../a"));
    }
    gate.ask(&Ask::get("/a").claim("sub", "y"));
    gate.ask(&Ask::get("/a").host("other.example"));
    assert_eq!(gate.state.counts().unknown, [(Field::Asn, 4), (Field::Claims, 3), (Field::Country, 4)]);
    assert_eq!(gate.state.counts().unkeyed, 4);
}

#[test]
fn the_trace_names_what_was_not_known() {
    let mut gate = Gate::new("rules: [{ name: a, match: { country: DE, jwt: { sub: x } }, then: block }]");
    let (_, trace) = gate.explain(&Ask::get("/"));
    assert_eq!(trace.steps[0].truth, gatehouse_policy::Truth::Unknown);
    let mut unknown = trace.steps[0].unknown.clone();
    unknown.sort_unstable();
    assert_eq!(unknown, ["country", "jwt"]);
}
