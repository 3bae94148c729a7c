//! From a real request to a real Kafka over mutual TLS: the same reference everywhere, nothing missing over a broker's crash,
//! no planted secret in any value, key or header.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gatehouse_e2e::books::assert_balanced;
use gatehouse_e2e::secrets::{found, planted};
use gatehouse_e2e::{HOST, house_bootstrap, policy};
use gatehouse_kafka::{Broker, Message};
use gatehouse_support::client::{exchange, request};
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::house::Setup;
use gatehouse_support::{Envoy, Gate, Gateway, House, Load, Upstream, wait};
use serde_json::{Value, json};

const TOPIC: &str = "gatehouse.events";
const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_reach_kafka_over_mutual_tls_and_survive_its_crash() {
    let mut broker = tokio::task::spawn_blocking(Broker::start).await.expect("a broker");
    broker.create_topic(TOPIC, 3, &[]);
    let (house, envoy) = stage(&broker).await;

    let reference = blocked(&house, &envoy).await;
    let mut sent = 1 + house_ready_probes(&envoy).await;
    let planted = planted();
    for secret in &planted {
        exchange(envoy.address(), &secret.request).await.expect("an answer");
    }
    sent += planted.len() as u64;

    let every = |number: u64| request("GET", &format!("/items/{number}"), &[("host", HOST)], b"");
    let load = Load { address: envoy.address(), rate: 200, connections: 16, request: Box::new(every) }.start();
    tokio::time::sleep(Duration::from_secs(2)).await;
    broker.kill();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut broker = tokio::task::spawn_blocking(move || {
        broker.restart();
        broker
    })
    .await
    .expect("the broker again");
    let report = load.stop().await;
    assert!(report.failures().is_empty(), "{:?}", report.failures().first());
    sent += report.outcomes.len() as u64;

    let books = assert_balanced(&house, sent).await;
    wait::until_true(SOON, "Kafka to have acknowledged every stored record", || async {
        let status = house.status().await;
        let sink = status["sinks"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|sink| sink["name"] == "kafka")
            .cloned()
            .unwrap_or_default();
        sink["pending"] == 0 && sink["difference"] == 0 && sink["delivered"].as_u64() == Some(books.stored)
    })
    .await;
    let messages;
    (broker, messages) = tokio::task::spawn_blocking(move || {
        let all = broker.read_all(TOPIC);
        (broker, all)
    })
    .await
    .expect("messages");
    check_events(&house, &messages, books.stored, &reference);
    check_secrets(&planted, &messages);
    println!("{sent} sent, {} stored, {} messages in Kafka; {books:?}", books.stored, messages.len());
    envoy.assert_filter_sound().await;
    drop(broker);
}

async fn stage(broker: &Broker) -> (House, Envoy) {
    let upstream = Box::leak(Box::new(Upstream::start().await));
    let rules = json!([{ "name": "closed", "match": { "path": "/closed" }, "then": "block" }]);
    let certificates = broker.certificates();
    let kafka = json!({
        "brokers": [broker.mutual_tls()],
        "topic": TOPIC,
        "tls": { "ca": certificates.ca, "certificate": certificates.client_certificate, "key": certificates.client_key },
    });
    let setup = Setup {
        policies: vec![("policy.yaml".to_owned(), policy("enforce", rules).to_string())],
        extra: format!("sinks: {}", json!({ "events": { "file": {} }, "kafka": { "kafka": kafka } })),
    };
    let house = House::start_with(&setup).await;
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(house_bootstrap()));
    gateway.house = HouseAt::Socket(house.socket());
    (house, Envoy::start(&gateway).await)
}

/// Requests sent while waiting for the policy, all of which are in the books.
async fn house_ready_probes(envoy: &Envoy) -> u64 {
    envoy.stat("wasmcustom.gatehouse_requests_total").await - 1
}

/// The reference of a blocked request: the same in the answer, in Envoy's access log and in the file.
async fn blocked(house: &House, envoy: &Envoy) -> String {
    let id = "6e7cbb0e-0000-4000-8000-00000000aaaa";
    let probe = request("GET", "/closed", &[("host", HOST)], b"");
    wait::until_true(SOON, "the policy to be in force", || async {
        exchange(envoy.address(), &probe).await.is_ok_and(|reply| reply.status == 403)
    })
    .await;
    let reply = exchange(envoy.address(), &request("GET", "/closed", &[("host", HOST), ("x-request-id", id)], b""))
        .await
        .expect("an answer");
    assert_eq!(reply.status, 403);
    let reference = reply.field("x-gatehouse-reference").expect("a reference");
    assert_eq!(envoy.logged(id).await["reference"], reference);
    assert_eq!(house.event(id).await["unmapped"]["gatehouse"]["reference"], reference);
    reference
}

fn check_events(house: &House, messages: &[Message], stored: u64, reference: &str) {
    let mut by_id = BTreeMap::new();
    for message in messages {
        let value: Value = serde_json::from_slice(&message.value).expect("OCSF JSON");
        let id = message.header("ce_id").expect("ce_id").to_owned();
        assert_eq!(value["class_uid"], 4002, "{value}");
        assert_eq!(value["metadata"]["uid"], id.as_str());
        assert_eq!(message.header("ce_specversion"), Some("1.0"));
        assert_eq!(message.header("content-type"), Some("application/json"));
        assert_eq!(message.key.as_ref().map(Vec::len), Some(32), "the key is the client's keyed hash");
        by_id.insert(id, value);
    }
    assert_eq!(by_id.len() as u64, stored, "distinct ids in Kafka against stored");
    let in_file: BTreeSet<String> =
        house.events().iter().filter_map(|event| event["metadata"]["uid"].as_str().map(str::to_owned)).collect();
    assert_eq!(in_file, by_id.keys().cloned().collect(), "the same events in file and Kafka");
    let ours = by_id.values().filter(|event| event["unmapped"]["gatehouse"]["reference"] == reference).count();
    assert_eq!(ours, 1, "the blocked request's reference is in Kafka");
}

fn check_secrets(planted: &[gatehouse_e2e::secrets::Planted], messages: &[Message]) {
    for message in messages {
        let mut bytes = message.value.clone();
        bytes.extend(message.key.iter().flatten());
        for (name, value) in &message.headers {
            bytes.extend(name.bytes());
            bytes.extend(value);
        }
        for secret in planted {
            assert!(found(&secret.needle, &bytes).is_none(), "{} is in a Kafka message", secret.place);
        }
    }
}
