//! The gate at a waypoint, with the shipped manifests, under real istiod: callers come by HBONE with certificates that it issued, the gate has
//! its policy from the house, and exactly the listed account is answered.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use gatehouse_mesh::agent::{ACCOUNT, Pod};
use gatehouse_mesh::outside::Outside;
use gatehouse_mesh::shipped::Shipped;
use gatehouse_mesh::{Agent, Istiod, Kube, NAMESPACE, Peer, apart};
use gatehouse_support::client::{Http1, request};
use gatehouse_support::{House, parts, wait};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);
const HOUSE: &str = "10.255.0.2";
const SERVER: [u8; 4] = [10, 255, 0, 3];
const WAYPOINT: [u8; 4] = [10, 255, 0, 4];
/// Its address; what a test sends there comes from there too.
const ADDRESS: &str = "10.255.0.4";
/// Where a waypoint takes in connections that are inside of others.
const HBONE: u16 = 15008;
const PORT: u16 = 9080;
/// Addresses of the services, which nobody has: only the waypoint is told of them.
const VIP: &str = "10.96.0.20";
const OTHER_VIP: &str = "10.96.0.21";

fn policy(mode: &str) -> String {
    json!({
        "apiVersion": "gatehouse.dev/v1", "kind": "Policy", "metadata": { "name": "server" },
        "spec": {
            "mode": mode, "requireMutualTls": true, "requireOneUri": true,
            "rules": [{ "name": "friend", "match": { "serviceAccounts": ["demo/friend"] }, "then": "allow" }],
            "otherwise": "block",
        },
    })
    .to_string()
}

fn shipped(kind: &str) -> Shipped {
    let values = json!({
        "shape": "independent",
        "gateway": { "name": "ingress", "namespace": NAMESPACE, "serviceAccount": ACCOUNT },
        "module": { "url": format!("file://{}", parts::wasm().display()) },
        "istio": { "kind": kind },
        "workload": { "namespace": "demo", "service": "server" },
    });
    Shipped::render(&values)
}

/// Two services of one waypoint, one of them guarded.
fn objects() -> Value {
    let service = |name: &str, address: &str| {
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "name": name, "namespace": "demo", "labels": { "istio.io/use-waypoint": "waypoint" } },
            "spec": { "clusterIP": address, "selector": { "app": name }, "ports": [{ "name": "http", "port": PORT }] },
        })
    };
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": { "name": "waypoint", "namespace": "demo", "labels": { "istio.io/waypoint-for": "service" } },
        "spec": { "gatewayClassName": "istio-waypoint", "listeners": [{ "name": "mesh", "port": HBONE, "protocol": "HBONE" }] },
    });
    let own = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "waypoint", "namespace": "demo", "labels": { "gateway.networking.k8s.io/gateway-name": "waypoint" } },
        "spec": {
            "selector": { "gateway.networking.k8s.io/gateway-name": "waypoint" },
            "ports": [{ "name": "mesh", "port": HBONE, "appProtocol": "hbone" }],
        },
    });
    let items = [service("server", VIP), service("other", OTHER_VIP), gateway, own];
    json!({ "apiVersion": "v1", "kind": "List", "items": items })
}

/// A stock Envoy lacks the filters by which proxies of Istio's own build tell each other of themselves.
fn stock() -> String {
    let remove = |name: &str| {
        json!({
            "applyTo": "HTTP_FILTER",
            "match": { "context": "SIDECAR_INBOUND", "listener": { "filterChain": { "filter": {
                "name": "envoy.filters.network.http_connection_manager", "subFilter": { "name": name },
            } } } },
            "patch": { "operation": "REMOVE" },
        })
    };
    let patches = ["waypoint_downstream_peer_metadata", "waypoint_upstream_peer_metadata"].map(remove);
    json!({
        "apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "metadata": { "name": "stock", "namespace": "demo" },
        "spec": {
            "targetRefs": [{ "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "waypoint" }],
            "configPatches": patches,
        },
    })
    .to_string()
}

fn waypoint() -> Pod {
    Pod {
        kind: "waypoint",
        name: "waypoint-0",
        namespace: "demo",
        account: "waypoint",
        address: ADDRESS,
        labels: r#"{"gateway.networking.k8s.io/gateway-name":"waypoint"}"#,
        ports: 15920,
        // Newer proxies are sent filter states of a kind that a stock Envoy does not know.
        more: vec![("ISTIO_META_ISTIO_VERSION", "1.29.0".to_owned())],
        config: None,
    }
}

async fn status(peer: &Peer, address: &str) -> Option<u16> {
    let tunnel = peer.tunnel(SocketAddr::from((WAYPOINT, HBONE)), &format!("{address}:{PORT}")).await?;
    let own = [("host", "server.demo.svc.cluster.local"), ("connection", "close")];
    let reply = Http1::over(tunnel).ask(&request("GET", "/productpage", &own, b"")).await;
    reply.ok().map(|reply| reply.status)
}

async fn answers(peer: &Peer, address: &str, wanted: u16) {
    wait::until_true(SOON, &format!("{wanted} from {address}"), || async {
        for _ in 0..8 {
            if status(peer, address).await != Some(wanted) {
                return false;
            }
        }
        true
    })
    .await;
}

struct Mesh {
    house: House,
    waypoint: Agent,
    server: Outside,
    friend: Peer,
    stranger: Peer,
    others: Vec<Agent>,
    _istiod: Istiod,
    kube: Kube,
}

impl Mesh {
    async fn start() -> Self {
        let kube = Kube::start().await.with_resources().await;
        let setup = apart(&[("server.yaml", policy("monitor"))]);
        let ambient = [("PILOT_ENABLE_AMBIENT", "true")];
        let (house, istiod) = tokio::join!(House::start_with(&setup), Istiod::start_with(&kube, &ambient));
        apply(&kube);
        let server = Outside::http(SocketAddr::from((SERVER, PORT))).await;
        let mut others = vec![Agent::start_pod(&kube, &istiod, &Pod::house(HOUSE, 15980)).await];
        let waypoint = Agent::start_pod(&kube, &istiod, &waypoint()).await;
        let (friend, stranger) = (Peer::new(), Peer::new());
        for (account, address, ports, peer) in
            [("friend", "10.255.0.12", 15940, &friend), ("stranger", "10.255.0.13", 15960, &stranger)]
        {
            let (namespace, labels, more) = ("demo", "{}", vec![peer.variable()]);
            let (kind, name, config) = ("sidecar", account, None);
            let pod = Pod { kind, name, namespace, account, labels, address, ports, more, config };
            others.push(Agent::start_pod(&kube, &istiod, &pod).await);
        }
        Self { house, waypoint, server, friend, stranger, others, _istiod: istiod, kube }
    }
}

fn apply(kube: &Kube) {
    kube.kubectl(&["create", "namespace", "demo"]);
    for account in ["waypoint", "friend", "stranger"] {
        kube.kubectl(&["-n", "demo", "create", "serviceaccount", account]);
    }
    let shipped = shipped("TrafficExtension");
    for name in ["house.yaml", "house-config.yaml", "workload.yaml"] {
        kube.kubectl(&["apply", "--server-side", "--validate=strict", "-f", &shipped.path(name)]);
    }
    kube.endpoints("gatehouse", "gatehouse", HOUSE, &[("grpc-gates", 7443)]);
    kube.kubectl_with(&["apply", "-f", "-"], &objects().to_string());
    kube.kubectl_with(&["apply", "-f", "-"], &stock());
    kube.pod(&waypoint());
    kube.endpoints("waypoint", "demo", ADDRESS, &[("mesh", HBONE)]);
    let server = Ipv4Addr::from(SERVER).to_string();
    for name in ["server", "other"] {
        kube.endpoints(name, "demo", &server, &[("http", PORT)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_listed_account_is_answered_through_the_waypoint() {
    let mesh = Mesh::start().await;
    let Mesh { house, waypoint, server, friend, stranger, others, kube, .. } = &mesh;
    // Dry run: everybody is answered, and what would have been is counted.
    answers(friend, VIP, 200).await;
    answers(stranger, VIP, 200).await;
    wait::until_true(SOON, "the dry run to be counted", || async {
        status(stranger, VIP).await;
        waypoint.stats("gatehouse_would_have_total").await.iter().any(|(_, count)| *count > 0)
    })
    .await;
    house.put_policy("server.yaml", &policy("enforce"));
    answers(stranger, VIP, 403).await;
    answers(friend, VIP, 200).await;
    let before = server.connections();
    assert_eq!((status(stranger, VIP).await, server.connections()), (Some(403), before));
    answers(stranger, OTHER_VIP, 200).await;
    told(house).await;
    delivered(waypoint, others).await;
    // The same as a WasmPlugin.
    kube.kubectl(&["-n", "demo", "delete", "trafficextensions.extensions.istio.io", "gatehouse-workload"]);
    answers(stranger, VIP, 200).await;
    let plugin = shipped("WasmPlugin");
    kube.kubectl(&["apply", "--server-side", "--validate=strict", "-f", &plugin.path("workload.yaml")]);
    answers(stranger, VIP, 403).await;
    answers(friend, VIP, 200).await;
    for agent in others.iter().chain([waypoint]) {
        agent.assert_nothing_refused().await;
    }
}

/// A record says who was refused, and from where.
async fn told(house: &House) {
    wait::until_true(SOON, "the record of a refusal", || async {
        house.events().iter().any(|event| {
            event["unmapped"]["gatehouse"]["action"] == "block"
                && event["actor"]["user"]["uid"] == "spiffe://cluster.local/ns/demo/sa/stranger"
                && event["src_endpoint"]["ip"] == ADDRESS
        })
    })
    .await;
}

/// istiod sends the gate to the waypoint and to nobody else.
async fn delivered(waypoint: &Agent, others: &[Agent]) {
    let page = "/config_dump?resource=ecds_filters";
    assert!(waypoint.page(page).await.contains("demo.gatehouse-workload"), "the waypoint has it");
    for other in others {
        assert!(!other.page(page).await.contains("gatehouse-workload"), "{}", other.page(page).await);
    }
}
