//! The response phase: blocks before headers leave, edits, weights, what is only said.

use super::gate::*;
use crate::exchange::{Judged, Reply};
use crate::respond::Answer;

fn asked(gate: &mut Gate, ask: &Ask, status: u16, headers: &[(&str, &str)]) -> (Judged, Answer) {
    let mut judged = gate.exchange(ask, status);
    assert!(judged.responds());
    let answer = gate.respond(ask, &mut judged, status, headers);
    (judged, answer)
}

fn replaced(answer: &Answer) -> &Reply {
    match answer {
        Answer::Replace(reply) => reply,
        other => panic!("{other:?}"),
    }
}

fn edit(remove: &[&str], set: &[(&str, &str)]) -> Answer {
    let set = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Answer::Edit { remove: remove.iter().map(|name| (*name).to_owned()).collect(), set }
}

const LEAK: &str = "rules: [{ name: leak, match: { path: { prefix: /api }, response: { headers: { x-debug: { present: true } } } }, then: block }]";

#[test]
fn a_response_is_blocked_before_it_leaves_and_carries_a_reference() {
    let mut gate = Gate::new(LEAK);
    let (judged, answer) = asked(&mut gate, &Ask::get("/api/x"), 200, &[("x-debug", "stack")]);
    let reply = replaced(&answer);
    assert_eq!((said(&judged).as_str(), reply.status), ("block p/leak", 403));
    let reference = judged.verdict.reference.clone().expect("a reference");
    assert!(reply.headers.iter().any(|(name, value)| name == "x-gatehouse-reference" && *value == reference));
    assert_eq!(reply.details, format!("gatehouse_block:p/leak:{reference}"));
    assert_eq!(asked(&mut gate, &Ask::get("/api/x"), 200, &[]).1, Answer::Pass);
    assert_eq!(asked(&mut gate, &Ask::get("/other"), 200, &[("x-debug", "stack")]).1, Answer::Pass);
}

#[test]
fn a_response_is_judged_once_and_answers_of_ours_are_not() {
    let mut gate = Gate::new(&format!("{LEAK}\notherwise: block"));
    let refused = gate.ask(&Ask::get("/x"));
    assert!(!refused.responds() && !refused.is_open());
    let mut gate = Gate::new(LEAK);
    let (mut judged, _) = asked(&mut gate, &Ask::get("/api"), 200, &[("x-debug", "1")]);
    assert!(!judged.responds());
    assert_eq!(gate.respond(&Ask::get("/api"), &mut judged, 403, &[("x-debug", "1")]), Answer::Pass);
}

#[test]
fn without_response_rules_nobody_has_to_show_the_response() {
    let mut gate = Gate::new("rules: [{ name: r, match: { path: /a }, then: block }]");
    let judged = gate.ask(&Ask::get("/"));
    assert!(!judged.responds() && !judged.awaits_status() && judged.is_open());
}

#[test]
fn edits_of_request_rules_come_first_and_those_of_response_rules_add_up() {
    let spec = "
rules:
- { name: a, match: { path: /a }, then: { setResponseHeaders: { X-Frame-Options: DENY } } }
- { name: b, match: { response: { status: 5xx } }, then: { removeResponseHeaders: [Server, x-trace] } }
- { name: c, match: { response: { type: text/html } }, then: { setResponseHeaders: { x-frame-options: SAMEORIGIN } } }";
    let mut gate = Gate::new(spec);
    let html = [("content-type", "text/html; charset=utf-8")];
    assert_eq!(asked(&mut gate, &Ask::get("/a"), 200, &[]).1, edit(&[], &[("x-frame-options", "DENY")]));
    let both = [("x-frame-options", "DENY"), ("x-frame-options", "SAMEORIGIN")];
    assert_eq!(asked(&mut gate, &Ask::get("/a"), 502, &html).1, edit(&["server", "x-trace"], &both));
    assert_eq!(asked(&mut gate, &Ask::get("/b"), 200, &[]).1, Answer::Pass);
}

#[test]
fn only_the_edits_of_rules_before_the_block_would_have_come_and_none_comes() {
    let spec = "
rules:
- { name: a, match: { response: { status: 200 } }, then: { setResponseHeaders: { x-a: b } } }
- { name: b, match: { response: { size: { atLeast: 1000B } } }, then: block }";
    let mut gate = Gate::new(spec);
    let (judged, answer) = asked(&mut gate, &Ask::get("/"), 200, &[("content-length", "1000")]);
    assert_eq!((said(&judged).as_str(), replaced(&answer).status), ("block p/b", 403));
    assert!(replaced(&answer).headers.iter().all(|(name, _)| name != "x-a"));
    assert_eq!(asked(&mut gate, &Ask::get("/"), 200, &[("content-length", "999")]).1, edit(&[], &[("x-a", "b")]));
}

#[test]
fn a_response_rule_weighs_and_is_seen_from_the_next_request_on() {
    let spec = "
rules:
- { name: high, match: { score: 25 }, then: drop }
- { name: probing, match: { response: { status: 404 } }, then: [{ weigh: 10, label: probe }, record] }";
    let mut gate = Gate::new(spec);
    for _ in 0..3 {
        let (judged, answer) = asked(&mut gate, &Ask::get("/x"), 404, &[]);
        assert_eq!((said(&judged).as_str(), answer, judged.verdict.record), ("allow", Answer::Pass, true));
    }
    assert_eq!(said(&gate.ask(&Ask::get("/"))), "drop p/high");
    let other = Ask::get("/").from("192.0.2.2");
    for _ in 0..10 {
        assert!(!asked(&mut gate, &other, 200, &[]).0.verdict.record);
    }
}

#[test]
fn a_preflight_weighs_nothing_by_its_response() {
    let spec = "
rules:
- { name: high, match: { score: 1 }, then: drop }
- { name: probing, match: { response: { status: 404 } }, then: { weigh: 10 } }";
    let mut gate = Gate::new(spec);
    let preflight =
        Ask::new("OPTIONS", "/").header("origin", "https://a.example").header("access-control-request-method", "PUT");
    asked(&mut gate, &preflight, 404, &[]);
    assert_eq!(said(&gate.ask(&Ask::get("/"))), "allow");
}

#[test]
fn a_watching_response_rule_says_what_it_would_have_done() {
    let mut gate = Gate::new(&format!("mode: monitor\n{LEAK}"));
    let (judged, answer) = asked(&mut gate, &Ask::get("/api"), 200, &[("x-debug", "1")]);
    assert_eq!((answer, would(&judged)), (Answer::Pass, vec!["block p/leak".to_owned()]));
    assert!(judged.verdict.reference.is_some());
    gate.state.set_brake(crate::Brake::new(vec![("".into(), u64::MAX)]));
    gate.policy = document(LEAK);
    let (judged, answer) = asked(&mut gate, &Ask::get("/api"), 200, &[("x-debug", "1")]);
    assert_eq!((answer, would(&judged)), (Answer::Pass, vec!["block p/leak".to_owned()]), "braked");
}

#[test]
fn every_reading_of_the_request_counts_for_its_response() {
    let mut gate = Gate::new(&format!("ambiguous: strictest\n{LEAK}"));
    for path in ["/x/../api/y", "/api%2fy", "/api;v=1/y"] {
        let (judged, _) = asked(&mut gate, &Ask::get(path), 200, &[("x-debug", "1")]);
        assert_eq!(said(&judged), "block p/leak", "{path}");
    }
    let spec = "rules: [{ name: r, match: { method: DELETE, response: { status: 200 } }, then: block }]";
    let mut gate = Gate::new(spec);
    let ask = Ask::new("POST", "/").header("x-http-method-override", "delete");
    assert_eq!(said(&asked(&mut gate, &ask, 200, &[]).0), "block p/r");
}

#[test]
fn what_a_client_may_not_say_meets_no_response_rule_either() {
    let spec = "
rules:
- { name: t, match: { path: /never }, then: { tag: { header: x-team, value: ops } } }
- { name: quiet, match: { headers: { x-team: ops }, response: { status: 200 } }, then: { setResponseHeaders: { x-internal: yes-it-is } } }
- { name: ours, match: { headers: { x-gatehouse-class: ops }, response: { status: 200 } }, then: { setResponseHeaders: { x-internal: yes-it-is } } }";
    let mut gate = Gate::new(spec);
    let forged = Ask::get("/").header("x-team", "ops").header("x-gatehouse-class", "ops");
    assert_eq!(asked(&mut gate, &forged, 200, &[]).1, Answer::Pass);
}

#[test]
fn an_absolute_target_is_judged_for_both_hosts_in_its_response() {
    let spec = "hosts: secret.example\nrules: [{ name: r, match: { response: { status: 200 } }, then: block }]";
    let other = "hosts: shop.example.com\nrules: [{ name: r, match: { response: { status: 500 } }, then: block }]";
    let mut gate = Gate::of(documents(&[("p", spec), ("q", other)]));
    let (judged, _) = asked(&mut gate, &Ask::get("http://secret.example/x"), 200, &[]);
    assert_eq!(said(&judged), "block p/r");
}

#[test]
fn a_count_of_failures_sees_the_applications_answer_and_not_ours() {
    let spec = "
rules:
- { name: l, match: { all: true }, limit: { count: { status: 401 }, rate: 2 per 1m }, then: limit }
- { name: hide, match: { response: { status: 401 } }, then: { block: { status: 404 } } }";
    let mut gate = Gate::new(spec);
    for _ in 0..2 {
        let (_, answer) = asked(&mut gate, &Ask::get("/"), 401, &[]);
        assert_eq!(replaced(&answer).status, 404);
    }
    assert_eq!(said(&gate.ask(&Ask::get("/"))), "limit p/l");
}
