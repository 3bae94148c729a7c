//! The configuration that we ship, as it is: only ports and paths are replaced.

use std::time::Duration;

use gatehouse_e2e::{HOST, policy};
use gatehouse_support::client::{exchange, request};
use gatehouse_support::envoy::Launcher;
use gatehouse_support::{Envoy, House, Upstream, parts, ports, wait};
use serde_json::json;

/// The file with each of these replaced exactly where it stands; a file that lost one is another file.
fn file(replacements: &[(&str, String)]) -> String {
    let mut text = std::fs::read_to_string(parts::root().join("deploy/envoy/envoy.yaml")).expect("the shipped file");
    // What the comments say stays out of it.
    text = text.lines().filter(|line| !line.trim_start().starts_with('#')).map(|line| format!("{line}\n")).collect();
    for (shipped, ours) in replacements {
        assert_eq!(text.matches(shipped).count(), 1, "`{shipped}` in the shipped file");
        text = text.replace(shipped, ours);
    }
    text
}

#[tokio::test]
async fn the_shipped_file_blocks_records_and_keeps_secrets_out_of_its_log() {
    let rules = json!([{ "name": "admin", "match": { "path": ["/admin", "/admin/**"] }, "then": "block" }]);
    let (house, upstream) = (House::with_policy(&policy("enforce", rules)).await, Upstream::start().await);
    let port = ports::free();
    let text = file(&[
        ("port_value: 9901", "port_value: 0".to_owned()),
        ("address: 0.0.0.0, port_value: 8080", format!("address: 127.0.0.1, port_value: {port}")),
        ("port_value: 8000", format!("port_value: {}", upstream.address().port())),
        ("/etc/gatehouse/gatehouse_http.wasm", parts::wasm().display().to_string()),
        ("/var/lib/gatehouse/house.sock", house.socket().display().to_string()),
    ]);
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
