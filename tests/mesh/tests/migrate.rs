//! Out of a hairpin in a real mesh, step by step as `gatehouse render migrate` prints them: both side by side, verdicts compared, ours enforced,
//! the detour out, back in by the undo, out again, and the other product gone. Not one request fails on the way.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use gatehouse_mesh::traffic::get;
use gatehouse_mesh::{Agent, Apps, Istiod, Kube, NAMESPACE, Traffic, agent};
use gatehouse_support::defender::{VERDICT, compared};
use gatehouse_support::house::Setup;
use gatehouse_support::{Defender, House, parts, wait};
use serde_json::{Value, json};
use tempfile::TempDir;

const HOST: &str = "shop.example.com";
const HTTP: u16 = 18080;
/// Where the detours of `deploy/migrate` expect the other product.
const DEFENDER: u16 = 8080;
const SOON: Duration = Duration::from_secs(60);

struct Stage {
    kube: Kube,
    house: House,
    agent: Agent,
    defender: Defender,
    folder: TempDir,
    plan: Value,
    _istiod: Istiod,
    _apps: Apps,
}

/// What the mesh knows besides the detour: the application, the other product, a gateway, and a route where the detour brings none.
fn around(with_route: bool) -> String {
    let defender = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
        "metadata": { "name": "defender", "namespace": "default" },
        "spec": {
            "hosts": ["defender.security.svc.cluster.local"], "location": "MESH_EXTERNAL", "resolution": "STATIC",
            "ports": [{ "number": DEFENDER, "name": "http", "protocol": "HTTP" }], "endpoints": [{ "address": "127.0.0.1" }],
        },
    });
    let gateway = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Gateway",
        "metadata": { "name": "gatehouse", "namespace": NAMESPACE },
        "spec": {
            "selector": { "istio": "ingressgateway" },
            "servers": [{ "port": { "number": HTTP, "name": "http", "protocol": "HTTP" }, "hosts": ["*"] }],
        },
    });
    let route = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": { "name": "plain", "namespace": NAMESPACE },
        "spec": {
            "hosts": [HOST], "gateways": ["gatehouse"],
            "http": [{ "route": [{ "destination": { "host": "productpage.default.svc.cluster.local", "port": { "number": 9080 } } }] }],
        },
    });
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": agent::ACCOUNT, "namespace": NAMESPACE },
    });
    let mut items = vec![defender, gateway, account];
    if with_route {
        items.push(route);
    }
    json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string()
}

/// What replaces the other product in the end.
fn policy(mode: &str) -> String {
    let rules = json!([
        { "name": "attack", "match": { "path": "/attack/**" }, "then": "block" },
        { "name": "admin", "match": { "path": "/admin/**" }, "then": "block" },
    ]);
    let policy = json!({
        "apiVersion": "gatehouse.dev/v1", "kind": "Policy", "metadata": { "name": "shop" },
        "spec": { "mode": mode, "rules": rules },
    });
    policy.to_string()
}

impl Stage {
    /// The gateway with its detour, and a plan to leave it.
    async fn hairpin(sample: &str, more: &[&str]) -> Self {
        let kube = Kube::start().await.with_resources().await;
        let setup = Setup { policies: vec![("shop.yaml".into(), policy("monitor"))], extra: String::new() };
        let (house, istiod) = tokio::join!(House::start_with(&setup), Istiod::start(&kube));
        kube.kubectl_with(&["apply", "-f", "-"], &Apps::entries());
        kube.kubectl_with(&["apply", "-f", "-"], &around(sample == "envoy-filter"));
        kube.deploy("ingress", ("istio", "ingressgateway"), "proxy");
        let manifests = parts::root().join(format!("deploy/migrate/{sample}.yaml")).display().to_string();
        kube.kubectl(&["apply", "-f", &manifests]);
        let apps = Apps::start().await;
        let gateway = SocketAddr::from(([127, 0, 0, 1], HTTP));
        let defender = Defender::start(DEFENDER, gateway, &["/attack", "/secret"]).await;
        let agent = Agent::start(&kube, &istiod, &[]).await;

        let folder = tempfile::tempdir().expect("a folder");
        let values = json!({
            "gateway": { "name": "ingress", "namespace": NAMESPACE, "serviceAccount": agent::ACCOUNT, "http": HTTP },
            "module": { "url": format!("file://{}", parts::wasm().display()) },
            "house": { "socket": house.socket() },
        });
        std::fs::write(folder.path().join("values.yaml"), values.to_string()).expect("a file");
        let mut command = Command::new(parts::house());
        command.args(["render", "--json", "migrate", &manifests, "--values"]).arg(folder.path().join("values.yaml"));
        command
            .arg("-o")
            .arg(folder.path())
            .args(["--verdict-header", &format!("{}={}", VERDICT.0, VERDICT.1)])
            .args(more);
        let done = command.output().expect("gatehouse");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let plan = serde_json::from_slice(&done.stdout).expect("JSON");
        Self { kube, house, agent, defender, folder, plan, _istiod: istiod, _apps: apps }
    }

    /// Types what a step says, as far as it is for `kubectl`. Nobody runs the pods of this cluster, so nobody waits for them.
    fn types(&self, step: usize, which: &str) -> usize {
        let lines = self.plan["steps"][step][which].as_array().expect("lines");
        let lines = lines.iter().filter_map(|line| line.as_str()?.strip_prefix("kubectl "));
        let mut typed = 0;
        for line in lines.filter(|line| !line.contains(" rollout ")) {
            self.kube.kubectl(&line.split(' ').collect::<Vec<_>>());
            typed += 1;
        }
        typed
    }

    async fn status(&self, target: &str) -> Option<u16> {
        get(HTTP, HOST, target).await.map(|reply| reply.status)
    }

    async fn answers(&self, target: &str, status: u16) {
        let what = format!("{target} to be answered with {status}");
        wait::until_true(SOON, &what, || async {
            // Each worker has to know.
            for _ in 0..8 {
                if self.status(target).await != Some(status) {
                    return false;
                }
            }
            true
        })
        .await;
    }

    /// Whether requests go by the other product.
    async fn detours(&self, expected: bool) {
        let what = if expected { "requests to go by the other product" } else { "requests to go straight" };
        wait::until_true(SOON, what, || async {
            let before = self.defender.seen().await;
            for _ in 0..8 {
                self.status("/productpage").await;
            }
            // The loop of requests goes on beside these.
            (self.defender.seen().await > before) == expected
        })
        .await;
    }

    async fn leave(mut self, expected: &str) {
        assert_eq!(self.plan["found"].as_array().and_then(|found| found.last()).expect("a detour")["kind"], expected);
        self.answers("/productpage", 200).await;
        self.detours(true).await;
        let traffic = Traffic::start(HTTP, HOST, "/productpage");

        // Both side by side.
        let migrate =
            std::fs::read_to_string(self.folder.path().join("1-side-by-side/migrate.yaml")).expect("the policy");
        self.house.put_policy("migrate.yaml", &migrate);
        assert!(self.types(0, "run") >= 4, "{}", self.plan);
        wait::until_true(SOON, "the gate to see requests that came back", || async {
            self.status("/productpage").await;
            compared(&self.house)["without"].as_u64().is_some_and(|without| without > 0)
        })
        .await;
        for target in ["/attack/1", "/admin/1", "/secret/1", "/attack/2", "/admin/2"] {
            self.status(target).await;
        }
        let compared = wait::until(SOON, "the verdicts on five requests", || async {
            let compared = compared(&self.house);
            let differ = (compared["both"] == 2, compared["only_ours"] == 2, compared["only_theirs"] == 1);
            (differ == (true, true, true)).then_some(compared)
        })
        .await;
        assert_eq!(compared["only_theirs_examples"][0]["request"], "GET /secret/1", "{compared}");
        assert_eq!(self.status("/admin/1").await, Some(404), "nothing of ours is enforced yet");

        // Ours enforced, while the detour is still there.
        self.house.put_policy("shop.yaml", &policy("enforce"));
        self.answers("/admin/1", 403).await;
        self.detours(true).await;

        // The detour out, in again, out.
        assert_eq!(self.types(3, "run"), 1, "{}", self.plan);
        self.detours(false).await;
        self.answers("/attack/1", 403).await;
        self.types(3, "undo");
        self.detours(true).await;
        self.types(3, "run");
        self.detours(false).await;

        // The other product gone, and its header believed no more.
        std::fs::remove_file(self.house.policies().join("migrate.yaml")).expect("the policy goes");
        self.types(4, "run");
        let gone = std::mem::replace(
            &mut self.defender,
            Defender::start(18181, SocketAddr::from(([127, 0, 0, 1], HTTP)), &[]).await,
        );
        gone.stop().await;
        self.answers("/admin/1", 403).await;
        self.answers("/productpage", 200).await;
        traffic.assert_none_failed().await;
        self.agent.assert_nothing_refused().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_for_who_lacks_a_header() {
    Stage::hairpin("envoy-filter", &[]).await.leave("inverted-header").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_default_destination() {
    let proxy = ["--proxy", "defender.security.svc.cluster.local"];
    Stage::hairpin("virtual-service", &proxy).await.leave("default-destination").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_this_machine() {
    Stage::hairpin("service-entry", &[]).await.leave("default-destination").await;
}
