//! Limits of requests: when they match, what they count, what they leave alone.

use super::gate::*;

fn ask(gate: &mut Gate, path: &str) -> String {
    said(&gate.ask(&Ask::get(path)))
}

fn said_of(gate: &mut Gate, path: &str, times: usize) -> Vec<String> {
    (0..times).map(|_| ask(gate, path)).collect()
}

#[test]
fn below_its_limit_a_rule_only_counts_and_evaluation_goes_on() {
    let spec = "
rules:
- { name: l, match: { path: /a }, limit: { rate: 2 per 1m }, then: limit }
- { name: t, match: { path: /a }, then: { tag: { header: x-a, value: b } } }
otherwise: block";
    let mut gate = Gate::new(spec);
    assert_eq!(said_of(&mut gate, "/a", 3), ["block p/otherwise"; 3], "what is refused in the end counts nowhere");
    let mut gate = Gate::new(&spec.replace("otherwise: block", ""));
    let judged = gate.ask(&Ask::get("/a"));
    assert_eq!((said(&judged).as_str(), judged.verdict.tags.len()), ("allow", 1));
    assert_eq!(said_of(&mut gate, "/a", 2), ["allow", "limit p/l"]);
    assert_eq!(ask(&mut gate, "/b"), "allow");
}

#[test]
fn who_is_over_gets_429_and_is_told_how_long_to_wait() {
    let mut gate = Gate::new("rules: [{ name: l, match: { all: true }, limit: { rate: 2 per 1m }, then: limit }]");
    said_of(&mut gate, "/", 2);
    let judged = gate.ask(&Ask::get("/"));
    let wait: u64 = answers(&judged, "retry-after").unwrap().parse().unwrap();
    assert!(status(&judged) == 429 && (60..=64).contains(&wait), "the window and one of its sixteenths: {wait}");
    assert_eq!(answers(&judged, "ratelimit"), Some(format!("\"default\";r=0;t={wait}").as_str()));
    assert_eq!(answers(&judged, "ratelimit-policy"), Some("\"default\";q=2;w=60"));
    gate.seconds(wait - 1);
    assert_eq!(ask(&mut gate, "/"), "limit p/l");
    gate.seconds(1);
    assert_eq!(ask(&mut gate, "/"), "allow");
}

#[test]
fn counts_of_failures_tell_no_quota() {
    let spec =
        "rules: [{ name: l, match: { all: true }, limit: { count: { status: 401 }, rate: 1 per 1m }, then: limit }]";
    let mut gate = Gate::new(spec);
    gate.exchange(&Ask::get("/"), 401);
    let judged = gate.ask(&Ask::get("/"));
    assert_eq!((answers(&judged, "ratelimit"), answers(&judged, "retry-after").is_some()), (None, true));
}

#[test]
fn block_for_holds_after_the_window_is_empty_again() {
    let spec = "rules: [{ name: l, match: { path: /a }, limit: { rate: 2 per 1m, blockFor: 10m }, then: limit }]";
    let mut gate = Gate::new(spec);
    assert_eq!(said_of(&mut gate, "/a", 2), ["allow", "allow"]);
    let first = gate.ask(&Ask::get("/a"));
    assert_eq!(
        (said(&first).as_str(), answers(&first, "retry-after")),
        ("limit p/l", Some("600")),
        "the block that it begins"
    );
    for _ in 0..9 {
        gate.seconds(60);
        assert_eq!(ask(&mut gate, "/a"), "limit p/l");
    }
    gate.seconds(59);
    assert_eq!(ask(&mut gate, "/a"), "limit p/l");
    gate.seconds(1);
    assert_eq!(ask(&mut gate, "/a"), "allow", "who kept asking does not make the block longer");
}

#[test]
fn a_request_that_one_limit_refuses_is_counted_by_no_other() {
    let spec = "
rules:
- { name: narrow, match: { path: /a }, limit: { by: path, rate: 2 per 1m }, then: limit }
- { name: wide, match: { all: true }, limit: { rate: 5 per 1m }, then: limit }
- { name: paths, match: { all: true }, limit: { distinct: { of: query.n, over: 3 per 1m } }, then: block }";
    let mut gate = Gate::new(spec);
    said_of(&mut gate, "/a", 2);
    for n in 0..50 {
        assert_eq!(ask(&mut gate, &format!("/a?n={n}")), "limit p/narrow");
    }
    assert_eq!(said_of(&mut gate, "/b", 4), ["allow", "allow", "allow", "limit p/wide"]);
}

#[test]
fn what_stands_before_the_refusing_limit_is_left_alone_too() {
    let spec = "
rules:
- { name: wide, match: { all: true }, limit: { rate: 5 per 1m }, then: limit }
- { name: narrow, match: { path: /a }, limit: { rate: 2 per 1m }, then: limit }";
    let mut gate = Gate::new(spec);
    assert_eq!(said_of(&mut gate, "/a", 30)[2..], vec!["limit p/narrow"; 28]);
    assert_eq!(said_of(&mut gate, "/b", 4), ["allow", "allow", "allow", "limit p/wide"]);
}

#[test]
fn a_request_that_a_plain_rule_refuses_is_counted_by_no_limit() {
    let spec = "
rules:
- { name: l, match: { all: true }, limit: { rate: 2 per 1m }, then: limit }
- { name: refuse, match: { path: /no }, then: block }";
    let mut gate = Gate::new(spec);
    assert_eq!(said_of(&mut gate, "/no", 20), vec!["block p/refuse"; 20]);
    assert_eq!(said_of(&mut gate, "/", 3), ["allow", "allow", "limit p/l"]);
    assert_eq!(ask(&mut gate, "/no"), "limit p/l", "once it is over, it stands first");
}

#[test]
fn a_watching_limit_counts_on_and_says_exactly_when_an_enforced_one_would_refuse() {
    let spec = |mode: &str| {
        format!(
            "rules: [{{ name: l, mode: {mode}, match: {{ all: true }}, limit: {{ rate: 3 per 1m, blockFor: 2m }}, then: limit }}]"
        )
    };
    let (mut watching, mut enforced) = (Gate::new(&spec("monitor")), Gate::new(&spec("enforce")));
    let mut refused = 0;
    for second in 0..600 {
        let pause = [1, 7, 19, 41][second % 4];
        watching.seconds(pause);
        enforced.seconds(pause);
        let judged = watching.ask(&Ask::get("/"));
        assert_eq!(said(&judged), "allow");
        let enforced = enforced.ask(&Ask::get("/"));
        assert_eq!(would(&judged).first().map(String::as_str), (said(&enforced) != "allow").then_some("limit p/l"));
        refused += u32::from(enforced.verdict.mitigates());
    }
    assert!((100..500).contains(&refused), "{refused}");
}

#[test]
fn steps_act_each_in_its_own_way_and_a_higher_one_keeps_the_longer_block() {
    let spec = "
rules:
- name: l
  match: { all: true }
  limit:
    rate: 2 per 1m
    steps:
    - { rate: 4 per 1m, blockFor: 10m, then: { block: { status: 403 } } }
    - { rate: 6 per 1m, then: drop }
  then: [{ tag: { header: x-fast, value: \"1\" } }, { setResponseHeaders: { x-slow: down } }]";
    let mut gate = Gate::new(spec);
    assert_eq!(said_of(&mut gate, "/", 2), ["allow"; 2]);
    let mut judged = gate.ask(&Ask::get("/"));
    assert_eq!(judged.verdict.tags, ["x-fast"], "the first step only adds up, and what it lets through counts on");
    let answer = gate.respond(&Ask::get("/"), &mut judged, 200, &[]);
    let set = vec![("x-slow".to_owned(), "down".to_owned())];
    assert_eq!(answer, crate::respond::Answer::Edit { remove: Vec::new(), set });
    assert_eq!(said_of(&mut gate, "/", 4), ["allow", "block p/l", "block p/l", "drop p/l"]);
    gate.seconds(599);
    assert_eq!(
        ask(&mut gate, "/"),
        "drop p/l",
        "it names no block of its own, and blocks no shorter than the one below"
    );
    gate.seconds(2);
    assert_eq!(ask(&mut gate, "/"), "allow");
}

#[test]
fn response_headers_of_a_step_are_its_own() {
    let spec = "
rules:
- name: l
  match: { all: true }
  limit: { rate: 1 per 1m, steps: [{ rate: 2 per 1m, then: { setResponseHeaders: { x-a: two } } }] }
  then: { setResponseHeaders: { x-a: one } }";
    let mut gate = Gate::new(spec);
    let values = [(); 3].map(|()| {
        let mut judged = gate.ask(&Ask::get("/"));
        match gate.respond(&Ask::get("/"), &mut judged, 200, &[]) {
            crate::respond::Answer::Edit { set, .. } => set[0].1.clone(),
            _ => String::new(),
        }
    });
    assert_eq!(values, ["", "one", "two"]);
}

#[test]
fn distinct_values_are_counted_by_the_key_and_by_nothing_else() {
    let spec = "rules: [{ name: d, match: { path: /c/** }, limit: { by: fingerprint, distinct: { of: address, over: 20 per 5m } }, then: block }]";
    let mut gate = Gate::new(spec);
    let tool = |n: u32| Ask::get("/c/x").from(&format!("10.0.0.{n}")).header("user-agent", "a").header("accept", "b");
    for _ in 0..3 {
        for n in 0..20 {
            assert_eq!(said(&gate.ask(&tool(n))), "allow", "twenty addresses, however often");
        }
    }
    assert_eq!(said(&gate.ask(&tool(20))), "block p/d");
    assert_eq!(said(&gate.ask(&tool(20).header("accept-language", "en"))), "allow", "another tool");
    gate.seconds(320);
    assert_eq!(said(&gate.ask(&tool(20))), "allow");
}

#[test]
fn a_burst_may_come_at_once_and_then_the_rate_holds() {
    let spec = "rules: [{ name: b, match: { all: true }, limit: { rate: 60 per 1m, burst: 5 }, then: limit }]";
    let mut gate = Gate::new(spec);
    assert_eq!(said_of(&mut gate, "/", 6).iter().filter(|said| *said == "allow").count(), 5);
    gate.seconds(1);
    assert_eq!(said_of(&mut gate, "/", 2), ["allow", "limit p/b"]);
}

#[test]
fn steps_of_the_wall_clock_change_nothing() {
    let spec = "
rules:
- { name: l, match: { path: /a }, limit: { rate: 2 per 1m, blockFor: 10m }, then: limit }
- { name: w, match: { score: 40 }, then: drop }
- { name: t, match: { path: /t }, then: { weigh: 50 } }";
    let mut gate = Gate::new(spec);
    let day = 86_400;
    let tomorrow = |gate: &mut Gate, n: u64| {
        gate.wall_s = Some(if n.is_multiple_of(2) { 1_790_000_000 + day } else { 1_790_000_000 - day })
    };
    for n in 0..3 {
        tomorrow(&mut gate, n);
        assert_eq!(ask(&mut gate, "/a"), ["allow", "allow", "limit p/l"][n as usize]);
    }
    ask(&mut gate, "/t");
    for n in 0..10 {
        tomorrow(&mut gate, n);
        assert_eq!(ask(&mut gate, "/a"), "limit p/l");
        assert_eq!(ask(&mut gate, "/b"), "drop p/w");
    }
    gate.seconds(600);
    assert_eq!(ask(&mut gate, "/a"), "allow");
}

#[test]
fn a_limit_that_a_new_policy_leaves_as_it_was_counts_on() {
    let rule = "{ name: l, match: { path: /a }, limit: { rate: 2 per 1m }, then: limit }";
    let mut gate = Gate::new(&format!("rules: [{rule}]"));
    said_of(&mut gate, "/a", 2);
    let before = "{ name: first, match: { path: /z }, limit: { rate: 9 per 1m }, then: limit }";
    gate.policy = document(&format!("rules: [{before}, {rule}]"));
    assert_eq!(ask(&mut gate, "/a"), "limit p/l");
    gate.policy = document(&format!("rules: [{}]", rule.replace("2 per", "3 per")));
    assert_eq!(said_of(&mut gate, "/a", 4), ["allow", "allow", "allow", "limit p/l"], "another limit begins anew");
}

#[test]
fn over_several_readings_of_one_request_it_is_counted_once() {
    let spec = "ambiguous: strictest\nrules: [{ name: l, match: { all: true }, limit: { by: BY, rate: 3 per 1m }, then: limit }]";
    for by in ["client", "\"headers.x-key\"", "[path, \"headers.x-key\"]"] {
        let mut gate = Gate::new(&spec.replace("BY", by));
        let ask = Ask::get("/a//b/../c;x/%2e/d").header("x-http-method", "PUT").header("x-key", "1");
        let said: Vec<String> = (0..4).map(|_| said(&gate.ask(&ask))).collect();
        assert_eq!(said, ["allow", "allow", "allow", "limit p/l"], "{by}");
    }
}

#[test]
fn more_limits_than_one_request_is_counted_by_are_told() {
    let rules: String = (0..520)
        .map(|n| {
            format!("- {{ name: l{n}, match: {{ all: true }}, limit: {{ rate: {} per 1m }}, then: limit }}\n", n + 1)
        })
        .collect();
    let mut gate = Gate::new(&format!("rules:\n{rules}"));
    ask(&mut gate, "/");
    assert_eq!(gate.state.counts().uncounted, 1);
    assert_eq!(ask(&mut gate, "/"), "limit p/l0");
}
