//! What leaves the mesh, by the shipped manifests under real istiod, on certificates that it issued: from the proxy beside a workload to the
//! egress gateway and on to the host, for HTTP with TLS originated there, for TLS of the workload's own, and for TCP. Each is for one account.

use std::net::SocketAddr;
use std::time::Duration;

use gatehouse_mesh::agent::Pod;
use gatehouse_mesh::outside::Outside;
use gatehouse_mesh::plugin::Bare;
use gatehouse_mesh::shipped::Shipped;
use gatehouse_mesh::workload::Workload;
use gatehouse_mesh::{Agent, Istiod, Kube, NAMESPACE, agent, apart};
use gatehouse_support::client::{Reply, exchange, request};
use gatehouse_support::tls::{Authority, Hello, SERVER};
use gatehouse_support::{House, parts, wait};
use rcgen::SanType;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SOON: Duration = Duration::from_secs(60);
const HOUSE: &str = "10.255.0.2";
const EGRESS: &str = "10.255.0.3";
/// Where the hosts outside are.
const OUTSIDE: [u8; 4] = [10, 255, 0, 4];
const PORT: u16 = 7443;

const API: &str = "api.httpbin.test";
const VAULT: &str = "vault.test";
const ORDERS: &str = "orders.test";
/// What workloads dial, and where the gateway goes on to for HTTP.
const HTTP: u16 = 18070;
const TLS: u16 = 18071;
const TCP: u16 = 18072;
const HTTPS: u16 = 18443;

const RBAC: &str = "RBAC: access denied";

const FRONTEND: Workload = Workload::frontend("secure-frontend", r#"{"app":"secure-frontend"}"#);
const BATCH: Workload = Workload::batch();

async fn asks(workload: Workload, host: &str) -> Option<Reply> {
    let own = [("host", host), ("connection", "close"), ("x-forwarded-client-cert", "By=me;URI=spiffe://forged")];
    exchange(workload.at(HTTP), &request("GET", "/get", &own, b"")).await.ok()
}

async fn is_answered(workload: Workload, host: &str, status: u16) {
    wait::until_true(SOON, &format!("{status} from {host} for {}", workload.account), || async {
        for _ in 0..8 {
            if asks(workload, host).await.map(|reply| reply.status) != Some(status) {
                return false;
            }
        }
        true
    })
    .await;
}

/// What a server outside answers through TLS that this workload speaks itself; `None`: no handshake.
async fn speaks_tls(workload: Workload, authority: &Authority) -> Option<String> {
    let hello = Hello { name: Some(VAULT), ..Hello::default() };
    let mut stream = authority.open(workload.at(TLS), &hello).await.ok()?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: vault.test\r\n\r\n").await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    Some(answer)
}

/// What comes back for `hi`.
async fn says_hi(workload: Workload) -> Vec<u8> {
    let Ok(mut stream) = TcpStream::connect(workload.at(TCP)).await else { return Vec::new() };
    let _ = stream.write_all(b"hi").await;
    let mut answer = [0; 2];
    let got = tokio::time::timeout(SOON, stream.read(&mut answer)).await.expect("an answer or the end");
    answer[..got.unwrap_or(0)].to_vec()
}

fn values() -> Value {
    let module = |path: std::path::PathBuf| format!("file://{}", path.display());
    let outside = std::net::Ipv4Addr::from(OUTSIDE).to_string();
    json!({
        "shape": "independent",
        "gateway": { "name": "ingress", "namespace": NAMESPACE, "serviceAccount": agent::ACCOUNT },
        "module": { "url": module(parts::wasm()), "tcp": { "url": module(parts::tcp_wasm()) } },
        "house": { "port": PORT, "whenNoPolicy": "block" },
        "istio": { "kind": "TrafficExtension" },
        "egress": {
            "from": ["shop"],
            "hosts": [
                { "name": "httpbin", "host": API, "port": HTTP, "originate": HTTPS, "credential": "authority", "addresses": [outside] },
                { "name": "vault", "host": VAULT, "protocol": "TLS", "port": TLS, "addresses": [outside] },
                { "name": "orders", "host": ORDERS, "protocol": "TCP", "port": TCP, "addresses": [outside] },
            ],
        },
    })
}

fn requests(rules: &Value) -> String {
    json!({
        "apiVersion": "gatehouse.dev/v1", "kind": "Policy", "metadata": { "name": "egress" },
        "spec": { "direction": "egress", "rules": rules, "otherwise": "block" },
    })
    .to_string()
}

fn connections() -> String {
    json!({
        "apiVersion": "gatehouse.dev/v1", "kind": "TcpPolicy", "metadata": { "name": "connections" },
        "spec": {
            "hosts": [VAULT, ORDERS], "requireMutualTls": true,
            "rules": [{ "name": "frontend", "match": { "serviceAccounts": ["shop/secure-frontend"] }, "then": "allow" }],
            "otherwise": "reject",
        },
    })
    .to_string()
}

/// The shipped Sidecar of the namespace, for one workload.
fn sidecar(kube: &Kube, workload: Workload) -> String {
    let get = ["-n", "shop", "get", "sidecars.networking.istio.io", "default", "-o", "json"];
    let shipped: Value = serde_json::from_str(&kube.kubectl(&get)).expect("JSON");
    assert_eq!(shipped["spec"]["outboundTrafficPolicy"]["mode"], "REGISTRY_ONLY");
    // Listeners with a port know the services of that port only; those of the gateway are led to.
    let ports = [(HTTP, "HTTP"), (TLS, "TLS"), (TCP, "TCP"), (8443, "HTTP2"), (8444, "TCP")];
    workload.sidecar(&ports, &shipped["spec"]["egress"][0]["hosts"])
}

struct Mesh {
    house: House,
    egress: Agent,
    authority: Authority,
    https: Outside,
    vault: Outside,
    orders: Outside,
    workloads: Vec<Agent>,
    _beside: Agent,
    _istiod: Istiod,
    kube: Kube,
}

impl Mesh {
    async fn start() -> Self {
        let kube = Kube::start().await.with_resources().await;
        let setup = apart(&[("egress.yaml", requests(&json!([]))), ("connections.yaml", connections())]);
        let (house, istiod) = tokio::join!(House::start_with(&setup), Istiod::start(&kube));
        let authority = Authority::new();
        apply(&kube, &authority);
        let names = [API, VAULT, SERVER].map(|name| SanType::DnsName(name.try_into().expect("a name"))).to_vec();
        let own = authority.issue("outside", names);
        let at = |port| SocketAddr::from((OUTSIDE, port));
        let https = Outside::https(at(HTTPS), &own).await;
        let (vault, orders) = (Outside::https(at(TLS), &own).await, Outside::echo(at(TCP)).await);
        let beside = Agent::start_pod(&kube, &istiod, &Pod::house(HOUSE, 15980)).await;
        let egress = Agent::start_pod(&kube, &istiod, &gateway()).await;
        egress.logs("wasm=info").await;
        let mut workloads = Vec::new();
        for workload in [FRONTEND, BATCH] {
            workloads.push(Agent::start_pod(&kube, &istiod, &workload.pod()).await);
        }
        Self { house, egress, authority, https, vault, orders, workloads, _beside: beside, _istiod: istiod, kube }
    }
}

/// The pod of the egress gateway.
fn gateway() -> Pod {
    Pod {
        name: "egress-0",
        namespace: "istio-egress",
        account: "gatehouse-egress",
        address: EGRESS,
        labels: r#"{"istio":"gatehouse-egress"}"#,
        ports: 15920,
        ..Pod::gateway()
    }
}

fn apply(kube: &Kube, authority: &Authority) {
    let shipped = Shipped::render(&values());
    kube.kubectl(&["create", "namespace", "shop"]);
    for workload in [FRONTEND, BATCH] {
        kube.kubectl(&["-n", "shop", "create", "serviceaccount", workload.account]);
    }
    for name in
        ["house.yaml", "house-config.yaml", "egress-gateway.yaml", "egress-routes.yaml", "egress-namespaces.yaml"]
    {
        kube.kubectl(&["apply", "--server-side", "--validate=strict", "-f", &shipped.path(name)]);
    }
    let root = format!("--from-file=cacert={}", authority.root().display());
    kube.kubectl(&["-n", "istio-egress", "create", "secret", "generic", "authority", &root]);
    kube.endpoints("gatehouse", "gatehouse", HOUSE, &[("grpc-gates", PORT)]);
    kube.endpoints("gatehouse-egress", "istio-egress", EGRESS, &[("http2", 8443), ("tcp", 8444)]);
    for workload in [FRONTEND, BATCH] {
        kube.kubectl_with(&["apply", "--server-side", "--validate=strict", "-f", "-"], &sidecar(kube, workload));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_account_reaches_what_its_policies_allow_and_nobody_goes_around() {
    let mesh = Mesh::start().await;
    http(&mesh).await;
    tls(&mesh).await;
    tcp(&mesh).await;
    for workload in [FRONTEND, BATCH] {
        let unknown = asks(workload, "unknown.test").await.map(|reply| reply.status);
        assert_eq!(unknown, Some(502), "the proxy beside {} knows no other way out", workload.account);
    }
    around(&mesh.kube);
    // Each patch is in force.
    let listeners = mesh.egress.page("/config_dump?resource=dynamic_listeners").await;
    for word in ["on_downstream_tls_handshake", "on_request_headers", "max_early_data_bytes"] {
        assert!(listeners.contains(word), "{word}:\n{listeners}");
    }
    mesh.egress.assert_silent_ones_end().await;
    for agent in mesh.workloads.iter().chain([&mesh.egress]) {
        agent.assert_nothing_refused().await;
    }
}

/// A workload without a proxy dials for itself: the egress gateway is a pod, which it gets to, and the hosts outside are not.
fn around(kube: &Kube) {
    let outside = std::net::Ipv4Addr::from(OUTSIDE).to_string();
    kube.pod(&gateway());
    let bare = Bare::start("around");
    for port in [HTTPS, TLS, TCP] {
        assert!(bare.reaches(&outside, port), "before there is a policy it gets everywhere: {port}");
    }
    bare.enforce(kube, "shop");
    for port in [HTTPS, TLS, TCP] {
        assert!(!bare.reaches(&outside, port), "it goes around the gateway: {port}");
    }
    assert!(bare.reaches(EGRESS, 8443) && bare.reaches(EGRESS, 8444), "it cannot get to the gateway");
}

async fn http(mesh: &Mesh) {
    is_answered(FRONTEND, API, 403).await;
    let reply = asks(FRONTEND, API).await.expect("an answer");
    assert_eq!(reply.text(), RBAC);
    assert_eq!(mesh.https.connections(), 0, "nothing went out before a policy lets it");
    let rule = json!([{ "name": "httpbin", "match": { "host": "*.httpbin.test", "serviceAccounts": ["shop/secure-frontend"] }, "then": "allow" }]);
    mesh.house.put_policy("egress.yaml", &requests(&rule));
    is_answered(FRONTEND, API, 200).await;
    let (asked, reply) = (mesh.https.heads().len(), asks(BATCH, API).await.expect("an answer"));
    assert_eq!((reply.status, reply.text().as_str()), (403, RBAC));
    assert_eq!(mesh.https.heads().len(), asked);
    mesh.egress
        .logged(&["rbac_access_denied_matched_policy[none]", "spiffe://cluster.local/ns/shop/sa/batch", API])
        .await;
    // TLS was originated, and nothing of the mesh is told outside.
    let head = mesh.https.heads().pop().expect("a request").to_ascii_lowercase();
    assert!(head.contains(&format!("host: {API}")), "{head}");
    for own in ["x-forwarded-client-cert", "x-envoy-peer-metadata", "spiffe://"] {
        assert!(!head.contains(own), "{head}");
    }
}

async fn tls(mesh: &Mesh) {
    wait::until_true(SOON, "TLS of the workload's own to be passed on", || async {
        speaks_tls(FRONTEND, &mesh.authority).await.is_some_and(|answer| answer.ends_with("outside"))
    })
    .await;
    let before = mesh.vault.connections();
    assert_eq!(speaks_tls(BATCH, &mesh.authority).await, None);
    assert_eq!(mesh.vault.connections(), before, "nothing was dialled for the other account");
    mesh.egress.logged(&["allowing: spiffe://cluster.local/ns/shop/sa/secure-frontend", VAULT]).await;
    mesh.egress.logged(&["rejecting: spiffe://cluster.local/ns/shop/sa/batch", VAULT]).await;
}

async fn tcp(mesh: &Mesh) {
    wait::until_true(SOON, "an echo", || async { says_hi(FRONTEND).await == b"HI" }).await;
    let before = mesh.orders.connections();
    assert_eq!(says_hi(BATCH).await, b"");
    assert_eq!(mesh.orders.connections(), before, "nothing was dialled for the other account");
    mesh.egress.logged(&["rejecting: spiffe://cluster.local/ns/shop/sa/batch", ORDERS]).await;
}
