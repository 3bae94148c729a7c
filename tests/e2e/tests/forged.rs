//! A forged X-Forwarded-For gains nothing: with an empty trust the client is the connection's own peer, however Envoy is
//! told to read the header.

use gatehouse_e2e::{HOST, greeted, one, policy};
use gatehouse_support::client::{exchange, request};
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::{Envoy, Gate, Gateway, House, Upstream};
use serde_json::{Value, json};

const FORGED: &str = "7.7.7.7";

/// Blocks the forged address; tags the real one.
fn rules() -> Value {
    json!([
        { "name": "forged", "match": { "address": ["7.7.7.7/32"] }, "then": "block" },
        { "name": "peer", "match": { "address": ["127.0.0.0/8"] }, "then": { "tag": { "header": "x-client-is", "value": "the-peer" } } },
    ])
}

async fn gateway(house: &House, upstream: &Upstream, trust: Value, remote: Option<bool>, hops: u32) -> Envoy {
    let mut policy = policy("enforce", rules());
    policy["spec"]["client"] = json!({ "address": { "from": "x-forwarded-for", "trust": trust } });
    let bootstrap = json!({ "house": { "cluster": "gatehouse" }, "policy": policy });
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(bootstrap));
    gateway.use_remote_address = remote;
    gateway.trusted_hops = hops;
    gateway.house = HouseAt::Socket(house.socket());
    let envoy = Envoy::start(&gateway).await;
    greeted(&envoy, house).await;
    envoy
}

async fn client_is_the_peer(remote: Option<bool>, hops: u32) {
    let (house, upstream) = (House::start().await, Upstream::start().await);
    let envoy = gateway(&house, &upstream, json!([]), remote, hops).await;
    for (number, forged) in
        [FORGED, "7.7.7.7, 10.0.0.1", "10.0.0.1, 7.7.7.7", "7.7.7.7:0", "127.0.0.1, 7.7.7.7"].iter().enumerate()
    {
        let id = format!("forged-{number}");
        let fields = [
            ("host", HOST),
            ("x-request-id", &id),
            ("x-forwarded-for", forged),
            ("forwarded", "for=7.7.7.7"),
            ("x-real-ip", FORGED),
        ];
        let reply = exchange(envoy.address(), &request("GET", &format!("/{id}"), &fields, b"")).await.unwrap();
        assert_eq!(reply.status, 200, "{forged}: {}", reply.text());
        assert_eq!(one(&upstream, &id).field("x-client-is").as_deref(), Some("the-peer"), "{forged}");
        let event = house.event(&id).await;
        assert_eq!(event["src_endpoint"]["ip"], "127.0.0.1", "{forged}: {event}");
        assert_eq!(event["unmapped"]["gatehouse"]["peer_address"], "127.0.0.1", "{forged}: {event}");
        assert_eq!(event["unmapped"]["gatehouse"]["client_address_source"], "peer", "{forged}: {event}");
    }
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn without_use_remote_address() {
    client_is_the_peer(Some(false), 0).await;
}

#[tokio::test]
async fn with_use_remote_address() {
    client_is_the_peer(Some(true), 0).await;
}

#[tokio::test]
async fn with_one_trusted_hop_at_envoy() {
    client_is_the_peer(Some(true), 1).await;
    client_is_the_peer(None, 1).await;
}

#[tokio::test]
async fn a_proxy_that_the_policy_trusts_is_believed() {
    let (house, upstream) = (House::start().await, Upstream::start().await);
    let envoy = gateway(&house, &upstream, json!(["127.0.0.0/8"]), None, 0).await;
    let fields = [("host", HOST), ("x-request-id", "believed"), ("x-forwarded-for", FORGED)];
    let reply = exchange(envoy.address(), &request("GET", "/believed", &fields, b"")).await.unwrap();
    assert_eq!(reply.status, 403);
    assert!(upstream.with("/believed").is_empty());
    let event = house.event("believed").await;
    assert_eq!(event["src_endpoint"]["ip"], FORGED, "{event}");
    assert_eq!(event["unmapped"]["gatehouse"]["client_address_source"], "forwarded", "{event}");
    envoy.assert_filter_sound().await;
}
