//! The house on its own in a real mesh, with the shipped manifests: the gateway reaches it by mutual TLS with certificates of istiod, under its
//! clean authority; another workload, and plain text, get nothing; and no request fails while it is away.

use std::time::Duration;

use gatehouse_mesh::agent::Pod;
use gatehouse_mesh::traffic::get;
use gatehouse_mesh::{Agent, Apps, Istiod, Kube, NAMESPACE, agent, shipped::Shipped};
use gatehouse_support::house::Setup;
use gatehouse_support::{House, parts, wait};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const HTTP: u16 = 18080;
const SOON: Duration = Duration::from_secs(60);
const HOUSE: &str = "10.255.0.2";
const PORT: u16 = 7443;

fn values() -> Value {
    json!({
        "shape": "independent",
        "gateway": { "name": "ingress", "namespace": NAMESPACE, "serviceAccount": agent::ACCOUNT, "http": HTTP },
        "module": { "url": format!("file://{}", parts::wasm().display()) },
        "house": { "port": PORT },
        "routes": [{ "name": "page", "hosts": ["*"], "service": "productpage.default.svc.cluster.local", "port": 9080 }],
    })
}

async fn status(port: u16, target: &str) -> Option<u16> {
    get(port, "shop.example.com", target).await.map(|reply| reply.status)
}

async fn guarded() {
    wait::until_true(SOON, "every worker to judge by the house's policy", || async {
        for _ in 0..12 {
            if status(HTTP, "/admin/x").await != Some(403) {
                return false;
            }
        }
        true
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_reaches_the_house_by_the_mesh_and_nobody_else_does() {
    let kube = Kube::start().await.with_resources().await;
    let policy = json!({
        "apiVersion": "gatehouse.dev/v1", "kind": "Policy", "metadata": { "name": "shop" },
        "spec": { "mode": "enforce", "rules": [{ "name": "admin", "match": { "path": "/admin/**" }, "then": "block" }] },
    });
    let setup = Setup {
        policies: vec![("shop.yaml".into(), policy.to_string())],
        extra: "listen: { tcp: \"127.0.0.1:7070\" }".into(),
    };
    let (mut house, istiod) = tokio::join!(House::start_with(&setup), Istiod::start(&kube));
    let shipped = Shipped::render(&values());
    for account in [agent::ACCOUNT, "other"] {
        kube.kubectl(&["-n", NAMESPACE, "create", "serviceaccount", account]);
    }
    for name in ["house.yaml", "house-config.yaml", "routes.yaml"] {
        kube.kubectl(&["apply", "-f", &shipped.path(name)]);
    }
    kube.endpoints("gatehouse", "gatehouse", HOUSE, &[("grpc-gates", PORT)]);
    kube.kubectl_with(&["apply", "-f", "-"], &Apps::entries());
    let _apps = Apps::start().await;
    let beside = Agent::start_pod(&kube, &istiod, &Pod::house(HOUSE, 15930)).await;
    let gateway = Agent::start(&kube, &istiod, &[]).await;
    wait::until_true(SOON, "the plain gateway to serve", || async { status(HTTP, "/productpage").await == Some(200) })
        .await;

    for name in ["mesh.yaml", "gate.yaml"] {
        kube.kubectl(&["apply", "--server-side", "--validate=strict", "-f", &shipped.path(name)]);
    }
    guarded().await;
    wait::until_true(SOON, "the events of refused requests", || async { !house.events().is_empty() }).await;
    keepalive_is_in_force(&gateway).await;
    // The proxy beside the house is not asked: without interception it wants the ports of the services of this very machine.
    gateway.assert_nothing_refused().await;

    plain_text_gets_nothing().await;
    another_workload_gets_nothing(&kube, &istiod, &house, &beside).await;

    house.kill().await;
    for number in 0..50 {
        assert_eq!(status(HTTP, "/productpage").await, Some(200), "request {number} while the house is away");
        assert_eq!(status(HTTP, "/admin/x").await, Some(403), "the last policy judges on");
    }
    house.run().await;
    wait::until_true(SOON, "streams to the house again", || async {
        house.status().await["streams"].as_array().is_some_and(|streams| !streams.is_empty())
    })
    .await;
}

/// What the manifests say of the house's cluster, read back from the gateway's Envoy.
async fn keepalive_is_in_force(gateway: &Agent) {
    let name = format!("outbound|{PORT}||gatehouse.gatehouse.svc.cluster.local");
    let dump: Value =
        serde_json::from_str(&gateway.page("/config_dump?resource=dynamic_active_clusters").await).expect("JSON");
    let clusters = dump["configs"].as_array().expect("clusters");
    let cluster =
        clusters.iter().map(|one| &one["cluster"]).find(|one| one["name"] == name.as_str()).expect("the house's");
    assert_eq!(cluster["connect_timeout"], "1s");
    assert_eq!(cluster["outlier_detection"]["consecutive_5xx"], 3, "{cluster}");
    let options =
        &cluster["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"];
    let keepalive = &options["explicit_http_config"]["http2_protocol_options"]["connection_keepalive"];
    assert_eq!((&keepalive["interval"], &keepalive["timeout"]), (&json!("5s"), &json!("2s")), "{cluster}");
    assert!(cluster.to_string().contains("spiffe://cluster.local/ns/gatehouse/sa/gatehouse"), "{cluster}");
}

/// STRICT: the connection ends without a frame of HTTP/2.
async fn plain_text_gets_nothing() {
    let mut plain = tokio::net::TcpStream::connect((HOUSE, PORT)).await.expect("the proxy listens there");
    plain.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.expect("it is sent");
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(SOON, plain.read_to_end(&mut answer)).await.expect("it ends");
    assert!(answer.is_empty(), "{ended:?} {answer:?}");
}

/// A gateway of another service account asks the same house: its requests are served, and it gets no policy.
async fn another_workload_gets_nothing(kube: &Kube, istiod: &Istiod, house: &House, beside: &Agent) {
    let before = house.status().await["streams"].as_array().map(Vec::len);
    let labels = r#"{"istio":"othergateway"}"#;
    let other = Pod { name: "other", account: "other", address: "10.255.0.3", labels, ports: 15960, ..Pod::gateway() };
    let mut values = values();
    values["name"] = json!("other");
    values["gateway"]["labels"] = json!({ "istio": "othergateway" });
    values["gateway"]["http"] = json!(HTTP + 1);
    let shipped = Shipped::render(&values);
    let gate = std::fs::read_to_string(shipped.path("gate.yaml")).expect("a manifest");
    // Its own name would be that of a house that is not there.
    let gate = gate.replace("other.gatehouse.svc", "gatehouse.gatehouse.svc");
    kube.kubectl_with(&["apply", "-f", "-"], &gate);
    kube.kubectl(&["apply", "-f", &shipped.path("routes.yaml")]);
    let _agent = Agent::start_pod(kube, istiod, &other).await;
    wait::until_true(SOON, "the other gateway to serve", || async {
        status(HTTP + 1, "/productpage").await == Some(200)
    })
    .await;
    wait::until_true(SOON, "the house's proxy to deny it", || async {
        beside.stats("rbac.denied").await.iter().any(|(_, count)| *count > 0)
    })
    .await;
    for _ in 0..12 {
        assert_eq!(status(HTTP + 1, "/admin/x").await, Some(404), "no policy reaches it, and no request fails");
    }
    assert_eq!(house.status().await["streams"].as_array().map(Vec::len), before);
}
