//! The real control plane on one machine: etcd and kube-apiserver, unmodified istiod, Istio's own agent with a stock Envoy. All of it
//! runs in a network, mount and process namespace that `tests/tools/mesh` makes (`make mesh`), so that ports are what manifests say and
//! nothing is left behind.

pub mod agent;
pub mod apps;
pub mod certificates;
pub mod helm;
pub mod istiod;
pub mod kube;
pub mod machine;
pub mod node;
pub mod outside;
pub mod peer;
pub mod plugin;
pub mod shipped;
pub mod traffic;
pub mod workload;

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use gatehouse_support::house::Setup;

pub use agent::Agent;
pub use apps::Apps;
pub use helm::Helm;
pub use istiod::Istiod;
pub use kube::Kube;
pub use peer::Peer;
pub use traffic::Traffic;

/// How long any part may take to be there.
pub const START: Duration = Duration::from_secs(90);
/// Where the gateway runs.
pub const NAMESPACE: &str = "istio-system";

/// A house that the proxy beside it lets gates into, with these policies.
pub fn apart(policies: &[(&str, String)]) -> Setup {
    Setup {
        policies: policies.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect(),
        extra: "listen: { tcp: \"127.0.0.1:7070\" }".into(),
    }
}

/// What `istioctl` says; it needs no cluster.
///
/// # Panics
/// When it cannot be started.
pub fn istioctl(arguments: &[&str]) -> Output {
    let mut command = Command::new(tools("GATEHOUSE_ISTIO").join("istioctl"));
    // It asks for no cluster, and finds none.
    command.env("KUBECONFIG", "/dev/null").args(arguments).output().expect("istioctl can be started")
}

/// What `istioctl` says of a cluster.
///
/// # Panics
/// When it cannot be started.
pub fn istioctl_at(kube: &Kube, arguments: &[&str]) -> Output {
    // It waits without end for a cluster that it does not like.
    let mut command = Command::new("timeout");
    command.arg("60").arg(tools("GATEHOUSE_ISTIO").join("istioctl")).env("KUBECONFIG", kube.kubeconfig());
    command.args(arguments).output().expect("timeout can be started")
}

/// The program that an environment variable names.
///
/// # Panics
/// When it is not set: the test does not run under `make mesh`.
pub fn tool(variable: &str) -> PathBuf {
    tools(variable)
}

/// The folder that an environment variable names. Panics as [`tool`].
pub(crate) fn tools(variable: &str) -> PathBuf {
    let folder = std::env::var_os(variable);
    folder.map_or_else(|| panic!("`{variable}` is not set: run `make mesh`"), PathBuf::from)
}
