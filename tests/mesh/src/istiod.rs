//! Unmodified istiod on a [`Kube`], with an authority of the test as its root.

use std::path::{Path, PathBuf};
use std::process::Command;

use gatehouse_support::client::{exchange, request};
use gatehouse_support::process::{Process, Signal};
use gatehouse_support::wait;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use crate::{Kube, NAMESPACE, START, tools};

/// Its gRPC over TLS.
pub const SECURE: u16 = 15012;
const READY: u16 = 15018;

/// A stock Envoy lacks the filters of Istio's own build, so nothing may ask for them.
const MESH: &str = "trustDomain: cluster.local
rootNamespace: istio-system
enablePrometheusMerge: false
ingressControllerMode: \"OFF\"
accessLogFile: \"\"
defaultProviders: {}
outboundTrafficPolicy: { mode: ALLOW_ANY }
enableAutoMtls: false
defaultConfig: { discoveryAddress: \"localhost:15012\" }
";

/// The control plane.
#[derive(Debug)]
pub struct Istiod {
    process: Process,
    folder: TempDir,
}

impl Istiod {
    /// Starts it and waits until it serves.
    ///
    /// # Panics
    /// When it does not become ready; its log is in the message.
    pub async fn start(kube: &Kube) -> Self {
        Self::start_with(kube, &[]).await
    }

    /// Starts it with further variables. Panics like [`Istiod::start`].
    pub async fn start_with(kube: &Kube, more: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("gatehouse-istiod-").tempdir().expect("a folder");
        authority(&folder.path().join("ca"));
        std::fs::write(folder.path().join("mesh.yaml"), MESH).expect("a file");
        let mut command = Command::new(tools("GATEHOUSE_ISTIO").join("pilot-discovery"));
        command.current_dir(folder.path());
        command.envs([
            ("POD_NAMESPACE", NAMESPACE),
            ("POD_NAME", "istiod"),
            ("CLUSTER_ID", "Kubernetes"),
            ("PILOT_ENABLE_METADATA_EXCHANGE", "false"),
            ("PILOT_ENABLE_ALPN_FILTER", "false"),
            ("INJECT_ENABLED", "false"),
            ("VALIDATION_WEBHOOK_CONFIG_NAME", ""),
            ("INJECTION_WEBHOOK_CONFIG_NAME", ""),
        ]);
        command.env("ROOT_CA_DIR", folder.path().join("ca")).envs(more.iter().copied());
        command.args([
            "discovery",
            "--registries=Kubernetes",
            "--meshConfig=mesh.yaml",
            "--networksConfig=/nonexistent",
        ]);
        command.arg(format!("--kubeconfig={}", kube.kubeconfig().display()));
        command.args([&format!("--httpAddr=127.0.0.1:{READY}"), "--monitoringAddr=127.0.0.1:15014"]);
        command.args(["--grpcAddr=127.0.0.1:15010", &format!("--secureGRPCAddr=127.0.0.1:{SECURE}")]);
        command.args(["--httpsAddr=127.0.0.1:15017", "--ctrlz_address=127.0.0.1", "--profile=false"]);
        let process = Process::start("istiod", command, &folder.path().join("istiod.log"), Signal::KILL);
        let mut istiod = Self { process, folder };
        istiod.ready().await;
        istiod
    }

    async fn ready(&mut self) {
        let process = &mut self.process;
        wait::until_true(START, "istiod to be ready", || {
            process.assert_running();
            async {
                let asked = request("GET", "/ready", &[("host", "istiod"), ("connection", "close")], b"");
                let answer = exchange(([127, 0, 0, 1], READY).into(), &asked).await;
                answer.is_ok_and(|reply| reply.status == 200)
            }
        })
        .await;
    }

    /// The root of every certificate in the mesh.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("ca/root-cert.pem")
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// The four files of a root of one's own, as istiod reads them.
fn authority(folder: &Path) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "root of the tests");
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key).expect("a certificate").pem();
    std::fs::create_dir_all(folder).expect("a folder");
    let files = [
        ("ca-cert.pem", certificate.clone()),
        ("root-cert.pem", certificate.clone()),
        ("cert-chain.pem", certificate),
        ("ca-key.pem", key.serialize_pem()),
    ];
    for (name, text) in files {
        std::fs::write(folder.join(name), text).expect("a file");
    }
}
