//! `gatehouse explain` as an operator meets it: a request by a policy, and one that a running house has seen.

use std::fs;

use gatehouse_proto::v1;
use gatehouse_proto::v1::gate_message::Message;
use prost::Message as _;

use super::process::until;
use super::{House, house, json, output, output_of, text};

const POLICY: &str = "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: shop }\nspec:\n  hosts: [shop.example]\n  rules:\n    \
                      - { name: admin, match: { path: /admin }, then: { block: { status: 404 } } }\n    \
                      - { name: watched, match: { path: /api/** }, mode: monitor, then: block }\n";

fn policy() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shop.yaml");
    fs::write(&file, POLICY).unwrap();
    let name = text(&file).to_owned();
    (dir, name)
}

fn explain(request: &str, more: &[&str]) -> (i32, String, String) {
    let (_dir, policy) = policy();
    output_of(&[&["explain", "--policy", &policy], more].concat(), request.as_bytes())
}

#[test]
fn the_verdict_has_every_field_of_its_form() {
    let request = r#"{"method": "GET", "scheme": "https", "authority": "shop.example", "path": "/x/../admin",
        "headers": [["accept", "*/*"]], "address": "192.0.2.7", "peer_uris": [], "tls": {"version": "TLSv1.3"},
        "time": "2026-01-01T00:00:00Z"}"#;
    let (code, said, err) = explain(request, &["--json"]);
    let verdict = json(&said);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(
        (&verdict["action"], &verdict["status"], &verdict["rule"]),
        (&"block".into(), &404.into(), &"shop/admin".into())
    );
    assert_eq!((&verdict["reason"], &verdict["would_have"]), (&"rule".into(), &serde_json::json!([])));
    assert_eq!(verdict["reference"].as_str().unwrap().len(), 16);
    assert_eq!((&verdict["signals"]["host"], &verdict["signals"]["path"]), (&"shop.example".into(), &"/admin".into()));
    assert_eq!(verdict["signals"]["ambiguity"], "dot_segments");
    let trace = verdict["trace"].as_array().unwrap();
    assert!(trace.iter().any(|step| step["rule"] == "shop/admin" && step["match"] == "true"), "{trace:?}");
    assert_eq!(trace.last().unwrap()["said"], "block by shop/admin (rule)");
    assert_eq!(explain(request, &["--json"]).1, said, "the same request, the same answer");
}

#[test]
fn people_read_the_same_as_text() {
    let (code, said, _) = explain(r#"{"method": "GET", "authority": "shop.example", "path": "/api/a"}"#, &[]);
    assert_eq!(code, 0);
    for words in
        ["allow (otherwise)", "would have     block shop/watched", "shop/watched [block, monitor] matches; would block"]
    {
        assert!(said.contains(words), "{words}\n{said}");
    }
}

#[test]
fn a_wrong_request_is_told_whole_in_both_forms() {
    let (code, out, err) = explain(r#"{"metod": "GET", "address": "x"}"#, &["--json"]);
    assert_eq!(code, 2);
    for words in [
        "request.metod: unknown field `metod`",
        "did you mean `method`?",
        "the request has no `path`",
        "request.address",
    ] {
        assert!(err.contains(words), "{words}\n{err}");
    }
    let told = json(&out);
    assert_eq!((&told["ok"], told["problems"].as_array().unwrap().len()), (&false.into(), 4), "{told:#}");

    let (code, out, err) = explain("", &[]);
    assert!(code == 2 && out.is_empty() && err.contains("standard input is empty"), "{err}");
    let (code, _, err) = explain("{", &[]);
    assert!(code == 2 && err.contains("request:1:"), "{err}");
    let (code, _, err) = output_of(&["explain", "--policy", "/nowhere.yaml"], b"{}");
    assert!(code == 2 && err.contains("/nowhere.yaml: cannot be read"), "{err}");
}

fn record(sequence: u64, reference: &str, would: bool) -> v1::Record {
    let action = if would { v1::judgement::Action::Allow } else { v1::judgement::Action::Block };
    let judgement = v1::Judgement {
        action: action.into(),
        rule: if would { String::new() } else { "shop/admin".into() },
        reason: if would { "otherwise".into() } else { "rule".into() },
        reference: reference.into(),
        would_have: would
            .then(|| v1::WouldHave { action: v1::judgement::Action::Block.into(), rule: "shop/watched".into() })
            .into_iter()
            .collect(),
        policy_revision: 3,
        policy_digest: vec![7; 32],
        ..v1::Judgement::default()
    };
    v1::Record {
        judgement: Some(judgement),
        response: Some(v1::Response { status: if would { 200 } else { 404 }, ..v1::Response::default() }),
        ..house::record(7, sequence)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_a_running_house_has_seen_is_explained_by_its_reference() {
    let dir = tempfile::tempdir().unwrap();
    let running = House::start(dir.path(), &[]);
    let mut gate = house::Gate::attach(&dir.path().join("house.sock"), house::hello(7, 1)).await;
    gate.greeted().await;
    let mut batch = house::batch(7, 0..3);
    batch.records = [record(0, "7Q2KM4XJ0T9RB3ZC", false), record(1, "1111111111111110", true), house::record(7, 2)]
        .map(|record| record.encode_to_vec())
        .into();
    gate.send(Message::Batch(batch)).await;
    gate.durable(3).await;
    let address = fs::read_to_string(dir.path().join("admin.address")).unwrap();
    let url = format!("http://{}", address.trim());
    let ask = |reference: &str, more: &[&str]| output(&[&["explain", reference, "--admin", &url], more].concat());

    let (code, said, err) = ask("7q2k-m4xj-ot9r-b3zc", &["--json"]);
    assert_eq!(code, 0, "{err}");
    let verdict = json(&said);
    assert_eq!(
        (&verdict["action"], &verdict["status"], &verdict["rule"]),
        (&"block".into(), &404.into(), &"shop/admin".into())
    );
    assert_eq!((&verdict["reference"], &verdict["reason"]), (&"7Q2KM4XJ0T9RB3ZC".into(), &"rule".into()));
    assert_eq!((&verdict["signals"]["path"], &verdict["policy"]["revision"]), (&"/cart".into(), &3.into()));
    assert_eq!(verdict["event"]["metadata"]["event_code"], "gatehouse.record");
    // Of a gate that was older than grounds.
    assert!(verdict["grounds"].is_null(), "{verdict}");
    let (code, said, _) = ask("7Q2KM4XJ0T9RB3ZC", &[]);
    assert!(code == 0 && said.contains("the record does not tell: it comes from an older gate"), "{said}");
    let (code, said, _) = ask("111111111111lilO", &[]);
    assert!(code == 0 && said.contains("would have     block shop/watched"), "{said}");

    let (code, _, err) = ask("ZZZZZZZZZZZZZZZZ", &[]);
    assert!(code == 1 && err.contains("has no record with the reference `ZZZZZZZZZZZZZZZZ`"), "{err}");
    let (code, _, err) = ask("../status", &[]);
    assert!(code == 2 && err.contains("a reference is letters and digits"), "{err}");
    // Killed, not asked.
    drop(running);
    let (code, _, err) = ask("7Q2KM4XJ0T9RB3ZC", &[]);
    assert!(code == 1 && err.contains("no house answers at"), "{err}");
    let _again = House::start(dir.path(), &[]);
    let address = fs::read_to_string(dir.path().join("admin.address")).unwrap();
    let (code, said, err) = output(&["explain", "7Q2KM4XJ0T9RB3ZC", "--admin", &format!("http://{}", address.trim())]);
    assert!(
        code == 0 && said.contains("by shop/admin") && said.contains("its text is not kept any more"),
        "{said}{err}"
    );
    let (code, _, err) = output(&["explain", "A", "--admin", "https://127.0.0.1:1"]);
    assert!(code == 2 && err.contains("no address of a house"), "{err}");
}

/// A limited request of whose rule everything is told.
fn grounded() -> v1::Record {
    use v1::grounds::{Counted, Form, Input, Limit};
    let input =
        |field: &str, value: &str, form: Form| Input { field: field.into(), value: value.into(), form: form as i32 };
    let inputs = vec![
        input("path", "/pay/{card:0123456789ab}", Form::Redacted),
        input("headers.x-key", "{value:00ff00ff00ff}", Form::Hashed),
        input("headers.user-agent", "curl/8\u{1b}[2J", Form::Plain),
        input("time", "1767225600", Form::Plain),
        input("sni", "", Form::Absent),
    ];
    let limit = Limit {
        counted: Counted::Failures as i32,
        step: 1,
        limit: 10,
        window_seconds: 60,
        count: 12,
        retry_after_seconds: 570,
        blocked: true,
        ..Limit::default()
    };
    let mut record = record(0, "7Q2KM4XJ0T9RB3ZC", false);
    let judgement = record.judgement.get_or_insert_default();
    judgement.would_have = vec![v1::WouldHave { action: 2, rule: "shop/slow".into() }];
    let watched = Limit { burst: 20, count: 20, counted: Counted::Requests as i32, step: 0, blocked: false, ..limit };
    judgement.grounds = vec![
        v1::Grounds { rule: "shop/admin".into(), inputs, cut: true, limit: Some(limit) },
        v1::Grounds { rule: "shop/slow".into(), limit: Some(watched), ..v1::Grounds::default() },
    ];
    record
}

/// Whether a file below this folder has these bytes.
fn holds(folder: &std::path::Path, bytes: &[u8]) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.into_iter().any(|path| {
        if path.is_dir() {
            return holds(&path, bytes);
        }
        fs::read(&path).is_ok_and(|content| content.windows(bytes.len()).any(|part| part == bytes))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_tells_what_each_rule_read_and_how_its_limit_stood_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let running = House::start(dir.path(), &[]);
    let mut gate = house::Gate::attach(&dir.path().join("house.sock"), house::hello(7, 1)).await;
    gate.greeted().await;
    let mut batch = house::batch(7, 0..1);
    batch.records = vec![grounded().encode_to_vec()];
    gate.send(Message::Batch(batch)).await;
    gate.durable(1).await;
    // Kept beside the way of the records, by a thread of its own: acknowledged does not mean that it is there yet.
    until("the record to be kept", || holds(&dir.path().join("references"), b"7Q2KM4XJ0T9RB3ZC"));
    drop(running);
    let _again = House::start(dir.path(), &[]);
    let address = fs::read_to_string(dir.path().join("admin.address")).unwrap();
    let url = format!("http://{}", address.trim());
    let ask = |more: &[&str]| output(&[&["explain", "7Q2KM4XJ0T9RB3ZC", "--admin", &url], more].concat());
    let (code, said, err) = ask(&[]);
    assert_eq!(code, 0, "{err}");
    for line in [
        "what it rested on\n  shop/admin\n    path           /pay/{card:0123456789ab} (redacted)\n",
        "\n    headers.x-key  {value:00ff00ff00ff} (hashed)\n",
        "\n    headers.user-agent curl/8",
        "\n    time           2026-01-01T00:00:00.000Z\n",
        "\n    sni            - (none, or not known)\n",
        "\n    and more than is kept\n",
        "\n    limit          12 failed answers counted, 10 in 60 s allowed; step 2; a block time runs; again after 570 s\n",
        "\n  shop/slow\n    limit          20 of a burst of 20 used, 10 requests in 60 s allowed; again after 570 s\n",
    ] {
        assert!(said.contains(line), "{line} is not in {said}");
    }
    assert!(!said.contains('\u{1b}'), "nothing moves a cursor: {said:?}");
    let verdict = json(&ask(&["--json"]).1);
    let own = &verdict["grounds"][0];
    assert_eq!(own["rule"], "shop/admin");
    assert_eq!(own["inputs"][1]["value"], "{value:00ff00ff00ff}");
    assert_eq!((&own["inputs"][0]["form"], &own["inputs"][1]["form"]), (&"redacted".into(), &"hashed".into()));
    assert_eq!(
        (&own["limit"]["count"], &own["limit"]["limit"], &own["limit"]["blocked"]),
        (&12.into(), &10.into(), &true.into())
    );
    assert_eq!(verdict["grounds"], verdict["event"]["unmapped"]["gatehouse"]["grounds"], "as the sinks have it");
}

#[test]
fn a_database_of_countries_makes_them_known() {
    let dir = tempfile::tempdir().unwrap();
    let (policy, csv) = (dir.path().join("p.yaml"), dir.path().join("geo.csv"));
    fs::write(
        &policy,
        "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: p }\nspec:\n  rules:\n    \
         - { name: far, match: { country: DE }, then: block }\n",
    )
    .unwrap();
    fs::write(&csv, "network,country,asn\n192.0.2.0/24,DE,64500\n").unwrap();
    let request = br#"{"method": "GET", "path": "/", "address": "192.0.2.9"}"#;
    let explain =
        |more: &[&str]| output_of(&[&["explain", "--json", "--policy", text(&policy)], more].concat(), request);
    let blind = json(&explain(&[]).1);
    assert_eq!((&blind["action"], &blind["not_judged"][0]["field"]), (&"allow".into(), &"country".into()));
    let seen = json(&explain(&["--geo", text(&csv)]).1);
    assert_eq!(
        (&seen["action"], &seen["signals"]["country"], &seen["signals"]["asn"]),
        (&"block".into(), &"DE".into(), &64500.into())
    );
    let (code, _, err) = explain(&["--geo", "/nowhere.mmdb"]);
    assert!(code == 2 && err.contains("/nowhere.mmdb"), "{err}");
}

#[test]
fn what_the_application_answered_is_judged_too() {
    let dir = tempfile::tempdir().unwrap();
    let policy = dir.path().join("p.yaml");
    fs::write(
        &policy,
        "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: p }\nspec:\n  rules:\n    \
         - { name: leak, match: { response: { headers: { x-debug: { present: true } } } }, then: { removeResponseHeaders: [x-debug] } }\n",
    )
    .unwrap();
    let request = br#"{"method": "GET", "path": "/", "status": 200, "response_headers": [["x-debug", "1"]]}"#;
    let (code, said, _) = output_of(&["explain", "--policy", text(&policy)], request);
    assert!(code == 0 && said.contains("response       x-debug is removed"), "{said}");
}
