//! A million requests: the filter's linear memory and the house's resident memory stay where they are. `make soak` runs it;
//! it takes minutes, so `make test` does not.

use std::time::Instant;

use gatehouse_e2e::books::assert_closed;
use gatehouse_e2e::{HOST, house_bootstrap, policy};
use gatehouse_support::client::{Http1, request};
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::house::Setup;
use gatehouse_support::process::resident;
use gatehouse_support::{Envoy, Gate, Gateway, House, Upstream};
use serde_json::json;

const WARM_UP: u64 = 50_000;
const REQUESTS: u64 = 1_000_000;
const CONNECTIONS: u64 = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long: `make soak`"]
async fn a_million_requests_grow_nothing() {
    let upstream = Upstream::start().await;
    let rules = json!([{ "name": "closed", "match": { "path": "/closed/**" }, "then": "block" }]);
    let policies = vec![("policy.yaml".to_owned(), policy("enforce", rules).to_string())];
    let mut house = House::start_with(&Setup { policies, ..Setup::default() }).await;
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(house_bootstrap()));
    gateway.house = HouseAt::Socket(house.socket());
    let envoy = Envoy::start(&gateway).await;
    let idle = resident(house.process().id()).expect("the house runs");
    println!("house idle: {} KiB resident", idle >> 10);
    assert!(idle < 40 << 20, "the idle house takes {idle} bytes");

    drive(&envoy, WARM_UP).await;
    let before = envoy.stat("wasmcustom.gatehouse_gate_memory_bytes").await;
    let begin = Instant::now();
    drive(&envoy, REQUESTS).await;
    let rate = REQUESTS as f64 / begin.elapsed().as_secs_f64();
    let after = envoy.stat("wasmcustom.gatehouse_gate_memory_bytes").await;
    let kib = |id: u32| resident(id).unwrap_or_default() >> 10;
    let (house_kib, envoy_kib) = (kib(house.process().id()), kib(envoy.id()));
    println!(
        "{REQUESTS} requests at {rate:.0}/s: linear memory {before} -> {after} bytes; house {house_kib} KiB, Envoy {envoy_kib} KiB"
    );
    assert!(before > 0, "the gate tells its memory");
    assert!(after - before <= 2 << 20, "linear memory grew by {} bytes", after - before);
    envoy.assert_filter_sound().await;
    // The file sink keeps its newest nine files only, so the account is what is checked here.
    let books = assert_closed(&house, WARM_UP + REQUESTS).await;
    println!("{books:?}");
}

async fn drive(envoy: &Envoy, count: u64) {
    let address = envoy.address();
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|task| {
            tokio::spawn(async move {
                let mut client = Http1::connect(address).await.expect("a connection");
                for number in 0..count / CONNECTIONS {
                    let path = if number.is_multiple_of(20) {
                        format!("/closed/{number}")
                    } else {
                        format!("/items/{task}/{number}?q={number}")
                    };
                    client
                        .send(&request("GET", &path, &[("host", HOST), ("user-agent", "soak/1.0")], b""))
                        .await
                        .expect("sent");
                    let reply = client.reply("GET").await.expect("an answer");
                    assert!(reply.status < 500, "{}", reply.status);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a client");
    }
}
