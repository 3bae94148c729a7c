//! Connections against policies, and what is told of them.

mod callers;

use gatehouse_policy::{Format, Policy, Source, compile};
use gatehouse_signals::Connection;
use gatehouse_verdict::record::{Ended, RecordId};
use gatehouse_verdict::redact::AddressForm;
use prost::Message as _;

use super::*;
use crate::exchange::WhenNoPolicy;
use crate::record::tests::context;
use crate::{Carried, Transaction};

const SLEEP: &str = "spiffe://cluster.local/ns/trusted/sa/sleep";

fn document(spec: &str) -> String {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!("apiVersion: gatehouse.dev/v1\nkind: TcpPolicy\nmetadata: {{ name: echo }}\nspec:\n{spec}")
}

fn policy(spec: &str) -> Policy {
    let text = document(spec);
    let compiled = compile(&[Source { name: "test", text: &text, format: Format::Yaml }]);
    let compiled = compiled.unwrap_or_else(|problems| panic!("{problems}"));
    Policy::load(compiled.image, 1).expect("an image")
}

fn connection(uri: &str) -> Connection {
    Connection {
        peer: "192.0.2.7".parse().ok(),
        mutual_tls: Some(!uri.is_empty()),
        peer_uri: Some(uri.to_owned()).filter(|uri| !uri.is_empty()),
        local: "10.0.0.5".parse().ok(),
        local_port: Some(5432),
        tls_version: Some("TLSv1.3".into()),
        ..Connection::default()
    }
}

fn judged(policy: Option<&Policy>, connection: &Connection) -> Judged {
    let host = destination(connection);
    let now = Now { mono_ns: 1_000_000_000, wall_s: Some(1_790_000_000) };
    let settings = Settings { when_no_policy: WhenNoPolicy::Block };
    admit(policy, &settings, &Opening { connection, host: &host, now }, &mut State::new([3; 16], &[7; 16]))
}

fn passes(policy: &Policy, connection: &Connection) -> bool {
    !judged(Some(policy), connection).verdict.mitigates()
}

#[test]
fn exactly_the_listed_services_may_connect() {
    let policy = policy(
        "rules: [{ name: sleep, match: { serviceAccounts: trusted/sleep, port: 5432 }, then: allow }]\notherwise: reject",
    );
    assert!(passes(&policy, &connection(SLEEP)));
    for other in ["spiffe://cluster.local/ns/default/sa/default", "spiffe://other/ns/trusted/sa/sleep", ""] {
        assert!(!passes(&policy, &connection(other)), "{other}");
    }
    let unverified = Connection { mutual_tls: Some(false), ..connection(SLEEP) };
    let elsewhere = Connection { local_port: Some(22), ..connection(SLEEP) };
    assert!(!passes(&policy, &unverified) && !passes(&policy, &elsewhere));
}

#[test]
fn destination_server_name_and_address_are_matched() {
    let policy = policy(
        "rules:\n- { name: net, match: { destination: [10.0.0.0/24] }, then: allow }\n- { name: sni, match: { sni: '*.db.example', address: 192.0.2.0/24 }, then: allow }\notherwise: reject",
    );
    assert!(passes(&policy, &connection("")));
    let elsewhere = |sni: &str| Connection { local: "10.9.0.5".parse().ok(), sni: Some(sni.into()), ..connection("") };
    assert!(passes(&policy, &elsewhere("a.db.example")) && !passes(&policy, &elsewhere("db.example")));
    let unknown = Connection { local: None, ..connection("") };
    assert!(!passes(&policy, &unknown), "what is not known opens nothing");
}

#[test]
fn the_host_is_that_of_the_mesh_s_server_name() {
    let policy = policy(
        "hosts: [db.example]\nrules: [{ name: all, match: { host: db.example, identity: 'spiffe://cluster.local/**' }, then: allow }]\notherwise: reject",
    );
    let to = |sni: &str| Connection { sni: Some(sni.into()), ..connection(SLEEP) };
    assert!(passes(&policy, &to("outbound_.5432_._.DB.example")) && passes(&policy, &to("db.example.")));
    for elsewhere in ["outbound_.5432_._.other.example", "other.example", "outbound_.x_._.db.example", ""] {
        let judged = judged(Some(&policy), &to(elsewhere));
        assert_eq!(judged.verdict.reason, Reason::NotCovered, "{elsewhere}");
        assert!(judged.verdict.mitigates(), "nobody speaks of it: as without a policy");
    }
}

#[test]
fn settings_and_modes_hold_as_for_requests() {
    let strict = policy("requireMutualTls: true\nrequireOneUri: true");
    assert_eq!(judged(Some(&strict), &connection("")).verdict.reason, Reason::NoPeer);
    let two = Connection { peer_uris: Some(2), ..connection(SLEEP) };
    assert_eq!(judged(Some(&strict), &two).verdict.reason, Reason::ManyUris);
    assert!(passes(&strict, &Connection { peer_uris: Some(1), ..connection(SLEEP) }));
    let dry = policy("mode: monitor\nrules: [{ name: none, match: { all: true }, then: reject }]");
    let judged = judged(Some(&dry), &connection(SLEEP));
    assert!(!judged.verdict.mitigates());
    assert_eq!(judged.verdict.would_have[0].rule, "echo/none");
}

#[test]
fn documents_of_requests_say_nothing_of_connections() {
    let text = "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: p }\nspec: { otherwise: block }";
    let image = compile(&[Source { name: "test", text, format: Format::Yaml }]).expect("compiles").image;
    let policy = Policy::load(image, 1).expect("loads");
    assert_eq!(judged(Some(&policy), &connection(SLEEP)).verdict.reason, Reason::NotCovered);
    assert_eq!(judged(None, &connection(SLEEP)).verdict.reason, Reason::NoPolicy);
}

#[test]
fn the_log_says_who_is_allowed_and_who_rejected() {
    let policy =
        policy("rules: [{ name: sleep, match: { serviceAccounts: trusted/sleep }, then: allow }]\notherwise: reject");
    let line =
        |connection: &Connection, host: &str| log_line(&judged(Some(&policy), connection), connection, host.as_bytes());
    assert_eq!(line(&connection(SLEEP), "db.example"), format!("allowing: {SLEEP} to db.example (echo/sleep)"));
    let other = connection("spiffe://cluster.local/ns/default/sa/default");
    assert_eq!(line(&other, ""), "rejecting: spiffe://cluster.local/ns/default/sa/default (echo/otherwise)");
    assert_eq!(line(&connection(""), "a\nb"), "rejecting: no identity, from 192.0.2.7 to a?b (echo/otherwise)");
    let late = overdue(&connection(""));
    assert!(late.verdict.mitigates() && log_line(&late, &connection(""), b"").ends_with("(unproven)"));
}

#[test]
fn a_record_tells_the_connection_and_no_request() {
    let policy = policy("otherwise: reject");
    let connection = Connection { sni: Some("db.example".into()), ..connection(SLEEP) };
    let judged = judged(Some(&policy), &connection);
    let head = Head::new(&[], &connection);
    let of = Transaction { number: 9, head, judged: &judged, policy: Some(&policy) };
    let carried = Carried {
        start_unix_ns: 5,
        duration_ns: 7,
        host: b"db.example",
        received_bytes: 3,
        sent_bytes: 4,
        ended: Ended::Gate,
        ..Carried::default()
    };
    let mut bytes = Vec::new();
    let id = RecordId { epoch: 1, sequence: 2 };
    crate::connection(id, &of, &carried, &context(AddressForm::Full), &mut bytes);
    let message = gatehouse_proto::v1::Record::decode(bytes.as_slice()).expect("a record");
    assert_eq!(message.encode_to_vec(), bytes, "as the generated messages write it");
    assert_eq!(message.request, None);
    let record = gatehouse_verdict::Record::try_from(message.clone()).expect("valid");
    let told = record.connection.clone().expect("a connection");
    assert_eq!(
        (told.host.as_str(), told.destination_address.as_str(), told.destination_port),
        ("db.example", "10.0.0.5", 5432)
    );
    assert_eq!((told.received_bytes, told.sent_bytes, told.ended), (3, 4, Ended::Gate));
    assert_eq!((record.downstream.peer_uri.as_str(), record.verdict.rule.as_deref()), (SLEEP, Some("echo/otherwise")));
    assert_eq!(gatehouse_proto::v1::Record::from(record), message);
    assert!(crate::record::bounded(&bytes).is_some_and(|cut| !cut.is_empty()));
}
