//! What a node would do with a gateway's pod, because this cluster has none: the house's containers are run as their spec says, their
//! ConfigMaps become files and follow every change, and `kubectl exec`, `logs` and `rollout status` are answered from here. Containers share
//! this system's paths, as the pod's volumes would have them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use gatehouse_support::parts;
use gatehouse_support::process::{Process, Signal};
use serde_json::Value;
use tempfile::TempDir;

use crate::{Kube, tool};

/// A `kubectl` before the real one. What needs a node is done on this machine, which is the node.
const KUBECTL: &str = r#"#!/usr/bin/env bash
set -euo pipefail
after() { while (( $# )) && [[ $1 != -- ]]; do shift; done; shift; exec "$@"; }
for word in "$@"; do
  case $word in
    exec) after "$@" ;;
    logs) exec cat "$NODE/house.log" ;;
    rollout) touch "$NODE/wanted"; for _ in {1..600}; do [[ -e $NODE/wanted ]] || exit 0; sleep 0.1; done; exit 1 ;;
    -*|istio-system|gatehouse) ;;
    *) break ;;
  esac
done
exec "$REAL_KUBECTL" "$@"
"#;

/// A pod's house on this machine.
#[derive(Debug)]
pub struct Node {
    folder: TempDir,
    house: Option<Process>,
    mounted: BTreeMap<PathBuf, String>,
}

impl Node {
    /// A node without pods; what an earlier one left is gone.
    ///
    /// # Panics
    /// There is no place for its tools.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("gatehouse-node-").tempdir().expect("a folder");
        for left in ["/var/lib/gatehouse", "/run/gatehouse", "/etc/gatehouse"] {
            let _ = std::fs::remove_dir_all(left);
        }
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).expect("a folder");
        std::fs::write(bin.join("kubectl"), KUBECTL).expect("a script");
        std::fs::set_permissions(bin.join("kubectl"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("a mode");
        let istio = tool("GATEHOUSE_ISTIO");
        let programs = [
            ("gatehouse", parts::house()),
            ("istioctl", istio.join("istioctl")),
            ("pilot-agent", istio.join("pilot-agent")),
            ("envoy", parts::envoy()),
            ("helm", tool("GATEHOUSE_HELM")),
            ("crane", tool("GATEHOUSE_CRANE")),
        ];
        for (name, path) in programs {
            std::os::unix::fs::symlink(path, bin.join(name)).expect("a link");
        }
        // Image and package have them there.
        std::fs::create_dir_all("/usr/lib/gatehouse").expect("a folder of the image");
        for module in [parts::wasm(), parts::tcp_wasm()] {
            let place = Path::new("/usr/lib/gatehouse").join(module.file_name().expect("a name"));
            std::fs::copy(module, place).expect("the modules of the image");
        }
        std::fs::create_dir_all("/etc/gatehouse").expect("a folder of the package");
        Self { folder, house: None, mounted: BTreeMap::new() }
    }

    /// A shell with the node's tools, in this cluster.
    pub fn shell(&self, kube: &Kube) -> Command {
        let mut command = Command::new("timeout");
        command.args(["-s", "KILL", "180", "bash", "-euo", "pipefail"]);
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.folder.path().join("bin").display()));
        command.env("KUBECONFIG", kube.kubeconfig()).env("NODE", self.folder.path());
        command.env("REAL_KUBECTL", tool("GATEHOUSE_KUBE").join("kubectl"));
        command
    }

    /// One turn: a rollout that somebody waits for, and changed ConfigMaps.
    ///
    /// # Panics
    /// The pod cannot be run as its spec says.
    pub fn turn(&mut self, kube: &Kube, deployment: &str) {
        let wanted = self.folder.path().join("wanted");
        if wanted.exists() {
            self.roll_out(kube, deployment);
            std::fs::remove_file(wanted).expect("the wish goes");
        }
        for (folder, map) in self.mounted.clone() {
            let _ = self.mount(kube, &folder, &map);
        }
    }

    fn roll_out(&mut self, kube: &Kube, deployment: &str) {
        let said = kube.kubectl(&["-n", crate::NAMESPACE, "get", "deployment", deployment, "-o", "json"]);
        let deployment: Value = serde_json::from_str(&said).expect("JSON");
        self.run(kube, &deployment["spec"]["template"]["spec"]);
    }

    /// Runs the house of this pod.
    ///
    /// # Panics
    /// As [`Node::turn`].
    pub fn run(&mut self, kube: &Kube, pod: &Value) {
        let list = |name: &str| pod[name].as_array().cloned().unwrap_or_default();
        let volumes = list("volumes");
        let ours = |containers: Vec<Value>| containers.into_iter().filter(|one| one["name"] != "istio-proxy");
        for container in ours(list("initContainers")).chain(ours(list("containers"))) {
            for mount in container["volumeMounts"].as_array().into_iter().flatten() {
                let folder = PathBuf::from(mount["mountPath"].as_str().expect("a path"));
                std::fs::create_dir_all(&folder).expect("a folder of the pod");
                let map = volumes.iter().find(|volume| volume["name"] == mount["name"]);
                if let Some(map) = map.and_then(|volume| volume["configMap"]["name"].as_str()) {
                    self.mount(kube, &folder, map).expect("a ConfigMap");
                    self.mounted.insert(folder, map.to_owned());
                }
            }
        }
        for container in ours(list("initContainers")) {
            let done = self.command(&container).output().expect("an init container");
            assert!(done.status.success(), "{container}: {}", String::from_utf8_lossy(&done.stderr));
        }
        for container in ours(list("containers")) {
            assert!(self.house.is_none(), "one container of ours");
            let command = self.command(&container);
            self.house = Some(Process::start("the house's container", command, &self.log(), Signal::TERM));
        }
    }

    fn command(&self, container: &Value) -> Command {
        let mut command = Command::new(parts::house());
        command.args(container["args"].as_array().into_iter().flatten().filter_map(Value::as_str));
        command
    }

    fn mount(&self, kube: &Kube, folder: &Path, map: &str) -> Option<()> {
        let output = kube.try_kubectl(&["-n", crate::NAMESPACE, "get", "configmap", map, "-o", "json"], None);
        let map: Value = serde_json::from_slice(&output.stdout).ok()?;
        for (name, text) in map["data"].as_object()? {
            let (path, text) = (folder.join(name), text.as_str()?);
            if std::fs::read_to_string(&path).ok().as_deref() != Some(text) {
                let fresh = folder.join(format!(".{name}"));
                std::fs::write(&fresh, text).ok()?;
                std::fs::rename(&fresh, &path).ok()?;
            }
        }
        Some(())
    }

    /// What the house's container wrote.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("house.log")
    }

    /// Kubernetes' rule: a container without a readiness probe is ready while its first process runs.
    ///
    /// # Panics
    /// There is no pod.
    pub fn is_ready(&mut self) -> bool {
        self.house.as_mut().expect("a pod").ended().is_none()
    }

    /// The first process of the house's container.
    ///
    /// # Panics
    /// There is no pod.
    pub fn first(&self) -> u32 {
        self.house.as_ref().expect("a pod").id()
    }
}

impl Default for Node {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut house) = self.house.take() {
            house.signal(Signal::TERM);
            // It lingers for its gateway, which is gone.
            let deadline = Instant::now() + Duration::from_secs(1);
            while house.ended().is_none() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(20));
            }
            for child in gatehouse_support::process::children(house.id()) {
                gatehouse_support::process::send(child, Signal::KILL);
            }
            house.signal(Signal::KILL);
        }
    }
}
