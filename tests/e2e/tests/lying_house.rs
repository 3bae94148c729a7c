//! A house that lies in every way that a stream allows: the gate keeps its last good policy and fails no request, Envoy does not grow,
//! what was said is counted, and the real house is believed again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gatehouse_e2e::books::assert_balanced;
use gatehouse_e2e::liar::{LIES, Liar};
use gatehouse_e2e::{HOST, house_bootstrap, policy};
use gatehouse_support::client::{exchange, request};
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::{Envoy, Gate, Gateway, House, Load, Upstream, process, wait};
use serde_json::json;

/// The gate waits up to ten seconds between two streams.
const PATIENCE: Duration = Duration::from_secs(60);
/// Room that Envoy may take for what a liar sends: one image's worth of waiting chunks a worker, and buffers.
const ROOM: u64 = 64 << 20;

async fn is_closed(envoy: &Envoy, asked: &AtomicU64) -> bool {
    for _ in 0..24 {
        asked.fetch_add(1, Ordering::SeqCst);
        let asked = exchange(envoy.address(), &request("GET", "/closed", &[("host", HOST)], b"")).await;
        if asked.map_or(0, |reply| reply.status) != 403 {
            return false;
        }
    }
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_house_that_lies_changes_nothing_and_is_counted() {
    let upstream = Upstream::start().await;
    let rules = json!([{ "name": "closed", "match": { "path": "/closed" }, "then": "block" }]);
    let mut house = House::with_policy(&policy("enforce", rules)).await;
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(house_bootstrap()));
    gateway.house = HouseAt::Socket(house.socket());
    gateway.concurrency = 2;
    let envoy = Envoy::start(&gateway).await;
    let asked = AtomicU64::new(0);
    wait::until_true(PATIENCE, "the policy to be in force on every worker", || is_closed(&envoy, &asked)).await;
    let counted =
        ["gatehouse_house_garbage_total", "gatehouse_policy_refusals_total", "gatehouse_streams_closed_total"];
    let mut before = Vec::new();
    for name in counted {
        before.push(envoy.stat(&format!("wasmcustom.{name}")).await);
    }
    house.kill().await;
    let resident = process::resident(envoy.id()).expect("Envoy runs");

    let liar = Liar::start(&house.socket()).expect("the house's socket is free");
    let every = |number: u64| {
        let path = if number.is_multiple_of(2) { "/closed" } else { "/open" };
        request("GET", path, &[("host", HOST)], b"")
    };
    let load = Load { address: envoy.address(), rate: 300, connections: 32, request: Box::new(every) }.start();
    let mut most = 0;
    wait::until_true(PATIENCE, "every lie to be told", || {
        most = most.max(process::resident(envoy.id()).unwrap_or_default());
        let done = liar.told() > LIES.len();
        async move { done }
    })
    .await;
    drop(liar);
    house.run().await;
    wait::until_true(PATIENCE, "both workers to be back", || async {
        house.status().await["streams"].as_array().is_some_and(|streams| streams.len() >= 2)
    })
    .await;
    let report = load.stop().await;

    assert!(report.failures().is_empty(), "{} failed, first {:?}", report.failures().len(), report.failures().first());
    assert!(report.slowest() < Duration::from_secs(1), "slowest {:?}", report.slowest());
    for outcome in &report.outcomes {
        let wanted = if outcome.number.is_multiple_of(2) { 403 } else { 200 };
        assert_eq!(outcome.result, Ok(wanted), "request {}: the last good policy judges", outcome.number);
    }
    let grown = most.saturating_sub(resident);
    assert!(grown < ROOM, "Envoy grew by {grown} bytes");
    for (name, before) in counted.into_iter().zip(before) {
        let now = envoy.stat(&format!("wasmcustom.{name}")).await;
        println!("{name}: {before} -> {now}");
        assert!(now > before, "`{name}` does not tell");
    }
    println!("{} requests, slowest {:.2?}; Envoy grew by {} KiB", report.outcomes.len(), report.slowest(), grown >> 10);
    assert_balanced(&house, asked.load(Ordering::SeqCst) + report.outcomes.len() as u64).await;
    envoy.assert_filter_sound().await;
}
