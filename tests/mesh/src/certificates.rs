//! Certificates of the mesh on a machine outside it: Istio's agent without a proxy, which asks istiod for them, writes them into a folder, and
//! writes them anew before they expire.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use gatehouse_support::process::{Process, Signal};
use tempfile::TempDir;

use crate::{Istiod, Kube, START, istiod, tools};

/// The agent; it ends with this value.
#[derive(Debug)]
pub struct Certificates {
    folder: TempDir,
    _process: Process,
}

impl Certificates {
    /// For this service account, each for so long.
    ///
    /// # Panics
    /// No certificate comes; the log is in the message.
    pub async fn start(kube: &Kube, istiod: &Istiod, namespace: &str, account: &str, lifetime: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("gatehouse-certificates-").tempdir().expect("a folder");
        kube.token(namespace, account, &folder.path().join("var/run/secrets/tokens"));
        std::fs::create_dir(folder.path().join("tls")).expect("a folder");
        let mut command = Command::new(tools("GATEHOUSE_ISTIO").join("pilot-agent"));
        command.current_dir(folder.path()).args(["proxy", "sidecar"]);
        command.envs([("DISABLE_ENVOY", "true"), ("OUTPUT_CERTS", "tls"), ("SECRET_TTL", lifetime)]);
        command.envs([("POD_NAMESPACE", namespace), ("SERVICE_ACCOUNT", account), ("TRUST_DOMAIN", "cluster.local")]);
        command.env("PROXY_CONFIG", format!("discoveryAddress: 127.0.0.1:{}", istiod::SECURE));
        command.env("ISTIOD_SAN", "istiod.istio-system.svc");
        command.envs([("XDS_ROOT_CA", istiod.root()), ("CA_ROOT_CA", istiod.root())]);
        let mut process = Process::start("Istio's agent", command, &folder.path().join("agent.log"), Signal::TERM);
        let (chain, end) = (folder.path().join("tls/cert-chain.pem"), Instant::now() + START);
        while !chain.exists() {
            process.assert_running();
            assert!(Instant::now() < end, "no certificate of the mesh; the log ends:\n{}", process.tail(60));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Self { folder, _process: process }
    }

    /// The folder of `cert-chain.pem`, `key.pem` and `root-cert.pem`.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join("tls")
    }

    /// What stands in the certificate now.
    ///
    /// # Panics
    /// It cannot be read.
    pub fn chain(&self) -> String {
        std::fs::read_to_string(self.folder().join("cert-chain.pem")).expect("a certificate")
    }
}
