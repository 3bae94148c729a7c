//! What the gateway answers when the module is at fault, by Istio's own agent: nobody who serves it, another digest, a trap. And that a
//! module which comes late is taken up.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use gatehouse_mesh::{Agent, Apps, Istiod, Kube, NAMESPACE, agent, shipped::Shipped};
use gatehouse_support::client::{exchange, request};
use gatehouse_support::{House, parts, wait};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const HOST: &str = "shop.example.com";
const HTTP: u16 = 18080;
const SERVER: u16 = 15556;
const SOON: Duration = Duration::from_secs(60);
/// For what must stay as it is.
const A_WHILE: Duration = Duration::from_secs(4);

struct Stage {
    agent: Agent,
    kube: Kube,
    house: House,
    _istiod: Istiod,
    _apps: Apps,
}

impl Stage {
    async fn start() -> Self {
        let kube = Kube::start().await.with_resources().await;
        let (house, istiod) = tokio::join!(House::start(), Istiod::start(&kube));
        kube.kubectl(&["-n", NAMESPACE, "create", "serviceaccount", agent::ACCOUNT]);
        kube.kubectl_with(&["apply", "-f", "-"], &Apps::entries());
        let plain = Shipped::render(&values(&house, &json!({})));
        kube.kubectl(&["apply", "-f", &plain.path("routes.yaml"), "-f", &plain.path("mesh.yaml")]);
        let apps = Apps::start().await;
        let agent = Agent::start(&kube, &istiod, &[]).await;
        let stage = Self { agent, kube, house, _istiod: istiod, _apps: apps };
        wait::until_true(SOON, "the plain gateway to serve", || async { status().await == Some(200) }).await;
        stage
    }

    /// Applies the gate with this module and waits until the gateway has heard of it.
    async fn gate(&self, module: &Value) {
        let shipped = Shipped::render(&values(&self.house, module));
        self.kube.kubectl(&["apply", "-f", &shipped.path("gate.yaml")]);
        wait::until_true(SOON, "the gate's configuration to arrive", || async {
            self.agent.page("/config_dump").await.contains("extensions.istio.io")
        })
        .await;
    }

    /// `gatehouse doctor` finds that the module is missing, and what that means for whoever asks. The agent tries for a while.
    async fn misses_its_module(&self, instead: &str) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        wait::until_true(SOON, instead, || async {
            std::fs::write(file.path(), self.agent.page("/config_dump?include_eds=off").await).expect("a file");
            let mut command = std::process::Command::new(parts::house());
            let done = command.args(["doctor", "--config-dump"]).arg(file.path()).output().expect("gatehouse");
            done.status.code() == Some(1) && String::from_utf8_lossy(&done.stdout).contains(instead)
        })
        .await;
    }

    async fn without_gate(&self) {
        self.kube.kubectl(&["-n", NAMESPACE, "delete", "wasmplugin", "gatehouse"]);
        wait::until_true(SOON, "the plain gateway again", || async {
            status().await == Some(200)
                && !self.agent.page("/config_dump?resource=ecds_filters").await.contains("gatehouse")
        })
        .await;
    }
}

fn values(house: &House, module: &Value) -> Value {
    let mut module = module.clone();
    if module["url"].is_null() {
        module["url"] = json!("file:///nowhere/gate.wasm");
    }
    json!({
        "gateway": { "name": "ingress", "namespace": NAMESPACE, "serviceAccount": agent::ACCOUNT, "http": HTTP },
        "module": module,
        "house": { "socket": house.socket() },
        "routes": [{ "name": "page", "hosts": [HOST], "service": "productpage.default.svc.cluster.local", "port": 9080 }],
    })
}

async fn status() -> Option<u16> {
    answer(&[]).await
}

async fn answer(more: &[(&str, &str)]) -> Option<u16> {
    let fields = [&[("host", HOST), ("connection", "close")], more].concat();
    let asked = request("GET", "/productpage", &fields, b"");
    exchange(SocketAddr::from((Ipv4Addr::LOCALHOST, HTTP)), &asked).await.ok().map(|reply| reply.status)
}

/// Every answer for a while.
async fn answers() -> Vec<Option<u16>> {
    let (mut all, end) = (Vec::new(), tokio::time::Instant::now() + A_WHILE);
    while tokio::time::Instant::now() < end {
        all.push(status().await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// Serves these bytes to whoever asks for anything.
async fn serve(bytes: Vec<u8>) -> tokio::task::JoinHandle<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, SERVER)).await.expect("a free port");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/wasm\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                bytes.len()
            );
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked).await;
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
    })
}

fn url() -> String {
    format!("http://127.0.0.1:{SERVER}/gate.wasm")
}

fn sha256(path: &std::path::Path) -> String {
    let done = std::process::Command::new("sha256sum").arg(path).output().expect("sha256sum");
    String::from_utf8_lossy(&done.stdout).split(' ').next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_module_that_cannot_be_had_or_is_another_lets_requests_pass_where_the_values_say_open() {
    let stage = Stage::start().await;
    let digest = sha256(&parts::wasm());
    // (a) Nobody serves it.
    stage.gate(&json!({ "url": url(), "sha256": digest, "onFailure": "open" })).await;
    stage.misses_its_module("has not come yet").await;
    assert_eq!(answers().await, [Some(200)], "open: requests pass while the module cannot be had");
    stage.misses_its_module("every request passes without it").await;
    stage.without_gate().await;
    // (b) What is served is something else.
    let server = serve(std::fs::read(parts::wasm()).expect("the module")).await;
    stage.gate(&json!({ "url": url(), "sha256": "0".repeat(64), "onFailure": "open" })).await;
    assert_eq!(answers().await, [Some(200)], "open: requests pass while the digest is another");
    stage.without_gate().await;
    // What documentation says of the other words.
    for word in ["reload", "close"] {
        stage.gate(&json!({ "url": url(), "sha256": "0".repeat(64), "onFailure": word })).await;
        wait::until_true(SOON, "the agent to refuse the module", || async { status().await == Some(403) }).await;
        assert_eq!(answers().await, [Some(403)], "{word}: the agent denies");
        stage.misses_its_module("refused in its place, with 403 and `RBAC: access denied`").await;
        stage.without_gate().await;
    }
    // The right digest: the gate is there, and sees a house.
    stage.gate(&json!({ "url": url(), "sha256": digest, "onFailure": "open" })).await;
    wait::until_true(SOON, "the gate to speak with the house", || async {
        stage.house.status().await["streams"].as_array().is_some_and(|streams| !streams.is_empty())
    })
    .await;
    assert_eq!(answers().await, [Some(200)]);
    server.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_module_that_traps_is_loaded_anew_in_the_usual_form() {
    let stage = Stage::start().await;
    let trap = format!("file://{}", parts::wasm_trap().display());
    stage.gate(&json!({ "url": trap })).await;
    wait::until_true(SOON, "the gate to speak with the house", || async {
        stage.house.status().await["streams"].as_array().is_some_and(|streams| !streams.is_empty())
    })
    .await;
    wait::until_true(SOON, "a request to trap the module", || async {
        answer(&[("x-test-trap", "1")]).await == Some(503)
    })
    .await;
    wait::until_true(Duration::from_secs(10), "the worker to be sound again", || async {
        let mut sound = true;
        for _ in 0..12 {
            sound &= status().await == Some(200);
        }
        sound
    })
    .await;
    assert_eq!(answers().await, [Some(200)]);
}
