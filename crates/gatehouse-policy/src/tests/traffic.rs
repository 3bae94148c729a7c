//! Requests and connections are judged by documents of their own kind, whatever hosts they share.

use super::*;

const BOTH: &str = "apiVersion: gatehouse.dev/v1
kind: TcpPolicy
metadata: { name: tcp }
spec:
  hosts: [db.example, '*.db.example']
  rules: [{ name: r, match: { identity: none }, then: reject }]
---
apiVersion: gatehouse.dev/v1
kind: TcpPolicy
metadata: { name: tcp-everywhere }
spec: { otherwise: reject }
---
apiVersion: gatehouse.dev/v1
kind: Policy
metadata: { name: http }
spec: { hosts: db.example, otherwise: block, direction: egress }
";

fn names(scope: Option<crate::Scope<'_>>, policy: &Policy) -> Vec<String> {
    let documents: Vec<u32> = scope.map(|scope| scope.documents().collect()).unwrap_or_default();
    let name = |index: &u32| policy.document_name(*index).to_owned();
    let mut names: Vec<String> = documents.iter().map(name).collect();
    names.sort();
    names
}

#[test]
fn hosts_of_connections_and_of_requests_do_not_meet() {
    let policy = policy(BOTH);
    assert!(policy.speaks_of_connections() && policy.speaks_of_requests());
    let one = self::policy(BOTH.split_inclusive("---\n").next().expect("a document"));
    assert!(one.speaks_of_connections() && !one.speaks_of_requests());
    assert_eq!(names(policy.for_connection(b"db.example"), &policy), ["tcp", "tcp-everywhere"]);
    assert_eq!(names(policy.for_connection(b"a.db.example"), &policy), ["tcp", "tcp-everywhere"]);
    for host in [&b""[..], b"elsewhere.example", b"db.example\n", &[b'a'; 300]] {
        assert_eq!(names(policy.for_connection(host), &policy), ["tcp-everywhere"]);
    }
    assert_eq!(names(policy.for_host(b"db.example"), &policy), ["http"]);
    // A request cannot name the mark that tells the two apart.
    for host in [&b""[..], b"a.db.example", b"elsewhere.example", b"db.example\n", b"a.db.example\n", b"\n"] {
        assert!(policy.for_host(host).is_none(), "{host:?}");
    }
}

#[test]
fn the_server_name_is_checked_unless_somebody_says_otherwise() {
    let policy = policy(BOTH);
    let scope = policy.for_host(b"db.example").expect("covered");
    assert!(scope.is_egress() && scope.server_name().is_some_and(|names| names.document == "http"));
    let any = self::policy(&document("p", "serverName: any"));
    assert!(any.for_host(b"a.example").expect("covered").server_name().is_none());
    assert!(any.speaks_of_requests() && !any.speaks_of_connections() && any.for_connection(b"a.example").is_none());
}
