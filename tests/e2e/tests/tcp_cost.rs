//! What the filter of connections costs a real Envoy for each connection, beside Envoy's own RBAC filter and beside neither: CPU of the
//! process for connections with a handshake each, a question and an answer. `make bench-guard` runs it.

use std::net::SocketAddr;
use std::time::Duration;

use gatehouse_e2e::callers::{SLEEP, policy, workload};
use gatehouse_support::process::cpu;
use gatehouse_support::tls::{Authority, Caller};
use gatehouse_support::{Echo, Envoy, TcpGateway};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ROUNDS: usize = 7;
/// Connections of a round.
const CONNECTIONS: usize = 2000;

/// Envoy's own way to let one identity in.
fn rbac() -> Value {
    let principal = json!({ "authenticated": { "principal_name": { "exact": SLEEP } } });
    json!({ "name": "envoy.filters.network.rbac", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC",
        "stat_prefix": "rbac",
        "rules": { "policies": { "sleep": { "permissions": [{ "any": true }], "principals": [principal] } } },
    } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute, on a quiet machine: `make bench-guard`"]
async fn a_connection_costs_little_more_than_with_envoys_own_filter() {
    let (echo, authority) = (Echo::start().await, Authority::new());
    let gateway = |bootstrap, filters| TcpGateway {
        bootstrap,
        filters,
        ..TcpGateway::new(echo.address(), authority.listener(true), json!({}))
    };
    let neither = gateway(None, Vec::new()).start().await;
    let own = gateway(None, vec![rbac()]).start().await;
    let gate = gateway(Some(json!({ "policy": policy() })), Vec::new()).start().await;
    let caller = authority.caller(&workload(&authority, "sleep", SLEEP));
    let mut used = [const { Vec::new() }; 3];
    for round in 0..ROUNDS {
        // Who begins has another machine before it than who follows.
        for step in 0..3 {
            let which = (round + step) % 3;
            used[which].push(measured([&neither, &own, &gate][which], &caller).await);
        }
    }
    let [neither_us, own_us, gate_us] = used.map(|mut used| {
        used.sort();
        used[ROUNDS / 2].as_secs_f64() * 1e6 / CONNECTIONS as f64
    });
    println!("CPU of Envoy a connection, median of {ROUNDS} rounds of {CONNECTIONS}: {neither_us:.1} µs with neither");
    println!("Envoy's RBAC {:+.1} µs, the filter of connections {:+.1} µs", own_us - neither_us, gate_us - neither_us);
    assert_eq!(gate.stat("wasmcustom.gatehouse_decisions_allow_total").await, (ROUNDS * CONNECTIONS) as u64);
    assert!(gate_us < own_us * 1.5, "{gate_us:.1} µs with the filter, {own_us:.1} µs with Envoy's own");
}

async fn measured(envoy: &Envoy, caller: &Caller) -> Duration {
    let before = cpu(envoy.id()).expect("it runs");
    for _ in 0..CONNECTIONS {
        visit(caller, envoy.address()).await;
    }
    cpu(envoy.id()).expect("it runs").saturating_sub(before)
}

async fn visit(caller: &Caller, address: SocketAddr) {
    let mut stream = caller.open(TcpStream::connect(address).await.expect("it listens")).await.expect("a handshake");
    stream.write_all(b"hi").await.expect("sent");
    stream.read_exact(&mut [0; 2]).await.expect("an answer");
    let _ = stream.shutdown().await;
}
