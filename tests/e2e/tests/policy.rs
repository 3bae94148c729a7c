//! Policy in force: a change reaches every worker within a second, a broken one changes nothing, a trap does not forget it.

use std::time::Duration;

use gatehouse_e2e::{HOST, house_bootstrap, policy};
use gatehouse_support::client::{exchange, request};
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::{Envoy, Gate, Gateway, House, Load, Upstream, parts, wait};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(15);

fn blocks(path: &str) -> Value {
    policy("enforce", json!([{ "name": "closed", "match": { "path": path }, "then": "block" }]))
}

async fn gateway(house: &House, upstream: &Upstream, concurrency: u32, gate: Gate) -> Envoy {
    let mut gateway = Gateway::new(upstream.address()).with_gate(gate);
    gateway.house = HouseAt::Socket(house.socket());
    gateway.concurrency = concurrency;
    Envoy::start(&gateway).await
}

async fn status_of(envoy: &Envoy, path: &str) -> u16 {
    exchange(envoy.address(), &request("GET", path, &[("host", HOST)], b"")).await.map_or(0, |reply| reply.status)
}

/// Waits until this path is answered 403 on many fresh connections in a row, so on every worker.
async fn closed_on_every_worker(envoy: &Envoy, path: &str) {
    wait::until_true(SOON, "the policy to be in force on every worker", || async {
        for _ in 0..24 {
            if status_of(envoy, path).await != 403 {
                return false;
            }
        }
        true
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_reaches_every_worker_within_a_second_and_drops_no_request() {
    let upstream = Upstream::start().await;
    let house = House::with_policy(&blocks("/first")).await;
    let envoy = gateway(&house, &upstream, 2, Gate::new(house_bootstrap())).await;
    closed_on_every_worker(&envoy, "/first").await;

    let load = Load {
        address: envoy.address(),
        rate: 300,
        connections: 32,
        request: Box::new(|_| request("GET", "/second", &[("host", HOST)], b"")),
    };
    let running = load.start();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let written = running.elapsed();
    house.put_policy("policy.yaml", &blocks("/second").to_string());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let report = running.stop().await;

    assert!(report.failures().is_empty(), "{:?}", report.failures().first());
    let before = report.outcomes.iter().filter(|outcome| outcome.due < written);
    assert!(before.clone().count() > 200 && before.clone().all(|outcome| outcome.result == Ok(200)));
    let last_old = report.outcomes.iter().filter(|outcome| outcome.result == Ok(200)).map(|outcome| outcome.due).max();
    let took = last_old.unwrap_or_default().saturating_sub(written);
    println!("policy file saved to last request by the old policy: {took:?}");
    assert!(took < Duration::from_secs(1), "the old policy still judged {took:?} after the change");
    assert_eq!(status_of(&envoy, "/first").await, 200);

    let status = house.status().await;
    let revision = &status["policy"]["revision"];
    wait::until_true(SOON, "every worker to report the new revision", || async {
        let status = house.status().await;
        let streams = status["streams"].as_array().cloned().unwrap_or_default();
        streams.len() >= 2 && streams.iter().all(|stream| &stream["policy"]["revision"] == revision)
    })
    .await;
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn a_broken_policy_changes_nothing_and_is_reported_with_its_place() {
    let upstream = Upstream::start().await;
    let house = House::with_policy(&blocks("/closed")).await;
    let envoy = gateway(&house, &upstream, 1, Gate::new(house_bootstrap())).await;
    closed_on_every_worker(&envoy, "/closed").await;

    let broken = "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: shop }\nspec:\n  hosts: [app.test]\n  rules:\n    - name: r\n      match: { metod: GET }\n      then: block\n";
    house.put_policy("policy.yaml", broken);
    wait::until_true(SOON, "the problem to stand in /status", || async {
        house.status().await["policy"].to_string().contains("policy.yaml:8:")
    })
    .await;
    let problem = house.status().await["policy"].to_string();
    assert!(problem.contains("metod") && problem.contains("method"), "{problem}");
    assert!(house.log().contains("policy.yaml:8:"), "{}", house.log());
    let metrics = house.page("/metrics").await;
    let counted =
        metrics.lines().find(|line| line.starts_with("gatehouse_policy_failed_changes_total")).unwrap_or_default();
    assert!(counted.split_whitespace().last().is_some_and(|value| value != "0"), "{metrics}");

    assert_eq!(status_of(&envoy, "/closed").await, 403);
    assert_eq!(status_of(&envoy, "/open").await, 200);
    house.put_policy("policy.yaml", &blocks("/other").to_string());
    closed_on_every_worker(&envoy, "/other").await;
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn after_a_trap_the_same_policy_judges_with_the_house_gone() {
    let upstream = Upstream::start().await;
    let mut house = House::with_policy(&blocks("/closed")).await;
    let gate = Gate { wasm: parts::wasm_trap(), bootstrap: Some(house_bootstrap()), peer: true };
    let envoy = gateway(&house, &upstream, 1, gate).await;
    closed_on_every_worker(&envoy, "/closed").await;
    house.kill().await;
    // The VM may be rebuilt once a second: let the first load be older than that, so that the very next request is judged.
    tokio::time::sleep(Duration::from_secs(2)).await;

    let trap = request("GET", "/open", &[("host", HOST), ("x-test-trap", "1")], b"");
    let trapped = exchange(envoy.address(), &trap).await.map_or(0, |reply| reply.status);
    assert_eq!(trapped, 503, "the request that trapped");
    let next = exchange(envoy.address(), &request("GET", "/closed", &[("host", HOST)], b"")).await.unwrap();
    assert_eq!(next.status, 403, "the next request, judged by a new VM: {}", next.text());
    assert!(next.field("x-gatehouse-reference").is_some());
    assert_eq!(status_of(&envoy, "/open").await, 200);
    let reloads: u64 = envoy.stats("vm_reload_success").await.iter().map(|(_, value)| value).sum();
    assert_eq!(reloads, 1);
}

#[tokio::test]
async fn when_no_policy_block_holds_until_the_house_brings_one() {
    let upstream = Upstream::start().await;
    let mut house = House::prepare(&gatehouse_support::house::Setup {
        policies: vec![("policy.yaml".to_owned(), blocks("/closed").to_string())],
        ..Default::default()
    });
    let mut bootstrap = house_bootstrap();
    bootstrap["whenNoPolicy"] = json!("block");
    let envoy = gateway(&house, &upstream, 1, Gate::new(bootstrap)).await;
    for _ in 0..20 {
        assert_eq!(status_of(&envoy, "/open").await, 403);
    }
    assert_eq!(upstream.count(), 0);
    house.run().await;
    wait::until_true(SOON, "the policy to open the gate", || async { status_of(&envoy, "/open").await == 200 }).await;
    assert_eq!(status_of(&envoy, "/closed").await, 403);
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn an_inline_policy_is_the_floor_until_a_snapshot_arrives() {
    let upstream = Upstream::start().await;
    let mut house = House::prepare(&gatehouse_support::house::Setup {
        policies: vec![("policy.yaml".to_owned(), blocks("/from-house").to_string())],
        ..Default::default()
    });
    let mut bootstrap = house_bootstrap();
    bootstrap["policy"] = blocks("/inline");
    let envoy = gateway(&house, &upstream, 1, Gate::new(bootstrap)).await;
    assert_eq!(status_of(&envoy, "/inline").await, 403);
    assert_eq!(status_of(&envoy, "/from-house").await, 200);
    house.run().await;
    closed_on_every_worker(&envoy, "/from-house").await;
    assert_eq!(status_of(&envoy, "/inline").await, 200);
    envoy.assert_filter_sound().await;
}
