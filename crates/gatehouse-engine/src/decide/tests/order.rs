//! Who is asked before whom, and what ends the asking.

use super::gate::*;

const SHOP: &str = "scope: acme/retail/shop\nhosts: shop.example.com\n";
const RETAIL: &str = "scope: acme/retail\nhosts: \"*.example.com\"\n";
const ACME: &str = "scope: acme\n";

fn spec(start: &str, rest: &str) -> String {
    format!("{start}{rest}")
}

fn ask(parts: &[(&str, &str, &str)], path: &str) -> String {
    let specs: Vec<(&str, String)> = parts.iter().map(|(name, start, rest)| (*name, spec(start, rest))).collect();
    let texts: Vec<(&str, &str)> = specs.iter().map(|(name, text)| (*name, text.as_str())).collect();
    said(&Gate::of(documents(&texts)).ask(&Ask::get(path)))
}

fn rule(name: &str, then: &str) -> String {
    format!("{{ name: {name}, match: {{ all: true }}, then: {then} }}")
}

#[test]
fn mandates_go_from_organisation_to_group_and_rules_from_group_to_organisation() {
    let tier = |word: &str, name: &str| format!("{word}: {{ rules: [{}] }}\n", rule(name, "block"));
    let mandate = |name: &str| tier("mandates", name);
    let default = |name: &str| tier("defaults", name);
    let rules = |name: &str| format!("rules: [{}]\n", rule(name, "block"));
    let all = [("top", ACME), ("mid", RETAIL), ("low", SHOP)];
    for (word, first) in [
        (&mandate as &dyn Fn(&str) -> String, "block top/r-top"),
        (&rules, "block low/r-low"),
        (&default, "block low/r-low"),
    ] {
        let texts: Vec<(&str, &str, String)> =
            all.iter().map(|(name, start)| (*name, *start, word(&format!("r-{name}")))).collect();
        let parts: Vec<(&str, &str, &str)> = texts.iter().map(|(n, s, text)| (*n, *s, text.as_str())).collect();
        assert_eq!(ask(&parts, "/"), first);
    }
    // Every rule of the lowest layer before any of the layers above; defaults after all of them, mandates before.
    let rules_above = rules("r-top");
    let both = spec(&mandate("m-low"), &default("d-low"));
    assert_eq!(ask(&[("top", ACME, &rules_above), ("low", SHOP, &both)], "/"), "block low/m-low");
    assert_eq!(ask(&[("top", ACME, &rules_above), ("low", SHOP, &default("d-low"))], "/"), "block top/r-top");
}

#[test]
fn priority_orders_only_within_one_layer_of_one_tier() {
    let low = format!("rules: [{}]", rule("low", "block"));
    let high = "rules: [{ name: high, priority: 1000, match: { all: true }, then: block }]";
    assert_eq!(ask(&[("top", ACME, high), ("low", SHOP, &low)], "/"), "block low/low");
    let two = "rules:\n- { name: a, priority: -1, match: { all: true }, then: block }\n- { name: b, match: { all: true }, then: drop }";
    assert_eq!(ask(&[("low", SHOP, two)], "/"), "drop low/b");
    // Equal priority: the order written, then the document's name.
    let first =
        format!("rules: [{}, {}]", "{ name: refuse, match: { path: /no }, then: block }", rule("late", "block"));
    let early = format!("rules: [{}]", rule("early", "drop"));
    assert_eq!(ask(&[("a", SHOP, &first), ("b", SHOP, &early)], "/"), "drop b/early");
    assert_eq!(ask(&[("a", SHOP, &early), ("b", SHOP, &early)], "/"), "drop a/early");
}

#[test]
fn an_allow_ends_rules_and_otherwise_and_never_undoes_a_mandate() {
    let allow = format!("rules: [{}]\notherwise: block", rule("open", "allow"));
    assert_eq!(ask(&[("low", SHOP, &allow)], "/"), "allow low/open");
    let mandate = "mandates: { rules: [{ name: m, match: { path: /admin }, then: block }] }";
    let parts = [("top", ACME, mandate), ("low", SHOP, allow.as_str())];
    assert_eq!((ask(&parts, "/admin").as_str(), ask(&parts, "/x").as_str()), ("block top/m", "allow low/open"));
}

#[test]
fn an_allow_by_a_mandate_ends_verdicts_rules_and_otherwise_but_no_mandate_below() {
    let mandate = format!("mandates: {{ rules: [{}] }}", rule("open", "allow"));
    let rest = format!("otherwise: block\nrules: [{}]", rule("closed", "block"));
    assert_eq!(ask(&[("top", ACME, &mandate), ("low", SHOP, &rest)], "/"), "allow top/open");
    let below = format!("{rest}\nmandates: {{ rules: [{}] }}", "{ name: m, match: { path: /admin }, then: drop }");
    let parts = [("top", ACME, mandate.as_str()), ("low", SHOP, below.as_str())];
    assert_eq!((ask(&parts, "/admin").as_str(), ask(&parts, "/x").as_str()), ("drop low/m", "allow top/open"));
    // Of two that allow the first is named.
    let second = format!("mandates: {{ rules: [{}] }}", rule("too", "allow"));
    assert_eq!(ask(&[("top", ACME, &mandate), ("low", SHOP, &second)], "/"), "allow top/open");
}

#[test]
fn verdicts_come_after_mandates_and_before_rules_of_any_priority() {
    let spec = "
lists: { banned: { from: verdicts } }
rules:
- { name: office, priority: 1000, match: { all: true }, then: allow }
- { name: known, priority: -1000, match: { verdict: { list: banned } }, then: drop }
mandates: { rules: [{ name: m, match: { path: /m }, then: allow }] }";
    let mut gate = Gate::new(spec);
    assert_eq!(said(&gate.ask(&Ask::get("/"))), "allow p/office");
    assert!(gate.state.verdicts_mut().put("banned", &[1, 192, 0, 2, 1], u64::MAX, gate.now_ns));
    assert_eq!(said(&gate.ask(&Ask::get("/"))), "drop p/known");
    assert_eq!(said(&gate.ask(&Ask::get("/m"))), "allow p/m", "a mandate that allows ends the tier of verdicts");
    assert_eq!(said(&gate.ask(&Ask::get("/").from("192.0.2.2"))), "allow p/office");
}

#[test]
fn what_adds_up_goes_on_adding_up_until_a_final_rule_decides() {
    let spec = "
rules:
- { name: a, match: { all: true }, then: { tag: { header: x-class, value: one } } }
- { name: b, match: { path: /b }, then: [{ tag: { header: x-class, value: two } }, allow] }
- { name: c, match: { all: true }, then: [{ tag: { header: x-late, value: three } }, { delay: 2s }] }
- { name: d, match: { all: true }, then: [{ delay: 3s }, { delay: 1s }, record] }";
    let mut gate = Gate::new(spec);
    let judged = gate.ask(&Ask::get("/b"));
    assert_eq!((judged.verdict.tags.clone(), judged.delay_ns), (vec!["x-class".to_owned(); 2], 0));
    let judged = gate.ask(&Ask::get("/"));
    assert_eq!(judged.verdict.tags, ["x-class", "x-late"]);
    assert_eq!((judged.delay_ns, judged.verdict.record), (3_000_000_000, true), "the longest delay counts");
}

#[test]
fn of_two_routes_by_one_header_the_first_steers() {
    let spec = "
rules:
- { name: a, match: { all: true }, then: { route: { header: x-gatehouse-route, value: slow } } }
- { name: b, match: { all: true }, then: { route: { header: x-gatehouse-route, value: fast } } }";
    let pairs = forwarded(&Gate::new(spec).ask(&Ask::get("/"))).unwrap();
    let routes: Vec<&str> = pairs.iter().filter(|(n, _)| n == "x-gatehouse-route").map(|(_, v)| v.as_str()).collect();
    assert_eq!(routes, ["slow"]);
}

#[test]
fn a_request_that_is_refused_is_neither_delayed_nor_tagged() {
    let spec = "
rules:
- { name: a, match: { all: true }, then: [{ delay: 2s }, { tag: { header: x-a, value: b } }] }
- { name: b, match: { all: true }, then: block }";
    let judged = Gate::new(spec).ask(&Ask::get("/"));
    assert_eq!((judged.delay_ns, judged.verdict.tags.len(), status(&judged)), (0, 0, 403));
}

#[test]
fn an_open_answer_carries_its_reference_and_a_deceiving_one_nothing_of_ours() {
    let spec = "
rules:
- { name: deceive, match: { path: /d }, then: { deceive: { status: 200, body: \"{}\" } } }
- { name: drop, match: { path: /x }, then: drop }
- { name: away, match: { path: /r }, then: { redirect: { location: /login } } }
otherwise: block";
    let mut gate = Gate::new(spec);
    for path in ["/r", "/other"] {
        let judged = gate.ask(&Ask::get(path));
        assert_eq!(answers(&judged, "x-gatehouse-reference"), judged.verdict.reference.as_deref(), "{path}");
        assert!(judged.verdict.reference.is_some());
    }
    let judged = gate.ask(&Ask::get("/d"));
    assert!(judged.verdict.reference.is_some(), "records and access log know it");
    let crate::exchange::Step::Reply(reply) = &judged.step else { panic!("{judged:?}") };
    let told = format!("{:?} {} {}", reply.headers, String::from_utf8_lossy(&reply.body), reply.details);
    let reference = judged.verdict.reference.clone().unwrap();
    assert!(!told.contains("gatehouse") && !told.contains(&reference), "{told}");
    let judged = gate.ask(&Ask::get("/x"));
    assert_eq!((judged.step, judged.verdict.reference.is_some()), (crate::exchange::Step::Drop, true));
}
