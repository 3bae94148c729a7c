//! `gatehouse explain` and `gatehouse test` on connections (`kind: TcpPolicy`), as an operator meets them.

use std::fs;

use gatehouse_engine::connect::{Opening, admit, destination};
use gatehouse_engine::{
    Carried, Connection, Context, Ended, Head, Now, Policy, Settings, State, Transaction, UsualTexts,
};
use gatehouse_policy::{Format, Source, compile};
use gatehouse_proto::v1::gate_message::Message;
use gatehouse_verdict::record::{Origin, RecordId};
use gatehouse_verdict::redact::AddressForm;

use super::process::until;
use super::{House, house, json, output, output_of, text};

const POLICY: &str = "apiVersion: gatehouse.dev/v1
kind: TcpPolicy
metadata: { name: orders }
spec:
  hosts: [orders.internal]
  requireOneUri: true
  rules:
    - { name: frontend, match: { serviceAccounts: [shop/frontend], port: 5432 }, then: allow }
  otherwise: reject
";
const REQUESTS: &str = "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: shop }\nspec: { hosts: [shop.example], otherwise: block }\n";
const FRONTEND: &str = "spiffe://cluster.local/ns/shop/sa/frontend";
const BATCH: &str = "spiffe://cluster.local/ns/shop/sa/batch";

fn explain(policy: &str, asked: &str, more: &[&str]) -> (i32, String, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("policy.yaml");
    fs::write(&file, policy).unwrap();
    output_of(&[&["explain", "--policy", text(&file)], more].concat(), asked.as_bytes())
}

#[test]
fn a_connection_is_explained_with_its_line_of_the_log_and_the_whole_way() {
    let asked = format!(
        r#"{{"connection": {{"address": "192.0.2.7", "peer_uris": ["{FRONTEND}"], "tls": {{"version": "TLSv1.3", "sni": "orders.internal"}},
            "destination": "10.0.0.5:5432", "time": "2026-01-01T00:00:00Z"}}}}"#
    );
    let (code, said, err) = explain(POLICY, &asked, &["--json"]);
    assert_eq!((code, err.as_str()), (0, ""), "{said}");
    let verdict = json(&said);
    assert_eq!(
        (&verdict["action"], &verdict["rule"], &verdict["reason"]),
        (&"allow".into(), &"orders/frontend".into(), &"rule".into())
    );
    assert_eq!(verdict["log"], format!("allowing: {FRONTEND} to orders.internal (orders/frontend)"));
    let signals = &verdict["signals"];
    assert_eq!((&signals["identity"], &signals["host"]), (&FRONTEND.into(), &"orders.internal".into()));
    assert_eq!((&signals["destination"], &signals["port"]), (&"10.0.0.5".into(), &5432.into()));
    let trace = verdict["trace"].as_array().unwrap();
    assert!(trace.iter().any(|step| step["rule"] == "orders/frontend" && step["match"] == "true"), "{trace:?}");
    assert_eq!(explain(POLICY, &asked, &["--json"]).1, said, "the same connection, the same answer");
}

#[test]
fn people_read_the_same_as_text_and_write_it_as_the_log_does() {
    let (code, said, err) = explain(POLICY, &format!(r#"{{"connection": "{BATCH} to orders.internal:5432"}}"#), &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    for words in [
        "reject by orders/otherwise (otherwise)\n",
        &format!("  log            rejecting: {BATCH} to orders.internal (orders/otherwise)\n"),
        &format!("  identity       {BATCH}\n"),
        "  orders/frontend [allow, enforce] does not match\n",
        "  otherwise: no rule decided; `otherwise` of `orders` (enforce): reject\n",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
}

#[test]
fn who_asks_about_what_the_policy_says_nothing_of_is_told_what_to_ask() {
    let request = r#"{"method": "GET", "authority": "orders.internal", "path": "/"}"#;
    let (code, said, err) = explain(POLICY, request, &[]);
    assert!(
        code == 0 && said.contains("those of `kind: TcpPolicy` judge connections, and this is a request"),
        "{said}"
    );
    assert!(
        err.contains("warning: request: the policy has no `kind: Policy`, which judges requests; give it a connection"),
        "{err}"
    );
    let connection = r#"{"connection": "no identity to shop.example"}"#;
    let (code, said, err) = explain(REQUESTS, connection, &[]);
    assert!(code == 0 && said.contains("those of `kind: Policy` judge requests, and this is a connection"), "{said}");
    assert!(
        err.contains(
            "warning: connection: the policy has no `kind: TcpPolicy`, which judges connections; give it a request"
        ),
        "{err}"
    );
    let both = format!("{POLICY}---\n{REQUESTS}");
    for asked in [request, connection] {
        let (code, _, err) = explain(&both, asked, &[]);
        assert_eq!((code, err.as_str()), (0, ""));
    }
    for (policy, words) in [
        (POLICY, "standard input is empty; give it a connection, such as {\"connection\": \"spiffe://"),
        (REQUESTS, "standard input is empty; give it a request, such as {\"method\": "),
        (both.as_str(), ", or a connection, such as {\"connection\": "),
    ] {
        let (code, out, err) = explain(policy, "\n", &[]);
        assert!(code == 2 && out.is_empty() && err.contains(words), "{err}");
    }
}

#[test]
fn a_wrong_connection_is_told_whole_in_both_forms() {
    let asked =
        r#"{"method": "GET", "connection": {"adress": "192.0.2.7", "address": "x", "destination": "orders.internal"}}"#;
    let (code, out, err) = explain(POLICY, asked, &["--json"]);
    assert_eq!(code, 2);
    for words in [
        "document.method: `method` stands beside `connection`",
        "document.connection.adress: unknown field `adress` in the connection; did you mean `address`?",
        "document.connection.address: `x` is no address",
        "whom the client wants to reach is `host`",
    ] {
        assert!(err.contains(words), "{words}\n{err}");
    }
    let told = json(&out);
    assert_eq!((&told["ok"], told["problems"].as_array().unwrap().len()), (&false.into(), 4), "{told:#}");
}

/// The record of a connection that the policy rejected, as a guard sends it.
fn rejected(uris: u32) -> (String, Vec<u8>) {
    let compiled = compile(&[Source { name: "policy.yaml", text: POLICY, format: Format::Yaml }]).unwrap();
    let policy = Policy::load(compiled.image, 3).unwrap();
    let connection = Connection {
        peer: "192.0.2.7".parse().ok(),
        mutual_tls: Some(true),
        peer_uri: Some(BATCH.to_owned()),
        peer_uris: Some(uris),
        local: "10.0.0.5".parse().ok(),
        local_port: Some(5432),
        sni: Some("orders.internal".into()),
        ..Connection::default()
    };
    let host = destination(&connection);
    let opening = Opening { connection: &connection, host: &host, now: Now { mono_ns: 1, wall_s: None } };
    let judged = admit(Some(&policy), &Settings::default(), &opening, &mut State::new([1; 16], &[uris as u8; 16]));
    let context = Context {
        origin: Origin { gateway: "db-guard-1".into(), ..Origin::default() },
        hash_key: [1; 16],
        hash_key_id: 1,
        address_form: AddressForm::Full,
        usual: UsualTexts::default(),
    };
    let of = Transaction { number: 1, head: Head::new(&[], &connection), judged: &judged, policy: Some(&policy) };
    let carried =
        Carried { host: &host, start_unix_ns: 1_767_225_600_000_000_000, ended: Ended::Gate, ..Carried::default() };
    let mut bytes = Vec::new();
    let id = RecordId { epoch: 7, sequence: u64::from(uris) - 1 };
    gatehouse_engine::connection(id, &of, &carried, &context, &mut bytes);
    (judged.verdict.reference.expect("who is rejected has a reference"), bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_a_running_house_has_seen_is_explained_by_its_reference() {
    let dir = tempfile::tempdir().unwrap();
    let _running = House::start(dir.path(), &[]);
    let mut guard = house::Gate::attach(&dir.path().join("house.sock"), house::hello(7, 1)).await;
    guard.greeted().await;
    let [(batch, first), (two, second)] = [rejected(1), rejected(2)];
    let mut records = house::batch(7, 0..2);
    records.records = vec![first, second];
    guard.send(Message::Batch(records)).await;
    guard.durable(2).await;
    let address = fs::read_to_string(dir.path().join("admin.address")).unwrap();
    let url = format!("http://{}", address.trim());
    let ask = |reference: &str, more: &[&str]| output(&[&["explain", reference, "--admin", &url], more].concat());
    // Kept beside the way of the records: acknowledged does not mean that it is there yet.
    until("both records to be kept", || [&batch, &two].iter().all(|reference| ask(reference, &[]).0 == 0));

    let (code, said, err) = ask(&batch, &[]);
    assert_eq!(code, 0, "{err}");
    for words in [
        "reject by orders/otherwise (otherwise)\n".to_owned(),
        format!("  reference      {batch}\n"),
        "  gateway        db-guard-1\n".to_owned(),
        "  host           orders.internal\n".to_owned(),
        format!("  identity       {BATCH}\n"),
        "  ended          gate\n".to_owned(),
        "  orders/otherwise [reject, enforce] matches; decides: reject\n".to_owned(),
    ] {
        assert!(said.contains(&words), "{words}\n{said}");
    }
    for words in ["cookies", "method", "older gate"] {
        assert!(!said.contains(words), "{words}\n{said}");
    }
    let verdict = json(&ask(&batch, &["--json"]).1);
    let signals = &verdict["signals"];
    assert_eq!((&verdict["action"], &verdict["status"]), (&"reject".into(), &serde_json::Value::Null));
    assert_eq!((&signals["destination"], &signals["port"]), (&"10.0.0.5".into(), &5432.into()));
    assert_eq!((&signals["received_bytes"], &signals["ended"]), (&0.into(), &"gate".into()));
    assert_eq!((&verdict["event"]["class_uid"], &verdict["policy"]["revision"]), (&4001.into(), &3.into()));

    let (code, said, _) = ask(&two, &[]);
    assert!(code == 0 && said.contains("reject by orders/one-uri (many_uris)"), "{said}");
    assert!(!said.contains("older gate"), "a setting rests on no rule: {said}");
}

#[test]
fn tests_of_connections_are_run_and_what_they_do_not_reach_is_told() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("orders.yaml"), POLICY).unwrap();
    let test = dir.path().join("orders.test.yaml");
    let cases = |expect: &str| {
        format!(
            "policy: orders.yaml\nconnection: {{ host: orders.internal, port: 5432 }}\ncases:\n  - name: nobody else\n    connections:\n      \
             - {{ connection: {BATCH}, expect: {expect} }}\n"
        )
    };
    fs::write(&test, cases("reject")).unwrap();
    let (code, said, err) = output(&["test", text(dir.path())]);
    assert_eq!((code, err.as_str()), (0, ""), "{said}");
    assert!(
        said.contains("ok   nobody else (1 connection(s))\nrules that no case reaches:\n  orders/frontend\n"),
        "{said}"
    );
    fs::write(&test, cases("allow")).unwrap();
    let xml = dir.path().join("junit.xml");
    let (code, said, _) = output(&["test", "--json", "--junit", text(&xml), text(dir.path())]);
    let case = &json(&said)["files"][0]["cases"][0];
    assert_eq!((code, &case["connections"], &case["failures"][0]["connection"]), (1, &1.into(), &1.into()), "{case:#}");
    let xml = fs::read_to_string(xml).unwrap();
    assert!(
        xml.contains("message=\"action: expected allow, got reject\"") && xml.contains("connection 1 at "),
        "{xml}"
    );
    fs::write(&test, cases("drop")).unwrap();
    let (code, _, err) = output(&["test", text(dir.path())]);
    assert!(
        code == 2 && err.contains("orders.test.yaml:6:") && err.contains("write one of `allow`, `reject`"),
        "{err}"
    );
}
