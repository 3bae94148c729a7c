//! One engine: `explain`, which asks every rule, and `judge`, which asks those that the index finds, say the same of any request
//! under any policy, request after request.

use std::fmt::Write as _;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use super::gate::*;

fn leaf() -> impl Strategy<Value = String> {
    let fixed = select(vec![
        "path: /a",
        "path: /a/*",
        "path: /a/**",
        "path: { prefix: /a/b }",
        "path: { suffix: .php }",
        "path: { regex: \"^/[a-c]+/[0-9]+$\" }",
        "path: [/b, { prefix: /c }]",
        "method: [GET, HEAD]",
        "method: POST",
        "headers: { x-a: one }",
        "headers: { x-a: { contains: ne } }",
        "headers: { x-b: { present: false } }",
        "headers: { user-agent: { regex: \"bot|curl\" } }",
        "query: { q: { prefix: a } }",
        "cookies: { c: one }",
        "address: 192.0.2.0/30",
        "address: { list: office }",
        "verdict: { list: banned }",
        "identity: none",
        "identity: \"spiffe://a/ns/*/sa/c\"",
        "jwt: { sub: alice }",
        "agent: [crawler, scanner]",
        "fingerprint: h1_ua_-",
        "country: DE",
        "score: 20",
        "label: probe",
        "host: shop.example.com",
        "host: \"*.example.com\"",
        "size: { atLeast: 10B }",
        "time: { hours: \"00:00-12:00\" }",
        "port: 443",
    ]);
    fixed.prop_map(|text| format!("{{ {text} }}"))
}

fn condition() -> impl Strategy<Value = String> {
    leaf().prop_recursive(2, 8, 3, |inner| {
        let some = || prop::collection::vec(inner.clone(), 1..3).prop_map(|parts| parts.join(", "));
        prop_oneof![
            some().prop_map(|parts| format!("{{ all: [{parts}] }}")),
            some().prop_map(|parts| format!("{{ any: [{parts}] }}")),
            inner.clone().prop_map(|one| format!("{{ not: {one} }}")),
            (leaf(), inner).prop_map(|(one, two)| format!("{{ all: [{one}, {{ not: {two} }}] }}")),
        ]
    })
}

fn then() -> impl Strategy<Value = &'static str> {
    select(vec![
        "allow",
        "block",
        "drop",
        "{ deceive: { status: 200, body: x } }",
        "{ redirect: { location: /there } }",
        "[{ weigh: 9, label: probe }, block]",
        "{ weigh: 15, label: probe }",
        "{ tag: { header: x-class, value: a } }",
        "[{ tag: { header: x-class, value: b } }, record]",
        "{ delay: 1s }",
        "{ sanitize: { headers: x-a, query: q } }",
        "{ setResponseHeaders: { x-s: t } }",
    ])
}

fn limit() -> impl Strategy<Value = &'static str> {
    select(vec![
        "{ rate: 2 per 10s }",
        "{ by: [path.class, \"headers.x-a\"], rate: 3 per 10s, blockFor: 20s }",
        "{ by: address.prefix, rate: 5 per 10s, burst: 2 }",
        "{ count: { status: 401 }, rate: 2 per 10s, blockFor: 5s }",
        "{ by: path, distinct: { of: address, over: 1 per 10s } }",
        "{ rate: 1 per 10s, steps: [{ rate: 3 per 10s, then: drop }] }",
    ])
}

fn rule() -> impl Strategy<Value = String> {
    let mode = select(vec!["", "", "", "mode: monitor, ", "mode: canary 50%, ", "mode: enforce, "]);
    let refuses = select(vec!["limit", "block", "record", "{ tag: { header: x-over, value: z } }"]);
    let does = prop_oneof![
        3 => then().prop_map(|then| format!("then: {then}")),
        2 => (limit(), refuses).prop_map(|(limit, then)| format!("limit: {limit}, then: {then}")),
    ];
    (condition(), mode, does, -3_i32..3)
        .prop_map(|(condition, mode, does, priority)| format!("priority: {priority}, {mode}match: {condition}, {does}"))
}

fn rules(list: &[String], prefix: &str) -> String {
    let mut text = String::new();
    for (n, rule) in list.iter().enumerate() {
        let _ = write!(text, "{{ name: {prefix}{n}, {rule} }}, ");
    }
    format!("[{text}]")
}

fn policies() -> impl Strategy<Value = String> {
    let some = |most| prop::collection::vec(rule(), 0..most);
    let settings = select(vec![
        "",
        "otherwise: block\n",
        "ambiguous: strictest\n",
        "ambiguous: reject\n",
        "forward: canonical\n",
        "mode: monitor\n",
    ]);
    (some(12), some(3), some(3), settings, any::<bool>()).prop_map(|(own, mandates, defaults, settings, key)| {
        let key = if key { "client: { key: [jwt.sub, identity, address] }\n" } else { "" };
        format!(
            "{settings}{key}lists: {{ office: {{ cidrs: [192.0.2.0/31, 2001:db8::/32] }}, banned: {{ from: verdicts }} }}\n\
             rules: {}\nmandates: {{ rules: {} }}\ndefaults: {{ rules: {} }}",
            rules(&own, "r"),
            rules(&mandates, "m"),
            rules(&defaults, "d")
        )
    })
}

fn asks() -> impl Strategy<Value = Ask> {
    let path = select(vec![
        "/a",
        "/a/b",
        "/a/b/c",
        "/b",
        "/c/x.php",
        "/abc/12",
        "/a/../b",
        "//a",
        "/a;x=1",
        "/a%2fb",
        "/%61",
        "/a?q=ab&x=1",
        "/a/b?q=%61",
        "/",
        "*",
    ]);
    let method = select(vec!["GET", "GET", "POST", "HEAD", "OPTIONS"]);
    let host = select(vec!["shop.example.com", "www.example.com", "other.test"]);
    let from = select(vec!["192.0.2.0", "192.0.2.1", "192.0.2.9", "2001:db8::1", "unknown"]);
    let more = prop::collection::vec(
        select(vec![
            ("x-a", "one"),
            ("x-a", "two"),
            ("x-b", "1"),
            ("user-agent", "curl/8"),
            ("user-agent", "Googlebot/2.1"),
            ("accept", "*/*"),
            ("cookie", "c=one"),
            ("content-length", "12"),
            ("x-http-method-override", "POST"),
            ("x-gatehouse-class", "x"),
            ("origin", "https://a.example"),
            ("access-control-request-method", "POST"),
        ]),
        0..4,
    );
    let who = select(vec!["", "", "spiffe://a/ns/b/sa/c", "spiffe://a/ns/b/sa/d"]);
    let claim = select(vec!["", "", "alice", "bob"]);
    (path, method, host, from, more, who, claim).prop_map(|(path, method, host, from, more, who, claim)| {
        let mut ask = Ask::new(method, path).host(host).from(from);
        for (name, value) in more {
            ask = ask.header(name, value);
        }
        ask = if who.is_empty() { ask } else { ask.identity(who) };
        if claim.is_empty() { ask } else { ask.claim("sub", claim) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn explain_and_judge_say_the_same_of_any_request_under_any_policy(
        spec in policies(),
        asks in prop::collection::vec((asks(), 0_u64..4000, select(vec![200_u16, 401, 404])), 10..40),
    ) {
        let (mut one, mut two) = (Gate::new(&spec), Gate::new(&spec));
        for gate in [&mut one, &mut two] {
            gate.state.verdicts_mut().put("banned", &[1, 192, 0, 2, 9], u64::MAX, 0);
        }
        for (ask, pause, status) in asks {
            one.wait(Duration::from_millis(pause));
            two.wait(Duration::from_millis(pause));
            let mut judged = one.ask(&ask);
            let (mut explained, trace) = two.explain(&ask);
            prop_assert_eq!(&judged.verdict, &explained.verdict, "{:?}\n{:?}", ask, trace);
            prop_assert_eq!(&judged.step, &explained.step);
            prop_assert_eq!(judged.subject, explained.subject);
            prop_assert_eq!(judged.delay_ns, explained.delay_ns);
            one.tell(&mut judged, Some(status));
            two.tell(&mut explained, Some(status));
            let answers = [
                one.respond(&ask, &mut judged, status, &[]),
                two.respond(&ask, &mut explained, status, &[]),
            ];
            prop_assert_eq!(&answers[0], &answers[1]);
        }
        prop_assert_eq!(one.state.counts(), two.state.counts());
    }
}

#[test]
fn the_trace_shows_each_rule_that_was_asked_with_its_sums() {
    let spec = "
rules:
- { name: w, match: { path: /w }, then: { weigh: 7 } }
- { name: refuse, match: { path: /no }, then: block }
- { name: l, match: { all: true }, limit: { by: [\"headers.x-k\"], rate: 3 per 1m }, then: limit }
- { name: s, match: { score: 50 }, then: drop }";
    let mut gate = Gate::new(spec);
    gate.ask(&Ask::get("/w"));
    gate.ask(&Ask::get("/").header("x-k", "2"));
    let (judged, trace) = gate.explain(&Ask::get("/").header("x-k", "1"));
    assert_eq!(said(&judged), "allow");
    let told: Vec<_> =
        trace.steps.iter().map(|step| (step.rule.as_str(), step.truth, step.limit, step.score)).collect();
    use gatehouse_policy::Truth::{False, True};
    // Two requests of the address were counted already: this one passes and no other, whatever the key is.
    let sum = Some(crate::trace::Sum { remaining: 0, over: None });
    assert_eq!(
        told,
        [
            ("p/w", False, None, Some(7)),
            ("p/refuse", False, None, Some(7)),
            ("p/l", True, sum, Some(7)),
            ("p/s", False, None, Some(7))
        ]
    );
    let (_, trace) = gate.explain(&Ask::get("/").header("x-k", "1"));
    let last = trace.steps.iter().find(|step| step.rule == "p/l").and_then(|step| step.limit).unwrap();
    assert_eq!((last.remaining, last.over.map(|(step, _)| step)), (0, Some(0)));
}
