//! Monitor, canary and enforce, by rule and by document.

use super::gate::*;

#[test]
fn a_rule_says_its_own_mode_over_its_documents() {
    let spec = "
mode: monitor
rules:
- { name: watched, match: { path: /a }, then: block }
- { name: enforced, mode: enforce, match: { path: /a }, then: drop }";
    let judged = Gate::new(spec).ask(&Ask::get("/a"));
    assert_eq!((said(&judged).as_str(), would(&judged)), ("drop p/enforced", vec!["block p/watched".to_owned()]));
    let spec = "rules: [{ name: watched, mode: monitor, match: { all: true }, then: block }]\notherwise: block";
    let judged = Gate::new(spec).ask(&Ask::get("/"));
    assert_eq!((said(&judged).as_str(), would(&judged)), ("block p/otherwise", vec!["block p/watched".to_owned()]));
}

#[test]
fn a_watching_rule_does_nothing_of_what_it_says() {
    let then = "[record, { tag: { header: x-a, value: b } }, { delay: 1s }, { sanitize: { headers: x-b } }, { weigh: 10 }, \
                { setResponseHeaders: { x-c: d } }, drop]";
    let spec = format!("rules: [{{ name: r, mode: monitor, match: {{ not: {{ score: 1 }} }}, then: {then} }}]");
    let mut gate = Gate::new(&spec);
    for _ in 0..2 {
        let judged = gate.ask(&Ask::get("/").header("x-b", "1"));
        assert_eq!((said(&judged).as_str(), would(&judged)), ("allow", vec!["drop p/r".to_owned()]));
        assert_eq!((forwarded(&judged), judged.delay_ns, judged.verdict.record), (None, 0, false));
        assert!(!judged.responds() && judged.verdict.reference.is_some());
    }
}

#[test]
fn an_allow_that_only_watches_is_told_and_asks_for_no_reference() {
    let spec = "rules: [{ name: office, mode: monitor, match: { all: true }, then: allow }]";
    let judged = Gate::new(spec).ask(&Ask::get("/"));
    assert_eq!((would(&judged), judged.verdict.reference), (vec!["allow p/office".to_owned()], None));
}

#[test]
fn a_canary_holds_for_its_share_of_clients_and_always_for_the_same() {
    let spec = |mode: &str| format!("mode: {mode}\nrules: [{{ name: r, match: {{ all: true }}, then: block }}]");
    let hit = |gate: &mut Gate| -> Vec<bool> {
        let asks = (0..4000).map(|n| Ask::get("/").from(&format!("10.0.{}.{}", n / 250, n % 250)));
        asks.map(|ask| gate.ask(&ask).verdict.mitigates()).collect()
    };
    let mut ten = Gate::new(&spec("canary 10%"));
    let first = hit(&mut ten);
    let share = first.iter().filter(|hit| **hit).count();
    assert!((340..=460).contains(&share), "{share} of 4,000 for 10 %");
    assert_eq!(hit(&mut ten), first, "the same clients, request after request");
    let mut twenty = Gate::new(&spec("canary 20%"));
    let more = hit(&mut twenty);
    assert!(first.iter().zip(&more).all(|(ten, twenty)| !ten || *twenty), "who is in at 10 % is in at 20 %");
    let judged = (0..50).map(|n| ten.ask(&Ask::get("/").from(&format!("10.9.0.{n}"))));
    assert!(judged.filter(|judged| !judged.verdict.mitigates()).all(|judged| would(&judged) == ["block p/r"]));
}

#[test]
fn every_worker_has_the_same_clients_in_a_canary() {
    let policy = "mode: canary 50%\nrules: [{ name: r, match: { all: true }, then: block }]";
    let (mut one, mut two) = (Gate::new(policy), Gate::new(policy));
    two.state = crate::state::State::new([3; 16], &[9; 16]);
    for n in 0..100 {
        let ask = Ask::get("/").from(&format!("10.0.0.{n}"));
        assert_eq!(said(&one.ask(&ask)), said(&two.ask(&ask)));
    }
}

#[test]
fn all_rules_of_a_document_are_tried_on_the_same_clients_and_those_of_another_on_others() {
    let rules = "mode: canary 50%\nrules:\n- { name: a, match: { path: /a }, then: block }\n- { name: b, match: { path: /b }, then: block }";
    let other = "mode: canary 50%\nrules: [{ name: c, match: { path: /c }, then: block }]";
    let mut gate = Gate::of(documents(&[("p", rules), ("q", other)]));
    let mut differ = 0;
    for n in 0..200 {
        let mut hit = |path: &str| gate.ask(&Ask::get(path).from(&format!("10.0.0.{n}"))).verdict.mitigates();
        assert_eq!(hit("/a"), hit("/b"));
        differ += u32::from(hit("/a") != hit("/c"));
    }
    assert!((60..=140).contains(&differ), "{differ} of 200");
}

#[test]
fn a_client_of_whom_nothing_is_known_is_in_no_canary() {
    let mut gate = Gate::new("mode: canary 99%\nrules: [{ name: r, match: { all: true }, then: block }]");
    for _ in 0..50 {
        let judged = gate.ask(&Ask::get("/").from("unknown"));
        assert_eq!((said(&judged).as_str(), would(&judged)), ("allow", vec!["block p/r".to_owned()]));
    }
}

#[test]
fn settings_of_a_document_in_canary_only_watch() {
    let spec = "mode: canary 99%\notherwise: block\nrequireMutualTls: true\nambiguous: reject";
    let judged = Gate::new(spec).ask(&Ask::get("/a//b"));
    assert_eq!(said(&judged), "allow");
    assert_eq!(would(&judged), ["block p/mutual-tls", "block p/ambiguous", "block p/otherwise"]);
}
