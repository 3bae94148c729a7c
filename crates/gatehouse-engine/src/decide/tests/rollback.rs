//! Changes that are rolled out: what takes them back, and what does not.

use super::gate::*;
use crate::changes::RolledBack;

/// Requests a second, of known-good clients one after the other.
const RATE: u64 = 100;

/// A worker that has seen these clients succeed for a while, under a policy before the change.
fn familiar(before: &str, clients: u32) -> Gate {
    let mut gate = Gate::new(before);
    for _ in 0..4 {
        for n in 0..clients {
            gate.now_ns += 1_000_000;
            assert!(passed(&gate.exchange(&client(n, "/"), 200)));
        }
    }
    gate
}

fn client(n: u32, path: &str) -> Ask {
    Ask::get(path).from(&format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255))
}

/// Known-good clients go on asking: `path` says what the n-th asks for. Gives the seconds until a change was taken back.
fn traffic(
    gate: &mut Gate,
    clients: u32,
    seconds: u64,
    path: impl Fn(u32) -> &'static str,
) -> Option<(f64, RolledBack)> {
    let start = gate.now_ns;
    for n in 0..seconds * RATE {
        gate.now_ns = start + n * 1_000_000_000 / RATE;
        let n = u32::try_from(n % u64::from(clients)).unwrap();
        gate.exchange(&client(n, path(n)), 200);
        if let Some(rollback) = told(gate).pop() {
            return Some(((gate.now_ns - start) as f64 / 1e9, rollback));
        }
    }
    None
}

fn told(gate: &mut Gate) -> Vec<RolledBack> {
    gate.state.take_rollbacks(&gate.policy)
}

const BEFORE: &str = "rules: [{ name: old, match: { path: /old }, then: block }]";

fn change(mode: &str) -> String {
    format!(
        "rules:\n- {{ name: old, match: {{ path: /old }}, then: block }}\n- {{ name: new, mode: {mode}, match: {{ path: /checkout }}, then: block }}"
    )
}

/// One in twenty asks for what the change blocks.
fn five_percent(n: u32) -> &'static str {
    if n % 20 == 7 { "/checkout" } else { "/" }
}

#[test]
fn a_rule_that_hits_five_percent_of_known_good_clients_is_taken_back_within_thirty_seconds() {
    for mode in ["canary 10%", "canary 50%"] {
        let mut gate = familiar(BEFORE, 3000);
        gate.policy = document(&change(mode));
        let (seconds, rollback) = traffic(&mut gate, 3000, 30, five_percent).expect("taken back");
        assert!(seconds < 30.0);
        assert_eq!((rollback.document.as_str(), &rollback.rules[..]), ("p", &["p/new".to_owned()][..]));
        assert!(rollback.at_least > rollback.allowed && rollback.figures.clients >= 20, "{rollback:?}");
        for n in 0..200 {
            let judged = gate.ask(&client(n, "/checkout"));
            assert_eq!((said(&judged).as_str(), would(&judged)), ("allow", vec!["block p/new".to_owned()]));
        }
        assert_eq!(said(&gate.ask(&client(1, "/old"))), "block p/old", "what is no change holds on");
        assert!(told(&mut gate).is_empty(), "told once");
    }
}

#[test]
fn a_flood_of_blocked_requests_from_a_thousand_addresses_takes_nothing_back() {
    let mut gate = familiar(BEFORE, 1000);
    gate.policy = document(&change("canary 50%"));
    let start = gate.now_ns;
    for n in 0..60_000_u32 {
        gate.now_ns = start + u64::from(n) * 500_000;
        // Nineteen of twenty are the flood's, and all of them are what the change is there for.
        let (ask, status) = match n % 20 {
            0 => (client(n / 20 % 1000, "/"), 200),
            _ => (Ask::get("/checkout").from(&format!("172.16.{}.{}", n % 1000 / 250, n % 250)), 404),
        };
        gate.exchange(&ask, status);
    }
    assert!(told(&mut gate).is_empty());
    let hit = (0..100).filter(|n| !passed(&gate.ask(&Ask::get("/checkout").from(&format!("172.16.0.{n}"))))).count();
    assert!(hit > 20, "still on trial: {hit} of 100");
}

#[test]
fn a_change_that_hits_next_to_nobody_stays() {
    let mut gate = familiar(BEFORE, 3000);
    gate.policy = document(&change("canary 50%"));
    assert!(traffic(&mut gate, 3000, 60, |n| if n % 1000 == 7 { "/checkout" } else { "/" }).is_none());
}

#[test]
fn one_client_that_hammers_is_one_client() {
    let mut gate = familiar(BEFORE, 500);
    gate.policy = document(&change("canary 50%"));
    for n in 0..5000 {
        gate.now_ns += 1_000_000;
        gate.exchange(&client(n % 500, if n % 500 == 3 { "/checkout" } else { "/" }), 200);
        for _ in 0..3 {
            gate.exchange(&client(3, "/checkout"), 200);
        }
    }
    assert!(told(&mut gate).is_empty());
}

#[test]
fn clients_with_an_identity_are_known_good_from_the_first_request() {
    let mut gate = Gate::new(&change("canary 50%"));
    for n in 0..400 {
        gate.now_ns += 1_000_000;
        let ask = Ask::get(five_percent(n)).identity(&format!("spiffe://a/ns/b/sa/{n}"));
        gate.exchange(&ask, 200);
    }
    assert_eq!(told(&mut gate).len(), 1);
}

#[test]
fn strangers_say_nothing() {
    let mut gate = Gate::new(&change("canary 50%"));
    assert!(traffic(&mut gate, 3000, 40, |_| "/checkout").is_none(), "nobody succeeded before the change began");
}

#[test]
fn what_other_rules_mitigate_as_well_is_not_the_changes_fault() {
    // Before the change, beside it, and after it.
    for (before, other) in [
        ("{ name: other, priority: 5, match: { path: /checkout, headers: { x-a: b } }, then: block }", false),
        ("{ name: other, priority: -5, match: { path: /checkout }, then: { block: { status: 404 } } }", true),
        (
            "{ name: other, priority: -5, match: { path: /checkout }, limit: { by: path, rate: 1 per 1h, blockFor: 1d }, then: limit }",
            true,
        ),
    ] {
        let mut gate = familiar(&format!("rules: [{before}]"), 1000);
        // Two visitors use up what the limit allows.
        for n in 0..2 {
            gate.exchange(&client(900_000 + n, "/checkout"), 200);
        }
        let new = "{ name: new, mode: canary 50%, match: { path: /checkout }, then: block }";
        gate.policy = document(&format!("rules: [{before}, {new}]"));
        assert_eq!(traffic(&mut gate, 1000, 30, five_percent).is_none(), other, "{before}");
    }
    let mut gate = familiar("rules: [{ name: open, match: { path: / }, then: allow }]\notherwise: block", 1000);
    let new = "{ name: new, priority: 1, mode: canary 50%, match: { path: /checkout }, then: block }";
    gate.policy =
        document(&format!("rules: [{{ name: open, match: {{ path: / }}, then: allow }}, {new}]\notherwise: block"));
    assert!(traffic(&mut gate, 1000, 30, five_percent).is_none(), "`otherwise` blocks it as well");
}

#[test]
fn what_the_document_mitigated_before_in_other_words_is_no_news() {
    let service = |n: u32| Ask::get(five_percent(n)).identity(&format!("spiffe://a/ns/b/sa/{n}"));
    let old = "rules: [{ name: checkout, match: { path: /checkout }, then: block }]";
    let new = "rules: [{ name: shop, mode: canary 50%, match: { path: /checkout }, then: { redirect: { location: /login } } }]";
    for (before, taken_back) in [(old, false), ("otherwise: allow", true)] {
        let mut gate = Gate::new(before);
        for n in 0..400 {
            gate.now_ns += 1_000_000;
            gate.exchange(&service(n), 200);
        }
        gate.policy = document(new);
        for n in 0..1200 {
            gate.now_ns += 1_000_000;
            gate.exchange(&service(n % 400), 200);
        }
        assert_eq!(!told(&mut gate).is_empty(), taken_back, "{before}");
    }
}

#[test]
fn an_exception_of_the_change_itself_keeps_it_from_being_blamed() {
    let mut gate = familiar("otherwise: allow", 1000);
    let spec = "
mode: canary 50%
rules:
- { name: known, priority: 9, match: { address: 10.0.0.0/8 }, then: allow }
- { name: new, match: { path: /checkout }, then: block }";
    gate.policy = document(spec);
    assert!(traffic(&mut gate, 1000, 30, |_| "/checkout").is_none());
}

#[test]
fn of_two_changes_at_once_the_guilty_one_is_taken_back() {
    let innocent =
        |mode: &str| format!("rules: [{{ name: fine, mode: {mode}, match: {{ path: /nobody }}, then: block }}]");
    let guilty = "rules: [{ name: new, mode: canary 50%, match: { path: /checkout }, then: block }]";
    let mut gate = familiar("otherwise: allow", 1000);
    gate.policy = documents(&[("a", &innocent("canary 50%")), ("b", guilty)]);
    let (_, rollback) = traffic(&mut gate, 1000, 30, five_percent).expect("taken back");
    assert_eq!(rollback.document, "b");
    // Where both would have hit, neither hides behind the other.
    let first =
        "rules: [{ name: first, mode: canary 50%, match: { path: /checkout }, then: { block: { status: 404 } } }]";
    let mut gate = familiar("otherwise: allow", 1000);
    gate.policy = documents(&[("a", first), ("b", guilty)]);
    traffic(&mut gate, 1000, 30, five_percent).expect("the first");
    traffic(&mut gate, 1000, 30, five_percent).expect("the second");
}

#[test]
fn mandates_and_verdicts_are_never_taken_back() {
    let mandate = "mode: canary 50%\nmandates: { rules: [{ name: new, match: { path: /checkout }, then: block }] }";
    let mut gate = familiar("otherwise: allow", 1000);
    gate.policy = document(mandate);
    assert!(traffic(&mut gate, 1000, 30, five_percent).is_none());
    let verdict = "mode: canary 50%\nlists: { l: { from: verdicts } }\nrules: [{ name: new, match: { verdict: { list: l } }, then: block }]";
    let mut gate = familiar("otherwise: allow", 1000);
    gate.policy = document(verdict);
    assert!(gate.state.verdicts_mut().put("l", &[2, 10, 0, 0, 0, 8], u64::MAX, gate.now_ns));
    assert!(traffic(&mut gate, 1000, 30, five_percent).is_none());
}

#[test]
fn a_promoted_change_is_guarded_for_an_hour_and_one_that_was_never_tried_is_not() {
    let promoted = |bake: u64| {
        let mut gate = familiar(BEFORE, 1000);
        gate.policy = document(&change("canary 50%"));
        traffic(&mut gate, 1000, 5, |_| "/");
        gate.policy = document(&change("enforce"));
        gate.exchange(&client(1, "/"), 200);
        gate.seconds(bake);
        let found = traffic(&mut gate, 1000, 30, five_percent);
        (found.is_some(), said(&gate.ask(&client(1, "/checkout"))))
    };
    assert_eq!(promoted(3000), (true, "allow".to_owned()));
    assert_eq!(promoted(3700), (false, "block p/new".to_owned()));
    let mut gate = familiar(BEFORE, 1000);
    gate.policy = document(&change("enforce"));
    assert!(traffic(&mut gate, 1000, 30, five_percent).is_none());
}

#[test]
fn what_was_taken_back_stays_so_until_the_rule_itself_changes() {
    let mut gate = familiar(BEFORE, 1000);
    gate.policy = document(&change("canary 50%"));
    traffic(&mut gate, 1000, 30, five_percent).expect("taken back");
    let ask = |gate: &mut Gate| said(&gate.ask(&client(1, "/checkout")));
    let more = format!("{}\n- {{ name: more, match: {{ path: /more }}, then: block }}", change("canary 99%"));
    for spec in [change("canary 99%"), change("enforce"), more] {
        gate.policy = document(&spec);
        assert_eq!(ask(&mut gate), "allow", "{spec}");
    }
    assert!(traffic(&mut gate, 1000, 10, five_percent).is_none(), "nor is it told again");
    gate.policy = document(BEFORE);
    assert_eq!(ask(&mut gate), "allow");
}

#[test]
fn a_new_worker_takes_back_what_the_house_remembers() {
    let mut gate = Gate::new(&change("canary 99%"));
    gate.state.set_rolled_back(&gate.policy, &["p/new".to_owned()]);
    let ask = |n: u32| Ask::get("/checkout").identity(&format!("spiffe://a/{n}"));
    for n in 0..200 {
        assert_eq!(would(&gate.exchange(&ask(n), 200)), ["block p/new"]);
    }
    assert!(told(&mut gate).is_empty());
}

#[test]
fn a_limit_and_a_response_rule_are_guarded_like_any_other() {
    let limit = "rules: [{ name: new, mode: canary 50%, match: { path: /checkout }, limit: { by: path, rate: 1 per 1h, blockFor: 1d }, then: limit }]";
    let mut gate = familiar("otherwise: allow", 1000);
    gate.policy = document(limit);
    assert!(traffic(&mut gate, 1000, 30, five_percent).is_some());
    let response =
        "rules: [{ name: new, mode: canary 50%, match: { path: /checkout, response: { status: 200 } }, then: block }]";
    let mut gate = familiar("otherwise: allow", 1000);
    gate.policy = document(response);
    let mut rolled_back = Vec::new();
    for n in 0..3000 {
        gate.now_ns += 10_000_000;
        let ask = client(n % 1000, five_percent(n % 1000));
        let mut judged = gate.exchange(&ask, 200);
        gate.respond(&ask, &mut judged, 200, &[]);
        rolled_back.extend(told(&mut gate));
    }
    assert_eq!(rolled_back.len(), 1);
}
