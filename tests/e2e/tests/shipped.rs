//! The configurations that we ship, as they are: only ports and paths are replaced.

use std::time::Duration;

use gatehouse_e2e::shipped::{self, file};
use gatehouse_e2e::{HOST, policy};
use gatehouse_support::client::{exchange, request};
use gatehouse_support::envoy::Launcher;
use gatehouse_support::{Envoy, House, Upstream, parts, ports, wait};
use serde_json::json;

#[tokio::test]
async fn the_shipped_file_blocks_records_and_keeps_secrets_out_of_its_log() {
    let rules = json!([{ "name": "admin", "match": { "path": ["/admin", "/admin/**"] }, "then": "block" }]);
    let (house, upstream) = (House::with_policy(&policy("enforce", rules)).await, Upstream::start().await);
    let port = ports::free();
    let text = shipped::beside(port, &upstream, &house);
    let envoy = Envoy::start_with(Launcher::FuncE, &text, port).await;
    let get = async |target: &str, id: &str| {
        let fields = [("host", HOST), ("x-request-id", id), ("authorization", "Bearer planted-secret-1")];
        exchange(envoy.address(), &request("GET", target, &fields, b"")).await.unwrap()
    };
    wait::until_true(Duration::from_secs(15), "the house's policy to be in force", || async {
        get("/admin", "waiting").await.status == 403
    })
    .await;
    assert_eq!(get("/open?key=planted-secret-2", "open").await.status, 200);
    assert_eq!(get("/admin/x?key=planted-secret-3", "closed").await.status, 403);
    assert!(upstream.with("/admin/x").is_empty());

    // With `use_remote_address` Envoy gives requests from outside an id of its own; the reference leads from log to event.
    let line = wait::until(Duration::from_secs(15), "the log line of a blocked request", || async {
        envoy.access_log().into_iter().find(|line| line["verdict"] == "block")
    })
    .await;
    wait::until_true(Duration::from_secs(15), "its event", || async {
        house.events().iter().any(|event| event["unmapped"]["gatehouse"]["reference"] == line["reference"])
    })
    .await;
    assert!(!envoy.log().contains("planted-secret"), "a secret stands in Envoy's log");
    envoy.assert_filter_sound().await;
    envoy.stop().await;
}

/// The same gateway by files over xDS: a file moved into place is taken up, and what is wrong is refused while the rest goes on.
#[tokio::test]
async fn the_shipped_files_over_xds_are_taken_up_when_they_change() {
    let rules = json!([{ "name": "admin", "match": { "path": "/admin/**" }, "then": "block" }]);
    let (house, upstream) = (House::with_policy(&policy("enforce", rules)).await, Upstream::start().await);
    let (port, other, folder) = (ports::free(), ports::free(), tempfile::tempdir().expect("a folder"));
    let listener = |port: u16| {
        let address = format!("address: 127.0.0.1, port_value: {port}");
        let wasm = parts::wasm().display().to_string();
        let replacements =
            [("address: 0.0.0.0, port_value: 8080", address), ("/etc/gatehouse/gatehouse_http.wasm", wasm)];
        file("envoy/xds/listeners.yaml", &replacements)
    };
    let place = |name: &str, text: &str| {
        let fresh = folder.path().join("fresh");
        std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, folder.path().join(name))).expect("a file");
    };
    place("listeners.yaml", &listener(port));
    let clusters = [
        ("port_value: 8000", format!("port_value: {}", upstream.address().port())),
        ("/var/lib/gatehouse/house.sock", house.socket().display().to_string()),
    ];
    place("clusters.yaml", &file("envoy/xds/clusters.yaml", &clusters));
    let text = file("envoy/xds/envoy.yaml", &[("port_value: 9901", "port_value: 0".to_owned())]);
    let text = text.replace("/etc/gatehouse/envoy", &folder.path().display().to_string());
    let envoy = Envoy::start_with(Launcher::FuncE, &text, port).await;
    let status = async |port: u16, target: &str| {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        exchange(address, &request("GET", target, &[("host", HOST)], b"")).await.ok().map(|reply| reply.status)
    };
    let patience = Duration::from_secs(15);
    wait::until_true(patience, "the policy to be in force", || async { status(port, "/admin/x").await == Some(403) })
        .await;
    assert_eq!(status(port, "/open").await, Some(200));

    place("listeners.yaml", &listener(other).replace(&format!("port_value: {other}"), "port_value: 99999"));
    wait::until_true(patience, "the wrong file to be refused", || async {
        let failed = envoy.stat("listener_manager.lds.update_failure").await;
        failed + envoy.stat("listener_manager.lds.update_rejected").await > 0
    })
    .await;
    assert_eq!(status(port, "/open").await, Some(200));
    place("listeners.yaml", &listener(other));
    wait::until_true(patience, "the other port to be served", || async {
        status(other, "/admin/x").await == Some(403)
    })
    .await;
    envoy.stop().await;
}

/// What the cluster of the house must say in every form, read back from Envoy itself.
#[tokio::test]
async fn envoy_itself_says_that_the_house_is_watched() {
    let (house, upstream, port) = (House::start().await, Upstream::start().await, ports::free());
    let text = shipped::beside(port, &upstream, &house);
    let envoy = Envoy::start_with(Launcher::FuncE, &text, port).await;
    let dump = envoy.page("/config_dump?resource=static_clusters").await;
    let dump: serde_json::Value = serde_json::from_str(&dump).expect("JSON");
    let clusters = dump["configs"].as_array().expect("clusters");
    let cluster =
        clusters.iter().map(|one| &one["cluster"]).find(|one| one["name"] == "gatehouse").expect("the house's");
    assert_eq!(cluster["connect_timeout"], "1s");
    assert_eq!(cluster["outlier_detection"]["consecutive_5xx"], 3);
    assert_eq!(cluster["outlier_detection"]["consecutive_gateway_failure"], 3);
    let options =
        &cluster["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"];
    let keepalive = &options["explicit_http_config"]["http2_protocol_options"]["connection_keepalive"];
    assert_eq!((&keepalive["interval"], &keepalive["timeout"]), (&json!("5s"), &json!("2s")));
    envoy.stop().await;
}
