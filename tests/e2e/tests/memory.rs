//! Limits under more clients than they have room for: memory stays where it is, and what is given up is counted.

use std::time::{Duration, Instant};

use gatehouse_e2e::{HOST, ask, behind_a_proxy, inline, policy};
use gatehouse_support::client::request;
use gatehouse_support::{Envoy, Http1, Upstream, wait};
use serde_json::json;

const CONNECTIONS: u32 = 16;
/// Requests that are sent before their answers are read.
const AHEAD: u32 = 25;

/// One request from each of these clients.
async fn once_each(envoy: &Envoy, clients: std::ops::Range<u32>) {
    let each = (clients.end - clients.start) / CONNECTIONS;
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|part| {
            let (address, first) = (envoy.address(), clients.start + part * each);
            tokio::spawn(async move {
                let mut connection = Http1::connect(address).await.unwrap();
                for start in (first..first + each).step_by(AHEAD as usize) {
                    let mut bytes = Vec::new();
                    for number in start..start + AHEAD {
                        let client = format!("100.{}.{}.{}", number >> 16, number >> 8 & 255, number & 255);
                        bytes.extend(request("GET", "/limited", &[("host", HOST), ("x-forwarded-for", &client)], b""));
                    }
                    connection.send(&bytes).await.unwrap();
                    for _ in 0..AHEAD {
                        assert_eq!(connection.reply("GET").await.unwrap().status, 200);
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_clients_than_there_is_room_for_take_no_more_memory_and_what_is_given_up_is_counted() {
    let upstream = Upstream::start().await;
    let rules = json!([
        { "name": "rate", "match": { "path": "/limited" }, "limit": { "by": "address", "rate": "100 per 1h" }, "then": "limit" },
        { "name": "failures", "match": { "path": "/limited" }, "limit": { "by": "address", "count": { "status": 401 }, "rate": "10 per 1m" }, "then": "limit" },
        { "name": "score", "match": { "path": "/limited" }, "then": { "weigh": 1, "label": "seen" } },
        { "name": "worst", "match": { "score": { "atLeast": 100, "label": "seen" } }, "then": "block" },
    ]);
    let envoy = inline(behind_a_proxy(policy("enforce", rules)), &upstream, |_| ()).await;
    let stat = async |name: &str| envoy.stat(&format!("wasmcustom.gatehouse_{name}")).await;
    // Gauges and counts are told once a second.
    let told = async || {
        let requests = stat("requests_total").await;
        wait::until_true(Duration::from_secs(10), "a second of the worker's", || async {
            ask(&envoy, "GET", "/other", &[]).await;
            stat("requests_total").await > requests + 60
        })
        .await;
        tokio::time::sleep(Duration::from_millis(1200)).await;
    };
    let begin = Instant::now();
    once_each(&envoy, 0..80_000).await;
    told().await;
    let (memory, cells, evicted) =
        (stat("gate_memory_bytes").await, stat("limits_bytes").await, stat("limits_evictions_total").await);
    once_each(&envoy, 80_000..240_000).await;
    told().await;
    let after = (stat("gate_memory_bytes").await, stat("limits_bytes").await, stat("limits_evictions_total").await);
    println!(
        "linear memory {} KiB then {} KiB; cells of limits {} KiB then {} KiB; keys given up {evicted} then {}; clients without their score {}; {:?}",
        memory >> 10,
        after.0 >> 10,
        cells >> 10,
        after.1 >> 10,
        after.2,
        stat("scores_evictions_total").await,
        begin.elapsed(),
    );
    assert!(cells > 0 && after.1 == cells, "{cells} then {} bytes", after.1);
    assert!(after.0 <= memory + (128 << 10), "{memory} then {} bytes", after.0);
    // 160,000 further clients, and room for 65,536 of them; a count of failures that holds none is given up uncounted.
    assert!(after.2 > evicted + 90_000, "{evicted} then {}", after.2);
    assert!(stat("scores_evictions_total").await > 100_000);
    assert_eq!(stat("requests_unreadable_total").await + stat("host_failures_total").await, 0);
    envoy.assert_filter_sound().await;
}
