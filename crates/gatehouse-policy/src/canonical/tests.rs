//! The long form: one for all ways of writing, and its own long form.

use std::fs;

use super::*;
use crate::Format;

fn long(text: &str) -> Result<Vec<Canonical>, Problems> {
    canonical(&[Source { name: "f.yaml", text, format: Format::Yaml }])
}

fn rule(rule: &str) -> String {
    format!(
        "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: {{ name: p }}\nspec:\n  rules:\n    - {{ name: r, {rule} }}\n"
    )
}

/// The long form of the only rule, less its name.
fn long_rule(text: &str) -> serde_json::Value {
    let documents = long(&rule(text)).unwrap_or_else(|problems| panic!("{problems}"));
    let mut json = serde_json::to_value(&documents[0]).expect("written");
    let mut found = json["spec"]["rules"][0].take();
    found.as_object_mut().expect("a rule").remove("name");
    found
}

/// What the readers understood, without places.
fn understood(text: &str, format: Format) -> Vec<String> {
    let mut problems = Problems::default();
    let nodes = Source { name: "f", text, format }.read().unwrap_or_else(|problems| panic!("{problems}"));
    let documents: Vec<Document> = nodes.iter().filter_map(|node| Document::read(node, &mut problems)).collect();
    assert!(problems.is_empty(), "{problems}");
    documents.iter().map(|document| without_places(&format!("{document:?}"))).collect()
}

/// Places are the only part of a document's Debug form that names a file or a pointer.
fn without_places(text: &str) -> String {
    [("Text { file:", " }"), ("Pointer(", ")")].into_iter().fold(text.to_owned(), |text, (begin, end)| {
        let mut parts = text.split(begin);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |out, part| out + part.split_once(end).map_or("", |(_, after)| after))
    })
}

fn corpus() -> Vec<(String, String)> {
    let mut files: Vec<_> = crate::tests::corpus_files().into_iter().collect();
    files.sort();
    files.into_iter().map(|path| (path.display().to_string(), fs::read_to_string(path).expect("readable"))).collect()
}

#[test]
fn the_long_form_is_its_own_long_form_and_means_the_same() {
    for (path, text) in corpus() {
        let once = long(&text).unwrap_or_else(|problems| panic!("{path}: {problems}"));
        let yaml: String = once.iter().map(|document| format!("---\n{}", document.yaml())).collect();
        let twice = long(&yaml).unwrap_or_else(|problems| panic!("{path}: {problems}\n{yaml}"));
        assert_eq!(once, twice, "{path}");
        let same = |(a, b): (&String, &String)| assert_eq!(a, b, "{path}");
        let (before, after) = (understood(&text, Format::Yaml), understood(&yaml, Format::Yaml));
        assert_eq!(before.len(), after.len());
        before.iter().zip(&after).for_each(same);
    }
}

#[test]
fn the_long_form_compiles_to_the_same_image() {
    let packs = crate::tests::packs();
    let compile = |text: &str| {
        let options = crate::Options::new(&packs);
        crate::compile_with(&[Source { name: "f.yaml", text, format: Format::Yaml }], &options)
    };
    for (path, text) in corpus() {
        let yaml: String =
            long(&text).expect("read").iter().map(|document| format!("---\n{}", document.yaml())).collect();
        let digest = |text: &str| compile(text).unwrap_or_else(|problems| panic!("{path}: {problems}\n{text}")).digest;
        assert_eq!(digest(&text), digest(&yaml), "{path}\n{yaml}");
    }
}

#[test]
fn json_and_yaml_of_a_long_form_mean_the_same() {
    for (path, text) in corpus() {
        for document in long(&text).expect("read") {
            let json = serde_json::to_string(&document).expect("written");
            let from_json = understood(&json, Format::Json);
            assert_eq!(understood(&document.yaml(), Format::Yaml), from_json, "{path}");
        }
    }
}

#[test]
fn every_shorthand_of_a_match_has_one_long_form() {
    use serde_json::json;
    for (short, expected) in [
        ("{ path: /a }", json!({ "path": [{ "pattern": "/a" }] })),
        ("{ path: [/a, { prefix: /b }] }", json!({ "path": [{ "pattern": "/a" }, { "prefix": "/b" }] })),
        (
            "{ any: [{ path: /a }, { path: { prefix: /b } }] }",
            json!({ "path": [{ "pattern": "/a" }, { "prefix": "/b" }] }),
        ),
        ("{ all: true }", json!({ "always": true })),
        ("{ all: [{ method: GET }, { path: /a }] }", json!({ "path": [{ "pattern": "/a" }], "method": ["GET"] })),
        ("{ headers: { X-A: b } }", json!({ "headers": { "x-a": [{ "equals": "b" }] } })),
        (
            "{ address: [10.0.0.1, { list: l }, 10.1.0.0/16] }",
            json!({ "address": [{ "cidrs": ["10.0.0.1/32", "10.1.0.0/16"] }, { "list": "l" }] }),
        ),
        ("{ not: { not: { port: 1 } } }", json!({ "port": [1] })),
        ("{ not: [{ port: 1 }, { method: GET }] }", json!({ "not": [{ "port": [1] }, { "method": ["GET"] }] })),
        ("{ not: { port: [1, 2] } }", json!({ "not": [{ "port": [1, 2] }] })),
        ("{ serviceAccounts: a/b }", json!({ "identity": [{ "pattern": "spiffe://cluster.local/ns/a/sa/b" }] })),
        ("{ identity: none }", json!({ "identity": [{ "present": false }] })),
        ("{ agent: crawler }", json!({ "agent": { "class": ["crawler"] } })),
        ("{ score: 5 }", json!({ "score": { "atLeast": 5 } })),
        ("{ tls: { version: 1.3 } }", json!({ "tls": { "version": "1.3" } })),
        ("{ response: { status: [4xx, 500] } }", json!({ "response": { "status": ["400-500"] } })),
        ("{ response: { headers: { A: b } } }", json!({ "response": { "headers": { "a": [{ "equals": "b" }] } } })),
        ("{ size: { atLeast: 1048576B } }", json!({ "size": { "atLeast": "1MiB" } })),
        (
            "{ path: /a, all: [{ path: { suffix: b } }] }",
            json!({ "path": [{ "pattern": "/a" }], "all": [{ "path": [{ "suffix": "b" }] }] }),
        ),
        (
            "{ any: [{ port: 1 }, { method: GET, path: /a }] }",
            json!({ "any": [{ "port": [1] }, { "path": [{ "pattern": "/a" }], "method": ["GET"] }] }),
        ),
    ] {
        assert_eq!(long_rule(&format!("match: {short}, then: record"))["match"], expected, "{short}");
    }
}

#[test]
fn every_shorthand_of_an_action_and_a_limit_has_one_long_form() {
    use serde_json::json;
    for (short, expected) in [
        ("record", json!([{ "record": {} }])),
        ("block", json!([{ "block": { "status": 403 } }])),
        ("[record, { allow: {} }]", json!([{ "record": {} }, { "allow": {} }])),
        ("{ weigh: +20, label: a }", json!([{ "weigh": { "weight": 20, "label": "a" } }])),
        ("{ delay: 1s500ms }", json!([{ "delay": "1500ms" }])),
        ("deceive", json!([{ "deceive": { "status": 404 } }])),
        ("{ sanitize: { headers: A } }", json!([{ "sanitize": { "headers": ["a"] } }])),
    ] {
        assert_eq!(long_rule(&format!("match: {{ port: 1 }}, then: {short}"))["then"], expected, "{short}");
    }
    for (short, expected) in [
        ("{ rate: 10 per 60s }", json!({ "by": ["client"], "steps": [{ "rate": "10 per 1m" }] })),
        (
            "{ by: path, distinct: { of: address, over: 2 per 1h }, blockFor: 90m }",
            json!({ "by": ["path"], "count": { "distinct": "address" }, "steps": [{ "rate": "2 per 1h", "blockFor": "90m" }] }),
        ),
        (
            "{ count: { status: 401 }, rate: 1 per 1m }",
            json!({ "by": ["client"], "count": { "status": ["401"] }, "steps": [{ "rate": "1 per 1m" }] }),
        ),
    ] {
        assert_eq!(
            long_rule(&format!("match: {{ port: 1 }}, limit: {short}, then: limit"))["limit"],
            expected,
            "{short}"
        );
    }
}

#[test]
fn texts_that_readers_disagree_on_are_quoted() {
    let text = rule(
        "match: { headers: { x: ['no', '1.5', 'a: b', '# c', '2027-01-01', 'ä', '', ' x ', '~', \"a\\tb\\\"\"] } }, then: record",
    );
    let yaml = long(&text).expect("read")[0].yaml();
    for expected in [
        "\"no\"",
        "\"1.5\"",
        "\"a: b\"",
        "\"# c\"",
        "\"2027-01-01\"",
        "\"ä\"",
        "\"\"",
        "\" x \"",
        "\"~\"",
        "\"a\\tb\\\"\"",
    ] {
        assert!(yaml.contains(&format!("equals: {expected}\n")), "{expected} in\n{yaml}");
    }
}

#[test]
fn a_trap_is_the_rule_that_it_stands_for() {
    let text = "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: p }\nspec: { trap: { paths: /.env } }\n";
    let documents = long(text).expect("read");
    let expected = serde_json::json!([{
        "name": "trap", "priority": 1000, "match": { "path": [{ "pattern": "/.env" }] },
        "then": [{ "weigh": { "weight": 50, "label": "trapped" } }, { "deceive": { "status": 404 } }],
    }]);
    let json = serde_json::to_value(&documents[0]).expect("written");
    assert_eq!(json["spec"]["rules"], expected);
}

mod any_match {
    use proptest::prelude::*;

    use super::*;

    /// A match as flow YAML: fields, nested by `not`, `any` and `all` as deep as documents may.
    fn matches() -> impl Strategy<Value = String> {
        let field = proptest::sample::select(vec![
            "path: /a",
            "path: [/a, { prefix: /b }]",
            "path: { suffix: .php }",
            "method: GET",
            "method: [GET, PUT]",
            "headers: { a: b, c: [d, { present: false }] }",
            "headers: { a: { contains: x } }",
            "query: { q: '1' }",
            "address: [10.0.0.0/8, { list: l }, 192.0.2.1]",
            "address: 203.0.113.0/24",
            "identity: [none, 'spiffe://a/b']",
            "identity: { present: true }",
            "serviceAccounts: [a/b, c/d]",
            "port: 443",
            "tls: { mutual: true, version: 1.2 }",
            "agent: { class: [crawler, scanner], name: x, verified: true }",
            "country: [DE, FR]",
            "size: { atLeast: 1KiB }",
            "time: { days: [mon-fri], hours: '08:00-18:00' }",
            "label: [a, b]",
            "score: 5",
            "response: { status: 5xx, headers: { a: b }, type: [text/html] }",
        ]);
        let leaf = proptest::collection::vec(field, 1..4).prop_map(|mut fields| {
            fields.sort_unstable();
            fields.dedup_by_key(|field| field.split(':').next());
            format!("{{ {} }}", fields.join(", "))
        });
        let leaf = prop_oneof![9 => leaf, 1 => Just("{ all: true }".to_owned())];
        leaf.prop_recursive(4, 24, 3, |inner| {
            let several = || proptest::collection::vec(inner.clone(), 1..4).prop_map(|all| all.join(", "));
            prop_oneof![
                several().prop_map(|all| format!("{{ any: [{all}] }}")),
                several().prop_map(|all| format!("{{ all: [{all}] }}")),
                several().prop_map(|all| format!("{{ not: [{all}] }}")),
                (several(), several()).prop_map(|(a, b)| format!("{{ path: /x, not: [{a}], any: [{b}] }}")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn is_understood_from_its_long_form_as_it_was_written(written in matches()) {
            let text = rule(&format!("match: {written}, then: record"));
            let once = long(&text).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
            let yaml = once[0].yaml();
            let twice = long(&yaml).unwrap_or_else(|problems| panic!("{problems}\n{yaml}"));
            prop_assert_eq!(&once, &twice);
            prop_assert_eq!(understood(&text, Format::Yaml), understood(&yaml, Format::Yaml));
        }
    }
}
