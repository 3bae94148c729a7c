//! Who the client is, in each set-up that `docs/install.md` has: what a client forges is never believed, and records and limits use the same
//! address.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use gatehouse_mesh::agent::Pod;
use gatehouse_mesh::{Agent, Apps, Istiod, Kube, NAMESPACE, agent, shipped::Shipped};
use gatehouse_support::envoy::Launcher;
use gatehouse_support::house::Setup;
use gatehouse_support::{Envoy, House, parts, wait};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

const HTTP: u16 = 18080;
const HOST: &str = "shop.example.com";
const SOON: Duration = Duration::from_secs(60);
/// Pods of this machine: the gateway, and the outer proxy.
const GATEWAY: &str = "10.255.0.1";
/// The inner proxy.
const INNER: &str = "10.255.0.2";
const CLIENT: &str = "10.255.0.3";
const OUTER_PORT: u16 = 18091;
const INNER_PORT: u16 = 18092;
/// Requests of one client that pass in a minute.
const PASS: usize = 3;

struct Stage {
    house: House,
    _agent: Agent,
    _istiod: Istiod,
    _kube: Kube,
    _apps: Apps,
}

impl Stage {
    /// A gateway and a house with these values of the gateway, by nothing but what they render to.
    async fn start(gateway: &Value) -> Self {
        let kube = Kube::start().await.with_resources().await;
        let mut house = House::prepare(&Setup::default());
        let mut values = json!({
            "gateway": { "name": "ingress", "namespace": NAMESPACE, "serviceAccount": agent::ACCOUNT, "http": HTTP },
            "module": { "url": format!("file://{}", parts::wasm().display()) },
            "house": { "socket": house.socket() },
            "routes": [{ "name": "page", "hosts": ["*"], "service": "productpage.default.svc.cluster.local", "port": 9080 }],
        });
        values["gateway"].as_object_mut().expect("a map").extend(gateway.as_object().cloned().expect("a map"));
        let shipped = Shipped::render(&values);
        for name in ["gateway.yaml", "house-config.yaml", "routes.yaml", "mesh.yaml", "gate.yaml"] {
            kube.kubectl(&["apply", "--server-side", "-f", &shipped.path(name)]);
        }
        kube.kubectl_with(&["apply", "-f", "-"], &Apps::entries());
        // What the cluster would mount into the house's folder, and one limit by client.
        let policies = kube.kubectl(&["-n", NAMESPACE, "get", "configmap", "gatehouse-policies", "-o", "json"]);
        let policies: Value = serde_json::from_str(&policies).expect("JSON");
        for (name, text) in policies["data"].as_object().expect("policies") {
            house.put_policy(name, text.as_str().expect("a text"));
        }
        house.put_policy("limit.yaml", &limit().to_string());
        house.run().await;
        let istiod = Istiod::start(&kube).await;
        let apps = Apps::start().await;
        let path = "jsonpath={.spec.template.metadata.annotations.proxy\\.istio\\.io/config}";
        let annotation = kube.kubectl(&["-n", NAMESPACE, "get", "deployment", "ingress", "-o", path]);
        let config = Some(annotation).filter(|text| !text.is_empty());
        let agent = Agent::start_pod(&kube, &istiod, &Pod { config, ..Pod::gateway() }).await;
        let stage = Self { house, _agent: agent, _istiod: istiod, _kube: kube, _apps: apps };
        wait::until_true(SOON, "every worker to have the policy", || async {
            let status = stage.house.status().await;
            let (current, workers) = (&status["policy"]["workers_current"], &status["policy"]["workers"]);
            current == workers && workers.as_u64().is_some_and(|workers| workers >= 2)
        })
        .await;
        stage
    }

    /// The address in the record of the request with this path.
    async fn recorded(&self, path: &str) -> String {
        wait::until(SOON, "the event of a request", || async {
            let events = self.house.events();
            let event = events.into_iter().find(|event| event["http_request"]["url"]["path"] == path)?;
            event["src_endpoint"]["ip"].as_str().map(str::to_owned)
        })
        .await
    }

    /// Whatever is forged, one client has as many requests as the limit lets pass.
    async fn limited(&self, ask: impl AsyncFn(&str, &str) -> u16) {
        let mut passed = 0;
        for number in 0..12 {
            // Each connection may come to another worker, and each has counts of its own.
            passed += usize::from(ask(&format!("203.0.113.{number}"), "/productpage").await == 200);
        }
        assert!(passed <= 3 * PASS, "{passed} of 12 passed: the forged header made other clients of them");
    }
}

fn limit() -> Value {
    json!({
        "apiVersion": "gatehouse.dev/v1", "kind": "Policy", "metadata": { "name": "limit" },
        "spec": { "mode": "enforce", "hosts": [HOST], "rules": [{
            "name": "by-client", "match": { "path": "/productpage" },
            "limit": { "by": ["address"], "rate": format!("{PASS} per 1m") }, "then": "limit",
        }] },
    })
}

/// Status of one request from the client's own address; `first` is what comes before HTTP.
async fn ask(to: (&str, u16), first: &str, forged: &str, path: &str) -> u16 {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::new(CLIENT.parse::<IpAddr>().expect("an address"), 0)).expect("the client's address");
    let mut stream =
        socket.connect(format!("{}:{}", to.0, to.1).parse().expect("an address")).await.expect("it listens");
    let head = format!(
        "{first}GET {path} HTTP/1.1\r\nhost: {HOST}\r\nx-forwarded-for: {forged}\r\nx-real-ip: {forged}\r\nforwarded: for={forged}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("it is sent");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let text = String::from_utf8_lossy(&answer).into_owned();
    text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_nothing_before_the_gateway_the_client_is_the_peer() {
    let stage = Stage::start(&json!({})).await;
    assert_eq!(ask((GATEWAY, HTTP), "", "6.6.6.6", "/direct").await, 404);
    assert_eq!(stage.recorded("/direct").await, CLIENT);
    stage.limited(async |forged, path| ask((GATEWAY, HTTP), "", forged, path).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_two_proxies_the_client_is_whom_the_outer_one_saw() {
    let stage = Stage::start(&json!({ "trustedProxies": 2 })).await;
    let _inner = proxy(INNER, INNER_PORT, INNER, (GATEWAY, HTTP)).await;
    let _outer = proxy(GATEWAY, OUTER_PORT, GATEWAY, (INNER, INNER_PORT)).await;
    assert_eq!(ask((GATEWAY, OUTER_PORT), "", "6.6.6.6, 10.255.0.9", "/chain").await, 404);
    assert_eq!(stage.recorded("/chain").await, CLIENT);
    stage.limited(async |forged, path| ask((GATEWAY, OUTER_PORT), "", forged, path).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_the_proxy_protocol_the_client_is_whom_the_load_balancer_names() {
    let stage = Stage::start(&json!({ "proxyProtocol": true })).await;
    let four = "PROXY TCP4 198.51.100.7 10.255.0.1 40000 80\r\n";
    assert_eq!(ask((GATEWAY, HTTP), four, "6.6.6.6", "/four").await, 404);
    assert_eq!(stage.recorded("/four").await, "198.51.100.7");
    let six = "PROXY TCP6 2001:db8::7 2001:db8::1 40000 80\r\n";
    assert_eq!(ask((GATEWAY, HTTP), six, "6.6.6.6", "/six").await, 404);
    assert_eq!(stage.recorded("/six").await, "2001:db8::7");
    stage.limited(async |forged, path| ask((GATEWAY, HTTP), six, forged, path).await).await;
}

/// A proxy of its own that appends to X-Forwarded-For, from one pod's address to the next.
async fn proxy(at: &str, port: u16, from: &str, to: (&str, u16)) -> Envoy {
    let types = "type.googleapis.com/envoy.extensions.filters";
    let config = json!({
        "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } },
        "static_resources": {
            "listeners": [{
                "name": "in", "address": { "socket_address": { "address": at, "port_value": port } },
                "filter_chains": [{ "filters": [{ "name": "hcm", "typed_config": {
                    "@type": format!("{types}.network.http_connection_manager.v3.HttpConnectionManager"),
                    "stat_prefix": "in", "use_remote_address": true,
                    "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [
                        { "match": { "prefix": "/" }, "route": { "cluster": "next" } },
                    ] }] },
                    "http_filters": [{ "name": "router", "typed_config": { "@type": format!("{types}.http.router.v3.Router") } }],
                } }] }],
            }],
            "clusters": [{
                "name": "next", "type": "STATIC",
                "upstream_bind_config": { "source_address": { "address": from, "port_value": 0 } },
                "load_assignment": { "cluster_name": "next", "endpoints": [{ "lb_endpoints": [
                    { "endpoint": { "address": { "socket_address": { "address": to.0, "port_value": to.1 } } } },
                ] }] },
            }],
        },
    });
    Envoy::start_with(Launcher::Direct, &config.to_string(), port).await
}
