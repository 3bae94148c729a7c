//! What operators do to a running gateway: the brake, and tables of countries and systems, in every worker of a real Envoy.

use std::fmt::Write;
use std::time::{Duration, Instant};

use gatehouse_e2e::{HOST, house_bootstrap, policy};
use gatehouse_support::client::{exchange, request};
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::house::Setup;
use gatehouse_support::{Envoy, Gate, Gateway, House, Load, Upstream, parts, wait};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(15);

async fn gateway(house: &House, upstream: &Upstream, concurrency: u32, gate: Gate) -> Envoy {
    let mut gateway = Gateway::new(upstream.address()).with_gate(gate);
    gateway.house = HouseAt::Socket(house.socket());
    gateway.concurrency = concurrency;
    Envoy::start(&gateway).await
}

async fn braked(envoy: &Envoy) -> bool {
    envoy.stats("gatehouse_gate_brake_active").await.iter().any(|(_, value)| *value == 1)
}

/// Every VM of Envoy's (one a worker, and the main thread's) is attached, and all of them have what `part` tells of.
async fn everywhere(house: &House, part: &str, workers: u64) -> bool {
    let status = &house.status().await[part];
    status["workers"].as_u64() >= Some(workers) && status["workers"] == status["workers_current"]
}

#[tokio::test]
async fn a_touched_file_brakes_every_worker_within_a_second_and_outlives_house_and_vm() {
    let upstream = Upstream::start().await;
    let mut house = House::with_policy(&policy("enforce", json!([]))).await;
    let gate = Gate { wasm: parts::wasm_trap(), bootstrap: Some(house_bootstrap()), peer: true };
    let envoy = gateway(&house, &upstream, 2, gate).await;
    wait::until_true(SOON, "every worker to be attached", || everywhere(&house, "policy", 3)).await;
    assert!(!braked(&envoy).await);

    let file = house.data().join("brake");
    let touched = Instant::now();
    std::fs::write(&file, "").expect("a file");
    wait::until_true(SOON, "every worker to say that it brakes", || async {
        house.status().await["brake"]["active"] == json!(true) && everywhere(&house, "brake", 3).await
    })
    .await;
    let took = touched.elapsed();
    println!("file touched to every worker braked: {took:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    wait::until_true(SOON, "the gauge to say so", || braked(&envoy)).await;

    house.kill().await;
    // A VM may be rebuilt once a second.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let trap = request("GET", "/", &[("host", HOST), ("x-test-trap", "1")], b"");
    let trapped = exchange(envoy.address(), &trap).await.map_or(0, |reply| reply.status);
    assert_eq!(trapped, 503, "the request that trapped");
    for _ in 0..20 {
        let next = exchange(envoy.address(), &request("GET", "/", &[("host", HOST)], b"")).await.expect("an answer");
        assert_eq!(next.status, 200);
    }
    let reloads: u64 = envoy.stats("vm_reload_success").await.iter().map(|(_, value)| value).sum();
    assert_eq!(reloads, 1);
    assert!(envoy.log().contains("the brake holds"), "the new VM found it in shared data");
    assert!(braked(&envoy).await);

    house.run().await;
    std::fs::remove_file(&file).expect("the file is there");
    wait::until_true(SOON, "the brake to be released", || async {
        let active = house.status().await["brake"]["active"] == json!(true);
        !active && everywhere(&house, "brake", 3).await
    })
    .await;
    // Whichever worker's VM wrote it last: also the one that trapped.
    wait::until_true(SOON, "the gauge to say so", || async { !braked(&envoy).await }).await;
}

#[tokio::test]
async fn a_verdict_is_in_force_in_every_worker_within_a_second_and_taken_back_as_fast() {
    let mut document = policy(
        "enforce",
        json!([
            { "name": "known-abusers", "match": { "verdict": { "list": "banned" } }, "then": "block" }
        ]),
    );
    document["spec"]["lists"] = json!({ "banned": { "from": "verdicts" } });
    let upstream = Upstream::start().await;
    let house = House::with_policy(&document).await;
    let envoy = gateway(&house, &upstream, 2, Gate::new(house_bootstrap())).await;
    wait::until_true(SOON, "every worker to be attached", || everywhere(&house, "policy", 3)).await;
    let verdict = |arguments: &[&str]| {
        let mut command = std::process::Command::new(parts::house());
        command.arg("verdict").args(arguments).args(["--list", "banned", "--address", "127.0.0.1", "--data"]);
        let out = command.arg(house.data()).output().expect("the command runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let all = async |status: u16| {
        for _ in 0..24 {
            let reply =
                exchange(envoy.address(), &request("GET", "/", &[("host", HOST)], b"")).await.expect("an answer");
            if reply.status != status {
                return false;
            }
        }
        true
    };
    assert!(all(200).await);
    let said = verdict(&["add", "--for", "1h", "--reason", "a drill"]);
    assert!(said.contains("in force in 3 of 3 worker(s)"), "{said}");
    assert!(all(403).await, "the answer came when every worker had it");
    let said = verdict(&["remove"]);
    assert!(said.contains("in force in 3 of 3 worker(s)"), "{said}");
    assert!(all(200).await);
    envoy.assert_filter_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_of_the_largest_size_is_taken_in_by_small_steps_while_traffic_flows() {
    let mut text = "network,country,asn\n".to_owned();
    for number in 0..360_000u32 {
        let (high, low) = (number >> 15, (number & 0x7fff) * 2);
        writeln!(text, "2001:{high:x}:{low:x}::/48,DE,{}", number % 60_000 + 1).expect("text");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("networks.csv");
    std::fs::write(&file, text).expect("a file");

    let upstream = Upstream::start().await;
    let document = policy("enforce", json!([])).to_string();
    let extra = format!("geo: {{ files: [{}] }}", file.display());
    let house = House::start_with(&Setup { policies: vec![("policy.yaml".into(), document)], extra }).await;
    let envoy = gateway(&house, &upstream, 2, Gate::new(house_bootstrap())).await;
    let load = Load {
        address: envoy.address(),
        rate: 200,
        connections: 8,
        request: Box::new(|_| request("GET", "/", &[("host", HOST)], b"")),
    };
    let running = load.start();
    wait::until_true(Duration::from_secs(60), "the table to be in force in every worker", || {
        everywhere(&house, "geo", 3)
    })
    .await;
    let report = running.stop().await;
    assert!(report.failures().is_empty(), "{:?}", report.failures().first());

    let status = house.status().await;
    let bytes = status["geo"]["bytes"].as_u64().unwrap_or_default();
    let steps: Vec<u64> = status["streams"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|s: &Value| s["table_longest_step_ns"].as_u64())
        .collect();
    println!("table of {bytes} bytes; longest step by worker, ns: {steps:?}");
    assert!(bytes > 7 << 20, "{bytes}");
    assert!(steps.len() >= 3, "{steps:?}");
    // The figure is what is read; a machine that others use may take a worker's time away within a step.
    assert!(steps.iter().all(|step| (1..1_000_000_000).contains(step)));
    envoy.assert_filter_sound().await;
}
