//! A gateway's pod: Istio's own agent and a stock Envoy under it.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use gatehouse_support::client::{exchange, request};
use gatehouse_support::process::{Process, Signal};
use gatehouse_support::{parts, wait};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Istiod, Kube, NAMESPACE, START, istiod, tools};

const ADMIN: u16 = 15900;
const STOP: Duration = Duration::from_secs(20);
/// Who the gateway is.
pub const ACCOUNT: &str = "ingress-sa";

/// The agent; Envoy ends with it.
#[derive(Debug)]
pub struct Agent {
    process: Process,
    _folder: TempDir,
}

impl Agent {
    /// Starts it as `ingress-sa` with the label `istio: ingressgateway`, and waits until Envoy is live.
    ///
    /// # Panics
    /// When Envoy does not become live; the log is in the message.
    pub async fn start(kube: &Kube, istiod: &Istiod, more: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("gatehouse-agent-").tempdir().expect("a folder");
        let token = kube.kubectl(&["-n", NAMESPACE, "create", "token", ACCOUNT, "--audience", "istio-ca"]);
        let tokens = folder.path().join("var/run/secrets/tokens");
        std::fs::create_dir_all(&tokens).expect("a folder");
        std::fs::write(tokens.join("istio-token"), token.trim()).expect("a file");
        let config = json!({
            "binaryPath": parts::envoy(), "configPath": folder.path().join("proxy"),
            "discoveryAddress": format!("127.0.0.1:{}", istiod::SECURE), "controlPlaneAuthPolicy": "MUTUAL_TLS",
            "proxyAdminPort": ADMIN, "statusPort": 15920, "concurrency": 2,
            "drainDuration": "1s", "terminationDrainDuration": "1s",
        });
        let mut command = Command::new(tools("GATEHOUSE_ISTIO").join("pilot-agent"));
        command.current_dir(folder.path());
        command.envs([
            ("POD_NAME", "ingress"),
            ("POD_NAMESPACE", NAMESPACE),
            ("INSTANCE_IP", "10.255.0.1"),
            ("ISTIO_META_CLUSTER_ID", "Kubernetes"),
            ("SERVICE_ACCOUNT", ACCOUNT),
            ("TRUST_DOMAIN", "cluster.local"),
            ("ISTIO_METAJSON_LABELS", r#"{"istio":"ingressgateway","app":"ingress"}"#),
            ("FILE_MOUNTED_CERTS", "false"),
            ("ENVOY_STATUS_PORT", "15921"),
            ("ENVOY_PROMETHEUS_PORT", "15990"),
            ("ISTIOD_SAN", "istiod.istio-system.svc"),
            ("PILOT_CERT_PROVIDER", "istiod"),
        ]);
        command.env("PROXY_CONFIG", config.to_string());
        command.envs([("XDS_ROOT_CA", istiod.root()), ("CA_ROOT_CA", istiod.root())]);
        command.envs(more.iter().copied());
        command.args(["proxy", "router", "--domain", "istio-system.svc.cluster.local", "--templateFile"]);
        command.arg(tools("GATEHOUSE_ISTIO").join("envoy_bootstrap.json"));
        let process = Process::start("Istio's agent", command, &folder.path().join("agent.log"), Signal::TERM);
        let mut agent = Self { process, _folder: folder };
        agent.live().await;
        agent
    }

    async fn live(&mut self) {
        let process = &mut self.process;
        wait::until_true(START, "the gateway's Envoy to be live", || {
            process.assert_running();
            async { page("/ready").await.is_some_and(|said| said.trim() == "LIVE") }
        })
        .await;
    }

    /// A page of Envoy's admin interface.
    ///
    /// # Panics
    /// When nobody answers.
    pub async fn page(&self, path: &str) -> String {
        page(path).await.unwrap_or_else(|| panic!("no answer to {path}; the log ends:\n{}", self.process.tail(20)))
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

async fn page(path: &str) -> Option<String> {
    let asked = request("GET", path, &[("host", "envoy"), ("connection", "close")], b"");
    let reply = exchange(SocketAddr::from(([127, 0, 0, 1], ADMIN)), &asked).await.ok()?;
    Some(reply.text())
}
