//! The brake: one command turns every worker to monitor mode, for a time, whatever else fails.

use std::process::Command;
use std::time::Duration;

use gatehouse_e2e::{HOST, house_bootstrap, policy};
use gatehouse_support::client::{exchange, request};
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::{Envoy, Gate, Gateway, House, Load, Upstream, parts, wait};
use serde_json::json;

const SOON: Duration = Duration::from_secs(15);

async fn status_of(envoy: &Envoy, path: &str) -> u16 {
    let bytes = request("GET", path, &[("host", HOST)], b"");
    exchange(envoy.address(), &bytes).await.map_or(0, |reply| reply.status)
}

/// Waits until every worker answers so: a connection goes to any of them.
async fn everywhere(envoy: &Envoy, status: u16, what: &str) {
    wait::until_true(SOON, what, || async {
        for _ in 0..24 {
            if status_of(envoy, "/closed").await != status {
                return false;
            }
        }
        true
    })
    .await;
}

async fn start(upstream: &Upstream) -> (House, Envoy) {
    let rules = json!([{ "name": "closed", "match": { "path": "/closed" }, "then": "block" }]);
    let house = House::with_policy(&policy("enforce", rules)).await;
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(house_bootstrap()));
    gateway.house = HouseAt::Socket(house.socket());
    gateway.concurrency = 2;
    let envoy = Envoy::start(&gateway).await;
    everywhere(&envoy, 403, "the policy to be in force").await;
    (house, envoy)
}

/// `gatehouse mode …`; what it said.
fn mode(house: &House, arguments: &[&str]) -> String {
    let output =
        Command::new(parts::house()).arg("mode").args(arguments).arg("--data").arg(house.data()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_reaches_every_worker_within_a_second_and_is_released_as_fast() {
    let upstream = Upstream::start().await;
    let (house, envoy) = start(&upstream).await;
    let load = Load {
        address: envoy.address(),
        rate: 200,
        connections: 24,
        request: Box::new(|_| request("GET", "/closed", &[("host", HOST)], b"")),
    };
    let running = load.start();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let asked = running.elapsed();
    let said = mode(&house, &["monitor", "--for", "1h", "--reason", "too strict"]);
    let done = running.elapsed();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let released = running.elapsed();
    mode(&house, &["release"]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let report = running.stop().await;
    assert!(report.failures().is_empty(), "{:?}", report.failures().first());
    assert!(said.contains("too strict"), "{said}");
    let of = |status, from: Duration, to: Duration| {
        let own = report.outcomes.iter().filter(move |one| one.result == Ok(status) && one.due >= from && one.due < to);
        own.map(|one| one.due).collect::<Vec<_>>()
    };
    let last_blocked =
        of(403, asked, released).into_iter().max().map_or(Duration::ZERO, |last| last.saturating_sub(asked));
    let last_open =
        of(200, released, Duration::MAX).into_iter().max().map_or(Duration::ZERO, |last| last.saturating_sub(released));
    println!(
        "the command took {:?}; last block {last_blocked:?} after it was typed; last pass {last_open:?} after the release",
        done - asked
    );
    assert!(of(200, Duration::ZERO, asked).is_empty());
    assert!(last_blocked < Duration::from_secs(1), "{last_blocked:?}");
    assert!(last_open < Duration::from_secs(1), "{last_open:?}");
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn it_ends_by_itself_also_with_the_house_gone_and_what_it_did_is_on_record() {
    let upstream = Upstream::start().await;
    let (mut house, envoy) = start(&upstream).await;
    mode(&house, &["monitor", "--for", "8s", "--reason", "a drill", "--scope", "acme/retail"]);
    everywhere(&envoy, 200, "the brake to hold").await;
    let bytes = request("GET", "/closed", &[("host", HOST), ("x-request-id", "braked")], b"");
    assert_eq!(exchange(envoy.address(), &bytes).await.unwrap().status, 200);
    let own = house.event("braked").await["unmapped"]["gatehouse"].clone();
    assert_eq!(own["would_have"], json!([{ "action": "block", "rule": "shop/closed" }]), "{own}");
    wait::until_true(SOON, "the gauge to rise", || async {
        envoy.stat("wasmcustom.gatehouse_gate_brake_active").await == 1
    })
    .await;
    house.kill().await;
    everywhere(&envoy, 403, "the brake to end by itself").await;
    wait::until_true(SOON, "the gauge to fall", || async {
        envoy.stat("wasmcustom.gatehouse_gate_brake_active").await == 0
    })
    .await;
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn another_scopes_brake_changes_nothing_here() {
    let upstream = Upstream::start().await;
    let (house, envoy) = start(&upstream).await;
    mode(&house, &["monitor", "--for", "1h", "--reason", "a drill", "--scope", "acme/bank"]);
    wait::until_true(SOON, "every worker to know of it", || async {
        mode(&house, &["show"]).contains("in force in 3 of 3 worker(s)")
    })
    .await;
    everywhere(&envoy, 403, "the policy to hold").await;
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn a_file_brakes_when_nothing_else_does_and_the_brake_survives_the_house() {
    let upstream = Upstream::start().await;
    let (mut house, envoy) = start(&upstream).await;
    let file = house.data().join("brake");
    std::fs::write(&file, "").unwrap();
    everywhere(&envoy, 200, "the file to brake").await;
    house.kill().await;
    assert_eq!(status_of(&envoy, "/closed").await, 200, "the gate holds what it was told");
    house.run().await;
    wait::until_true(SOON, "the brake to stand in /status", || async {
        house.status().await["brake"]["active"] == true
    })
    .await;
    everywhere(&envoy, 200, "the brake to hold after the restart").await;
    // A gateway that starts now hears of it too.
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(house_bootstrap()));
    gateway.house = HouseAt::Socket(house.socket());
    let second = Envoy::start(&gateway).await;
    wait::until_true(SOON, "the second gateway to be braked", || async {
        second.stat("wasmcustom.gatehouse_gate_brake_active").await == 1
    })
    .await;
    assert_eq!(status_of(&second, "/closed").await, 200);
    std::fs::remove_file(&file).unwrap();
    everywhere(&envoy, 403, "the file's end to release").await;
    everywhere(&second, 403, "the second gateway to be released").await;
    envoy.assert_filter_sound().await;
    second.assert_filter_sound().await;
}
