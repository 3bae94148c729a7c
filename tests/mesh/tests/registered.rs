//! A database outside the mesh behind `gatehouse guard`, as `docs/connections.md` registers it: the guard has certificates that istiod issued,
//! workloads reach it through the proxies beside them, by the mesh's own mutual TLS, and exactly the listed account is let in.

use std::net::SocketAddr;
use std::time::Duration;

use gatehouse_mesh::certificates::Certificates;
use gatehouse_mesh::workload::Workload;
use gatehouse_mesh::{Agent, Istiod, Kube};
use gatehouse_support::process::{Process, Signal};
use gatehouse_support::{Echo, parts, ports, wait};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SOON: Duration = Duration::from_secs(60);
/// What the page calls the guard's machine, and what it is here.
const MACHINE: (&str, &str) = ("192.0.2.20", "10.255.0.4");
const PORT: u16 = 5432;
/// How long a certificate of the guard holds here; renewed when half of it is over.
const LIFETIME: Duration = Duration::from_secs(40);

/// What a record of TLS begins with that says what is wrong (RFC 8446, 5.1).
const ALERT: u8 = 21;

const FRONTEND: Workload = Workload::frontend("frontend", r#"{"app":"frontend"}"#);
const BATCH: Workload = Workload::batch();

/// What the service says first, and to `hi`; nothing where it is never reached.
async fn talks(workload: Workload) -> Vec<u8> {
    let Ok(mut stream) = TcpStream::connect(workload.at(PORT)).await else { return Vec::new() };
    let mut said = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_buf(&mut said)).await;
    if !said.is_empty() {
        let _ = stream.write_all(b"hi").await;
        let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_buf(&mut said)).await;
    }
    said
}

async fn is_served(workload: Workload) {
    let what = format!("{} to be served", workload.account);
    wait::until_true(SOON, &what, || async { talks(workload).await == b"220 echo ready\r\nHI" }).await;
}

/// The blocks of the page's section on this, as they stand.
fn page() -> Vec<String> {
    let page = std::fs::read_to_string(parts::root().join("docs/connections.md")).expect("the page");
    let (_, section) = page.split_once("\n## Outside the mesh\n").expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let block = |rest: &str| rest.split("\n```").next().unwrap_or_default().to_owned() + "\n";
    section.split("```yaml\n").skip(1).map(block).collect()
}

/// The page's guard, with this machine's address, service and certificates.
fn guard(block: &str, upstream: SocketAddr, certificates: &Certificates, folder: &std::path::Path) -> (Process, u16) {
    let (tls, admin) = (certificates.folder().display().to_string(), ports::free());
    let mut text = block.to_owned();
    for (written, here) in [
        ("0.0.0.0:5432", format!("{}:{PORT}", MACHINE.1)),
        ("127.0.0.1:5433", upstream.to_string()),
        ("/etc/gatehouse/tls", tls),
        ("/etc/gatehouse/policies", folder.join("policy.yaml").display().to_string()),
    ] {
        assert!(text.contains(written), "the page has no `{written}`:\n{text}");
        text = text.replace(written, &here);
    }
    text.push_str(&format!("admin: 127.0.0.1:{admin}\n"));
    std::fs::write(folder.join("guard.yaml"), text).expect("a file");
    let mut command = std::process::Command::new(parts::house());
    command.args(["guard", "--config"]).arg(folder.join("guard.yaml"));
    (Process::start("the guard", command, &folder.join("guard.log"), Signal::TERM), admin)
}

fn policy() -> Value {
    json!({
        "apiVersion": "gatehouse.dev/v1", "kind": "TcpPolicy", "metadata": { "name": "orders" },
        "spec": {
            "hosts": ["orders.internal"], "requireMutualTls": true, "requireOneUri": true,
            "rules": [{ "name": "frontend", "match": { "serviceAccounts": ["shop/frontend"] }, "then": "allow" }],
            "otherwise": "reject",
        },
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guarded_database_outside_the_mesh_is_reached_by_the_listed_account_only() {
    let blocks = page();
    let of = |start: &str| blocks.iter().find(|block| block.starts_with(start)).expect(start);
    let kube = Kube::start().await.with_resources().await;
    let istiod = Istiod::start(&kube).await;
    for (namespace, account) in [("data", "db-guard"), ("shop", FRONTEND.account), ("shop", BATCH.account)] {
        let _ = kube.try_kubectl(&["create", "namespace", namespace], None);
        kube.kubectl(&["-n", namespace, "create", "serviceaccount", account]);
    }
    let registration = of("apiVersion: networking.istio.io").replace(MACHINE.0, MACHINE.1);
    kube.kubectl_with(&["apply", "--server-side", "--validate=strict", "-f", "-"], &registration);
    let lifetime = format!("{}s", LIFETIME.as_secs());
    let certificates = Certificates::start(&kube, &istiod, "data", "db-guard", &lifetime).await;
    let (first, begun) = (certificates.chain(), tokio::time::Instant::now());
    let database = Echo::greeting().await;
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("policy.yaml"), policy().to_string()).expect("a file");
    let (mut guard, _) = guard(of("node:"), database.address(), &certificates, folder.path());
    let mut agents = Vec::new();
    for workload in [FRONTEND, BATCH] {
        kube.kubectl_with(
            &["apply", "--server-side", "--validate=strict", "-f", "-"],
            &workload.sidecar(&[(PORT, "TCP")], &json!(["*/*"])),
        );
        agents.push(Agent::start_pod(&kube, &istiod, &workload.pod()).await);
    }
    is_served(FRONTEND).await;
    let reached = database.connections();
    assert_eq!(talks(BATCH).await, b"", "nothing of the greeting is leaked");
    // Plain text, past the proxies.
    let mut plain = TcpStream::connect((MACHINE.1, PORT)).await.expect("the guard");
    let _ = plain.write_all(b"hi\n").await;
    let mut answer = [0; 64];
    let length = plain.read(&mut answer).await.unwrap_or(0);
    assert!(length == 0 || answer[0] == ALERT, "{answer:?}");
    assert_eq!(database.connections(), reached, "nobody else reached the database");
    for line in [
        "allowing: spiffe://cluster.local/ns/shop/sa/frontend to orders.internal (orders/frontend)",
        "rejecting: spiffe://cluster.local/ns/shop/sa/batch to orders.internal (orders/otherwise)",
    ] {
        wait::until_true(SOON, line, || async { guard.log().contains(line) }).await;
    }
    // The first certificate expires; the agent and the guard have a new one by then.
    tokio::time::sleep_until(begun + LIFETIME).await;
    assert_ne!(certificates.chain(), first, "the agent writes a renewed certificate");
    is_served(FRONTEND).await;
    guard.assert_running();
    for agent in &agents {
        agent.assert_nothing_refused().await;
    }
}
