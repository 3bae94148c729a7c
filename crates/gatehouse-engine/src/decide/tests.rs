//! Requests against policies: who decides, what is only said, what reaches the application.

mod agreement;
mod ambiguity;
mod arrivals;
mod brake;
mod cors;
mod failures;
mod gate;
mod grounds;
mod headers;
mod hostile;
mod identity;
mod keys;
mod limits;
mod mandates;
mod methods;
mod order;
mod response;
mod rollback;
mod rollout;
mod scores;
mod shared;
mod unknown;
mod verdicts;

use gatehouse_policy::{Fields, Policy, document, inline};
use gatehouse_signals::{Claims, Connection, Head};
use gatehouse_verdict::{Action, Reason};

use crate::exchange::{Judged, Reply, Settings, Step, WhenNoPolicy, judge};
use crate::limits::NoSlots;
use crate::request::{Now, Request};
use crate::state::State;

/// A policy of JSON documents, given as `name` and the inside of `spec`.
pub(crate) fn policy(documents: &[(&str, &str)]) -> Policy {
    let texts: Vec<String> = documents
        .iter()
        .map(|(name, spec)| {
            format!(r#"{{"apiVersion":"gatehouse.dev/v1","kind":"Policy","metadata":{{"name":"{name}"}},"spec":{{{spec}}}}}"#)
        })
        .collect();
    let node = document::json("policy", &format!("[{}]", texts.join(","))).expect("json");
    inline(&node).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A request of a gate, at no particular time.
pub(crate) fn request(head: Head<'_>) -> Request<'_> {
    Request { head, claims: Claims::Unknown, known: Fields::ALL, now: Now { mono_ns: 1_000_000_000, wall_s: None } }
}

/// One rule.
fn rule(name: &str, condition: &str, then: &str) -> String {
    format!(r#"{{"name":"{name}","match":{condition},"then":{then}}}"#)
}

fn rules(rules: &[String]) -> String {
    format!(r#""rules":[{}]"#, rules.join(","))
}

struct Client<'a> {
    host: &'a str,
    path: &'a str,
    peer: &'a str,
    headers: &'a [(&'a str, &'a str)],
}

impl Default for Client<'_> {
    fn default() -> Self {
        Self { host: "shop.example.com", path: "/", peer: "192.0.2.1", headers: &[] }
    }
}

impl Client<'_> {
    fn ask_with(&self, policy: Option<&Policy>, when_no_policy: WhenNoPolicy) -> Judged {
        let connection = Connection { peer: self.peer.parse().ok(), ..Connection::default() };
        let mut pairs = vec![(":method", "GET"), (":path", self.path), (":authority", self.host), (":scheme", "https")];
        pairs.extend_from_slice(self.headers);
        let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
        let head = Head::new(&pairs, &connection);
        judge(policy, &Settings { when_no_policy }, request(head), &mut State::new([3; 16], &[7; 16]), &NoSlots)
    }

    fn ask(&self, policy: &Policy) -> Judged {
        self.ask_with(Some(policy), WhenNoPolicy::Allow)
    }
}

fn get(policy: &Policy, path: &str) -> Judged {
    Client { path, ..Client::default() }.ask(policy)
}

fn answered(judged: &Judged) -> &Reply {
    match &judged.step {
        Step::Reply(reply) => reply,
        Step::Forward(_) | Step::Drop => panic!("forwarded: {judged:?}"),
    }
}

fn decided(judged: &Judged) -> (Action, Option<&str>, Reason) {
    (judged.verdict.action(), judged.verdict.rule.as_deref(), judged.verdict.reason)
}

fn would(judged: &Judged) -> Vec<(Action, &str)> {
    judged.verdict.would_have.iter().map(|w| (w.action, w.rule.as_str())).collect()
}

/// Names of the headers that the application gets, if the map is written at all.
fn written(judged: &Judged) -> Option<Vec<(String, String)>> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match &judged.step {
        Step::Forward(pairs) => pairs.as_ref().map(|p| p.iter().map(|(n, v)| (text(n), text(v))).collect()),
        other => panic!("not forwarded: {other:?}"),
    }
}

#[test]
fn with_no_policy_the_bootstrap_decides() {
    let allowed = Client::default().ask_with(None, WhenNoPolicy::Allow);
    assert_eq!(decided(&allowed), (Action::Allow, None, Reason::NoPolicy));
    assert_eq!((allowed.step, allowed.verdict.reference, allowed.policy), (Step::Forward(None), None, None));
    let blocked = Client::default().ask_with(None, WhenNoPolicy::Block);
    assert_eq!(decided(&blocked), (Action::Block, None, Reason::NoPolicy));
    let reference = blocked.verdict.reference.clone().expect("a reference");
    let reply = answered(&blocked);
    assert_eq!((reply.status, reply.details.clone()), (403, format!("gatehouse_block:no_policy:{reference}")));
}

#[test]
fn a_request_that_no_rule_meets_goes_on_untouched_and_without_a_reference() {
    let policy = policy(&[("p", &rules(&[rule("r", r#"{"path":"/admin"}"#, r#""block""#)]))]);
    let judged = get(&policy, "/");
    assert_eq!(decided(&judged), (Action::Allow, None, Reason::Otherwise));
    assert_eq!((judged.step, judged.verdict.reference), (Step::Forward(None), None));
    assert_eq!(judged.policy, Some(policy.stamp()));
}

#[test]
fn the_first_final_rule_decides_and_carries_its_reference_everywhere() {
    let policy = policy(&[(
        "p",
        &rules(&[
            rule("admin", r#"{"path":{"prefix":"/admin"}}"#, r#""block""#),
            rule("rest", r#"{"all":true}"#, r#"{"block":{"status":404}}"#),
        ]),
    )]);
    let judged = get(&policy, "/admin/x");
    assert_eq!(decided(&judged), (Action::Block, Some("p/admin"), Reason::Rule));
    let reference = judged.verdict.reference.clone().expect("a reference");
    let reply = answered(&judged);
    assert_eq!((reply.status, reply.details.clone()), (403, format!("gatehouse_block:p/admin:{reference}")));
    assert!(reply.headers.iter().any(|(name, value)| name == "x-gatehouse-reference" && *value == reference));
    assert_eq!(answered(&get(&policy, "/")).status, 404);
}

#[test]
fn a_higher_priority_goes_first_and_allow_ends_the_walk() {
    let allow = r#"{"name":"office","priority":900,"match":{"address":"192.0.2.0/24"},"then":"allow"}"#.to_owned();
    let policy = policy(&[("p", &rules(&[rule("all", r#"{"all":true}"#, r#""block""#), allow]))]);
    assert_eq!(decided(&get(&policy, "/")), (Action::Allow, Some("p/office"), Reason::Rule));
    let stranger = Client { peer: "198.51.100.1", ..Client::default() }.ask(&policy);
    assert_eq!(decided(&stranger), (Action::Block, Some("p/all"), Reason::Rule));
}

#[test]
fn monitor_blocks_nothing_says_what_it_would_have_done_and_gives_a_reference() {
    let spec = format!(
        r#""mode":"monitor","otherwise":"block",{}"#,
        rules(&[
            rule("admin", r#"{"path":"/admin"}"#, r#""block""#),
            rule("away", r#"{"path":"/admin"}"#, r#"{"redirect":{"location":"/"}}"#),
        ])
    );
    let policy = policy(&[("p", &spec)]);
    let judged = get(&policy, "/admin");
    assert_eq!(decided(&judged), (Action::Allow, None, Reason::Otherwise));
    assert_eq!(
        would(&judged),
        [(Action::Block, "p/admin"), (Action::Redirect, "p/away"), (Action::Block, "p/otherwise")]
    );
    assert!(judged.verdict.reference.is_some());
    assert_eq!(judged.step, Step::Forward(None));
}

#[test]
fn otherwise_is_named_when_it_blocks() {
    let policy = policy(&[("p", r#""otherwise":{"block":{"body":"RBAC: access denied"}}"#)]);
    let judged = get(&policy, "/");
    assert_eq!(decided(&judged), (Action::Block, Some("p/otherwise"), Reason::Otherwise));
    assert_eq!(answered(&judged).body, b"RBAC: access denied");
}

#[test]
fn a_host_that_no_document_speaks_for_is_not_covered() {
    let policy = policy(&[("p", r#""hosts":"other.example","otherwise":"block""#)]);
    assert_eq!(decided(&get(&policy, "/")), (Action::Allow, None, Reason::NotCovered));
    for host in ["other.example", "OTHER.example:8443", "other.example."] {
        let judged = Client { host, ..Client::default() }.ask(&policy);
        assert_eq!(judged.verdict.action(), Action::Block, "{host}");
    }
}

#[test]
fn an_unknown_address_fires_neither_a_rule_nor_its_opposite() {
    let policy = policy(&[(
        "p",
        &rules(&[
            rule("inside", r#"{"address":"192.0.2.0/24"}"#, r#""block""#),
            rule("outside", r#"{"not":{"address":"192.0.2.0/24"}}"#, r#""block""#),
        ]),
    )]);
    let judged = Client { peer: "unknown", ..Client::default() }.ask(&policy);
    assert_eq!(decided(&judged), (Action::Allow, None, Reason::Otherwise));
    assert_eq!(judged.subject.client.address, None);
}

#[test]
fn a_forwarded_address_is_believed_only_from_trusted_proxies() {
    let spec = |trust: &str| {
        let client = format!(r#""client":{{"address":{{"from":"x-forwarded-for",{trust}}}}}"#);
        format!("{client},{}", rules(&[rule("r", r#"{"address":"203.0.113.9"}"#, r#""block""#)]))
    };
    let forged = Client { headers: &[("x-forwarded-for", "203.0.113.9")], ..Client::default() };
    let action = |trust: &str| forged.ask(&policy(&[("p", &spec(trust))])).verdict.action();
    assert_eq!(action(r#""trust":[]"#), Action::Allow);
    assert_eq!(action(r#""trust":["10.0.0.0/8"]"#), Action::Allow);
    assert_eq!(action(r#""hops":0"#), Action::Allow);
    assert_eq!(action(r#""trust":["192.0.2.0/24"]"#), Action::Block);
    assert_eq!(action(r#""hops":1"#), Action::Block);
}

#[test]
fn what_a_verdict_keeps_is_bounded() {
    let many: Vec<String> = (0..50).map(|i| rule(&format!("r{i}"), r#"{"all":true}"#, r#""block""#)).collect();
    let policy = policy(&[("p", &format!(r#""mode":"monitor",{}"#, rules(&many)))]);
    assert_eq!(get(&policy, "/").verdict.would_have.len(), 16);
}
