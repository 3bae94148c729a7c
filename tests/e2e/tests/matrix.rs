//! Traffic, a block and a record, and connections by identity, on one version of Envoy: `make envoy-matrix` runs it on each that we say
//! we run on.

use std::process::Command;
use std::time::Duration;

use gatehouse_e2e::books::assert_balanced;
use gatehouse_e2e::callers::{self, DEFAULT, Fate, SLEEP, talk, workload};
use gatehouse_e2e::{HOST, house_bootstrap, policy};
use gatehouse_support::client::{exchange, request};
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::tls::Authority;
use gatehouse_support::{Echo, Envoy, Gate, Gateway, House, TcpGateway, Upstream, parts, wait};
use serde_json::{Value, json};

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

/// What `gatehouse render subject-alt-names` makes of a policy, as the TLS context of a listener that has the rest.
fn with_names(mut transport_socket: Value, policy: &Value) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("policy.json");
    std::fs::write(&file, policy.to_string()).expect("a policy");
    let mut command = Command::new(parts::house());
    let made = command.args(["render", "subject-alt-names", "--host", "echo.internal"]).arg(&file).output();
    let made = made.expect("gatehouse");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let text = String::from_utf8(made.stdout).expect("text");
    let names = Value::from(&gatehouse_policy::document::yaml("names", &text).expect("YAML").remove(0));
    let context = &mut transport_socket["typed_config"];
    context["require_client_certificate"] = names["require_client_certificate"].clone();
    for (key, value) in names["common_tls_context"]["validation_context"].as_object().expect("a part of it") {
        context["common_tls_context"]["validation_context"][key] = value.clone();
    }
    transport_socket
}

/// No release is too old for this one: nothing of it needs what came with 1.37.
#[tokio::test]
async fn connections_by_identity_at_the_first_data_and_in_the_handshake() {
    let (echo, authority) = (Echo::start().await, Authority::new());
    let bootstrap = json!({ "policy": callers::policy(), "tcp": { "decides": "atFirstData" } });
    let start = async |transport_socket: Value| {
        let mut gateway = TcpGateway::new(echo.address(), transport_socket, bootstrap.clone());
        gateway.early = false;
        gateway.start().await
    };
    let (sleep, default) = (workload(&authority, "sleep", SLEEP), workload(&authority, "default", DEFAULT));
    let plain = start(authority.listener(true)).await;
    let named = start(with_names(authority.listener(true), &callers::policy())).await;
    for envoy in [&plain, &named] {
        assert_eq!(talk(&authority, envoy.address(), &default, b"hi").await, Fate::Closed);
        assert_eq!(talk(&authority, envoy.address(), &sleep, b"hi").await, Fate::Answered(b"HI".to_vec()));
        envoy.assert_filter_sound().await;
    }
    assert_eq!(echo.bytes(), 4, "only what the allowed one said, twice");
    // Where the names stand in the TLS context the handshake fails, so the gate is not asked.
    for (envoy, unnamed) in [(&plain, 0), (&named, 1)] {
        let failed = envoy.stats(".ssl.fail_verify_san").await.into_iter().map(|(_, count)| count).sum::<u64>();
        assert_eq!(failed, unnamed);
        assert_eq!(envoy.stat("wasmcustom.gatehouse_decisions_drop_total").await, 1 - unnamed);
    }
}
