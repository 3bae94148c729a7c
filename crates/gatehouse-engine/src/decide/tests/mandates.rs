//! Whatever a document below says, a mandate of the organisation still decides for the requests that it matches: the document is
//! refused, or no request fares better with it than without.

use gatehouse_policy::{Format, Policy, Source, compile};
use gatehouse_verdict::{Action, Reason};
use proptest::prelude::*;
use proptest::sample::select;

use super::gate::*;
use crate::exchange::Judged;

/// What a mandate, or a rule below, may ask for.
const LEAVES: [&str; 20] = [
    "path: /admin",
    "path: [/admin/**, \"/users/{id}\"]",
    "path: { prefix: /api }",
    "path: { regex: \"^/v[0-9]+/\" }",
    "method: [POST, DELETE]",
    "host: shop.example.com",
    "headers: { x-role: admin }",
    "headers: { x-role: { present: true } }",
    "headers: { user-agent: { contains: sqlmap } }",
    "headers: { x-token: { present: false } }",
    "query: { debug: { present: true } }",
    "cookies: { session: { present: false } }",
    "address: 192.0.2.0/24",
    "address: { list: office }",
    "country: DE",
    "agent: [scanner, library]",
    "identity: none",
    "identity: \"spiffe://cluster.local/ns/ops/sa/*\"",
    "jwt: { role: admin }",
    "all: true",
];
/// What decides.
const FINAL: [&str; 7] = [
    "block",
    "drop",
    "{ block: { status: 451 } }",
    "{ redirect: { location: /elsewhere } }",
    "{ deceive: { status: 200, body: \"{}\" } }",
    "allow",
    "[record, block]",
];
/// What a rule below may do beside, and headers that it may lay hands on.
const THEN: [&str; 10] = [
    "{ tag: { header: x-role, value: none } }",
    "{ tag: { header: x-gatehouse-class, value: a } }",
    "{ tag: { header: user-agent, value: browser } }",
    "{ route: { header: x-token, value: slow } }",
    "{ sanitize: { headers: [x-role], query: [debug] } }",
    "{ weigh: -50 }",
    "record",
    "{ delay: 1s }",
    "{ setResponseHeaders: { x-a: b } }",
    "{ removeRequestHeaders: [x-role] }",
];
/// What a document below may say beside its rules; and of whose word it may be.
const SETTINGS: [&str; 18] = [
    "",
    "",
    "otherwise: allow",
    "otherwise: block",
    "ambiguous: strictest",
    "ambiguous: reject",
    "forward: canonical",
    "forward: received",
    "client: { address: { from: x-forwarded-for, trust: [10.0.0.0/8, 192.0.2.0/24] } }",
    "client: { address: { from: x-real-ip, hops: 1 }, key: [address] }",
    "client: { key: [jwt.sub, address] }",
    "backend: { paths: caseInsensitive }",
    "backend: { decodes: 2 }",
    "backend: { parameters: ignored }",
    "backend: { parameters: kept }",
    "identityHeaders: { action: strip, names: [x-role, x-token] }",
    "identityHeaders: { action: refuse, names: [x-role] }",
    "requireMutualTls: true",
];

fn condition() -> impl Strategy<Value = String> {
    let leaf = || select(&LEAVES[..]).prop_map(|text| format!("{{ {text} }}"));
    prop_oneof![
        4 => leaf(),
        1 => leaf().prop_map(|one| format!("{{ not: {one} }}")),
        1 => (leaf(), leaf()).prop_map(|(one, two)| format!("{{ any: [{one}, {two}] }}")),
        1 => (leaf(), leaf()).prop_map(|(one, two)| format!("{{ all: [{one}, {{ not: {two} }}] }}")),
    ]
}

/// Rules of one list, with names that begin with `prefix`.
fn rules(prefix: &'static str, then: impl Strategy<Value = &'static str> + Clone) -> impl Strategy<Value = String> {
    let mode = select(vec!["", "", "", "mode: monitor, ", "mode: canary 50%, ", "mode: enforce, "]);
    let one = (condition(), then, mode, -1000..=1000i32);
    prop::collection::vec(one, 1..4).prop_map(move |rules| {
        let one = |(number, (condition, then, mode, priority)): (usize, (String, &str, &str, i32))| {
            format!("{{ name: {prefix}{number}, priority: {priority}, {mode}match: {condition}, then: {then} }}")
        };
        format!("rules: [{}]", rules.into_iter().enumerate().map(one).collect::<Vec<_>>().join(", "))
    })
}

/// The organisation: its mandates. What it says by `defaults` it leaves to those below, so it says nothing by them here.
fn organisation() -> impl Strategy<Value = String> {
    let mode = select(vec!["", "", "mode: canary 30%\n", "mode: monitor\n"]);
    let setting = prop_oneof![3 => Just(""), 1 => select(&SETTINGS[..])];
    (rules("m", select(&FINAL[..])), mode, setting).prop_map(|(rules, mode, setting)| {
        let more = if setting.is_empty() { String::new() } else { format!(", {setting}") };
        format!("scope: acme\nlists: {{ office: {{ cidrs: [192.0.2.0/28] }} }}\n{mode}mandates: {{ {rules}{more} }}\n")
    })
}

/// A document below: everything that it may say.
fn below(name: &'static str, scope: &'static str) -> impl Strategy<Value = (&'static str, String)> {
    let then = select([&FINAL[..], &THEN[..], &["allow", "allow", "allow"]].concat());
    let part = |word: &'static str, prefix: &'static str| {
        prop_oneof![
            2 => Just(String::new()),
            1 => (rules(prefix, select(&FINAL[..])), select(&SETTINGS[..])).prop_map(move |(rules, setting)| {
                let setting = if setting.is_empty() { String::new() } else { format!(", {setting}") };
                format!("{word}: {{ {rules}{setting} }}\n")
            }),
        ]
    };
    let mode = select(vec!["", "mode: monitor\n", "mode: canary 10%\n", "mode: enforce\n"]);
    (rules("r", then), mode, select(&SETTINGS[..]), part("defaults", "d"), part("mandates", "n")).prop_map(
        move |(rules, mode, setting, defaults, mandates)| {
            let lists = "lists: { office: { cidrs: [198.51.100.7] } }";
            let start = format!("scope: {scope}\nhosts: [shop.example.com]\n{lists}\n{mode}{setting}\n");
            (name, format!("{start}{rules}\n{defaults}{mandates}"))
        },
    )
}

fn request() -> impl Strategy<Value = Ask> {
    let path = select(vec![
        "/",
        "/admin",
        "/admin/x",
        "/ADMIN",
        "/x/../admin",
        "//admin",
        "/admin;v=1",
        "/%61dmin",
        "/%2561dmin",
        "/api/a",
        "/api/a?debug=1",
        "/v1/x",
        "/users/7",
        "/users;a/7",
    ]);
    let header = select(vec![
        ("x-role", "admin"),
        ("x-role", "user"),
        ("user-agent", "sqlmap/1.8"),
        ("user-agent", "curl/8.5.0"),
        ("x-token", "t"),
        ("cookie", "session=1"),
        ("x-forwarded-for", "203.0.113.9"),
        ("x-real-ip", "203.0.113.9"),
    ]);
    let peer = select(vec!["192.0.2.1", "192.0.2.99", "10.0.0.1", "198.51.100.7"]);
    let who = select(vec!["", "", "identity", "claim"]);
    (select(vec!["GET", "POST"]), path, prop::collection::vec(header, 0..4), peer, who).prop_map(
        |(method, path, headers, peer, who)| {
            let ask = headers.into_iter().fold(Ask::new(method, path), |ask, (name, value)| ask.header(name, value));
            match who {
                "identity" => ask.from(peer).identity("spiffe://cluster.local/ns/ops/sa/web"),
                "claim" => ask.from(peer).claim("role", "admin").claim("sub", "alice"),
                _ => ask.from(peer),
            }
        },
    )
}

/// The policy of these documents; `None`: they are refused.
fn together(documents: &[(&str, &str)]) -> Option<Policy> {
    let text = whole(documents);
    let compiled = compile(&[Source { name: "test", text: &text, format: Format::Yaml }]).ok()?;
    Some(Policy::load(compiled.image, 1).expect("what compiles loads"))
}

/// By a mandate of the organisation, and what it does.
fn by_mandate(judged: &Judged) -> Option<(&str, Action)> {
    let rule = judged.verdict.rule.as_deref().filter(|rule| rule.starts_with("top/m"))?;
    (judged.verdict.reason == Reason::Rule).then_some((rule, judged.verdict.action()))
}

/// As decisions of several readings are compared, the mildest first.
const ORDER: [Action; 6] =
    [Action::Allow, Action::Redirect, Action::Limit, Action::Deceive, Action::Drop, Action::Block];

fn strictness(action: Action) -> Option<usize> {
    ORDER.iter().position(|known| *known == action)
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: 200_000, ..ProptestConfig::default() })]

    #[test]
    fn no_document_below_makes_a_request_less_restricted_by_a_mandate(
        top in organisation(),
        low in below("low", "acme/shop"),
        lowest in prop::option::of(below("lowest", "acme/shop/web")),
        asks in prop::collection::vec(request(), 12),
    ) {
        let alone = together(&[("top", &top)]);
        let parts: Vec<(&str, &str)> = [("top", top.as_str())].into_iter()
            .chain([&low].into_iter().chain(&lowest).map(|(name, text)| (*name, text.as_str()))).collect();
        // Refused: nothing changes.
        let (Some(alone), Some(both)) = (alone, together(&parts)) else { return Err(TestCaseError::reject("refused")) };
        let (mut alone, mut both) = (Gate::of(alone), Gate::of(both));
        for ask in &asks {
            let (before, after) = (alone.ask(ask), both.ask(ask));
            let Some((mandate, action)) = by_mandate(&before) else { continue };
            // Of several readings the strictest verdict wins: a rule may decide on one that the mandate does not match.
            let read_twice = after.verdict.ambiguity.is_some() || whole(&parts).contains("backend:");
            let told = || format!("{ask:?}\nalone {}\nboth {}\n{}", said(&before), said(&after), whole(&parts));
            if action == Action::Allow {
                // It ends what is no mandate; mandates below may still refuse, settings that refuse unread, another reading.
                let decided = after.verdict.rule.as_deref().unwrap_or_default();
                let refused = decided.contains("/n") || after.verdict.reason != Reason::Rule || read_twice;
                prop_assert!(decided == mandate || refused, "{}", told());
            } else {
                let stricter = strictness(after.verdict.action()).cmp(&strictness(action));
                prop_assert!(stricter.is_ge(), "{}", told());
                // What is refused unread, or more strictly, is not less restricted.
                let other = after.verdict.reason != Reason::Rule || stricter.is_gt() || read_twice;
                prop_assert!(by_mandate(&after) == Some((mandate, action)) || other, "{}", told());
            }
        }
    }

    #[test]
    fn a_limit_of_a_mandate_admits_no_more_whatever_stands_below(
        key in select(vec!["client", "address", "headers.x-token"]),
        low in below("low", "acme/shop"),
        ask in request(),
    ) {
        let limit = format!("limit: {{ by: [{key}], rate: 3 per 1m }}");
        let top = format!("scope: acme\nmandates: {{ rules: [{{ name: m, match: {{ all: true }}, {limit}, then: limit }}] }}\n");
        let parts = [("top", top.as_str()), (low.0, low.1.as_str())];
        let Some(both) = together(&parts) else { return Err(TestCaseError::reject("refused")) };
        let mut gate = Gate::of(both);
        let admitted = (0..10).filter(|_| passed(&gate.exchange(&ask, 200))).count();
        prop_assert!(admitted <= 3, "{admitted} of {ask:?}\n{}", whole(&parts));
    }
}
