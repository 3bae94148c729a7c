//! The gate at a workload's own proxy, with the shipped manifest, under real istiod and certificates that it issued: exactly those whom the
//! policy lists may call.

use std::time::Duration;

use gatehouse_mesh::agent::Pod;
use gatehouse_mesh::shipped::Shipped;
use gatehouse_mesh::traffic::get;
use gatehouse_mesh::workload::Caller;
use gatehouse_mesh::{Agent, Apps, Istiod, Kube, NAMESPACE};
use gatehouse_support::client::{exchange, request};
use gatehouse_support::{parts, wait};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const SOON: Duration = Duration::from_secs(60);
const SERVER: &str = "10.255.0.2";
/// Where the workload's proxy takes calls in.
const INBOUND: u16 = 18090;
/// Callers: each a gateway of its own account, with its port and address.
const FRIEND: Caller =
    Caller { account: "friend", port: 18081, address: "10.255.0.3", ports: 15940, labels: r#"{"istio":"friend"}"# };
const STRANGER: Caller =
    Caller { account: "stranger", port: 18082, address: "10.255.0.4", ports: 15960, labels: r#"{"istio":"stranger"}"# };

fn policy(mode: &str) -> Value {
    json!({
        "apiVersion": "gatehouse.dev/v1", "kind": "Policy", "metadata": { "name": "workload" },
        "spec": {
            "mode": mode, "requireMutualTls": true,
            "rules": [{ "name": "friend", "match": { "serviceAccounts": [format!("{NAMESPACE}/friend")] }, "then": "allow" }],
            "otherwise": "block",
        },
    })
}

/// The shipped manifest for a workload `app: server`, with this policy.
fn manifest(policy: &Value) -> String {
    let values = json!({
        "gateway": { "name": "ingress", "namespace": NAMESPACE },
        "module": { "url": format!("file://{}", parts::wasm().display()) },
        "istio": { "kind": "TrafficExtension" },
        "workload": { "namespace": "demo", "labels": { "app": "server" } },
    });
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, policy.to_string()).expect("a file");
    let shipped = Shipped::render_with("istio", &values, &["--inline", &file.display().to_string()]);
    std::fs::read_to_string(shipped.path("workload.yaml")).expect("a manifest")
}

/// The service, its pod, and a proxy that takes in on a port of its own, since nothing is intercepted here.
fn server() -> String {
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "server", "namespace": "demo" },
        "spec": { "selector": { "app": "server" }, "ports": [{ "name": "http", "port": INBOUND }] },
    });
    let sidecar = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Sidecar", "metadata": { "name": "server", "namespace": "demo" },
        "spec": {
            "workloadSelector": { "labels": { "app": "server" } },
            "ingress": [{
                "port": { "number": INBOUND, "protocol": "HTTP", "name": "http" },
                "bind": SERVER, "captureMode": "NONE", "defaultEndpoint": "127.0.0.1:9080",
            }],
            "egress": [{ "hosts": ["./*"] }],
        },
    });
    // Callers speak the mesh's TLS to it.
    let rule = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": { "name": "server", "namespace": "demo" },
        "spec": { "host": "server.demo.svc.cluster.local", "trafficPolicy": { "tls": { "mode": "ISTIO_MUTUAL" } } },
    });
    json!({ "apiVersion": "v1", "kind": "List", "items": [service, sidecar, rule] }).to_string()
}

/// What leads from a caller's own port to the service.
fn caller(caller: Caller) -> String {
    let name = caller.account;
    let gateway = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": {
            "selector": { "istio": name },
            "servers": [{ "port": { "number": caller.port, "name": "http", "protocol": "HTTP" }, "hosts": ["*"] }],
        },
    });
    let route = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": {
            "hosts": ["*"], "gateways": [name],
            "http": [{ "route": [{ "destination": { "host": "server.demo.svc.cluster.local", "port": { "number": INBOUND } } }] }],
        },
    });
    json!({ "apiVersion": "v1", "kind": "List", "items": [gateway, route] }).to_string()
}

async fn status(caller: Caller) -> Option<u16> {
    get(caller.port, "server.demo.svc.cluster.local", "/productpage").await.map(|reply| reply.status)
}

async fn answers(caller: Caller, wanted: u16) {
    let what = format!("{wanted} for {}", caller.account);
    wait::until_true(SOON, &what, || async move {
        for _ in 0..8 {
            if status(caller).await != Some(wanted) {
                return false;
            }
        }
        true
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_listed_account_may_call_the_workload() {
    let kube = Kube::start().await.with_resources().await;
    let istiod = Istiod::start(&kube).await;
    kube.kubectl(&["create", "namespace", "demo"]);
    kube.kubectl(&["-n", "demo", "create", "serviceaccount", "server"]);
    for caller in [FRIEND, STRANGER] {
        kube.kubectl(&["-n", NAMESPACE, "create", "serviceaccount", caller.account]);
    }
    kube.kubectl_with(&["apply", "-f", "-"], &server());
    kube.endpoints("server", "demo", SERVER, &[("http", INBOUND)]);
    kube.kubectl_with(&["apply", "-f", "-"], &caller(FRIEND));
    kube.kubectl_with(&["apply", "-f", "-"], &caller(STRANGER));
    let _apps = Apps::start().await;
    let pod = Pod {
        kind: "sidecar",
        name: "server-0",
        namespace: "demo",
        account: "server",
        address: SERVER,
        labels: r#"{"app":"server"}"#,
        ports: 15920,
        more: Vec::new(),
        config: None,
    };
    let workload = Agent::start_pod(&kube, &istiod, &pod).await;
    let mut callers = Vec::new();
    for caller in [FRIEND, STRANGER] {
        callers.push(Agent::start_pod(&kube, &istiod, &caller.pod()).await);
    }
    // Dry run: everybody is answered, and what would have been is counted.
    kube.kubectl_with(&["apply", "--server-side", "--validate=strict", "-f", "-"], &manifest(&policy("monitor")));
    answers(FRIEND, 200).await;
    answers(STRANGER, 200).await;
    wait::until_true(SOON, "the dry run to be counted", || async {
        status(STRANGER).await;
        workload.stats("gatehouse_would_have_total").await.iter().any(|(_, count)| *count > 0)
    })
    .await;
    kube.kubectl_with(&["apply", "--server-side", "--validate=strict", "-f", "-"], &manifest(&policy("enforce")));
    answers(STRANGER, 403).await;
    answers(FRIEND, 200).await;
    plain_text_gets_nothing().await;
    let listeners = workload.page("/config_dump?resource=dynamic_listeners").await;
    assert!(listeners.contains("gatehouse.peer_uris"), "{listeners}");
    for agent in callers.iter().chain([&workload]) {
        agent.assert_nothing_refused().await;
    }
}

/// STRICT: no request is answered without a certificate of the mesh.
async fn plain_text_gets_nothing() {
    let asked = request("GET", "/productpage", &[("host", "server"), ("connection", "close")], b"");
    let address = format!("{SERVER}:{INBOUND}").parse().expect("an address");
    assert!(exchange(address, &asked).await.is_err(), "plain text is answered");
    let mut plain = tokio::net::TcpStream::connect((SERVER, INBOUND)).await.expect("the proxy listens there");
    plain.write_all(&asked).await.expect("it is sent");
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(SOON, plain.read_to_end(&mut answer)).await.expect("it ends");
    assert!(answer.is_empty(), "{answer:?}");
}
