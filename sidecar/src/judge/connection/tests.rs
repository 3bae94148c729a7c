//! Connections by a policy: the verdict in the words of connections, the way to it, and what cannot be judged.

use gatehouse_engine::Policy;
use gatehouse_policy::{Format, Source, compile};

use super::*;
use crate::judge::Options;
use crate::request::Asked;

const POLICY: &str = "apiVersion: gatehouse.dev/v1
kind: TcpPolicy
metadata: { name: orders }
spec:
  hosts: [orders.internal]
  requireOneUri: true
  lists: { banned: { from: verdicts } }
  rules:
    - { name: banned, match: { verdict: { list: banned } }, then: reject }
    - { name: watched, match: { address: 192.0.2.0/24 }, mode: monitor, then: reject }
    - { name: frontend, match: { serviceAccounts: [shop/frontend], port: 5432, tls: { version: '1.3' } }, then: [record, allow] }
    - { name: far, match: { country: DE }, then: allow }
  otherwise: reject
";
const FRONTEND: &str = "spiffe://cluster.local/ns/shop/sa/frontend";

fn judge(text: &str, options: Options) -> Judge {
    let compiled = compile(&[Source { name: "p.yaml", text, format: Format::Yaml }]).unwrap();
    Judge::new(Arc::new(Policy::load(compiled.image, 0).unwrap()), options)
}

fn traced() -> Options {
    Options { trace: true, lists_known: true, ..Options::default() }
}

fn opening(connection: &serde_json::Value) -> Opening {
    let text = serde_json::json!({ "connection": connection }).to_string();
    let Ok(Asked::Connection(opening)) = Asked::parse(&text) else { panic!("{text} is a connection") };
    *opening
}

fn from(uri: &str) -> Opening {
    opening(&serde_json::json!({
        "peer_uris": [uri], "address": "192.0.2.7", "host": "orders.internal", "port": 5432, "tls": { "version": "TLSv1.3" },
    }))
}

fn said(explained: &Explained) -> Vec<&str> {
    explained.trace.iter().map(|step| step.said.as_str()).collect()
}

fn not_judged(explained: &Explained) -> Vec<(Option<&str>, &str)> {
    explained.not_judged.iter().map(|one| (one.rule.as_deref(), &*one.field)).collect()
}

#[test]
fn who_is_let_in_and_who_is_not_is_told_with_the_line_of_the_log() {
    let mut judge = judge(POLICY, traced());
    let let_in = judge.admit(&from(FRONTEND), 0);
    assert_eq!((let_in.action, let_in.rule.as_deref(), let_in.record), ("allow", Some("orders/frontend"), true));
    let line = format!("allowing: {FRONTEND} to orders.internal (orders/frontend)");
    assert_eq!(let_in.log.as_deref(), Some(line.as_str()));
    assert_eq!((let_in.would_have[0].action, let_in.would_have[0].rule.as_str()), ("reject", "orders/watched"));
    let signals = let_in.signals.as_ref().unwrap();
    assert_eq!(
        (signals.identity.as_deref(), signals.port, signals.path.as_deref()),
        (Some(FRONTEND), Some(5432), None)
    );
    assert_eq!((signals.host.as_deref(), signals.client_key), (Some("orders.internal"), "identity"));
    assert_eq!(
        said(&let_in),
        [
            "the policy speaks for connections to the host `orders.internal`",
            "does not match",
            "matches; would reject",
            "matches; decides: record and allow",
            "allow by orders/frontend (rule)",
        ]
    );

    let other = judge.admit(&from("spiffe://cluster.local/ns/shop/sa/batch"), 0);
    assert_eq!((other.action, other.reason, other.status), ("reject", "otherwise", None));
    assert!(other.mitigates() && other.reference.is_some(), "{other:?}");
    assert!(said(&other).contains(&"no rule decided; `otherwise` of `orders` (enforce): reject"), "{other:?}");
    assert_eq!(other.trace.last().unwrap().said, "reject by orders/otherwise (otherwise)");
}

#[test]
fn settings_refuse_with_their_reason() {
    let mut judge = judge(POLICY, traced());
    let two = opening(&serde_json::json!({ "peer_uris": [FRONTEND, "spiffe://a/b"], "host": "orders.internal" }));
    let refused = judge.admit(&two, 0);
    assert_eq!(
        (refused.action, refused.reason, refused.rule.as_deref()),
        ("reject", "many_uris", Some("orders/one-uri"))
    );
    assert!(said(&refused)[1].contains("its peer's certificate has several URIs"), "{refused:?}");
}

#[test]
fn what_is_not_known_is_told_of_the_rules_before_the_one_that_decided() {
    let mut judge = judge(POLICY, Options { trace: true, ..Options::default() });
    let short = opening(&serde_json::json!(format!("{FRONTEND} to orders.internal")));
    let explained = judge.admit(&short, 0);
    assert_eq!(
        not_judged(&explained),
        [
            (Some("orders/banned"), "verdict"),
            (Some("orders/watched"), "address"),
            (Some("orders/frontend"), "port"),
            (Some("orders/frontend"), "tls.version"),
            (Some("orders/far"), "country"),
        ]
    );
    let whole = judge.admit(&from(FRONTEND), 0);
    assert_eq!(not_judged(&whole), [(Some("orders/banned"), "verdict")], "`far` was not asked any more");
}

#[test]
fn lists_and_places_that_are_known_count() {
    let mut judge = judge(POLICY, traced());
    assert!(judge.put_on_list("banned", &[1, 192, 0, 2, 7]));
    let banned = judge.admit(&from(FRONTEND), 0);
    assert_eq!((banned.action, banned.rule.as_deref()), ("reject", Some("orders/banned")));
}

#[test]
fn documents_of_the_other_kind_are_named_where_none_speaks() {
    let both = format!(
        "{POLICY}---\napiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: {{ name: shop }}\nspec: {{ hosts: [shop.example], otherwise: block }}\n"
    );
    let mut judge = judge(&both, traced());
    let to = |host: &str| opening(&serde_json::json!({ "host": host }));
    let shop = judge.admit(&to("shop.example"), 0);
    assert_eq!((shop.action, shop.reason), ("allow", "not_covered"));
    assert_eq!(
        shop.trace[0].said,
        "no document speaks for connections to the host `shop.example`; those of `kind: Policy` judge requests, and this is a connection; \
         what holds is `whenNoPolicy` of the filter or the guard, here `allow`"
    );
    let nobody = judge.admit(&opening(&serde_json::json!({})), 0);
    assert!(
        nobody.trace[0].said.starts_with("no document speaks for connections whose host is not known; what holds"),
        "{nobody:?}"
    );
    let request = |host: &str| crate::request::Request {
        method: b"GET".to_vec(),
        path: b"/".to_vec(),
        authority: Some(host.as_bytes().to_vec()),
        ..crate::request::Request::default()
    };
    let orders = judge.judge(&request("orders.internal"), 0);
    assert_eq!(
        orders.trace[0].said,
        "no document speaks for the host `orders.internal`; those of `kind: TcpPolicy` judge connections, and this is a request"
    );
    assert_eq!(
        judge.judge(&request("else.example"), 0).trace[0].said,
        "no document speaks for the host `else.example`"
    );
    assert!(orders.log.is_none());
}
