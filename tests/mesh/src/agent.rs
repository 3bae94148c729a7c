//! A pod of the mesh: Istio's own agent and a stock Envoy under it, at a gateway or beside an application.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use gatehouse_support::client::{exchange, request};
use gatehouse_support::process::{Process, Signal};
use gatehouse_support::{parts, wait};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Istiod, Kube, NAMESPACE, START, istiod, tools};

const STOP: Duration = Duration::from_secs(20);
/// Until a line of the log is there.
const LINE: Duration = Duration::from_secs(60);
/// Who the gateway is.
pub const ACCOUNT: &str = "ingress-sa";

/// Whose pod it is.
#[derive(Debug, Clone)]
pub struct Pod {
    /// `router`, `sidecar` or `waypoint`.
    pub kind: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Where it runs.
    pub namespace: &'static str,
    /// Its service account.
    pub account: &'static str,
    /// Its address; a sidecar listens there.
    pub address: &'static str,
    /// Its labels, as JSON.
    pub labels: &'static str,
    /// The first of the ten ports that agent and Envoy take for themselves.
    pub ports: u16,
    /// Further variables of the agent.
    pub more: Vec<(&'static str, String)>,
    /// The annotation `proxy.istio.io/config` of its pod, as the injector would pass it on; JSON.
    pub config: Option<String>,
}

impl Pod {
    /// The pod of the house that stands on its own, whose container is a house of the test's on loopback.
    pub fn house(address: &'static str, ports: u16) -> Self {
        Self {
            kind: "sidecar",
            name: "gatehouse-0",
            namespace: "gatehouse",
            account: "gatehouse",
            address,
            labels: r#"{"app.kubernetes.io/name":"gatehouse"}"#,
            ports,
            more: Vec::new(),
            config: None,
        }
    }

    /// The gateway that all manifests of the tests are for.
    pub fn gateway() -> Self {
        Self {
            kind: "router",
            name: "ingress",
            namespace: NAMESPACE,
            account: ACCOUNT,
            address: "10.255.0.1",
            labels: r#"{"istio":"ingressgateway","app":"ingress"}"#,
            ports: 15900,
            more: Vec::new(),
            config: None,
        }
    }
}

/// The agent; Envoy ends with it.
#[derive(Debug)]
pub struct Agent {
    process: Process,
    admin: u16,
    _folder: TempDir,
}

impl Agent {
    /// Starts the gateway's. Panics like [`Agent::start_pod`].
    pub async fn start(kube: &Kube, istiod: &Istiod, more: &[(&'static str, &str)]) -> Self {
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self::start_pod(kube, istiod, &Pod { more, ..Pod::gateway() }).await
    }

    /// Starts one, with a token of its service account, and waits until Envoy is live.
    ///
    /// # Panics
    /// When Envoy does not become live; the log is in the message.
    pub async fn start_pod(kube: &Kube, istiod: &Istiod, pod: &Pod) -> Self {
        let folder = tempfile::Builder::new().prefix("gatehouse-agent-").tempdir().expect("a folder");
        kube.token(pod.namespace, pod.account, &folder.path().join("var/run/secrets/tokens"));
        let port = |at: u16| (pod.ports + at).to_string();
        let mut config = json!({
            "binaryPath": parts::envoy(), "configPath": folder.path().join("proxy"),
            "discoveryAddress": format!("127.0.0.1:{}", istiod::SECURE), "controlPlaneAuthPolicy": "MUTUAL_TLS",
            "proxyAdminPort": pod.ports, "statusPort": pod.ports + 1, "concurrency": 2,
            // A worker that makes its VM just then takes up a changed listener later than the main thread thinks: connections that it
            // takes in meanwhile end with the old one, so its end must be far from its beginning (45 s by default).
            "drainDuration": "10s", "terminationDrainDuration": "1s",
        });
        if let Some(annotation) = &pod.config {
            let more: Value = serde_json::from_str(annotation).expect("the annotation is JSON");
            config.as_object_mut().expect("a map").extend(more.as_object().cloned().expect("a map"));
        }
        let mut command = Command::new(tools("GATEHOUSE_ISTIO").join("pilot-agent"));
        command.current_dir(folder.path());
        command.envs([
            ("POD_NAME", pod.name),
            ("POD_NAMESPACE", pod.namespace),
            ("INSTANCE_IP", pod.address),
            ("ISTIO_META_CLUSTER_ID", "Kubernetes"),
            ("SERVICE_ACCOUNT", pod.account),
            ("TRUST_DOMAIN", "cluster.local"),
            ("ISTIO_METAJSON_LABELS", pod.labels),
            ("ISTIO_META_INTERCEPTION_MODE", "NONE"),
            ("FILE_MOUNTED_CERTS", "false"),
            ("ISTIOD_SAN", "istiod.istio-system.svc"),
            ("PILOT_CERT_PROVIDER", "istiod"),
        ]);
        command.envs([("ENVOY_STATUS_PORT", port(2)), ("ENVOY_PROMETHEUS_PORT", port(3))]);
        command.env("PROXY_CONFIG", config.to_string());
        command.envs([("XDS_ROOT_CA", istiod.root()), ("CA_ROOT_CA", istiod.root())]);
        command.envs(pod.more.iter().map(|(name, value)| (name, value)));
        let domain = format!("{}.svc.cluster.local", pod.namespace);
        command.args(["proxy", pod.kind, "--domain", &domain, "--templateFile"]).arg(bootstrap(folder.path()));
        let process = Process::start("Istio's agent", command, &folder.path().join("agent.log"), Signal::TERM);
        let mut agent = Self { process, admin: pod.ports, _folder: folder };
        agent.live().await;
        agent
    }

    async fn live(&mut self) {
        let (process, admin) = (&mut self.process, self.admin);
        wait::until_true(START, "a pod's Envoy to be live", || {
            process.assert_running();
            async move { page(admin, "/ready").await.is_some_and(|said| said.trim() == "LIVE") }
        })
        .await;
    }

    /// A page of Envoy's admin interface.
    ///
    /// # Panics
    /// When nobody answers.
    pub async fn page(&self, path: &str) -> String {
        page(self.admin, path)
            .await
            .unwrap_or_else(|| panic!("no answer to {path}; the log ends:\n{}", self.process.tail(20)))
    }

    /// Has it write what a component says from this level on, such as `wasm=info`.
    ///
    /// # Panics
    /// It does not.
    pub async fn logs(&self, component: &str) {
        let asked =
            request("POST", &format!("/logging?{component}"), &[("host", "envoy"), ("connection", "close")], b"");
        let reply = exchange(SocketAddr::from(([127, 0, 0, 1], self.admin)), &asked).await.expect("an answer");
        assert_eq!(reply.status, 200, "{component}: {}", reply.text());
    }

    /// Counters and gauges with this in their name.
    pub async fn stats(&self, part: &str) -> Vec<(String, u64)> {
        let said: Value = serde_json::from_str(&self.page("/stats?format=json").await).expect("JSON");
        let all = said["stats"].as_array().cloned().unwrap_or_default();
        let pair = |stat: &Value| Some((stat["name"].as_str()?.to_owned(), stat["value"].as_u64()?));
        all.iter().filter_map(pair).filter(|(name, _)| name.contains(part)).collect()
    }

    /// Fails if Envoy ever refused something that istiod sent.
    ///
    /// # Panics
    /// It did; the log is in the message.
    pub async fn assert_nothing_refused(&self) {
        let refused = self.stats("update_rejected").await;
        let refused: Vec<_> = refused.into_iter().filter(|(_, times)| *times > 0).collect();
        assert!(refused.is_empty(), "{refused:?}; the log:\n{}", self.process.tail(60));
    }

    /// Envoy ends who never says enough for the gate of connections to be told of it.
    ///
    /// # Panics
    /// When it does not.
    pub async fn assert_silent_ones_end(&self) {
        let listeners = self.page("/config_dump?resource=dynamic_listeners").await;
        assert!(listeners.contains(r#""listener_filters_timeout": "5s""#), "{listeners}");
    }

    /// Waits for a line of the log with all these words.
    ///
    /// # Panics
    /// There is none.
    pub async fn logged(&self, words: &[&str]) {
        wait::until_true(LINE, &format!("a line of {words:?}"), || {
            let found = self.log().lines().any(|line| words.iter().all(|word| line.contains(word)));
            async move { found }
        })
        .await;
    }

    /// What the agent and Envoy wrote.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Killed, it would leave Envoy behind, and Envoy its ports.
        self.process.signal(Signal::TERM);
        let deadline = Instant::now() + STOP;
        while self.process.ended().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Istio's template for a proxy's bootstrap, without an extension that a stock Envoy lacks and that waypoints ask for.
fn bootstrap(folder: &Path) -> PathBuf {
    let shipped = std::fs::read_to_string(tools("GATEHOUSE_ISTIO").join("envoy_bootstrap.json")).expect("a template");
    let own = folder.join("bootstrap.json");
    std::fs::write(&own, shipped.replace("if .metadata_discovery", "if false")).expect("a file");
    own
}

async fn page(admin: u16, path: &str) -> Option<String> {
    let asked = request("GET", path, &[("host", "envoy"), ("connection", "close")], b"");
    let reply = exchange(SocketAddr::from(([127, 0, 0, 1], admin)), &asked).await.ok()?;
    Some(reply.text())
}
