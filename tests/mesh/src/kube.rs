//! A kube-apiserver on an etcd of its own, and `kubectl` to it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use gatehouse_support::process::{Process, Signal};
use gatehouse_support::{parts, ports, wait};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::agent::Pod;
use crate::{START, tools};

const TOKEN: &str = "a-token-of-the-tests";
const ISSUER: &str = "https://kubernetes.default.svc";

/// A cluster without nodes.
#[derive(Debug)]
pub struct Kube {
    // The server ends before its store: fields are dropped in this order.
    server: Process,
    _store: Process,
    folder: TempDir,
    programs: PathBuf,
}

impl Kube {
    /// Starts both and waits until the server is ready.
    ///
    /// # Panics
    /// When it does not become ready; its log is in the message.
    pub async fn start() -> Self {
        let programs = tools("GATEHOUSE_KUBE");
        let folder = tempfile::Builder::new().prefix("gatehouse-kube-").tempdir().expect("a folder");
        let (client, peer, port) = (ports::free(), ports::free(), ports::free());
        let store = store(&programs, folder.path(), client, peer);
        keys(folder.path());
        kubeconfig(folder.path(), port);
        let server = server(&programs, folder.path(), client, port);
        let mut kube = Self { server, _store: store, folder, programs };
        kube.ready().await;
        kube
    }

    async fn ready(&mut self) {
        let (kubectl, config) = (self.programs.join("kubectl"), self.kubeconfig());
        let server = &mut self.server;
        wait::until_true(START, "kube-apiserver to be ready", || {
            server.assert_running();
            let ready = run(&kubectl, &config, &["get", "--raw", "/readyz"], None);
            async move { ready.status.success() }
        })
        .await;
    }

    /// How clients reach it.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Runs `kubectl` and gives what it printed.
    ///
    /// # Panics
    /// When it fails; what it said is in the message.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        said(arguments, self.try_kubectl(arguments, None))
    }

    /// The same with something on its standard input.
    pub fn kubectl_with(&self, arguments: &[&str], input: &str) -> String {
        said(arguments, self.try_kubectl(arguments, Some(input)))
    }

    /// The same, and its failure is an answer too.
    pub fn try_kubectl(&self, arguments: &[&str], input: Option<&str>) -> Output {
        run(&self.programs.join("kubectl"), &self.kubeconfig(), arguments, input)
    }

    /// A Deployment in [`crate::NAMESPACE`] with one label on its pods, whose one container is `istio-proxy` of this image.
    pub fn deploy(&self, name: &str, (key, value): (&str, &str), image: &str) {
        let labels = json!({ key: value });
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": name, "namespace": crate::NAMESPACE, "labels": labels },
            "spec": {
                "selector": { "matchLabels": labels },
                "template": {
                    "metadata": { "labels": labels },
                    "spec": { "containers": [{ "name": "istio-proxy", "image": image }] },
                },
            },
        });
        self.kubectl_with(&["apply", "-f", "-"], &deployment.to_string());
    }

    /// Registers Istio's and the Gateway API's resources, and ours.
    pub async fn with_resources(self) -> Self {
        let istio = tools("GATEHOUSE_ISTIO");
        let ours = parts::root().join("deploy/crd/policies.gatehouse.dev.yaml");
        for file in [istio.join("crds.yaml"), istio.join("gateway-api.yaml"), ours] {
            self.kubectl(&["apply", "--server-side", "-f", file.to_str().expect("a path in UTF-8")]);
        }
        self.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
        let namespace = crate::NAMESPACE;
        self.kubectl(&["create", "namespace", namespace]);
        self
    }
}

fn said(arguments: &[&str], output: Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "kubectl {arguments:?}:\n{out}{err}");
    out.into_owned()
}

fn run(kubectl: &Path, config: &Path, arguments: &[&str], input: Option<&str>) -> Output {
    let mut command = Command::new(kubectl);
    command.arg("--kubeconfig").arg(config).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("kubectl can be started");
    let mut stdin = child.stdin.take().expect("its standard input");
    let input = input.unwrap_or_default().to_owned();
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, input.as_bytes()));
    let output = child.wait_with_output().expect("kubectl ends");
    let _ = writer.join();
    output
}

fn store(programs: &Path, folder: &Path, client: u16, peer: u16) -> Process {
    let url = |port: u16| format!("http://127.0.0.1:{port}");
    let mut command = Command::new(programs.join("etcd"));
    command.arg("--data-dir").arg(folder.join("etcd")).arg("--unsafe-no-fsync");
    command.args(["--listen-client-urls", &url(client), "--advertise-client-urls", &url(client)]);
    command.args(["--listen-peer-urls", &url(peer), "--initial-advertise-peer-urls", &url(peer)]);
    command.args(["--initial-cluster", &format!("default={}", url(peer))]);
    Process::start("etcd", command, &folder.join("etcd.log"), Signal::KILL)
}

fn server(programs: &Path, folder: &Path, store: u16, port: u16) -> Process {
    let file = |name: &str| folder.join(name).display().to_string();
    let mut command = Command::new(programs.join("kube-apiserver"));
    command.args([
        format!("--etcd-servers=http://127.0.0.1:{store}"),
        "--bind-address=127.0.0.1".to_owned(),
        // Nobody is told of it; the server wants one that is no loopback.
        "--advertise-address=10.255.0.2".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--secure-port={port}"),
        format!("--cert-dir={}", file("certs")),
        format!("--service-account-key-file={}", file("sa.pub")),
        format!("--service-account-signing-key-file={}", file("sa.key")),
        format!("--service-account-issuer={ISSUER}"),
        format!("--api-audiences=istio-ca,{ISSUER}"),
        "--service-cluster-ip-range=10.96.0.0/24".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        format!("--token-auth-file={}", file("tokens.csv")),
        "--disable-admission-plugins=ServiceAccount".to_owned(),
    ]);
    Process::start("kube-apiserver", command, &folder.join("kube-apiserver.log"), Signal::KILL)
}

/// Keys that sign the tokens of service accounts, and the token of an administrator.
fn keys(folder: &Path) {
    let openssl = |arguments: &[&str]| {
        let done = Command::new("openssl").current_dir(folder).args(arguments).output().expect("openssl");
        assert!(done.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    openssl(&["genpkey", "-algorithm", "RSA", "-out", "sa.key"]);
    openssl(&["pkey", "-in", "sa.key", "-pubout", "-out", "sa.pub"]);
    std::fs::write(folder.join("tokens.csv"), format!("{TOKEN},admin,admin,system:masters\n")).expect("a file");
}

fn kubeconfig(folder: &Path, port: u16) {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        // The server makes its certificate itself, when it starts.
        "clusters": [{ "name": "here", "cluster": { "server": format!("https://127.0.0.1:{port}"), "insecure-skip-tls-verify": true } }],
        "users": [{ "name": "admin", "user": { "token": TOKEN } }],
        "contexts": [{ "name": "here", "context": { "cluster": "here", "user": "admin" } }],
    });
    std::fs::write(folder.join("kubeconfig"), config.to_string()).expect("a file");
}

impl Kube {
    /// Writes a token of this service account for istiod into `folder`, as it would be mounted into a pod.
    pub fn token(&self, namespace: &str, account: &str, folder: &Path) {
        let token = self.kubectl(&["-n", namespace, "create", "token", account, "--audience", "istio-ca"]);
        std::fs::create_dir_all(folder).expect("a folder");
        std::fs::write(folder.join("istio-token"), token.trim()).expect("a file");
    }

    /// Says that a Service has this one pod, as the controllers of a whole cluster would of their own.
    pub fn endpoints(&self, service: &str, namespace: &str, address: &str, ports: &[(&str, u16)]) {
        let ports: Vec<Value> =
            ports.iter().map(|(name, port)| json!({ "name": name, "port": port, "protocol": "TCP" })).collect();
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {
                "name": format!("{service}-1"), "namespace": namespace, "labels": { "kubernetes.io/service-name": service },
            },
            "endpoints": [{ "addresses": [address], "conditions": { "ready": true } }],
            "ports": ports,
        });
        self.kubectl_with(&["apply", "-f", "-"], &slice.to_string());
    }
}

impl Kube {
    /// Says that this pod runs, as a node would: istiod knows by it which services are the proxy's own.
    pub fn pod(&self, Pod { name, namespace, account, labels, address, .. }: &Pod) {
        let labels: Value = serde_json::from_str(labels).expect("labels are JSON");
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "namespace": namespace, "labels": labels },
            "spec": { "serviceAccountName": account, "containers": [{ "name": "istio-proxy", "image": "auto" }] },
        });
        self.kubectl_with(&["create", "-f", "-"], &pod.to_string());
        let ready = json!([{ "type": "Ready", "status": "True" }]);
        let addresses = json!([{ "ip": address }]);
        let status =
            json!({ "status": { "phase": "Running", "podIP": address, "podIPs": addresses, "conditions": ready } });
        let patch = ["patch", "pod", name, "--subresource=status", "--type=merge", "-p", &status.to_string()];
        self.kubectl(&[&["-n", namespace], &patch[..]].concat());
    }
}

impl Drop for Kube {
    fn drop(&mut self) {
        // A server that lost its store waits for it; asked first, it is gone before.
        self.server.signal(Signal::TERM);
        std::thread::sleep(Duration::from_millis(100));
    }
}
