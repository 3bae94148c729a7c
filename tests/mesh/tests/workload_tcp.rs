//! The filter of connections at a database's own proxy, with the shipped manifests, under real istiod and certificates that it issued: what
//! comes in is intercepted, and exactly the account that the house's policy lists gets through, whatever a Service says of the port.

use std::net::SocketAddr;
use std::time::Duration;

use gatehouse_mesh::agent::{ACCOUNT, Pod};
use gatehouse_mesh::outside::{GREETING, Outside};
use gatehouse_mesh::plugin::intercept;
use gatehouse_mesh::shipped::Shipped;
use gatehouse_mesh::workload::Caller;
use gatehouse_mesh::{Agent, Istiod, Kube, NAMESPACE, Peer, apart};
use gatehouse_support::{House, parts, wait};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

const SOON: Duration = Duration::from_secs(60);
const HOUSE: &str = "10.255.0.2";
const DATABASE: [u8; 4] = [10, 255, 0, 3];
const ADDRESS: &str = "10.255.0.3";
const HOST: &str = "db.demo.svc.cluster.local";
/// Where the pod listens: at a port that the Service has too, at one that it calls otherwise, at one that it does not know; these three are
/// guarded, the last one is not.
const ORDERS: u16 = 5432;
const GREETER: u16 = 5433;
const UNNAMED: u16 = 5434;
const OPEN: u16 = 5435;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: db\r\n\r\n";
/// What the Service calls the port of the greeter.
const CALLED: u16 = 3306;

/// Callers: each leads its port to the orders and the next one to the greeter.
const SLEEP: Caller =
    Caller { account: "sleep", port: 18081, address: "10.255.0.12", ports: 15940, labels: r#"{"istio":"sleep"}"# };
const BATCH: Caller =
    Caller { account: "batch", port: 18083, address: "10.255.0.13", ports: 15960, labels: r#"{"istio":"batch"}"# };

fn at(port: u16) -> SocketAddr {
    SocketAddr::from((DATABASE, port))
}

/// What comes back on a connection: for `hi`, or for nothing.
async fn heard(mut stream: impl AsyncRead + AsyncWrite + Unpin, says: &[u8]) -> Vec<u8> {
    let _ = stream.write_all(says).await;
    let mut answer = [0; 64];
    let got = tokio::time::timeout(SOON, stream.read(&mut answer)).await.expect("an answer or the end");
    answer[..got.unwrap_or(0)].to_vec()
}

async fn hears(caller: Caller, next: u16, says: &[u8]) -> Vec<u8> {
    let to = SocketAddr::from(([127, 0, 0, 1], caller.port + next));
    match TcpStream::connect(to).await {
        Ok(stream) => heard(stream, says).await,
        Err(_) => Vec::new(),
    }
}

/// At the orders.
async fn says_hi(caller: Caller) -> Vec<u8> {
    hears(caller, 0, b"hi").await
}

/// On every worker, so that each has the policy.
async fn is_answered(caller: Caller, answer: &[u8]) {
    wait::until_true(SOON, &format!("{:?} for {}", answer.escape_ascii().to_string(), caller.account), || async {
        for _ in 0..8 {
            if says_hi(caller).await != answer {
                return false;
            }
        }
        true
    })
    .await;
}

fn routes(caller: Caller) -> String {
    let (name, ports) = (caller.account, [(caller.port, ORDERS), (caller.port + 1, CALLED)]);
    let server = |(port, _)| json!({ "port": { "number": port, "name": format!("tcp-{port}"), "protocol": "TCP" }, "hosts": ["*"] });
    let route = |(port, to)| {
        json!({
            "match": [{ "port": port }],
            "route": [{ "destination": { "host": HOST, "port": { "number": to } } }],
        })
    };
    let gateway = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Gateway", "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": { "selector": { "istio": name }, "servers": ports.map(server) },
    });
    let routes = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": { "hosts": ["*"], "gateways": [name], "tcp": ports.map(route) },
    });
    json!({ "apiVersion": "v1", "kind": "List", "items": [gateway, routes] }).to_string()
}

fn policy(mode: &str) -> String {
    json!({
        "apiVersion": "gatehouse.dev/v1", "kind": "TcpPolicy", "metadata": { "name": "database" },
        "spec": {
            "mode": mode, "hosts": [HOST], "requireMutualTls": true, "requireOneUri": true,
            "rules": [{ "name": "sleep", "match": { "serviceAccounts": [format!("{NAMESPACE}/sleep")] }, "then": "allow" }],
            "otherwise": "reject",
        },
    })
    .to_string()
}

/// The shipped manifests; without a policy for a host everybody is let in.
fn shipped(kind: &str) -> Shipped {
    let module = |path: std::path::PathBuf| format!("file://{}", path.display());
    let values = json!({
        "shape": "independent",
        "gateway": { "name": "ingress", "namespace": NAMESPACE, "serviceAccount": ACCOUNT },
        "module": { "url": module(parts::wasm()), "tcp": { "url": module(parts::tcp_wasm()) } },
        "istio": { "kind": kind },
        "workload": {
            "namespace": "demo", "labels": { "app": "db" }, "serviceAccount": "db", "requests": false,
            "tcp": { "ports": [ORDERS, GREETER, UNNAMED], "destination": HOST },
        },
    });
    Shipped::render(&values)
}

fn service() -> Value {
    let port = |name: &str, port: u16, target: u16| json!({ "name": name, "port": port, "targetPort": target });
    let ports =
        [port("tcp-orders", ORDERS, ORDERS), port("tcp-greeter", CALLED, GREETER), port("tcp-open", OPEN, OPEN)];
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "db", "namespace": "demo" },
        "spec": { "selector": { "app": "db" }, "ports": ports },
    });
    // Callers speak the mesh's TLS to it.
    let rule = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": { "name": "db", "namespace": "demo" },
        "spec": { "host": HOST, "trafficPolicy": { "tls": { "mode": "ISTIO_MUTUAL" } } },
    });
    json!({ "apiVersion": "v1", "kind": "List", "items": [service, rule] })
}

struct Mesh {
    house: House,
    database: Agent,
    services: [Outside; 4],
    /// Who speaks for itself, with the certificates of both callers.
    peers: [Peer; 2],
    agents: Vec<Agent>,
    _istiod: Istiod,
    kube: Kube,
}

impl Mesh {
    async fn start() -> Self {
        let kube = Kube::start().await.with_resources().await;
        let setup = apart(&[("database.yaml", policy("monitor"))]);
        let (house, istiod) = tokio::join!(House::start_with(&setup), Istiod::start(&kube));
        let services = [
            Outside::echo(at(ORDERS)).await,
            Outside::greeting(at(GREETER)).await,
            Outside::echo(at(UNNAMED)).await,
            Outside::echo(at(OPEN)).await,
        ];
        objects(&kube);
        let mut agents = vec![Agent::start_pod(&kube, &istiod, &Pod::house(HOUSE, 15980)).await];
        let intercepted = vec![("ISTIO_META_INTERCEPTION_MODE", "REDIRECT".to_owned())];
        let pod = Pod { kind: "sidecar", more: intercepted, ..database() };
        let database = Agent::start_pod(&kube, &istiod, &pod).await;
        intercept(ADDRESS, &[ORDERS, GREETER, UNNAMED, OPEN]);
        database.logs("wasm=info").await;
        let peers = [Peer::new(), Peer::new()];
        for (caller, peer) in [SLEEP, BATCH].into_iter().zip(&peers) {
            let pod = Pod { more: vec![peer.variable()], ..caller.pod() };
            agents.push(Agent::start_pod(&kube, &istiod, &pod).await);
        }
        Self { house, database, services, peers, agents, _istiod: istiod, kube }
    }

    fn connections(&self) -> [usize; 4] {
        self.services.each_ref().map(Outside::connections)
    }
}

fn database() -> Pod {
    Pod {
        name: "db-0",
        namespace: "demo",
        account: "db",
        address: ADDRESS,
        labels: r#"{"app":"db"}"#,
        ports: 15920,
        ..Pod::gateway()
    }
}

fn objects(kube: &Kube) {
    kube.kubectl(&["create", "namespace", "demo"]);
    kube.kubectl(&["-n", "demo", "create", "serviceaccount", "db"]);
    kube.kubectl_with(&["apply", "-f", "-"], &service().to_string());
    kube.pod(&database());
    kube.endpoints("db", "demo", ADDRESS, &[("tcp-orders", ORDERS), ("tcp-greeter", GREETER), ("tcp-open", OPEN)]);
    for caller in [SLEEP, BATCH] {
        kube.kubectl(&["-n", NAMESPACE, "create", "serviceaccount", caller.account]);
        kube.kubectl_with(&["apply", "-f", "-"], &routes(caller));
    }
    let shipped = shipped("TrafficExtension");
    for name in ["house.yaml", "house-config.yaml", "workload.yaml"] {
        kube.kubectl(&["apply", "--server-side", "--validate=strict", "-f", &shipped.path(name)]);
    }
    kube.endpoints("gatehouse", "gatehouse", HOUSE, &[("grpc-gates", 7443)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_listed_account_opens_connections_to_the_database() {
    let mesh = Mesh::start().await;
    dry_run(&mesh).await;
    mesh.house.put_policy("database.yaml", &policy("enforce"));
    is_answered(BATCH, b"").await;
    is_answered(SLEEP, b"HI").await;
    let before = mesh.connections();
    assert_eq!(hears(SLEEP, 1, b"").await, GREETING, "the service speaks first, also when the client says nothing");
    for _ in 0..4 {
        assert_eq!((says_hi(BATCH).await, hears(BATCH, 1, b"").await), (Vec::new(), Vec::new()));
    }
    let [orders, greeter, ..] = mesh.connections();
    assert_eq!([orders, greeter], [before[0], before[1] + 1], "nothing was dialled for the other account");
    mesh.database
        .logged(&["allowing: spiffe://cluster.local/ns/istio-system/sa/sleep", HOST, "(database/sleep)"])
        .await;
    mesh.database
        .logged(&["rejecting: spiffe://cluster.local/ns/istio-system/sa/batch", HOST, "(database/otherwise)"])
        .await;
    for_themselves(&mesh).await;
    plain_text_gets_nothing(&mesh).await;
    let listeners = mesh.database.page("/config_dump?resource=dynamic_listeners").await;
    for word in ["on_downstream_tls_handshake", "max_early_data_bytes"] {
        assert!(listeners.contains(word), "{word}:\n{listeners}");
    }
    other_kind(&mesh).await;
    for agent in mesh.agents.iter().chain([&mesh.database]) {
        agent.assert_nothing_refused().await;
    }
    mesh.database.assert_silent_ones_end().await;
}

/// Everybody is served, and what would have been is counted.
async fn dry_run(mesh: &Mesh) {
    is_answered(SLEEP, b"HI").await;
    is_answered(BATCH, b"HI").await;
    wait::until_true(SOON, "the dry run to be counted", || async {
        says_hi(BATCH).await;
        mesh.database.stats("gatehouse_would_have_total").await.iter().any(|(_, count)| *count > 0)
    })
    .await;
}

/// Clients that say in TLS what they like, at ports that no Service names, in protocols that Istio tells apart.
async fn for_themselves(mesh: &Mesh) {
    let [sleep, batch] = &mesh.peers;
    let before = mesh.connections();
    for (port, server) in [(ORDERS, "other.test"), (ORDERS, HOST), (UNNAMED, "other.test"), (GREETER, "other.test")] {
        for protocol in ["istio", "istio-http/1.1"] {
            let stream = batch.open(at(port), server, &[protocol]).await;
            let answer = match stream {
                Ok(stream) => heard(stream, REQUEST).await,
                Err(_) => Vec::new(),
            };
            assert_eq!(answer, b"", "{port} {server} {protocol}");
        }
    }
    // Another server's name is no way around for the listed account either.
    let stream = sleep.open(at(ORDERS), "other.test", &["istio"]).await.expect("a handshake");
    assert_eq!(heard(stream, b"hi").await, b"");
    mesh.database
        .logged(&["rejecting: spiffe://cluster.local/ns/istio-system/sa/sleep", "(database/server-name)"])
        .await;
    assert_eq!(mesh.connections(), before, "nothing was dialled");
    for (peer, port) in [(sleep, UNNAMED), (sleep, ORDERS), (batch, OPEN)] {
        let stream = peer.open(at(port), HOST, &["istio"]).await.expect("a handshake");
        assert_eq!(heard(stream, b"hi").await, b"HI", "{port}");
    }
}

/// STRICT: not a byte without a certificate of the mesh.
async fn plain_text_gets_nothing(mesh: &Mesh) {
    let before = mesh.connections();
    for port in [ORDERS, GREETER, UNNAMED] {
        let stream = TcpStream::connect(at(port)).await.expect("the proxy takes it in");
        // So much that Istio can tell what is spoken: it waits for that where no Service names the port.
        assert_eq!(heard(stream, REQUEST).await, b"", "{port}");
    }
    assert_eq!(mesh.connections(), before);
}

/// The same as a WasmPlugin.
async fn other_kind(mesh: &Mesh) {
    let gate = "trafficextensions.extensions.istio.io";
    mesh.kube.kubectl(&["-n", "demo", "delete", gate, "gatehouse-workload-connections"]);
    is_answered(BATCH, b"HI").await;
    let shipped = shipped("WasmPlugin");
    mesh.kube.kubectl(&["apply", "--server-side", "--validate=strict", "-f", &shipped.path("workload.yaml")]);
    is_answered(BATCH, b"").await;
    is_answered(SLEEP, b"HI").await;
}
