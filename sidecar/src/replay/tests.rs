//! Counts that add up, changes told by kind, and the log's clock.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use serde_json::Value;

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn policy(&self, spec: &str) -> Arc<Policy> {
        let path = self.0.path().join("p.yaml");
        let text = format!("apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: {{ name: p }}\nspec: {spec}\n");
        std::fs::write(&path, text).unwrap();
        crate::loaded::load(&[path], None).unwrap().policy
    }

    fn log(&self, name: &str, lines: &[&str]) -> String {
        let path: PathBuf = self.0.path().join(name);
        let mut file = std::fs::File::create(&path).unwrap();
        lines.iter().for_each(|line| writeln!(file, "{line}").unwrap());
        path.to_str().unwrap().to_owned()
    }
}

fn run(mut replay: Replay, log: &String) -> (Value, Vec<Value>) {
    let mut lines = Vec::new();
    let found = feed(std::slice::from_ref(log), &Arc::default(), &Arc::default(), &mut |mut entry| {
        let outcome = replay.take(&mut entry);
        lines.push(serde_json::to_value(Line::of(&entry, &outcome)).unwrap());
        Ok(())
    });
    let report = replay.report(found.unwrap(), false, 0.5);
    let mut text = Vec::new();
    report.write(&mut text, crate::terminal::Paint::none()).unwrap();
    (serde_json::to_value(&report).unwrap(), lines)
}

fn line(path: &str, second: u32) -> String {
    format!(
        r#"{{"start_time":"2026-01-01T00:00:{second:02}Z","method":"GET","authority":"shop.example","path":"{path}","response_code":200,"user_agent":"-","downstream_remote_address":"192.0.2.1:1"}}"#
    )
}

const NEW: &str = "{ rules: [
    { name: admin, match: { path: /admin }, then: block },
    { name: old, match: { path: /old/** }, then: { redirect: { location: /new, status: 301 } } },
    { name: watched, match: { path: { prefix: /api } }, mode: monitor, then: block },
    { name: no-key, match: { path: /api/keyed, not: { headers: { x-key: { present: true } } } }, then: block },
    { name: never, match: { path: /never }, then: block } ] }";

#[test]
fn every_request_is_counted_once_by_action_rule_status_and_reason() {
    let folder = Folder::new();
    let lines: Vec<String> =
        ["/", "/admin", "/admin", "/old/1", "/api/x", "/api/keyed"].iter().map(|path| line(path, 1)).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let log = folder.log("a.log", &lines);
    let (report, lines) = run(Replay::new(folder.policy(NEW), None, Around::default()), &log);
    assert_eq!((&report["requests"], &report["mitigated"], &report["would_have"]), (&6.into(), &3.into(), &2.into()));
    assert_eq!(report["actions"], serde_json::json!({"allow": 3, "block": 2, "redirect": 1}));
    assert_eq!(report["status"], serde_json::json!({"200": 3, "301": 1, "403": 2}));
    assert_eq!(report["reasons"], serde_json::json!({"rule": 3, "otherwise": 3}));
    let rules = report["rules"].as_array().unwrap();
    assert_eq!((&rules[0]["rule"], &rules[0]["decided"]["block"]), (&"p/admin".into(), &2.into()));
    let watched = rules.iter().find(|rule| rule["rule"] == "p/watched").unwrap();
    assert_eq!(watched["would_have"]["block"], 2);
    assert_eq!(watched["would_have_examples"].as_array().unwrap().len(), 2);
    assert_eq!(report["unused"], serde_json::json!(["p/never"]));
    assert_eq!(report["not_judged"], serde_json::json!([{"field": "headers", "requests": 1, "rules": ["p/no-key"]}]));
    assert_eq!((lines.len(), &lines[1]["rule"], &lines[1]["status"]), (6, &"p/admin".into(), &403.into()));
    assert_eq!(lines[1]["at"], format!("{log}:2"));
}

#[test]
fn against_another_policy_each_kind_of_change_is_told() {
    let folder = Folder::new();
    let before = folder.policy(
        "{ rules: [
            { name: admin, match: { path: /admin }, then: { block: { status: 404 } } },
            { name: old, match: { path: /old/** }, then: { redirect: { location: /new, status: 301 } } },
            { name: gone, match: { path: /gone }, then: block },
            { name: shut, match: { path: /renamed }, then: block } ] }",
    );
    let after = folder.policy(
        "{ rules: [
            { name: admin, match: { path: /admin }, then: block },
            { name: old, match: { path: /old/** }, then: { redirect: { location: /new, status: 301 } } },
            { name: closed, match: { path: [/renamed, /fresh] }, then: block },
            { name: watched, match: { path: /api }, mode: monitor, then: block } ] }",
    );
    let paths = ["/admin", "/old/1", "/gone", "/renamed", "/fresh", "/fresh", "/api", "/"];
    let lines: Vec<String> = paths.iter().map(|path| line(path, 1)).collect();
    let log = folder.log("a.log", &lines.iter().map(String::as_str).collect::<Vec<_>>());
    let (report, lines) = run(Replay::new(after, Some(before), Around::default()), &log);
    let against = &report["against"];
    assert_eq!(against["unchanged"], 2);
    for (kind, requests) in [
        ("newly_mitigated", 2),
        ("no_longer_mitigated", 1),
        ("other_action", 1),
        ("other_rule", 1),
        ("other_would_have", 1),
    ] {
        assert_eq!(against[kind]["requests"], requests, "{kind}: {against:#}");
    }
    let pair = &against["newly_mitigated"]["pairs"][0];
    assert_eq!((&pair["before"], &pair["after"]), (&"allow by otherwise".into(), &"block 403 by p/closed".into()));
    assert_eq!((&lines[0]["change"], &lines[0]["before"]["status"]), (&"other_action".into(), &404.into()));
    assert_eq!(lines[1]["change"], Value::Null);
}

#[test]
fn the_clock_is_the_logs_and_never_runs_backwards() {
    let folder = Folder::new();
    let untimed = r#"{"method":"GET","path":"/"}"#;
    let lines = [line("/", 5), line("/", 3), untimed.to_owned(), line("/", 9)];
    let log = folder.log("a.log", &lines.iter().map(String::as_str).collect::<Vec<_>>());
    let (report, _) = run(Replay::new(folder.policy(NEW), None, Around::default()), &log);
    assert_eq!(report["clock"], serde_json::json!({"without_time": 1, "out_of_order": 1}));
    assert_eq!(report["period"]["first"], "2026-01-01T00:00:05.000Z");
    assert_eq!(report["period"]["last"], "2026-01-01T00:00:09.000Z");
}

#[test]
fn a_host_can_be_given_to_logs_that_have_none() {
    let folder = Folder::new();
    let spec = "{ hosts: [shop.example], rules: [{ name: admin, match: { path: /admin }, then: block }] }";
    let log = folder.log("a.log", &[r#"192.0.2.7 - - [10/Oct/2000:13:55:36 +0000] "GET /admin HTTP/1.1" 200 1"#; 2]);
    let (report, _) = run(Replay::new(folder.policy(spec), None, Around::default()), &log);
    assert_eq!((&report["actions"]["allow"], &report["not_judged"][0]["field"]), (&2.into(), &"host".into()));
    let (report, _) =
        run(Replay::new(folder.policy(spec), None, Around { host: Some("shop.example".into()), geo: None }), &log);
    assert_eq!((&report["actions"]["block"], &report["not_judged"]), (&2.into(), &serde_json::json!([])));
}

#[test]
fn whoever_stops_gets_what_was_judged_so_far() {
    let folder = Folder::new();
    let many = vec![r#"{"method":"GET","path":"/"}"#; 10_000];
    let log = folder.log("a.log", &many);
    let stop = Arc::new(AtomicBool::new(false));
    let mut taken = 0;
    let found = feed(std::slice::from_ref(&log), &Arc::default(), &stop, &mut |_| {
        taken += 1;
        stop.store(taken == 100, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    });
    assert_eq!(taken, 100);
    assert!(found.unwrap()[0].requests < 10_000);
    let failing = feed(&[log], &Arc::default(), &Arc::default(), &mut |_| Err(std::io::ErrorKind::BrokenPipe.into()));
    assert!(matches!(failing, Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe));
}

const COUNTING: &str = "{ rules: [
    { name: slow, match: { path: /slow }, limit: { by: [client], rate: 2 per 10s }, then: limit },
    { name: guess, match: { path: /login }, limit: { by: [client], count: { status: 401 }, rate: 2 per 1m }, then: limit },
    { name: gone, match: { path: /drop }, then: drop },
    { name: kind, match: { path: /kind }, then: { deceive: { status: 200, body: x } } },
    { name: watched, match: { path: /watched }, limit: { by: [client], rate: 1 per 1h }, mode: monitor, then: limit } ] }";

#[test]
fn limits_count_by_the_logs_clock_and_by_its_statuses() {
    let folder = Folder::new();
    let failed = |second| line("/login", second).replace(":200", ":401");
    let mut lines: Vec<String> = (0..4).map(|second| line("/slow", second)).collect();
    lines.extend([line("/slow", 13), failed(14), failed(15), line("/login", 16)]);
    lines.extend(["/drop", "/kind", "/watched", "/watched"].map(|path| line(path, 17)));
    let log = folder.log("a.log", &lines.iter().map(String::as_str).collect::<Vec<_>>());
    let (report, lines) = run(Replay::new(folder.policy(COUNTING), None, Around::default()), &log);
    assert_eq!(report["actions"], serde_json::json!({"allow": 7, "deceive": 1, "drop": 1, "limit": 3}));
    assert_eq!(report["status"], serde_json::json!({"200": 6, "401": 2, "429": 3, "dropped": 1}));
    assert_eq!((&report["mitigated"], &report["would_have"]), (&5.into(), &1.into()));
    let of = |name: &str| report["rules"].as_array().unwrap().iter().find(|rule| rule["rule"] == name).unwrap();
    assert_eq!((&of("p/slow")["decided"]["limit"], &of("p/guess")["decided"]["limit"]), (&2.into(), &1.into()));
    assert_eq!(of("p/watched")["would_have"]["limit"], 1);
    let actions: Vec<&str> = lines.iter().map(|line| line["action"].as_str().unwrap()).collect();
    assert_eq!(actions[..8], ["allow", "allow", "limit", "limit", "allow", "allow", "allow", "limit"]);
    assert_eq!(report["not_judged"], serde_json::json!([]));
}

#[test]
fn a_log_without_statuses_cannot_count_failures_and_says_so() {
    let folder = Folder::new();
    let untold = line("/login", 1).replace(r#","response_code":200"#, "");
    let log = folder.log("a.log", &[untold.as_str(); 5]);
    let (report, _) = run(Replay::new(folder.policy(COUNTING), None, Around::default()), &log);
    assert_eq!(report["actions"], serde_json::json!({"allow": 5}));
    assert_eq!(
        report["not_judged"],
        serde_json::json!([{"field": "response.status", "requests": 5, "rules": ["p/guess"]}])
    );
}
