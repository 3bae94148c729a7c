//! Tests of tests: they pass, they fail with a reason, and a wrong file is told whole.

use super::*;
use crate::terminal::Paint;

const POLICY: &str =
    "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: shop }\nspec:\n  hosts: [shop.example]\n  rules:
    - { name: admin, match: { path: /admin }, then: { block: { status: 404, headers: { x-why: shut } } } }
    - { name: watched, match: { path: /api }, mode: monitor, then: block }
    - { name: tagged, match: { path: /api }, then: { tag: { header: x-class, value: api } } }
    - { name: never, match: { path: /never }, then: block }\n";

/// A folder with the policy and one test file.
fn folder(test: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("shop.yaml"), POLICY).unwrap();
    fs::create_dir(dir.path().join("tests")).unwrap();
    fs::write(dir.path().join("tests/shop.test.yaml"), test).unwrap();
    dir
}

fn text(report: &Report) -> String {
    let mut out = Vec::new();
    report.write(&mut out, Paint::none()).unwrap();
    String::from_utf8(out).unwrap()
}

const HEAD: &str = "policy: ../shop.yaml\nrequest: { authority: shop.example, address: 192.0.2.7 }\ncases:\n";

#[test]
fn cases_pass_in_short_and_in_long_form_and_unreached_rules_are_listed() {
    let dir = folder(&format!(
        "{HEAD}  - name: the admin pages do not exist
    requests:
      - {{ request: GET /admin, expect: block }}
      - request: {{ method: POST, path: /admin, headers: {{ accept: text/html }} }}
        expect: {{ action: block, status: 404, rule: shop/admin, reason: rule, headers: {{ x-why: shut, x-class: null }} }}
  - name: the interface is watched and tagged
    requests:
      - at: 1s
        repeat: 3
        every: 500ms
        request: https://shop.example/api
        answer: {{ status: 401, headers: {{ a: b }} }}
        expect: {{ action: allow, status: null, rule: null, tags: [X-Class], headers: {{ x-class: api }},
                  would_have: [{{ rule: watched, action: block }}] }}
      - {{ at: 2s, request: GET https://other.example/admin, answer: null, expect: {{ reason: not_covered, would_have: [] }} }}
"
    ));
    let report = run(dir.path(), &Supplied::default()).unwrap();
    assert!(report.ok, "{}", text(&report));
    assert_eq!((report.cases, report.failed, &report.unreached), (2, 0, &vec!["shop/never".to_owned()]));
    assert_eq!(report.files[0].cases[1].requests, 4);
    let said = text(&report);
    assert!(said.contains("ok   the admin pages do not exist (2 request(s))"), "{said}");
    assert!(said.contains("rules that no case reaches:\n  shop/never\nfine: 2 case(s) passed"), "{said}");
}

#[test]
fn a_failure_shows_expected_and_got_and_why() {
    let dir = folder(&format!(
        "{HEAD}  - name: a & b <c>
    requests:
      - {{ request: GET /api, expect: {{ action: block, status: 403, rule: watched, would_have: [], tags: [], headers: {{ x-class: web }} }} }}
"
    ));
    let report = run(dir.path(), &Supplied::default()).unwrap();
    assert!(!report.ok);
    let fields: Vec<&str> =
        report.files[0].cases[0].failures[0].mismatches.iter().map(|mismatch| mismatch.field.as_str()).collect();
    assert_eq!(fields, ["action", "status", "rule", "would_have", "tags", "header x-class"]);
    let said = text(&report);
    for words in [
        "FAIL a & b <c>",
        "request 1 at ",
        "shop.test.yaml:6:9: GET shop.example /api",
        "- expected block\n",
        "+ got      allow\n",
        "+ got      block shop/watched\n",
        "shop/watched [block, monitor] matches; would block",
        "wrong: 1 of 1 case(s) failed",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    let mut xml = Vec::new();
    report.write_junit(&mut xml).unwrap();
    let xml = String::from_utf8(xml).unwrap();
    assert!(xml.contains("<testsuites name=\"gatehouse\" tests=\"1\" failures=\"1\""), "{xml}");
    assert!(
        xml.contains("name=\"a &amp; b &lt;c&gt;\"") && xml.contains("message=\"action: expected block, got allow\""),
        "{xml}"
    );
    assert_eq!((xml.matches("<testcase ").count(), xml.matches("</testcase>").count()), (1, 1));
}

#[test]
fn a_wrong_test_file_is_told_whole_with_places_and_suggestions() {
    let dir = folder(
        "polcy: x\nrequest: { authority: a }\ncases:\n  - name: one\n    reqests: []\n  - name: two\n    requests:\n      - { at: 5s, request: GET /, expect: alow }\n      \
         - { at: 1s, request: GET /, expect: { acton: block, status: 9 }, repeat: 0 }\n      - { request: { path: /x } }\n",
    );
    let TestError::Wrong(problems) = run(dir.path(), &Supplied::default()).unwrap_err() else { panic!("wrong") };
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let said = said.join("\n");
    for words in [
        "shop.test.yaml:1:1: unknown field `polcy` in the test file; did you mean `policy`?",
        "the test file has no `policy`",
        "shop.test.yaml:5:5: unknown field `reqests` in the case; did you mean `requests`?",
        "unknown word `alow`; did you mean `allow`?",
        "unknown field `acton` in the expectation; did you mean `action`?",
        "`9` is out of range; write a whole number from 100 to 599",
        "`0` is out of range; write a whole number from 1 to 1000000",
        "the step has no `expect`",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    let dir = folder(&format!(
        "{HEAD}  - name: one\n    requests:\n      - {{ at: 5s, request: GET /, expect: allow }}\n      - {{ at: 1s, request: GET /, expect: allow }}\n"
    ));
    let said = run(dir.path(), &Supplied::default()).unwrap_err().to_string();
    assert!(said.contains("shop.test.yaml:7:15: the clock would run backwards; write 5s or later"), "{said}");
}

#[test]
fn a_policy_that_does_not_compile_and_a_folder_without_tests_are_told() {
    let dir = folder(&format!("{HEAD}  - {{ name: one, requests: [] }}\n"));
    fs::write(dir.path().join("shop.yaml"), POLICY.replace("match", "mach")).unwrap();
    fs::copy(dir.path().join("tests/shop.test.yaml"), dir.path().join("tests/b.test.yml")).unwrap();
    let TestError::Wrong(problems) = run(dir.path(), &Supplied::default()).unwrap_err() else { panic!("wrong") };
    let unknown = problems.iter().filter(|problem| problem.message.starts_with("unknown field `mach`")).count();
    assert_eq!(unknown, 4, "each once, though two files use it: {problems:?}");
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(run(empty.path(), &Supplied::default()).unwrap_err(), TestError::Nothing(_)));
    assert!(matches!(run(Path::new("/nowhere"), &Supplied::default()).unwrap_err(), TestError::Unreadable { .. }));
}

const COUNTING: &str = "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: shop }\nspec:\n  hosts: [shop.example]
  lists: { banned: { from: verdicts } }
  rules:
    - { name: far, match: { country: DE, path: /here }, then: block }
    - { name: banned, match: { verdict: { list: banned } }, then: drop }
    - { name: slow, match: { path: /slow }, limit: { by: [client], rate: 2 per 1m, burst: 2 }, then: limit }
    - { name: guess, match: { path: /login }, limit: { by: [client], count: { status: 401 }, rate: 3 per 1m, blockFor: 5m }, then: limit }
    - { name: late, match: { path: /late }, then: [{ delay: 1500ms }, record] }
    - { name: leak, match: { response: { status: 500 } }, then: { block: { status: 404, body: \"gone\" } } }\n";

fn counting(test: &str) -> tempfile::TempDir {
    let dir = folder(test);
    fs::write(dir.path().join("shop.yaml"), COUNTING).unwrap();
    dir
}

#[test]
fn limits_run_by_the_cases_clock_and_each_case_begins_anew() {
    let dir = counting(&format!(
        "{HEAD}  - name: requests
    requests:
      - {{ request: GET /slow, repeat: 2, expect: allow }}
      - {{ request: GET /slow, expect: {{ action: limit, status: 429, rule: slow, headers: {{ retry-after: \"30\" }} }} }}
      - {{ at: 29s, request: GET /slow, expect: limit }}
      - {{ at: 31s, request: GET /slow, expect: allow }}
  - name: failures, and what was never answered
    requests:
      - {{ request: GET /login, repeat: 3, answer: 401, expect: allow }}
      - {{ request: GET /login, expect: {{ action: limit, rule: guess }} }}
      - {{ at: 6m, request: GET /login, repeat: 50, answer: 200, expect: allow }}
      - {{ at: 10m, request: GET /login, repeat: 3, answer: null, expect: allow }}
      - {{ at: 10m, request: GET /login, expect: limit }}
  - name: the application's answer is judged too
    requests:
      - {{ request: GET /late, expect: {{ action: allow, delay: 1500ms, record: true }} }}
      - {{ request: GET /, answer: 500, expect: {{ action: block, status: 404, rule: leak, body: gone, record: false }} }}
"
    ));
    let report = run(dir.path(), &Supplied::default()).unwrap();
    assert!(report.ok, "{}", text(&report));
}

#[test]
fn repetitions_come_from_as_many_addresses_as_there_are_of_them() {
    let dir = counting(&format!(
        "{HEAD}  - name: one address
    requests:
      - {{ request: GET /slow, repeat: 2, expect: allow }}
      - {{ request: GET /slow, expect: limit }}
  - name: many
    requests:
      - {{ request: GET /slow, repeat: 256, addresses: 198.51.100.0/24, expect: allow }}
      - {{ request: GET /slow, repeat: 256, addresses: 198.51.100.0/24, expect: allow }}
      - {{ request: {{ path: /slow, address: 198.51.100.255 }}, expect: limit }}
      - {{ request: GET /slow, repeat: 1000, addresses: 2001:db8::/32, expect: allow }}
"
    ));
    let report = run(dir.path(), &Supplied::default()).unwrap();
    assert_eq!(report.files[0].cases[0].failures.len(), 0, "{}", text(&report));
    assert_eq!(report.files[0].cases[1].requests, 256 + 256 + 1 + 1000, "{}", text(&report));
    assert!(report.ok, "{}", text(&report));

    let dir = counting(&format!(
        "{HEAD}  - name: too few
    requests:
      - {{ request: GET /, repeat: 257, addresses: 198.51.100.0/24, expect: allow }}
      - {{ request: GET /, repeat: 2, addresses: 198.51.100.300/24, expect: allow }}
"
    ));
    let TestError::Wrong(problems) = run(dir.path(), &Supplied::default()).unwrap_err() else { panic!("wrong") };
    let said = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(said.contains("`198.51.100.0/24` holds fewer addresses than the 257 of `repeat`"), "{said}");
    assert!(said.contains("`198.51.100.300/24` is no network"), "{said}");
}

#[test]
fn a_file_says_where_addresses_are_and_who_is_on_the_lists_of_the_house() {
    let dir = counting(&format!(
        "{}cases:
  - name: places
    requests:
      - {{ request: {{ path: /here, address: 198.51.100.7 }}, expect: {{ action: block, rule: far }} }}
      - {{ request: {{ path: /here, address: 203.0.113.7 }}, expect: allow }}
  - name: lists
    lists: {{ banned: [{{ asn: 64500 }}, {{ identity: \"spiffe://a/b\" }}] }}
    requests:
      - {{ request: {{ path: /, address: 192.0.2.66 }}, expect: {{ action: drop, status: null, rule: banned }} }}
      - {{ request: {{ path: /, address: \"2001:db8::1\" }}, expect: drop }}
      - {{ request: {{ path: /, address: 203.0.113.7 }}, expect: drop }}
      - {{ request: {{ path: /, peer_uris: [\"spiffe://a/b\"] }}, expect: drop }}
      - {{ request: GET /, expect: allow }}
  - name: lists of another case are no more
    requests:
      - {{ request: {{ path: /, address: 203.0.113.7 }}, expect: allow }}
",
        HEAD.replace(
            "cases:\n",
            "places: { 198.51.100.0/24: { country: DE }, 203.0.113.0/24: { country: FR, asn: 64500 } }
lists: { banned: [192.0.2.66, 2001:db8::/32] }\n"
        )
    ));
    let report = run(dir.path(), &Supplied::default()).unwrap();
    assert!(report.ok, "{}", text(&report));
    let wrong =
        HEAD.replace("cases:\n", "places: { x: {}, 192.0.2.0/24: { country: de } }\nlists: { bnned: [1.2.3] }\n");
    let dir = counting(&format!(
        "{wrong}cases:\n  - {{ name: one, lists: {{ banned: [{{ asn: 1, address: 192.0.2.1 }}] }}, requests: [] }}\n"
    ));
    let said = run(dir.path(), &Supplied::default()).unwrap_err().to_string();
    for words in [
        "`x` is no network; write one such as `192.0.2.0/24`",
        "`de` is no country; write two capital letters",
        "`1.2.3` is no address and no network",
        "a subject is one thing",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    let wrong = HEAD.replace("cases:\n", "lists: { bnned: [192.0.2.1] }\n");
    let dir = counting(&format!("{wrong}cases:\n  - {{ name: one, requests: [] }}\n"));
    let said = run(dir.path(), &Supplied::default()).unwrap_err().to_string();
    assert!(said.contains("the house fills no list `bnned`; those with `from: verdicts` are banned"), "{said}");
}

const ORDERS: &str =
    "apiVersion: gatehouse.dev/v1\nkind: TcpPolicy\nmetadata: { name: orders }\nspec:\n  hosts: [orders.internal]
  requireMutualTls: true
  lists: { banned: { from: verdicts } }
  rules:
    - { name: banned, match: { verdict: { list: banned } }, then: reject }
    - { name: night, match: { not: { time: { hours: 06:00-22:00 } } }, then: reject }
    - { name: far, match: { country: DE }, mode: monitor, then: reject }
    - { name: frontend, match: { serviceAccounts: [shop/frontend], port: 5432 }, then: [record, allow] }
    - { name: never, match: { identity: spiffe://other/** }, then: allow }
  otherwise: reject\n";

/// A folder with both policies and one test file.
fn orders(test: &str) -> tempfile::TempDir {
    let dir = folder(test);
    fs::write(dir.path().join("orders.yaml"), ORDERS).unwrap();
    dir
}

const BOTH: &str = "policy: [../shop.yaml, ../orders.yaml]
start: 2026-01-01T12:00:00Z
request: { authority: shop.example }
connection: { host: orders.internal, destination: 10.0.0.5:5432, address: 192.0.2.7 }
places: { 198.51.100.0/24: { country: DE } }
cases:\n";

#[test]
fn cases_of_connections_stand_beside_those_of_requests() {
    let dir = orders(&format!(
        "{BOTH}  - name: the admin pages do not exist
    requests:
      - {{ request: GET /admin, expect: block }}
      - {{ request: GET /api, expect: {{ would_have: [watched] }} }}
  - name: exactly the frontend may connect
    connections:
      - connection: spiffe://cluster.local/ns/shop/sa/frontend
        expect: {{ action: allow, rule: frontend, reason: rule, record: true, would_have: [] }}
      - {{ connection: spiffe://cluster.local/ns/shop/sa/frontend to orders.internal:22, expect: reject }}
      - {{ connection: {{ peer_uris: [spiffe://cluster.local/ns/shop/sa/batch] }}, expect: {{ action: reject, rule: orders/otherwise, reason: otherwise }} }}
      - {{ connection: no identity, expect: {{ reason: no_peer, rule: mutual-tls }} }}
      - {{ expect: reject }}
  - name: only by day, and whom the house has not banned
    connection: {{ peer_uris: [spiffe://cluster.local/ns/shop/sa/frontend] }}
    lists: {{ banned: [192.0.2.66] }}
    connections:
      - {{ repeat: 256, every: 1s, addresses: 198.51.100.0/24, expect: {{ action: allow, would_have: [{{ rule: far, action: reject }}] }} }}
      - {{ at: 1h, connection: {{ address: 192.0.2.66 }}, expect: {{ action: reject, rule: banned }} }}
      - {{ at: 11h, expect: {{ action: reject, rule: night }} }}
      - {{ at: 12h, connection: {{ host: else.internal }}, expect: {{ action: allow, rule: null, reason: not_covered }} }}
"
    ));
    let report = run(dir.path(), &Supplied::default()).unwrap();
    assert!(report.ok, "{}", text(&report));
    assert_eq!((report.cases, &report.unreached), (3, &vec!["orders/never".to_owned(), "shop/never".to_owned()]));
    let counts: Vec<_> = report.files[0].cases.iter().map(|case| (case.requests, case.connections)).collect();
    assert_eq!(counts, [(2, 0), (0, 5), (0, 259)]);
    let said = text(&report);
    assert!(said.contains("ok   exactly the frontend may connect (5 connection(s))"), "{said}");
}

#[test]
fn a_connection_that_is_judged_otherwise_is_shown_with_the_way_to_it() {
    let dir = orders(&format!(
        "{BOTH}  - name: wrong\n    connections:\n      - {{ connection: spiffe://cluster.local/ns/shop/sa/frontend, expect: {{ action: reject, rule: never }} }}\n"
    ));
    let report = run(dir.path(), &Supplied::default()).unwrap();
    let said = text(&report);
    for words in [
        "connection 1 at ",
        "shop.test.yaml:9:9: spiffe://cluster.local/ns/shop/sa/frontend to orders.internal\n",
        "- expected reject\n",
        "+ got      allow\n",
        "- expected never\n",
        "+ got      orders/frontend\n",
        "orders/frontend [record, allow, enforce] matches; decides: record and allow",
        "wrong: 1 of 1 case(s) failed",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    let failure = serde_json::to_value(&report.files[0].cases[0].failures[0]).unwrap();
    assert_eq!((&failure["connection"], failure.get("request")), (&1.into(), None), "{failure}");
}

#[test]
fn wrong_cases_of_connections_are_told_with_places_and_suggestions() {
    let dir = orders(&format!(
        "{BOTH}  - name: one
    request: GET /
    requests: []
    connections:
      - {{ connection: {{ adress: 192.0.2.1 }}, expect: drop }}
      - {{ conection: no identity, answer: 200, expect: {{ action: rejct, status: 403 }} }}
      - {{ connection: nobody, expect: allow }}
  - name: two
    connection: no identity
    requests: [{{ request: GET /, expect: reject }}]
  - name: three
    conections: []
"
    ));
    let said = run(dir.path(), &Supplied::default()).unwrap_err().to_string();
    for words in [
        "shop.test.yaml:8:14: `request` stands in a case of connections; write `connection`",
        "shop.test.yaml:9:15: a case has `requests` or `connections`; write two cases",
        "shop.test.yaml:11:25: unknown field `adress` in the connection; did you mean `address`?",
        "unknown word `drop`; write one of `allow`, `reject`",
        "shop.test.yaml:12:11: unknown field `conection` in the step; did you mean `connection`?",
        "unknown field `answer` in the step",
        "unknown word `rejct`; did you mean `reject`?",
        "unknown field `status` in the expectation of a connection",
        "`nobody` is no connection; write it as `spiffe://",
        "shop.test.yaml:15:17: `connection` stands in a case without `connections`",
        "unknown word `reject`",
        "shop.test.yaml:18:5: unknown field `conections` in the case; did you mean `connections`?",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
}
