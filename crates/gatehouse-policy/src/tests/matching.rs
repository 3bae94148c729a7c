//! What a policy in force answers: host first, then rules in the order of decision, three-valued.

use super::*;

fn rule(condition: &str) -> Policy {
    policy(&document("p", &format!("rules: [{{ name: r, match: {condition}, then: block }}]")))
}

/// The truth of the only rule for a GET of `path` with these headers, from `peer`.
fn truth(condition: &str, path: &str, headers: &[(&str, &[u8])], peer: &str) -> Truth {
    let policy = rule(condition);
    let connection = connection(peer);
    let pairs: Vec<(&[u8], &[u8])> = headers.iter().map(|(name, value)| (name.as_bytes(), *value)).collect();
    let facts = facts("a.example", path.as_bytes(), "GET", Head::new(&pairs, &connection));
    policy.rule(0).holds(&facts)
}

fn path(condition: &str, path: &str) -> bool {
    truth(&format!("{{ path: {condition} }}"), path, &[], "192.0.2.1") == Truth::True
}

fn header(condition: &str, values: &[&[u8]]) -> bool {
    let headers: Vec<(&str, &[u8])> = values.iter().map(|value| ("x-a", *value)).collect();
    truth(&format!("{{ headers: {{ X-A: {condition} }} }}"), "/", &headers, "192.0.2.1") == Truth::True
}

#[test]
fn paths_match_by_literal_segment_prefix_suffix_and_regex() {
    assert!(path("/a", "/a") && !path("/a", "/a/"));
    assert!(path("'/u/*/o/{id}'", "/u/1/o/2") && !path("'/u/*/o/{id}'", "/u/1/o/"));
    assert!(path("/a/**", "/a/b/c") && !path("/a/**", "/a"));
    assert!(path("{ prefix: /a }", "/a/b") && !path("{ prefix: /a }", "/ab"));
    assert!(path("{ suffix: .php }", "/x/y.php") && !path("{ suffix: .php }", "/x.php5"));
    assert!(path("{ regex: '^/v[0-9]+/' }", "/v12/x") && !path("{ regex: '^/v[0-9]+/' }", "/x/v12/"));
    assert!(path("[/x, { prefix: /y }]", "/y/1"));
}

#[test]
fn a_literal_path_is_canonical_however_it_was_written() {
    assert!(path("'/caf\u{e9} x'", "/caf%C3%A9%20x"));
}

#[test]
fn every_value_of_a_repeated_header_is_looked_at_as_bytes() {
    assert!(header("{ contains: bot }", &[b"none", b"a bot"]));
    assert!(header("one", &[b"two", b"one"]) && !header("one", &[b"one more"]));
    assert!(header("{ prefix: a }", &[b"\xffa", b"ab"]) && header("{ suffix: b }", &[b"\x80b"]));
    assert!(header("{ regex: '^\\xFF+$' }", &[b"\xff\xff"]));
    assert!(header("{ present: true }", &[b""]) && !header("{ present: true }", &[]));
    assert!(header("{ present: false }", &[]) && !header("{ present: false }", &[b""]));
    assert!(header("''", &[b""]) && !header("''", &[]));
}

#[test]
fn an_unknown_address_makes_the_match_unknown_through_every_operator() {
    let inside = "{ address: 192.0.2.0/24 }";
    assert_eq!(truth(inside, "/", &[], "192.0.2.9"), Truth::True);
    assert_eq!(truth(inside, "/", &[], "198.51.100.1"), Truth::False);
    assert_eq!(truth(inside, "/", &[], "nobody"), Truth::Unknown);
    assert_eq!(truth("{ not: { address: 192.0.2.0/24 } }", "/", &[], "nobody"), Truth::Unknown);
    assert_eq!(truth("{ any: [{ address: 192.0.2.0/24 }, { path: /a }] }", "/a", &[], "nobody"), Truth::True);
    assert_eq!(truth("{ address: 192.0.2.0/24, path: /a }", "/b", &[], "nobody"), Truth::False);
}

#[test]
fn addresses_match_by_the_network_that_holds_them() {
    let set = "{ address: [10.0.0.0/8, 10.1.0.0/16, 192.0.2.7, '2001:db8::/32', '::/1'] }";
    for inside in ["10.1.2.3", "10.255.0.0", "192.0.2.7", "2001:db8::1", "::ffff:10.0.0.1", "1::"] {
        assert_eq!(truth(set, "/", &[], inside), Truth::True, "{inside}");
    }
    for outside in ["9.255.255.255", "11.0.0.0", "192.0.2.8", "f000::"] {
        assert_eq!(truth(set, "/", &[], outside), Truth::False, "{outside}");
    }
}

#[test]
fn a_host_has_its_own_rules_and_those_that_hold_everywhere() {
    let rule =
        |name: &str, more: &str| format!("rules: [{{ name: {name}, match: {{ all: true }}, then: record{more} }}]");
    let text = [
        document("exact", &format!("hosts: shop.example.com\n{}", rule("r", ""))),
        document("wild", &format!("hosts: '*.example.com'\n{}", rule("r", ""))),
        document("deep", &format!("hosts: '*.api.example.com'\n{}", rule("r", ""))),
        document("everywhere", &rule("r", ", priority: 1000")),
    ];
    let policy = policy(&text.concat());
    let names = |host: &str| holding(&policy, host, |_| Truth::True);
    assert_eq!(names("shop.example.com"), ["exact/r", "everywhere/r"]);
    assert_eq!(names("blog.example.com"), ["wild/r", "everywhere/r"]);
    assert_eq!(names("a.b.api.example.com"), ["deep/r", "everywhere/r"]);
    let labels = |count: usize| ["a."].repeat(count).concat();
    for count in 1..12 {
        assert_eq!(names(&[&labels(count), "api.example.com"].concat()), ["deep/r", "everywhere/r"], "{count} labels");
        assert_eq!(names(&[&labels(count), "example.com"].concat()), ["wild/r", "everywhere/r"], "{count} labels");
    }
    assert_eq!(names("example.com"), ["everywhere/r"]);
    assert_eq!(names(""), ["everywhere/r"]);
    assert_eq!(names(&".".repeat(60_000)), ["everywhere/r"]);
}

#[test]
fn without_a_document_for_everywhere_an_unclaimed_host_is_not_covered() {
    let policy = policy(&document("a", "hosts: a.example"));
    assert!(policy.for_host(b"a.example").is_some());
    assert!(policy.for_host(b"b.example").is_none());
}

#[test]
fn within_a_layer_priority_decides_then_the_order_written_then_the_name() {
    let rules = |names: &[(&str, i32)]| {
        let rule = |(name, priority): &(&str, i32)| {
            format!("- {{ name: {name}, priority: {priority}, match: {{ all: true }}, then: record }}\n")
        };
        format!("rules:\n{}", names.iter().map(rule).collect::<String>())
    };
    let text = document("b", &rules(&[("one", 0), ("two", 5)]))
        + &document("a", &rules(&[("one", 0), ("two", 0), ("three", 7)]));
    let names = holding(&policy(&text), "x", |_| Truth::True);
    assert_eq!(names, ["a/three", "b/two", "a/one", "b/one", "a/two"]);
}

#[test]
fn settings_of_the_organisation_hold_where_a_document_says_nothing() {
    let everywhere = document("org", "otherwise: block\nmode: monitor\nambiguous: reject");
    let own = document("own", "hosts: own.example\notherwise: allow");
    let silent = document("silent", "hosts: silent.example");
    let policy = policy(&[everywhere, own, silent].concat());
    let otherwise = |host: &str| {
        let scope = policy.for_host(host.as_bytes())?;
        scope.otherwise().map(|(_, mode)| (mode, scope.otherwise_document()))
    };
    use gatehouse_verdict::Mode::{Enforce, Monitor};
    assert_eq!(otherwise("own.example"), Some((Enforce, "own")));
    assert_eq!(otherwise("silent.example"), Some((Monitor, "org")));
    assert_eq!(otherwise("nobody.example"), Some((Monitor, "org")));
    assert_eq!(policy.for_host(b"silent.example").expect("covered").ambiguous(), Some(crate::Ambiguous::Reject));
}

#[test]
fn headers_that_a_policy_sets_are_known_in_every_way_of_writing_them() {
    let policy = policy(&document(
        "p",
        "rules: [{ name: r, match: { all: true }, then: { tag: { header: X-My-Class, value: a } } }]",
    ));
    assert_eq!(policy.set_headers().collect::<Vec<_>>(), ["x-my-class"]);
    for name in ["x-my-class", "X-MY-CLASS", "x_my_class", "X-my_Class"] {
        assert!(policy.sets_header(name.as_bytes()), "{name}");
    }
    assert!(!policy.sets_header(b"x-my-clas") && !policy.sets_header(b"x-my-class2"));
}

#[test]
fn a_rule_is_the_same_while_what_it_means_is_the_same() {
    let rules = |first: &str, list: &str, more: &str| {
        let list = format!("lists: {{ l: {{ cidrs: [{list}] }} }}");
        let limited =
            "{ name: counted, match: { path: /login }, limit: { by: [client], rate: 5 per 1m }, then: limit }";
        policy(&document("p", &format!("{list}\nrules: [{more} {{ name: r, {first} }}, {limited}]")))
    };
    let of = |policy: &Policy| {
        let rule = (0..policy.rules())
            .map(|index| policy.rule(index as u32))
            .find(|rule| rule.name() == "r")
            .expect("the rule");
        let limit = policy.limits().first().expect("a limit");
        (rule.identity(), policy.rule(limit.rule).identity(), limit.identity)
    };
    let first = "match: { path: /a, address: { list: l } }, then: block";
    let base = of(&rules(first, "192.0.2.0/24, 198.51.100.0/24", ""));
    let other =
        "{ name: before, priority: 9, match: { headers: { x-a: b } }, then: { tag: { header: x-t, value: v } } },";
    assert_eq!(of(&rules(first, "198.51.100.0/24, 192.0.2.0/24", other)), base);
    assert_eq!(of(&rules(&format!("mode: monitor, priority: 3, {first}"), "192.0.2.0/24, 198.51.100.0/24", "")), base);
    for changed in [
        "match: { path: /b, address: { list: l } }, then: block",
        "match: { path: { prefix: /a }, address: { list: l } }, then: block",
        "match: { path: /a, address: { list: l }, method: GET }, then: block",
        "match: { path: /a, address: { list: l } }, then: { block: { status: 404 } }",
        "match: { path: /a, address: { list: l } }, then: [record, block]",
    ] {
        let changed = of(&rules(changed, "192.0.2.0/24, 198.51.100.0/24", ""));
        assert!(changed.0 != base.0 && changed.1 == base.1 && changed.2 == base.2);
    }
    assert_ne!(of(&rules(first, "192.0.2.0/24", "")).0, base.0);
}

#[test]
fn a_host_that_is_remembered_has_the_scope_that_it_has() {
    let one = policy(&document("one", "hosts: a.example"));
    let other = policy(&document("other", "hosts: '*.example'"));
    let long = format!("{}.example", "a".repeat(60));
    let many: Vec<String> = (0..500).map(|host| format!("h{host}.example")).collect();
    let names = ["a.example", "b.example", "a.exampl", "", ".example", &long];
    let asked = || names.into_iter().chain(many.iter().map(String::as_str));
    let (mut known, mut remembered) = (crate::KnownHosts::default(), 0);
    for policy in [&one, &other, &one] {
        known.forget();
        for host in asked().flat_map(|host| [host, host]).map(str::as_bytes) {
            let name = |scope: crate::Scope<'_>| scope.name().to_owned();
            let found = known.find(policy, host);
            let scope = found.unwrap_or_else(|| known.learn(policy, host));
            assert_eq!(scope.map(name), policy.for_host(host).map(name), "{host:?}");
            remembered += usize::from(found.is_some());
        }
    }
    assert!(
        remembered >= 3 * many.len() && known.find(&one, b"").is_none() && known.find(&one, long.as_bytes()).is_none()
    );
}
