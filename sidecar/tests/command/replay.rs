//! `gatehouse replay` as an operator meets it: formats, counts, changes, pipes and interrupts.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::process::{PATIENCE, gatehouse};
use super::{json, output, output_of, text};

const POLICY: &str = "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: shop }\nspec:\n  rules:\n    \
                      - { name: admin, match: { path: /admin }, then: block }\n    \
                      - { name: agent, match: { path: /a, not: { headers: { user-agent: { present: true } } } }, then: block }\n";

fn file(dir: &Path, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = dir.join(name);
    fs::write(&path, content).unwrap();
    text(&path).to_owned()
}

/// One request for `path` in each format that logs have.
fn formats(path: &str) -> Vec<(&'static str, String)> {
    vec![
        (
            "envoy-json",
            format!(
                r#"{{"start_time":"2026-01-01T00:00:00Z","method":"GET","path":"{path}","authority":"s","response_code":200,"response_flags":"-","user_agent":"x"}}"#
            ),
        ),
        (
            "envoy-text",
            format!(r#"[2026-01-01T00:00:00.000Z] "GET {path} HTTP/1.1" 200 - 0 5 1 1 "-" "x" "id" "s" "10.0.0.1:80""#),
        ),
        ("common", format!(r#"192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET {path} HTTP/1.1" 200 5"#)),
        ("combined", format!(r#"192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET {path} HTTP/1.1" 200 5 "-" "x""#)),
        (
            "json",
            format!(
                r#"{{"ts":1767225600.0,"ip":"10.1.2.3","method":"GET","authority":"s","path":"{path}","status":200,"resp_ct":"text/html","ua":"x"}}"#
            ),
        ),
        (
            "record",
            format!(
                r#"{{"class_uid":4002,"time":1767225600000,"metadata":{{"event_code":"gatehouse.record"}},"http_request":{{"http_method":"GET","url":{{"hostname":"s","path":"{path}"}},"user_agent":"x"}},"http_response":{{"code":200}},"unmapped":{{"gatehouse":{{"part":"final"}}}}}}"#
            ),
        ),
        (
            "har",
            format!(
                r#"{{"log":{{"version":"1.2","entries":[{{"startedDateTime":"2026-01-01T00:00:00Z","request":{{"method":"GET","url":"https://s{path}","headers":[{{"name":"User-Agent","value":"x"}}]}},"response":{{"status":200}}}}]}}}}"#
            ),
        ),
    ]
}

#[test]
fn every_format_is_read_by_content_from_file_and_from_standard_input_plain_and_gzip() {
    use flate2::{Compression, write::GzEncoder};
    let dir = tempfile::tempdir().unwrap();
    let policy = file(dir.path(), "p.yaml", POLICY);
    for (format, line) in formats("/admin") {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(line.as_bytes()).unwrap();
        let log = file(dir.path(), "any.log", &line);
        let gzip = gzip.finish().unwrap();
        let packed = file(dir.path(), "any.gz", &gzip);
        for (name, input) in [(log.as_str(), &b""[..]), (&packed, b""), ("-", line.as_bytes()), ("-", &gzip)] {
            let (code, said, err) = output_of(&["replay", "--json", "--policy", &policy, name], input);
            assert_eq!(code, 0, "{format}: {err}");
            let report = json(&said);
            assert_eq!(report["actions"], serde_json::json!({ "block": 1 }), "{format}: {report:#}");
            assert_eq!(report["logs"][0]["formats"], serde_json::json!({ format: 1 }));
            assert_eq!(report["period"]["first"], "2026-01-01T00:00:00.000Z");
        }
    }
}

#[test]
fn the_report_counts_exactly_and_the_records_are_one_line_a_request() {
    let dir = tempfile::tempdir().unwrap();
    let policy = file(dir.path(), "p.yaml", POLICY);
    let lines: Vec<String> = formats("/admin")
        .into_iter()
        .chain(formats("/a"))
        .filter(|(format, _)| *format != "har")
        .map(|(_, l)| l)
        .collect();
    let log = file(dir.path(), "mixed.log", format!("{}\nnonsense\n", lines.join("\n")));
    let (code, said, _) = output(&["replay", "--json", "--policy", &policy, &log]);
    let report = json(&said);
    assert_eq!((code, &report["requests"], &report["complete"]), (0, &12.into(), &true.into()));
    assert_eq!(report["actions"], serde_json::json!({ "allow": 6, "block": 6 }));
    assert_eq!(report["status"], serde_json::json!({ "200": 6, "403": 6 }));
    assert_eq!((&report["logs"][0]["malformed"], &report["logs"][0]["problems"][0]["number"]), (&1.into(), &13.into()));
    // Only the common format has no user agent, and there the rule is not known to hold.
    assert_eq!(report["not_judged"], serde_json::json!([{"field": "headers", "requests": 1, "rules": ["shop/agent"]}]));

    let (code, said, err) = output(&["replay", "--records", "--policy", &policy, &log]);
    assert_eq!((code, said.lines().count()), (0, 12));
    let first = json(said.lines().next().unwrap());
    assert_eq!(
        (&first["action"], &first["rule"], &first["status"]),
        (&"block".into(), &"shop/admin".into(), &403.into())
    );
    assert_eq!(first["at"], format!("{log}:1"));
    assert!(err.contains("12 requests in "), "the report is on standard error: {err}");

    let (_, said, err) = output(&["replay", "--policy", &policy, &log]);
    for words in [
        "1 lines cannot be read",
        "mixed.log:13: neither JSON nor",
        "shop/admin 6 block",
        "requests/s",
        "fields not judged",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    assert_eq!(err, "", "no progress where nobody looks");
}

#[test]
fn changes_against_another_policy_are_counted_and_can_fail_a_pipeline() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) =
        (file(dir.path(), "old.yaml", POLICY), file(dir.path(), "new.yaml", POLICY.replace("/admin", "/a")));
    let log = file(dir.path(), "a.log", [formats("/admin")[0].1.clone(), formats("/a")[0].1.clone()].join("\n"));
    let arguments = ["replay", "--json", "--policy", &new, "--against", &old, &log];
    let (code, said, _) = output(&arguments);
    let against = &json(&said)["against"];
    assert_eq!(
        (code, &against["newly_mitigated"]["requests"], &against["no_longer_mitigated"]["requests"]),
        (0, &1.into(), &1.into())
    );
    assert_eq!(output(&[&arguments[..], &["--fail-on-change"]].concat()).0, 1);
    let same = ["replay", "--policy", &old, "--against", &old, "--fail-on-change", &log];
    assert_eq!(output(&same).0, 0);
}

#[test]
fn a_request_is_judged_the_same_by_explain_and_by_replay() {
    let dir = tempfile::tempdir().unwrap();
    let policy = file(dir.path(), "p.yaml", POLICY);
    for path in ["/admin", "/a", "/x/../admin", "/adm%69n", "/a%2fb", "//admin", "/a;x=1"] {
        let request = format!(
            r#"{{"method":"GET","authority":"s","path":"{path}","headers":[["accept","*/*"]],"address":"192.0.2.1"}}"#
        );
        let explained = json(&output_of(&["explain", "--json", "--policy", &policy], request.as_bytes()).1);
        let replayed = json(&output_of(&["replay", "--records", "--policy", &policy, "-"], request.as_bytes()).1);
        for field in ["action", "status", "rule", "reason"] {
            assert_eq!(explained[field], replayed[field], "{field} of {path}");
        }
    }
}

#[test]
fn logs_of_which_nothing_can_be_read_are_wrong_input() {
    let dir = tempfile::tempdir().unwrap();
    let policy = file(dir.path(), "p.yaml", POLICY);
    let log = file(dir.path(), "a.log", "nonsense\nmore\n");
    let (code, said, err) = output(&["replay", "--policy", &policy, &log]);
    assert!(
        code == 2 && said.contains("2 lines cannot be read") && err.contains("no request could be read"),
        "{said}{err}"
    );
    let (code, _, err) = output(&["replay", "--policy", &policy, "/nowhere.log"]);
    assert!(code == 2 && err.contains("cannot read the log `/nowhere.log`"), "{err}");
    assert_eq!(output(&["replay", "--policy", &policy, "-"]).0, 0, "an empty log is a log");
    let bad = file(dir.path(), "bad.yaml", POLICY.replace("match", "mach"));
    let (code, _, err) = output(&["replay", "--policy", &bad, "--against", &bad, &log]);
    assert!(code == 2 && err.contains("bad.yaml:6:22: unknown field `mach`"), "{err}");
}

/// Many requests, more than any pipe holds.
fn endless(dir: &Path) -> String {
    let line = format!("{}\n", formats("/a")[0].1);
    file(dir, "endless.log", line.repeat(200_000))
}

#[test]
fn a_reader_that_leaves_early_ends_it_quietly() {
    let dir = tempfile::tempdir().unwrap();
    let (policy, log) = (file(dir.path(), "p.yaml", POLICY), endless(dir.path()));
    let mut child = gatehouse(&["replay", "--records", "--policy", &policy, &log])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 100];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn an_interrupt_gives_what_was_judged_so_far() {
    let dir = tempfile::tempdir().unwrap();
    let policy = file(dir.path(), "p.yaml", POLICY);
    let mut child = gatehouse(&["replay", "--policy", &policy, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Kept open: the log has not ended, and nothing more comes.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(format!("{}\n", formats("/admin")[0].1).repeat(5_000).as_bytes()).unwrap();
    stdin.flush().unwrap();
    // More than a pipe, the reader and the batches on the way hold: some of it has been judged by now.
    let id = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < PATIENCE, "it does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
    let ended = child.wait_with_output().unwrap();
    let (said, err) = (String::from_utf8(ended.stdout).unwrap(), String::from_utf8(ended.stderr).unwrap());
    assert_eq!(ended.status.code(), Some(130), "{said}{err}");
    assert!(
        said.contains("not complete: what follows is what was read so far") && said.contains("shop/admin "),
        "{said}"
    );
    assert!(err.contains("interrupted; this is what was judged so far"), "{err}");
    drop(stdin);
}
