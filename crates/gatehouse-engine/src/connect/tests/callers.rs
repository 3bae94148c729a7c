//! What a TLS context is told: whoever it keeps out would have been rejected anyway.

use gatehouse_policy::{Options, callers};
use gatehouse_signals::identity::matches;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const LEAVES: [&str; 10] = [
    "serviceAccounts: [shop/web]",
    "serviceAccounts: [\"shop/*\", ops/admin]",
    "identity: \"spiffe://*/ns/shop/**\"",
    "identity: none",
    "identity: { list: ops }",
    "port: 5432",
    "host: db",
    "host: other",
    "tls: { mutual: true }",
    "address: 192.0.2.0/24",
];
const PEERS: [&str; 5] = [
    "spiffe://cluster.local/ns/shop/sa/web",
    "spiffe://cluster.local/ns/shop/sa/api",
    "spiffe://other/ns/shop/sa/web",
    "spiffe://cluster.local/ns/ops/sa/admin",
    "spiffe://cluster.local/ns/ops/sa/root",
];

fn condition() -> impl Strategy<Value = String> {
    let leaf = || select(&LEAVES[..]).prop_map(|text| format!("{{ {text} }}"));
    prop_oneof![
        3 => leaf(),
        1 => leaf().prop_map(|one| format!("{{ not: {one} }}")),
        2 => (leaf(), leaf()).prop_map(|(one, two)| format!("{{ any: [{one}, {two}] }}")),
        2 => (leaf(), leaf()).prop_map(|(one, two)| format!("{{ all: [{one}, {{ not: {two} }}] }}")),
        2 => (leaf(), leaf()).prop_map(|(one, two)| format!("{{ all: [{one}, {two}] }}")),
    ]
}

fn spec() -> impl Strategy<Value = String> {
    let mode = select(vec!["", "", "mode: monitor, ", "mode: canary 50%, "]);
    let rule = (condition(), mode, select(vec!["allow", "allow", "reject", "record"]));
    (prop::collection::vec(rule, 1..4), select(vec!["mode: monitor\n", "", "", ""])).prop_map(|(rules, mode)| {
        let one = |(number, (condition, mode, then)): (usize, (String, &str, &str))| {
            format!("{{ name: r{number}, {mode}match: {condition}, then: {then} }}")
        };
        let rules = rules.into_iter().enumerate().map(one).collect::<Vec<_>>().join(", ");
        let lists = "lists: { ops: { identities: [\"spiffe://cluster.local/ns/ops/sa/root\"] } }";
        format!("{mode}{lists}\nrules: [{rules}]\notherwise: reject")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: 200_000, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_let_in_whom_they_do_not_name(spec in spec()) {
        let text = document(&spec);
        let source = [Source { name: "test", text: &text, format: Format::Yaml }];
        let Ok(callers) = callers(&source, &Options::new(&()), &["db"]) else {
            return Err(TestCaseError::reject("not by identities alone"));
        };
        let policy = policy(&spec);
        for peer in PEERS.into_iter().chain([""]) {
            let connection = Connection { sni: Some("db".into()), ..connection(peer) };
            let named = callers.identities.iter().any(|name| matches(name.as_bytes(), peer.as_bytes()));
            prop_assert!(named || !passes(&policy, &connection), "{peer} {callers:?}\n{spec}");
        }
    }
}
