//! What is found, and what is not taken for a mistake.

use super::*;
use crate::compile::Source;
use crate::document::Node;
use crate::{Format, Library};

fn documents(text: &str) -> Vec<Document> {
    let mut problems = Problems::default();
    let nodes = crate::compile::read(&[Source { name: "p.yaml", text, format: Format::Yaml }], &mut problems);
    let nodes: Vec<&Node> = nodes.iter().collect();
    let packs = crate::tests::packs();
    let documents = crate::compile::documents(&nodes, &packs as &dyn Library, &mut problems);
    assert!(problems.is_empty(), "{problems}");
    documents
}

fn warnings_with(text: &str, surroundings: &Surroundings<'_>) -> Vec<String> {
    let documents = documents(text);
    let mut warnings = Problems::default();
    lint(&documents, surroundings, &mut warnings);
    warnings.sort();
    warnings.0.iter().map(ToString::to_string).collect()
}

fn warnings(text: &str) -> Vec<String> {
    warnings_with(text, &Surroundings { now: Some(1_800_000_000), ..Surroundings::default() })
}

fn document(spec: &str) -> String {
    crate::tests::document("p", spec)
}

#[test]
fn a_misspelt_placeholder_is_told_with_the_one_that_was_meant() {
    let told = warnings(&document(
        "otherwise: { block: { headers: { x-ref: \"{Reference}\" } } }\nrules:\n\
         - { name: a, match: { path: /a }, then: { block: { body: \"see {refrence} and {reference}\" } } }\n\
         - { name: b, match: { path: /b }, limit: { rate: 1 per 1m, steps: [{ rate: 2 per 1m, then: { block: { body: \"{retry-after}\" } } }] }, then: limit }\n\
         - { name: c, match: { path: /c }, then: { block: { body: \"p{color:red} {\\\"a\\\":{}} {name} }{ {reference\" } } }\n",
    ));
    let said = [("{Reference}", "{reference}"), ("{refrence}", "{reference}"), ("{retry-after}", "{retry_after}")];
    assert_eq!(told.len(), said.len(), "{told:#?}");
    for (told, (written, meant)) in told.iter().zip(said) {
        let expected = format!("`{written}` is sent as it is: it is no placeholder; did you mean `{meant}`?");
        assert!(told.ends_with(&expected), "{told}");
    }
}

#[test]
fn a_key_behind_the_address_is_never_asked_for() {
    let told = |key: &str| warnings(&document(&format!("client: {{ key: {key} }}\nrules: []")));
    assert!(told("[jwt.sub, identity, address]").is_empty() && told("address").is_empty());
    let [only] = <[String; 1]>::try_from(told("[address, jwt.sub]")).expect("one warning");
    assert!(only.contains("`key` goes on behind `address`"), "{only}");
}

/// Warnings about rules `a`, `b`, … with these bodies, in a document for `a.example`.
fn of_rules(rules: &[&str]) -> Vec<String> {
    let name = |index: usize| char::from(b'a' + u8::try_from(index).expect("few"));
    let rules: Vec<String> =
        rules.iter().enumerate().map(|(index, rule)| format!("- {{ name: {}, {rule} }}\n", name(index))).collect();
    warnings(&document(&format!("hosts: a.example\nlists: {{ old: {{ cidrs: [10.0.0.0/8], expires: 2026-01-01T00:00:00Z }}, none: {{ asns: [] }} }}\nrules:\n{}", rules.concat())))
        .into_iter()
        .filter(|warning| warning.contains("the rule"))
        .collect()
}

#[test]
fn a_match_that_nothing_can_meet_is_told_with_the_reason() {
    for (condition, why) in [
        ("{ method: GET, all: [{ method: POST }] }", "nothing meets both conditions on `method`"),
        ("{ path: /a, all: [{ path: { prefix: /b } }] }", "nothing meets both conditions on `path`"),
        ("{ path: /a, not: { path: { prefix: /a } } }", "its `not` excludes what it asks for on `path`"),
        ("{ path: [/a, /b], not: [{ path: /b }, { path: /a }] }", "its `not` excludes what it asks for on `path`"),
        ("{ host: b.example }", "`b.example` is no host of the document"),
        ("{ address: { list: old } }", "the list `old` expired at 2026-01-01T00:00:00Z"),
        ("{ asn: { list: none } }", "the list `none` is empty"),
        ("{ label: probe }", "no rule gives the label `probe`"),
        ("{ score: 5 }", "no rule weighs"),
        ("{ headers: { x-gatehouse-class: a } }", "`x-gatehouse-class` is taken from every request"),
        ("{ time: { before: 2026-01-01T00:00:00Z } }", "its time ended at 2026-01-01T00:00:00Z"),
        ("{ not: { all: true } }", "its `not` excludes every request"),
        ("{ not: { path: /** } }", "its `not` excludes every request"),
        ("{ identity: none, all: [{ identity: \"spiffe://a/b\" }] }", "nothing meets both conditions on `identity`"),
        (
            "{ headers: { a: { present: false } }, all: [{ headers: { a: b } }] }",
            "nothing meets both conditions on `headers.a`",
        ),
        ("{ address: 10.0.0.0/8, all: [{ address: 11.0.0.0/8 }] }", "nothing meets both conditions on `address`"),
        ("{ size: { atMost: 1KiB }, all: [{ size: { atLeast: 2KiB } }] }", "nothing meets both conditions on `size`"),
        (
            "{ response: { status: 4xx }, all: [{ response: { status: 500 } }] }",
            "nothing meets both conditions on `response.status`",
        ),
    ] {
        let found = of_rules(&[&format!("match: {condition}, then: record")]);
        assert_eq!(found.len(), 1, "{condition}: {found:?}");
        assert!(found[0].contains(&format!("the rule `a` can never fire: {why}")), "{condition}: {found:?}");
    }
}

#[test]
fn a_score_that_no_rule_can_bring_about_is_told() {
    let high = "match: { score: 5 }, then: block";
    let watched = "match: { score: { atLeast: 5, label: bad } }, then: block";
    for (weighing, asking, why) in [
        ("match: { path: /w }, then: { weigh: -5 }", high, "no rule adds to that score"),
        (
            "match: { path: /w }, mode: monitor, then: [{ weigh: 5 }, block]",
            high,
            "every rule that adds to that score is",
        ),
        ("match: { path: /w }, then: { weigh: { weight: -5, label: bad } }", watched, "no rule adds to that score"),
        (
            "match: { path: /w }, mode: monitor, then: [{ weigh: 5, label: bad }, block]",
            "match: { label: bad }, then: block",
            "every rule",
        ),
    ] {
        let found = of_rules(&[weighing, asking]);
        assert_eq!(found.len(), 1, "{weighing}: {found:?}");
        assert!(found[0].contains(&format!("the rule `b` can never fire: {why}")), "{weighing}: {found:?}");
    }
    for weighing in ["{ weigh: 5 }", "{ weigh: { weight: 1, label: bad } }"] {
        let canary = format!("match: {{ path: /w }}, mode: canary 1%, then: {weighing}");
        assert_eq!(of_rules(&[&canary, high]), [""; 0], "{weighing}");
    }
}

#[test]
fn a_header_that_is_taken_from_requests_meets_nothing_but_its_absence() {
    let tag = "match: { path: /t }, then: { tag: { header: X-Class, value: a } }";
    let found = of_rules(&[tag, "match: { headers: { x-class: { present: true } } }, then: block"]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("the rule `b` can never fire: `x-class` is taken from every request"), "{found:?}");
    for condition in ["{ path: /a, headers: { x-class: { present: false } } }", "{ headers: { x-other: a } }"] {
        assert_eq!(of_rules(&[tag, &format!("match: {condition}, then: block")]), [""; 0], "{condition}");
    }
}

#[test]
fn settings_of_a_rule_that_cancel_each_other_are_told() {
    for (rule, told) in [
        ("then: [{ tag: { header: x-a, value: b } }, block]", "`tag` of the rule `a` does nothing"),
        ("then: [{ delay: 1s }, drop]", "`delay` of the rule `a` does nothing"),
        (
            "then: [{ sanitize: { query: q } }, { redirect: { location: / } }]",
            "`sanitize` of the rule `a` does nothing",
        ),
        (
            "limit: { rate: 1 per 1m, steps: [{ rate: 2 per 1m, then: [{ route: { header: x-a, value: b } }, drop] }] }, then: limit",
            "`route` of the rule `a` does nothing",
        ),
        (
            "mode: monitor, then: { tag: { header: x-a, value: b } }",
            "the rule `a` does and tells nothing in monitor mode",
        ),
        (
            "limit: { rate: 1 per 1m, steps: [{ rate: 2 per 1m, then: record }] }, then: limit",
            "over 2 the rule `a` lets requests go on that it refuses below",
        ),
        (
            "limit: { count: { status: 401 }, rate: 5 per 1m, inFlight: 6 }, then: limit",
            "`inFlight: 6` of the rule `a` lets that many tries through at once, more than its rate of 5",
        ),
    ] {
        let found = of_rules(&[&format!("match: {{ path: /a }}, {rule}")]);
        assert_eq!(found.len(), 1, "{rule}: {found:?}");
        assert!(found[0].contains(told), "{rule}: {found:?}");
    }
    for rule in [
        "then: [{ tag: { header: x-a, value: b } }, allow]",
        "then: [record, { weigh: 5 }, block]",
        "mode: monitor, then: [{ weigh: 5 }, block]",
        "mode: canary 5%, then: { tag: { header: x-a, value: b } }",
        "limit: { rate: 1 per 1m, steps: [{ rate: 2 per 1m, then: drop }, { rate: 3 per 1m, then: block }] }, then: record",
        "limit: { count: { status: 401 }, rate: 5 per 1m, inFlight: 5 }, then: limit",
    ] {
        assert_eq!(of_rules(&[&format!("match: {{ path: /a }}, {rule}")]), [""; 0], "{rule}");
    }
}

#[test]
fn a_match_that_something_can_meet_is_not_told() {
    for condition in [
        "{ method: [GET, POST], all: [{ method: POST }] }",
        "{ path: { prefix: /a }, not: { path: /a/b } }",
        "{ path: { regex: ^/x }, all: [{ path: /x }] }",
        "{ headers: { a: b }, all: [{ headers: { a: c } }] }",
        "{ host: \"*.example\" }",
        "{ time: { after: 2026-01-01T00:00:00Z } }",
        "{ any: [{ host: b.example }, { path: /a }] }",
        "{ not: { path: /a/** } }",
    ] {
        assert_eq!(of_rules(&[&format!("match: {condition}, then: record")]), [""; 0], "{condition}");
    }
}

#[test]
fn a_final_rule_that_matches_every_request_is_told() {
    for condition in [
        "{ all: true }",
        "{ path: { prefix: / } }",
        "{ path: /** }",
        "{ any: [{ method: GET }, { not: { method: GET } }] }",
        "{ host: \"*.example\" }",
    ] {
        let found = of_rules(&[&format!("match: {condition}, then: block")]);
        assert_eq!(
            found,
            [
                "p.yaml:9:13: the rule `a` matches every request: no rule after it is asked; write `otherwise: block`, or match less"
            ],
            "{condition}"
        );
    }
    assert_eq!(of_rules(&["match: { all: true }, then: record"]), [""; 0]);
    assert_eq!(of_rules(&["match: { all: true }, limit: { rate: 1 per 1s }, then: limit"]), [""; 0]);
    assert_eq!(of_rules(&["match: { all: true }, mode: monitor, then: block"]), [""; 0]);
}

#[test]
fn a_rule_that_an_earlier_one_takes_every_request_from_is_told_with_both_places() {
    for (first, second) in [
        ("{ path: { prefix: /a } }", "{ path: /a/b, method: GET }"),
        ("{ path: { prefix: /a } }", "{ path: [/a/b, /a] }"),
        ("{ path: /a/** }", "{ path: \"/a/{x}\" }"),
        ("{ path: \"/a/*\" }", "{ path: /a/b }"),
        ("{ path: \"/*/x\" }", "{ path: /b/x }"),
        ("{ path: { suffix: .php } }", "{ path: /index.php }"),
        ("{ address: 10.0.0.0/8 }", "{ address: [10.1.0.0/16, 10.2.3.4], path: /x }"),
        ("{ identity: \"spiffe://a/ns/*/sa/**\" }", "{ identity: \"spiffe://a/ns/x/sa/y\" }"),
        ("{ headers: { user-agent: { contains: bot } } }", "{ headers: { user-agent: { prefix: robot } } }"),
        ("{ method: [GET, HEAD] }", "{ method: HEAD, path: /a }"),
        ("{ any: [{ path: /a }, { method: GET }] }", "{ path: /a, address: 10.0.0.0/8 }"),
        ("{ country: [DE, FR] }", "{ country: FR }"),
        ("{ host: \"*.example\", path: /a }", "{ path: /a, host: a.example, asn: 5 }"),
        ("{ path: /a, not: { method: GET } }", "{ path: /a, not: { method: [GET, PUT] }, port: 1 }"),
        ("{ port: 443 }", "{ port: 443, tls: { version: 1.2 } }"),
    ] {
        let found = of_rules(&[&format!("match: {first}, then: block"), &format!("match: {second}, then: block")]);
        let expected = "p.yaml:10:13: the rule `b` is never asked: `a` at p.yaml:9:13 decides whatever it matches; give it a higher `priority`, or take it out";
        assert_eq!(found, [expected], "{first} {second}");
        let reversed = of_rules(&[&format!("match: {second}, then: block"), &format!("match: {first}, then: block")]);
        assert_eq!(reversed, [""; 0], "{first} {second}");
    }
}

#[test]
fn a_rule_that_can_still_be_asked_is_not_told() {
    let later = "match: { path: /a/b }, then: block";
    for first in [
        "match: { path: { prefix: /a } }, then: record",
        "match: { path: { prefix: /a } }, mode: monitor, then: block",
        "match: { path: { prefix: /a } }, mode: canary 50%, then: block",
        "match: { path: { prefix: /a } }, priority: -1, then: block",
        "match: { path: { prefix: /a } }, limit: { rate: 1 per 1s }, then: limit",
        "match: { path: { prefix: /a }, method: GET }, then: block",
        "match: { path: { prefix: /a/b/c } }, then: block",
        "match: { path: { prefix: /a }, response: { status: 500 } }, then: block",
        "match: { path: { regex: ^/a } }, then: block",
    ] {
        assert_eq!(of_rules(&[first, later]), [""; 0], "{first}");
    }
}

#[test]
fn two_rules_of_one_match_that_end_differently_contradict() {
    let found = of_rules(&[
        "match: { path: [/a], method: GET }, then: block",
        "match: { all: [{ method: GET }, { path: /a }] }, then: allow",
    ]);
    assert_eq!(
        found,
        [
            "p.yaml:10:13: the rule `b` has the match of `a` at p.yaml:9:13 and does `allow`, not `block`; the first of them decides: keep one"
        ]
    );
    assert_eq!(of_rules(&["match: { path: /a }, then: record", "match: { path: /a }, then: allow"]), [""; 0]);
}

#[test]
fn rules_of_two_documents_hide_each_other_only_where_both_hold() {
    let rule = |hosts: &str| {
        format!("scope: a/b\nhosts: {hosts}\nrules: [{{ name: r, match: {{ path: {{ prefix: /x }} }}, then: block }}]")
    };
    let both = |first: &str, second: &str| {
        let text = crate::tests::document("one", &rule(first)) + &crate::tests::document("two", &rule(second));
        warnings(&text).len()
    };
    assert_eq!(both("[a.example, b.example]", "a.example"), 1);
    assert_eq!(both("a.example", "[a.example, b.example]"), 0);
    assert_eq!(both("a.example", "b.example"), 0);
}

#[test]
fn a_mandate_hides_a_rule_and_an_allowing_one_hides_no_mandate() {
    let rule = |name: &str, then: &str| format!("{{ name: {name}, match: {{ path: /x }}, then: {then} }}");
    let text =
        |mandates: &str, rules: &str| document(&format!("mandates: {{ rules: [{mandates}] }}\nrules: [{rules}]"));
    let found = warnings(&text(&rule("m", "block"), &rule("r", "block")));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("the rule `r` is never asked: `m` at"), "{found:?}");
    let allowed = format!("{}, {{ name: m2, match: {{ path: /x, method: GET }}, then: block }}", rule("m", "allow"));
    assert_eq!(warnings(&text(&allowed, "")), [""; 0]);
}

#[test]
fn lists_that_overlap_expired_or_are_unused_are_told() {
    let text = document(
        "lists:\n  a: { cidrs: [10.0.0.0/8, 192.0.2.1] }\n  b: { cidrs: [10.1.0.0/16, 10.2.0.0/16] }\n  c: { countries: [DE] }\n  d: { countries: [FR, DE], expires: 2026-01-01T00:00:00Z }\n  \
         e: { identities: [\"spiffe://*/x\"] }\nrules: [{ name: r, match: { address: [{ list: a }, { list: b }], country: { list: d } }, then: record }]",
    );
    assert_eq!(
        warnings(&text),
        [
            "p.yaml:8:5: the lists `b` and `a` (at p.yaml:7:5) both hold `10.1.0.0/16`; keep it in one of them",
            "p.yaml:9:5: no rule uses the list `c`",
            "p.yaml:10:5: the lists `d` and `c` (at p.yaml:9:5) both hold `DE`; keep it in one of them",
            "p.yaml:10:40: the list `d` expired at 2026-01-01T00:00:00Z: it holds nothing; take it out, or write a later `expires`",
            "p.yaml:11:5: no rule uses the list `e`",
            "p.yaml:11:5: `spiffe://*/x` trusts every trust domain: whoever runs one names its workloads as it likes; name the trust domains",
            "p.yaml:12:19: the rule `r` can never fire: the list `d` expired at 2026-01-01T00:00:00Z",
        ]
    );
    let unexpired = warnings_with(&text, &Surroundings::default());
    assert!(!unexpired.iter().any(|warning| warning.contains("expired")), "{unexpired:?}");
}

#[test]
fn trust_of_everybody_is_told_however_it_is_written() {
    for (trust, everybody) in [
        ("[0.0.0.0/0]", true),
        ("[0.0.0.0/1, 128.0.0.0/1]", true),
        ("[\"::/0\"]", true),
        ("[0.0.0.0/1, 129.0.0.0/8]", false),
        ("[10.0.0.0/8]", false),
        ("[]", false),
    ] {
        let found = warnings(&document(&format!("client: {{ address: {{ from: x-forwarded-for, trust: {trust} }} }}")));
        assert_eq!(found.len(), usize::from(everybody), "{trust}: {found:?}");
    }
}

#[test]
fn fields_that_need_what_is_not_given_are_told_once() {
    let text = document(
        "rules:\n- { name: a, match: { country: DE }, then: record }\n- { name: b, match: { country: FR }, then: record }\n\
         - { name: c, match: { path: /a }, limit: { by: [asn, jwt.sub], rate: 1 per 1s }, then: limit }\n\
         - { name: d, match: { identity: \"spiffe://*/a\" }, then: record }\n- { name: e, match: { fingerprint: t13d1516h2_8daaf6152771_b186095e22b6 }, then: record }",
    );
    let bare = Surroundings {
        countries: false,
        asns: false,
        jwt: false,
        client_certificates: false,
        ja4: false,
        ..Surroundings::default()
    };
    assert_eq!(
        warnings_with(&text, &bare),
        [
            "p.yaml:7:13: no table of countries is given, so `country` is unknown in the rule `a` and 1 other rule; give the house a table of countries (`geo`), and `check` the same by `--geo`",
            "p.yaml:9:13: no table of autonomous systems is given, so `asn` is unknown in the rule `c`; give the house a table of autonomous systems (`geo`), and `check` the same by `--geo`",
            "p.yaml:9:13: nothing verifies JSON web tokens before the gate, so `jwt` is unknown in the rule `c`; put Envoy's jwt_authn before the gate",
            "p.yaml:10:13: clients are not asked for certificates, so `identity` never matches in the rule `d`; let the listener ask for client certificates",
            "p.yaml:10:13: `spiffe://*/a` trusts every trust domain: whoever runs one names its workloads as it likes; name the trust domains",
            "p.yaml:11:13: Envoy does not tell JA4, so `fingerprint` is unknown in the rule `e`; let the TLS inspector make JA4 fingerprints",
        ]
    );
    assert_eq!(warnings_with(&text, &Surroundings::default()).len(), 1);
}

#[test]
fn dear_regexes_are_told_by_whoever_knows_them() {
    let text =
        document("rules: [{ name: r, match: { path: { regex: x }, headers: { a: [{ regex: z }] } }, then: record }]");
    let dear = |regex: &str| (regex == "z").then(|| "it has many states".to_owned());
    let found = warnings_with(&text, &Surroundings { regex_budget: Some(&dear), ..Surroundings::default() });
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("the regex `z` is dear: it has many states"), "{found:?}");
    let large = document("rules: [{ name: r, match: { path: { regex: 'a.{10}b' } }, then: record }]");
    let found = warnings(&large);
    assert!(found.len() == 1 && found[0].contains("is dear: its automaton takes "), "{found:?}");
}

#[test]
fn what_a_pack_brings_is_not_the_operators_to_change() {
    let text = document("use: packs/example\nrules: [{ name: r, match: { address: 198.51.100.0/24 }, then: block }]");
    assert_eq!(warnings(&text), [""; 0]);
}

/// Many rules of one document.
fn many(count: usize, rule: impl Fn(usize) -> String) -> String {
    let rules: String =
        (0..count).map(|index| format!("- {{ name: r{index}, match: {}, then: block }}\n", rule(index))).collect();
    document(&format!("rules:\n{rules}"))
}

#[test]
fn ten_thousand_rules_are_compared_in_seconds() {
    let corpora: [(&str, &dyn Fn(usize) -> String); 5] = [
        ("paths", &|i| format!("{{ path: /api/v{}/x{i} }}", i % 7)),
        ("wildcards", &|i| format!("{{ path: \"/api/*/x{i}/**\" }}")),
        ("headers", &|i| format!("{{ path: /one, headers: {{ x-key: k{i} }} }}")),
        ("networks", &|i| format!("{{ path: /one, address: 10.{}.{}.0/24 }}", i / 256, i % 256)),
        ("regexes", &|i| format!("{{ path: {{ regex: ^/x{i}$ }} }}")),
    ];
    for (name, rule) in corpora {
        let documents = documents(&many(10_000, rule));
        let mut found = Problems::default();
        let begin = std::time::Instant::now();
        lint(&documents, &Surroundings::default(), &mut found);
        assert!(begin.elapsed().as_secs() < 10, "{name}: {:?}", begin.elapsed());
        eprintln!("{name}: 10,000 rules in {:?}", begin.elapsed());
        let found: Vec<String> = found.0.iter().map(ToString::to_string).collect();
        assert!(found.iter().all(|warning| warning.contains("looking for hidden rules ended")), "{name}: {found:?}");
    }
}

#[test]
fn where_the_comparison_ends_is_told() {
    let found = warnings(&many(3_000, |i| format!("{{ path: {{ suffix: x{i}.php }} }}")));
    let told = format!("looking for hidden rules ended after {} comparisons: rules from `r", shadow::BUDGET);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains(&told), "{found:?}");
}

/// What is told of rules is true: checked against what the rules of the compiled policy do with requests.
mod sound {
    use gatehouse_signals::{Connection, Head};
    use proptest::prelude::*;

    use super::*;
    use crate::{Phase, Policy, Truth};

    fn matches() -> impl Strategy<Value = String> {
        let field = proptest::sample::select(vec![
            "path: /a",
            "path: /a/b",
            "path: /a/**",
            "path: '/a/*'",
            "path: '/*/b'",
            "path: { prefix: /a }",
            "path: { prefix: / }",
            "path: { suffix: .php }",
            "path: { suffix: b }",
            "path: [/a, { prefix: /b }]",
            "path: { regex: '^/a' }",
            "method: GET",
            "method: [GET, PUT]",
            "headers: { h: x }",
            "headers: { h: { prefix: x } }",
            "headers: { h: { contains: 'y' } }",
            "headers: { h: { present: false } }",
            "headers: { h: { present: true } }",
            "address: 10.0.0.0/8",
            "address: [10.1.0.0/16, 192.0.2.1]",
            "address: 192.0.2.0/24",
            "host: a.example",
            "host: '*.example'",
        ]);
        let leaf = proptest::collection::vec(field, 1..3).prop_map(|mut fields| {
            fields.sort_unstable();
            fields.dedup_by_key(|field| field.split(':').next());
            format!("{{ {} }}", fields.join(", "))
        });
        leaf.prop_recursive(3, 8, 2, |inner| {
            let several = || proptest::collection::vec(inner.clone(), 1..3).prop_map(|all| all.join(", "));
            prop_oneof![
                several().prop_map(|all| format!("{{ any: [{all}] }}")),
                several().prop_map(|all| format!("{{ all: [{all}] }}")),
                several().prop_map(|all| format!("{{ not: [{all}] }}")),
            ]
        })
    }

    /// For every request of a small world, what the rules `a` and `b` say of it.
    fn truths(text: &str) -> Vec<[Truth; 2]> {
        let compiled = crate::compile(&[Source { name: "p.yaml", text, format: Format::Yaml }]);
        let policy = Policy::load(compiled.expect("compiles").image, 1).expect("loads");
        let scope = policy.for_host(b"a.example").expect("covered");
        let mut all = Vec::new();
        for path in ["/", "/a", "/a/", "/a/b", "/a/b/c", "/b", "/b/x", "/c/b", "/a.php", "/x/ab"] {
            for method in ["GET", "PUT", "POST"] {
                for headers in [&[][..], &["x"], &["xy"], &["y", "xz"], &[""]] {
                    for peer in ["10.1.2.3", "10.9.9.9", "192.0.2.1", "192.0.2.9", "203.0.113.1"] {
                        let connection = Connection { peer: peer.parse().ok(), ..Connection::default() };
                        let pairs: Vec<(&[u8], &[u8])> =
                            headers.iter().map(|value| (&b"h"[..], value.as_bytes())).collect();
                        let head = Head::new(&pairs, &connection);
                        let facts = crate::tests::facts("a.example", path.as_bytes(), method, head);
                        let of = |name: &str| {
                            let mut rules = scope.all_rules(Phase::Request);
                            rules.find(|rule| rule.name() == name).expect("a rule").holds(&facts)
                        };
                        all.push([of("a"), of("b")]);
                    }
                }
            }
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        #[test]
        fn what_is_told_of_two_rules_is_true(a in matches(), b in matches()) {
            let text = document(&format!("hosts: a.example\nrules:\n- {{ name: a, match: {a}, then: block }}\n- {{ name: b, match: {b}, then: block }}"));
            let told = super::warnings(&text);
            if told.is_empty() {
                return Ok(());
            }
            let truths = truths(&text);
            for warning in told {
                let index = usize::from(warning.contains("the rule `b` "));
                let mut of_rule = truths.iter().map(|both| both[index]);
                if warning.contains("can never fire") {
                    prop_assert!(of_rule.all(|truth| truth == Truth::False), "{}", warning);
                } else if warning.contains("matches every request") {
                    prop_assert!(of_rule.all(|truth| truth == Truth::True), "{}", warning);
                } else if warning.contains("is never asked") {
                    let hidden = truths.iter().all(|[a, b]| *b != Truth::True || *a == Truth::True);
                    prop_assert!(hidden, "{}", warning);
                } else {
                    prop_assert!(false, "unexpected: {}", warning);
                }
            }
        }
    }
}
