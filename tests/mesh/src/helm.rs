//! The shipped chart, and helm on a [`Kube`].

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gatehouse_support::process::{Process, Signal};
use gatehouse_support::{parts, ports};
use tempfile::TempDir;

use crate::{Kube, tool};

/// The release and its namespace.
pub const RELEASE: &str = "gatehouse";

/// Helm with folders of its own, so that nothing of this machine's is used or left.
#[derive(Debug)]
pub struct Helm {
    home: TempDir,
    kubeconfig: PathBuf,
}

impl Helm {
    /// For this cluster.
    ///
    /// # Panics
    /// There is no place for its folders.
    pub fn new(kube: &Kube) -> Self {
        let home = tempfile::Builder::new().prefix("gatehouse-helm-").tempdir().expect("a folder");
        Self { home, kubeconfig: kube.kubeconfig() }
    }

    /// A repository on loopback with these versions of the chart: its URL and its server.
    ///
    /// # Panics
    /// It cannot be packaged or served.
    pub fn repository(folder: &Path, versions: &[&str]) -> (String, Process) {
        versions.iter().for_each(|version| package(folder, version));
        let port = ports::free();
        let mut server = Command::new("python3");
        server.args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string(), "--directory"]).arg(folder);
        let server = Process::start("the repository", server, &folder.join("server.log"), Signal::KILL);
        (format!("http://127.0.0.1:{port}"), server)
    }

    /// What it says, whatever it is.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn try_run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(tool("GATEHOUSE_HELM"));
        for (variable, folder) in
            [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data")]
        {
            command.env(variable, self.home.path().join(folder));
        }
        command.env("KUBECONFIG", &self.kubeconfig).args(arguments);
        command.output().expect("helm can be started")
    }

    /// What it prints.
    ///
    /// # Panics
    /// It fails; what it said is in the message.
    pub fn run(&self, arguments: &[&str]) -> String {
        let done = self.try_run(arguments);
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "helm {arguments:?}:\n{out}{err}");
        out.into_owned()
    }

    /// The manifests of the checked-in chart for files of values and single ones.
    ///
    /// # Panics
    /// It fails; what it said is in the message.
    pub fn template(&self, files: &[&Path], sets: &[&str]) -> String {
        let (chart, files) = (chart(), files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>());
        let mut arguments = vec!["template", RELEASE, &chart, "--namespace", RELEASE, "--kube-version", "1.37.0"];
        arguments.extend(files.iter().flat_map(|file| ["--values", file]));
        arguments.extend(sets.iter().flat_map(|set| ["--set", set]));
        self.run(&arguments)
    }
}

/// The checked-in chart.
pub fn chart() -> String {
    parts::root().join("deploy/helm/gatehouse").display().to_string()
}

/// Packages it by `deploy/helm/package`, as this version.
///
/// # Panics
/// It fails; what it said is in the message.
pub fn package(into: &Path, version: &str) {
    let mut command = Command::new(parts::root().join("deploy/helm/package"));
    command.env("HELM", tool("GATEHOUSE_HELM")).arg(into).args(["--version", version]);
    let done = command.output().expect("python3");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
