//! Weights, labels, traps.

use super::gate::*;

fn ask(gate: &mut Gate, path: &str) -> String {
    said(&gate.ask(&Ask::get(path)))
}

#[test]
fn a_score_is_seen_from_the_next_request_on_and_fades() {
    let spec = "
scores: { halfLife: 10m }
rules:
- { name: probe, match: { path: /probe }, then: { weigh: 30, label: probe } }
- { name: high, match: { score: 60 }, then: block }";
    let mut gate = Gate::new(spec);
    assert_eq!([ask(&mut gate, "/probe"), ask(&mut gate, "/probe")], ["allow", "allow"]);
    assert_eq!(ask(&mut gate, "/"), "block p/high");
    assert_eq!(said(&gate.ask(&Ask::get("/").from("192.0.2.2"))), "allow");
    gate.seconds(2);
    assert_eq!(ask(&mut gate, "/"), "allow", "59 and something");
    ask(&mut gate, "/probe");
    assert_eq!(ask(&mut gate, "/"), "block p/high");
    gate.seconds(600);
    assert_eq!(ask(&mut gate, "/"), "allow");
}

#[test]
fn labels_count_apart_and_negative_weights_take_away() {
    let spec = "
rules:
- { name: a, match: { path: /a }, then: [{ weigh: 20, label: one }, { weigh: 20, label: two }] }
- { name: good, match: { path: /good }, then: { weigh: -20, label: one } }
- { name: one, match: { label: one }, then: { block: { status: 401 } } }
- { name: two, match: { score: { atLeast: 20, label: two } }, then: { block: { status: 402 } } }";
    let mut gate = Gate::new(spec);
    ask(&mut gate, "/a");
    assert_eq!(status(&gate.ask(&Ask::get("/"))), 401);
    assert_eq!(ask(&mut gate, "/good"), "block p/one", "it weighs by what was before");
    assert_eq!(status(&gate.ask(&Ask::get("/"))), 402);
}

#[test]
fn whoever_touches_a_trap_is_answered_by_the_gate_and_known_from_then_on() {
    let spec = "
trap: { paths: [/.env, /.git/**] }
rules:
- { name: office, priority: 900, match: { address: 192.0.2.77 }, then: allow }
- { name: trapped, match: { label: trapped }, then: drop }";
    let mut gate = Gate::new(spec);
    let judged = gate.ask(&Ask::get("/.git/config"));
    assert_eq!((said(&judged).as_str(), status(&judged)), ("deceive p/trap", 404));
    assert_eq!(ask(&mut gate, "/"), "drop p/trapped");
    assert_eq!(
        said(&gate.ask(&Ask::get("/.env").from("192.0.2.77"))),
        "deceive p/trap",
        "no priority stands before a trap"
    );
}

#[test]
fn a_rule_weighs_once_whatever_number_of_readings_meet_it() {
    let spec = "
ambiguous: strictest
rules:
- { name: w, match: { path: { prefix: /a } }, then: { weigh: 10 } }
- { name: high, match: { score: 11 }, then: block }";
    let mut gate = Gate::new(spec);
    ask(&mut gate, "/a//b/../c;x/%2e/d");
    assert_eq!(ask(&mut gate, "/b"), "allow");
    ask(&mut gate, "/a");
    assert_eq!(ask(&mut gate, "/b"), "block p/high");
}

#[test]
fn a_score_is_unknown_where_the_client_is() {
    let spec = "
rules:
- { name: w, match: { path: /w }, then: { weigh: 100 } }
- { name: high, match: { score: 1 }, then: block }
- { name: low, match: { not: { score: 1 } }, then: drop }";
    let mut gate = Gate::new(spec);
    for path in ["/w", "/w", "/"] {
        assert_eq!(said(&gate.ask(&Ask::get(path).from("unknown"))), "allow");
    }
    assert_eq!(ask(&mut gate, "/"), "drop p/low");
}

#[test]
fn scores_outlive_a_policy_that_names_the_same_labels() {
    let weigh = "{ name: w, match: { path: /w }, then: { weigh: 100, label: l } }";
    let mut gate = Gate::new(&format!("rules: [{weigh}]"));
    ask(&mut gate, "/w");
    gate.policy = document(&format!("rules: [{weigh}, {{ name: high, match: {{ label: l }}, then: block }}]"));
    assert_eq!(ask(&mut gate, "/"), "block p/high");
}
