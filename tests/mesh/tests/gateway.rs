//! Real istiod, Istio's agent and a stock Envoy with nothing of ours but what `gatehouse render istio` makes: the application answers, what
//! is forbidden does not, events arrive; whatever becomes of the house; and without our manifests it is the gateway that it was.

use std::process::Command;
use std::time::Duration;

use gatehouse_kafka::Broker;
use gatehouse_mesh::traffic::get;
use gatehouse_mesh::{Agent, Apps, Istiod, Kube, NAMESPACE, Traffic, agent, shipped::Shipped};
use gatehouse_support::client::Reply;
use gatehouse_support::house::Setup;
use gatehouse_support::{House, parts, wait};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde_json::{Value, json};

const HOST: &str = "shop.example.com";
const HTTP: u16 = 18080;
const HTTPS: u16 = 18443;
const TOPIC: &str = "gatehouse.events";
const SOON: Duration = Duration::from_secs(60);

struct Stage {
    house: House,
    agent: Agent,
    shipped: Shipped,
    kube: Kube,
    _istiod: Istiod,
    _apps: Apps,
    certificate: tempfile::NamedTempFile,
}

impl Stage {
    /// The plain gateway with its routes, and a house that nobody speaks with yet.
    async fn plain(setup: &Setup, kind: &str) -> Self {
        let kube = Kube::start().await.with_resources().await;
        let (house, istiod) = tokio::join!(House::start_with(setup), Istiod::start(&kube));
        let values = json!({
            "gateway": { "name": "ingress", "namespace": NAMESPACE, "serviceAccount": agent::ACCOUNT, "http": HTTP, "https": HTTPS },
            "module": { "url": format!("file://{}", parts::wasm().display()) },
            "house": { "socket": house.socket() },
            "istio": { "kind": kind },
            "routes": [{
                "name": "productpage", "hosts": [HOST], "service": "productpage.default.svc.cluster.local", "port": 9080,
                "credential": "shop-tls",
            }],
        });
        let shipped = Shipped::render(&values);
        let certificate = credential(&kube);
        kube.kubectl(&["apply", "-f", &shipped.path("gateway.yaml")]);
        kube.kubectl_with(&["apply", "-f", "-"], &Apps::entries());
        kube.kubectl(&["apply", "-f", &shipped.path("routes.yaml")]);
        let apps = Apps::start().await;
        let agent = Agent::start(&kube, &istiod, &[]).await;
        let stage = Self { house, agent, shipped, kube, _istiod: istiod, _apps: apps, certificate };
        wait::until_true(SOON, "the plain gateway to serve", || async {
            stage.get("/productpage").await.is_some_and(|reply| reply.status == 200)
        })
        .await;
        stage
    }

    const OURS: [&str; 3] = ["house-config.yaml", "mesh.yaml", "gate.yaml"];

    fn apply(&self) {
        for name in Self::OURS {
            let path = self.shipped.path(name);
            self.kube.kubectl(&["apply", "--server-side", "--validate=strict", "-f", &path]);
        }
    }

    fn remove(&self) {
        for name in Self::OURS {
            self.kube.kubectl(&["delete", "-f", &self.shipped.path(name)]);
        }
    }

    async fn get(&self, target: &str) -> Option<Reply> {
        get(HTTP, HOST, target).await
    }

    /// Status and body by HTTPS with SNI, as an operator asks.
    fn curl(&self, target: &str) -> (String, String) {
        let url = format!("https://{HOST}:{HTTPS}{target}");
        let mut command = Command::new("curl");
        command.args(["-sS", "--noproxy", "*", "--max-time", "20", "--resolve", &format!("{HOST}:{HTTPS}:127.0.0.1")]);
        command.args(["--cacert", &self.certificate.path().display().to_string()]);
        command.args(["-w", "\n%{http_code}", &url]);
        let done = command.output().expect("curl (Debian package name)");
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let (body, code) = said.rsplit_once('\n').expect("a line with the status");
        (code.to_owned(), body.to_owned())
    }
}

/// The certificate that the Gateway names, as a secret of the cluster.
fn credential(kube: &Kube) -> tempfile::NamedTempFile {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec![HOST.to_owned()]).expect("a name");
    // Its own root, so that curl can be told to trust it.
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).expect("a certificate");
    let file = |text: &str| {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("a file");
        file
    };
    let (certificate, key) = (file(&certificate.pem()), file(&key.serialize_pem()));
    let path = |file: &tempfile::NamedTempFile| file.path().display().to_string();
    let (cert, key) = (format!("--cert={}", path(&certificate)), format!("--key={}", path(&key)));
    kube.kubectl(&["-n", NAMESPACE, "create", "secret", "tls", "shop-tls", &cert, &key]);
    certificate
}

fn policy() -> (String, String) {
    let policy = json!({
        "apiVersion": "gatehouse.dev/v1", "kind": "Policy", "metadata": { "name": "shop" },
        "spec": { "mode": "enforce", "rules": [{ "name": "admin", "match": { "path": "/admin/**" }, "then": "block" }] },
    });
    ("shop.yaml".to_owned(), policy.to_string())
}

/// Waits until every worker judges by the house's policy: each new connection may come to another one.
async fn guarded(stage: &Stage) -> Reply {
    wait::until(SOON, "every worker to judge by the house's policy", || async {
        let mut last = None;
        for _ in 0..12 {
            last = Some(stage.get("/admin/users").await.filter(|reply| reply.status == 403)?);
        }
        last
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_application_answers_what_is_forbidden_does_not_and_events_arrive() {
    let broker = tokio::task::spawn_blocking(Broker::start).await.expect("a broker");
    broker.create_topic(TOPIC, 1, &[]);
    let sinks =
        json!({ "events": { "file": {} }, "kafka": { "kafka": { "brokers": [broker.plain()], "topic": TOPIC } } });
    let setup = Setup { policies: vec![policy()], extra: format!("access_log: json\nsinks: {sinks}") };
    let stage = Stage::plain(&setup, "WasmPlugin").await;
    assert_eq!(stage.get("/admin/users").await.expect("an answer").status, 404, "the application has no such page");
    assert_eq!(stage.curl("/productpage").0, "200");

    stage.apply();
    let refused = guarded(&stage).await;
    let reference = refused.field("x-gatehouse-reference").unwrap_or_else(|| panic!("a reference: {refused:?}"));
    let (code, body) = stage.curl("/productpage");
    assert_eq!(code, "200");
    assert!(body.contains("extremely entertaining") && body.contains("\"stars\":5"), "{body}");
    assert_eq!(stage.curl("/admin/users").0, "403");
    assert_eq!(stage.get("/productpage").await.expect("an answer").status, 200);
    stage.agent.assert_nothing_refused().await;
    healthy(&stage).await;

    let over_tls = wait::until(SOON, "the event of a request over TLS", || async {
        stage.house.events().into_iter().find(|event| event["http_request"]["url"]["scheme"] == "https")
    })
    .await;
    assert_eq!(over_tls["src_endpoint"]["ip"], "127.0.0.1", "{over_tls}");
    assert!(stage.agent.page("/config_dump").await.contains("enable_ja4_fingerprinting"), "our inspector stands there");

    let event = wait::until(SOON, "the event of the refused request", || async {
        stage.house.events().into_iter().find(|event| event["unmapped"]["gatehouse"]["reference"] == reference.as_str())
    })
    .await;
    let id = event["metadata"]["uid"].as_str().expect("an id").to_owned();
    let messages = tokio::task::spawn_blocking(move || {
        wait_for(&broker, &id);
        broker
    });
    let _broker = messages.await.expect("the event in Kafka");
    wait::until_true(SOON, "the house's access log to name the page", || async {
        stage.house.log().lines().any(|line| line.contains("productpage"))
    })
    .await;

    stage.remove();
    wait::until_true(SOON, "the plain gateway again", || async {
        stage.get("/admin/users").await.is_some_and(|reply| reply.status == 404)
    })
    .await;
    wait::until_true(SOON, "the module to be gone", || async {
        !stage.agent.page("/config_dump").await.contains("gatehouse_http.wasm")
    })
    .await;
    stage.agent.assert_nothing_refused().await;
}

/// The doctor finds the gate where Istio puts it, and nothing wrong there.
async fn healthy(stage: &Stage) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), stage.agent.page("/config_dump?include_eds=off").await).expect("a file");
    let done =
        Command::new(parts::house()).args(["doctor", "--config-dump"]).arg(file.path()).output().expect("gatehouse");
    assert!(
        done.status.success(),
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}

fn wait_for(broker: &Broker, id: &str) {
    let deadline = std::time::Instant::now() + SOON;
    let holds = |message: &gatehouse_kafka::Message| {
        let event: Value = serde_json::from_slice(&message.value).unwrap_or_default();
        event["metadata"]["uid"] == id
    };
    while !broker.read_all(TOPIC).iter().any(holds) {
        assert!(std::time::Instant::now() < deadline, "the event is not in Kafka");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_the_house_is_missing_dies_and_comes_back() {
    let mut stage = Stage::plain(&Setup { policies: vec![policy()], extra: String::new() }, "TrafficExtension").await;
    stage.house.stop().await;
    let traffic = Traffic::start(HTTP, HOST, "/productpage");
    // Our manifests come while nobody is home.
    stage.apply();
    wait::until_true(SOON, "the gate to be in the chain", || async {
        stage.agent.page("/config_dump?include_eds=off").await.contains("gatehouse_http.wasm")
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    stage.house.run().await;
    guarded(&stage).await;
    for _ in 0..3 {
        stage.house.kill().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(stage.get("/admin/users").await.expect("an answer").status, 403, "the last policy judges on");
        stage.house.run().await;
    }
    wait::until_true(SOON, "a stream to the house again", || async {
        stage.house.status().await["streams"].as_array().is_some_and(|streams| !streams.is_empty())
    })
    .await;
    stage.remove();
    wait::until_true(SOON, "the plain gateway again", || async {
        stage.get("/admin/users").await.is_some_and(|reply| reply.status == 404)
    })
    .await;
    traffic.assert_none_failed().await;
    stage.agent.assert_nothing_refused().await;
}
