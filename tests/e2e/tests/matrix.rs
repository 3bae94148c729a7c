//! Traffic, a block and a record on one version of Envoy: `make envoy-matrix` runs it on each that we say we run on.

use std::time::Duration;

use gatehouse_e2e::books::assert_balanced;
use gatehouse_e2e::{HOST, house_bootstrap, policy};
use gatehouse_support::client::{exchange, request};
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::{Envoy, Gate, Gateway, House, Upstream, wait};
use serde_json::json;

#[tokio::test]
async fn traffic_a_block_and_a_record() {
    let upstream = Upstream::start().await;
    let rules = json!([{ "name": "closed", "match": { "path": "/closed" }, "then": "block" }]);
    let house = House::with_policy(&policy("enforce", rules)).await;
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(house_bootstrap()));
    gateway.house = HouseAt::Socket(house.socket());
    let envoy = Envoy::start(&gateway).await;
    let version = envoy.page("/server_info").await;
    let status = async |path: &str, id: &str| {
        let bytes = request("GET", path, &[("host", HOST), ("x-request-id", id)], b"");
        exchange(envoy.address(), &bytes).await.map_or(0, |reply| reply.status)
    };
    wait::until_true(Duration::from_secs(15), "the policy to be in force", || async {
        status("/closed", "6e7cbb0e-0000-4000-8000-00000000cccc").await == 403
    })
    .await;
    for number in 0..50 {
        assert_eq!(
            status(&format!("/open/{number}"), &format!("6e7cbb0e-0000-4000-8000-0000000000{number:02}")).await,
            200
        );
    }
    let sent = envoy.stat("wasmcustom.gatehouse_requests_total").await;
    let books = assert_balanced(&house, sent).await;
    let event = house.event("6e7cbb0e-0000-4000-8000-000000000007").await;
    assert_eq!(event["http_response"]["code"], 200, "{event}");
    assert_eq!(event["src_endpoint"]["ip"], "127.0.0.1", "{event}");
    envoy.assert_filter_sound().await;
    let version: serde_json::Value = serde_json::from_str(&version).unwrap_or_default();
    println!("envoy {}: {sent} requests, {books:?}", version["version"].as_str().unwrap_or("?"));
}
