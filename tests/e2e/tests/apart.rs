//! The house on another machine, and the configuration that we ship for it: mutual TLS by a real Envoy. A gate that is listed gets the
//! policy and its records are stored under its proven name; one that is not, and one that meets a house with another name, serve every
//! request without.

use std::path::Path;
use std::time::Duration;

use gatehouse_e2e::{HOST, policy, shipped};
use gatehouse_support::client::{exchange, request};
use gatehouse_support::envoy::Launcher;
use gatehouse_support::house::Setup;
use gatehouse_support::tls::Authority;
use gatehouse_support::{Envoy, House, Upstream, ports, wait};
use serde_json::{Value, json};

const INGRESS: &str = "spiffe://cluster.local/ns/edge/sa/ingress";
const PATIENCE: Duration = Duration::from_secs(20);

/// A house that is called by this identity and serves [`INGRESS`] only.
async fn house(authority: &Authority, called: &str, file: &str) -> (House, String) {
    let own = authority.workload(file, called);
    let rules = json!([{ "name": "admin", "match": { "path": "/admin/**" }, "then": "block" }]);
    let listen = json!({ "tls": {
        "address": "127.0.0.1:0", "certificate": own.certificate, "key": own.key, "authorities": authority.root(),
        "gates": [{ "identity": INGRESS, "node": "ingress", "group": "edge" }],
    } });
    let policies = vec![("policy.yaml".to_owned(), policy("enforce", rules).to_string())];
    let house = House::start_with(&Setup { policies, extra: format!("listen: {listen}") }).await;
    let address = std::fs::read_to_string(house.data().join("gates.address")).expect("the address of the door");
    (house, address.trim().to_owned())
}

/// The shipped gateway with the certificate of this identity, on its way to this house.
async fn gateway(authority: &Authority, identity: &str, file: &str, house: &str, upstream: &Upstream) -> Envoy {
    let own = authority.workload(file, identity);
    let (port, shown) = (ports::free(), |path: &Path| path.display().to_string());
    let house_port = house.rsplit_once(':').expect("a port").1;
    let mut replacements = shipped::gateway(port, upstream);
    replacements.extend([
        ("address: house.example.com, port_value: 7443", format!("address: 127.0.0.1, port_value: {house_port}")),
        ("/etc/gatehouse/tls/tls.crt", shown(&own.certificate)),
        ("/etc/gatehouse/tls/tls.key", shown(&own.key)),
        ("/etc/gatehouse/tls/ca.crt", shown(&authority.root())),
    ]);
    let text = shipped::file("envoy/independent/envoy.yaml", &replacements);
    let folder = shown(own.certificate.parent().expect("a folder"));
    let text = text.replace("path: /etc/gatehouse/tls", &format!("path: {folder}"));
    Envoy::start_with(Launcher::FuncE, &text, port).await
}

/// Whether an event of the house names a path that begins so.
fn told(house: &House, path: &str) -> bool {
    house.events().iter().any(|event| {
        event.pointer("/http_request/url/path").and_then(Value::as_str).is_some_and(|shown| shown.starts_with(path))
    })
}

async fn status(envoy: &Envoy, target: &str) -> u16 {
    exchange(envoy.address(), &request("GET", target, &[("host", HOST)], b"")).await.expect("an answer").status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listed_gate_is_served_by_mutual_tls_and_others_serve_without_a_policy() {
    let (authority, upstream) = (Authority::new(), Upstream::start().await);
    let (house, address) = house(&authority, "spiffe://cluster.local/ns/gatehouse/sa/gatehouse", "house").await;
    let listed = gateway(&authority, INGRESS, "listed", &address, &upstream).await;
    wait::until_true(PATIENCE, "the house's policy to be in force", || async {
        status(&listed, "/admin/x").await == 403
    })
    .await;
    wait::until_true(PATIENCE, "the event of a refused request", || async {
        house.events().iter().any(|event| event["unmapped"]["gatehouse"]["reference"].is_string())
    })
    .await;
    let said = house.status().await;
    let streams = said["streams"].as_array().expect("streams");
    assert!(
        !streams.is_empty() && streams.iter().all(|one| one["node"] == "ingress" && one["node_cluster"] == "edge"),
        "{said}"
    );

    let stranger =
        gateway(&authority, "spiffe://cluster.local/ns/default/sa/default", "stranger", &address, &upstream).await;
    wait::until_true(PATIENCE, "the stranger to be refused", || async {
        house.page("/metrics").await.contains("gatehouse_intake_refused_streams_total{reason=\"unlisted\"}")
    })
    .await;
    for number in 0..20 {
        assert_eq!(
            status(&stranger, &format!("/admin/stranger/{number}")).await,
            200,
            "no policy, and no request fails"
        );
    }
    stranger.assert_filter_sound().await;
    let said = house.status().await;
    assert!(said["streams"].as_array().expect("streams").iter().all(|one| one["node"] == "ingress"), "{said}");
    // What comes after it from a listed gate is there: a record of the stranger's would be, too.
    assert_eq!(status(&listed, "/admin/after").await, 403);
    wait::until_true(PATIENCE, "the listed gate's record", || async { told(&house, "/admin/after") }).await;
    assert!(!told(&house, "/admin/stranger/"), "the stranger wrote a record");
    listed.assert_filter_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_does_not_speak_with_a_house_of_another_name() {
    let (authority, upstream) = (Authority::new(), Upstream::start().await);
    let (house, address) = house(&authority, "spiffe://cluster.local/ns/default/sa/somebody", "house").await;
    let envoy = gateway(&authority, INGRESS, "listed", &address, &upstream).await;
    wait::until_true(PATIENCE, "Envoy to refuse the house's certificate", || async {
        envoy.stat("cluster.gatehouse.ssl.fail_verify_san").await > 0
    })
    .await;
    for number in 0..20 {
        assert_eq!(status(&envoy, &format!("/admin/{number}")).await, 200);
    }
    let said = house.status().await;
    assert_eq!((said["streams"].as_array().map(Vec::len), house.events().len()), (Some(0), 0), "{said}");
    envoy.assert_filter_sound().await;
}
