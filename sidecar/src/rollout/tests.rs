//! Counts by rule, rollbacks over policies and restarts, differences.

use std::path::Path;
use std::sync::Arc;

use gatehouse_proto::v1;
use prost::Message as _;
use tokio::sync::watch;

use super::counts::Counts;
use super::diff::{Change, Diff};
use super::rollbacks::Rollbacks;
use crate::data::DataFolder;
use crate::metrics::Metrics;
use crate::notices::Notices;
use crate::packs::Shelf;
use crate::policies::folder::Document;
use crate::policies::{self, Snapshot};

const HEAD: &str =
    "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: shop }\nspec:\n  hosts: [shop.example.com]\n";

fn file(name: &str, text: &str) -> Document {
    Document { name: name.into(), text: text.into() }
}

fn policy(rules: &str) -> Document {
    file("shop.yaml", &format!("{HEAD}  rules:\n{rules}"))
}

fn rule(name: &str, path: &str) -> String {
    format!("    - name: {name}\n      match: {{ path: {path} }}\n      then: block\n")
}

fn snapshot(revision: u64, rules: &str) -> Snapshot {
    Snapshot::new(revision, policies::compile(&[policy(rules)]).unwrap().image)
}

fn record(policy: &Snapshot, rule: &str, would_have: &[&str]) -> v1::Record {
    let would = |rule: &&str| v1::WouldHave { rule: (*rule).into(), ..v1::WouldHave::default() };
    let judgement = v1::Judgement {
        rule: rule.into(),
        would_have: would_have.iter().map(would).collect(),
        policy_digest: policy.digest().to_vec(),
        ..v1::Judgement::default()
    };
    v1::Record {
        part: v1::record::Part::Final.into(),
        start_unix_ns: 1_700_000_000_000_000_000,
        judgement: Some(judgement),
        ..v1::Record::default()
    }
}

fn batch(records: &[v1::Record]) -> v1::Batch {
    v1::Batch { records: records.iter().map(v1::Record::encode_to_vec).collect(), ..v1::Batch::default() }
}

#[test]
fn metrics_have_what_fired_by_name_and_a_bounded_number_of_names() {
    let quiet = rule("quiet", "/a") + &rule("busy", "/b");
    let shown = snapshot(1, &quiet);
    let (_policies, watched) = watch::channel(Some(shown.clone()));
    let counts = Counts::new(watched);
    assert!(counts.by_rule().is_empty());
    counts.observe(&batch(&[record(&shown, "shop/busy", &[]), record(&shown, "shop/busy", &["shop/other"])]));
    assert_eq!(counts.by_rule(), [("shop/busy".into(), 2, 0), ("shop/other".into(), 0, 1)]);
    let many: Vec<_> = (0..600).map(|n| record(&shown, &format!("shop/made-{n:04}"), &[])).collect();
    counts.observe(&batch(&many));
    let by_rule = counts.by_rule();
    assert_eq!((by_rule.len(), by_rule.last().unwrap()), (513, &("(others)".into(), 90, 0)));
    // What had a name keeps it.
    assert_eq!(by_rule[0], ("shop/busy".into(), 2, 0));
    counts.observe(&batch(&[record(&shown, "shop/busy", &[]), record(&shown, "shop/quiet", &[])]));
    let by_rule = counts.by_rule();
    assert_eq!((&by_rule[0].1, by_rule.last().unwrap()), (&3, &("(others)".into(), 91, 0)));
}

#[test]
fn rules_are_counted_as_long_as_their_policy_is_in_force_and_silent_ones_are_listed() {
    let first = snapshot(1, &(rule("a", "/a") + &rule("b", "/b")));
    let (current, policy) = watch::channel(Some(first.clone()));
    let counts = Counts::new(policy);
    let interim = v1::Record { part: v1::record::Part::Interim.into(), ..record(&first, "shop/a", &[]) };
    counts.observe(&batch(&[record(&first, "shop/a", &["shop/b"]), record(&first, "", &["shop/b"]), interim]));
    counts.observe(&v1::Batch { records: vec![b"\xff".to_vec()], ..v1::Batch::default() });
    let view = counts.view();
    let shown: Vec<_> = view.rules.iter().map(|rule| (rule.rule.as_str(), rule.enforced, rule.would_have)).collect();
    assert_eq!(shown, [("shop/a", 1, 0), ("shop/b", 0, 2)]);
    assert_eq!((view.records, view.elsewhere), (2, 0));
    assert_eq!(view.rules[0].last.as_deref(), Some("2023-11-14T22:13:20.000Z"));

    let second = snapshot(2, &rule("b", "/b2"));
    current.send_replace(Some(second.clone()));
    counts.observe(&batch(&[record(&first, "shop/a", &[]), record(&second, "shop/otherwise", &[])]));
    let view = counts.view();
    let shown: Vec<_> = view.rules.iter().map(|rule| (rule.rule.as_str(), rule.enforced)).collect();
    assert_eq!(shown, [("shop/b", 0), ("shop/otherwise", 1)]);
    assert_eq!((view.records, view.elsewhere), (1, 1));
    let sums = counts.summary();
    assert_eq!((sums.enforced, sums.would_have, sums.silent_rules), (1, 0, 1));
    current.send_replace(None);
    assert_eq!((counts.view().since, counts.view().rules.len()), (None, 0));
}

#[test]
fn however_many_names_a_gate_invents_few_are_counted_by_name() {
    let policy = snapshot(1, &rule("a", "/a"));
    let (_current, watched) = watch::channel(Some(policy.clone()));
    let counts = Counts::new(watched);
    for number in 0..3000 {
        counts.observe(&batch(&[record(&policy, &format!("invented/{number}"), &[])]));
    }
    counts.observe(&batch(&[record(&policy, &"x".repeat(1000), &[]), record(&policy, "shop/a", &[])]));
    let view = counts.view();
    assert_eq!((view.rules.len(), view.unnamed), (1025, 3001 - 1024));
    assert_eq!(view.rules[0].enforced, 1);
}

fn rollbacks(dir: &Path) -> Rollbacks {
    let data = Arc::new(DataFolder::open(dir).unwrap());
    Rollbacks::open(data, Notices::new().0, Arc::new(Metrics::default()))
}

fn back(policy: &Snapshot, rules: &[&str]) -> v1::RolledBack {
    v1::RolledBack {
        document: "shop".into(),
        rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
        policy_revision: policy.revision(),
        policy_digest: policy.digest().to_vec(),
        time_unix_ns: 1_700_000_000_000_000_000,
        clients: 100,
        clients_hit: 7,
        ..v1::RolledBack::default()
    }
}

#[test]
fn what_was_taken_back_is_remembered_over_restarts_and_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let policy = snapshot(1, &(rule("a", "/a") + &rule("b", "/b")));
    let known = rollbacks(dir.path());
    assert!(known.message(&policy).rules.is_empty());
    for _ in 0..3 {
        known.take(back(&policy, &["shop/a"]), "edge-1", 7, Some(&policy));
    }
    known.take(back(&policy, &["shop/a"]), "edge-1", 8, Some(&policy));
    assert_eq!(known.newest(10).len(), 2, "each worker once");
    drop(known);
    let known = rollbacks(dir.path());
    assert_eq!(known.message(&policy).rules, ["shop/a"]);
    let newest = &known.newest(1)[0];
    assert_eq!((newest.document.as_str(), newest.node.as_str(), newest.clients), ("shop", "edge-1", [100, 7]));
    // Another policy in which the rule is the same; and one without it.
    assert_eq!(known.rules(&snapshot(2, &(rule("a", "/a") + &rule("c", "/c")))), ["shop/a"]);
    assert!(known.rules(&snapshot(3, &rule("c", "/c"))).is_empty());
    // Of a policy that is not at hand, only that very policy is meant.
    let unknown = snapshot(9, &rule("x", "/x"));
    known.take(back(&unknown, &["shop/x"]), "edge-2", 9, Some(&policy));
    assert_eq!(known.rules(&unknown), ["shop/x"]);
    assert!(known.rules(&snapshot(10, &(rule("x", "/x") + &rule("z", "/z")))).is_empty());
}

#[test]
fn rollbacks_are_bounded_whatever_a_gate_says() {
    let dir = tempfile::tempdir().unwrap();
    let policy = snapshot(1, &rule("a", "/a"));
    let known = rollbacks(dir.path());
    let long = "x\n".repeat(5000);
    let hostile = v1::RolledBack {
        document: long.clone(),
        rules: vec![long; 1000],
        at_least: f64::NAN,
        allowed: f64::INFINITY,
        ..back(&policy, &[])
    };
    known.take(hostile, "edge", 1, Some(&policy));
    for epoch in 0..258 {
        known.take(back(&policy, &["shop/a"]), "edge", epoch, Some(&policy));
    }
    assert_eq!(known.newest(1000).len(), 256);
    assert!(std::fs::metadata(dir.path().join("rollbacks.json")).unwrap().len() < 1 << 20);
    drop(known);
    assert_eq!(rollbacks(dir.path()).newest(1000).len(), 256);
    std::fs::write(dir.path().join("rollbacks.json"), "[1").unwrap();
    assert!(rollbacks(dir.path()).newest(1).is_empty());
}

fn diff(old: &[Document], new: &[Document]) -> Diff {
    super::diff::diff(old, new, &Shelf::default())
}

#[test]
fn a_difference_tells_documents_settings_and_rules_and_shows_the_text() {
    let old = [
        policy(&(rule("a", "/a") + &rule("b", "/b") + &rule("c", "/c") + &rule("d", "/d"))),
        file("gone.yaml", &HEAD.replace("shop", "gone")),
    ];
    let new = [
        file(
            "shop.yaml",
            &format!(
                "{HEAD}  mode: monitor # a word\n  rules:\n{}",
                rule("new", "/n") + &rule("c", "/c") + &rule("b", "/b") + &rule("d", "/other")
            ),
        ),
        file("fresh.yaml", &HEAD.replace("shop", "fresh")),
    ];
    let found = diff(&old, &new);
    assert!(!found.same);
    assert_eq!((found.added, found.removed), (vec!["fresh".to_owned()], vec!["gone".to_owned()]));
    let shop = &found.changed[0];
    assert_eq!((shop.settings.len(), shop.settings[0].field.as_str()), (1, "spec.mode"));
    let rules: Vec<_> = shop.rules.iter().map(|rule| (rule.rule.as_str(), rule.change)).collect();
    assert_eq!(
        rules,
        [
            ("shop/a", Change::Removed),
            ("shop/new", Change::Added),
            ("shop/c", Change::Moved),
            ("shop/b", Change::Moved),
            ("shop/d", Change::Changed)
        ]
    );
    assert_eq!(shop.rules[4].fields[0].to_string(), r#"match: {"path":"/d"} → {"path":"/other"}"#);
    assert!(
        found.text.contains("+++ new/shop.yaml") && found.text.contains("+  mode: monitor # a word"),
        "{}",
        found.text
    );
    assert!(found.text.contains("--- /dev/null") && found.text.contains("+++ new/fresh.yaml"), "{}", found.text);
}

#[test]
fn comments_quotes_and_the_order_of_fields_make_no_difference_but_in_the_text() {
    let old = policy(&rule("a", "/a"));
    let text = format!("# why\n{HEAD}  rules:\n    - then: block\n      match: {{ path: '/a' }}\n      name: a\n");
    let found = diff(std::slice::from_ref(&old), &[file("shop.yaml", &text)]);
    assert!(found.same && !found.text.is_empty());
    assert!(diff(std::slice::from_ref(&old), std::slice::from_ref(&old)).text.is_empty());
    assert!(found.to_string().starts_with("they mean the same\n\n--- old/shop.yaml"), "{found}");
}

#[test]
fn what_does_not_compile_is_told_on_its_side_and_compared_as_far_as_it_can_be_read() {
    let old = policy(&rule("a", "/a"));
    let found = diff(std::slice::from_ref(&old), &[policy(&rule("a", "/a").replace("block", "blok"))]);
    assert!(found.old_problems.is_empty() && !found.new_problems.is_empty());
    assert_eq!(found.changed[0].rules[0].fields[0].field, "then");
    let found = diff(&[old], &[file("shop.yaml", "a: [1\n")]);
    assert!(!found.new_problems.is_empty() && found.removed == ["shop"]);
}
