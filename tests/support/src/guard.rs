//! The real `gatehouse guard` before a service.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{exchange, request};
use crate::process::{Process, Signal};
use crate::tls::Authority;
use crate::{parts, ports, wait};

const START: Duration = Duration::from_secs(30);
const STOP: Duration = Duration::from_secs(40);

/// A running guard; it ends with this value.
#[derive(Debug)]
pub struct Guard {
    folder: TempDir,
    process: Process,
    address: SocketAddr,
    admin: SocketAddr,
}

impl Guard {
    /// One before `upstream`, by the certificates of this authority; `more`: further settings, as they are written.
    ///
    /// # Panics
    /// When it does not come up; its log is in the message.
    pub async fn start(upstream: SocketAddr, authority: &Authority, policy: Option<&Value>, more: Value) -> Self {
        let folder = tempfile::Builder::new().prefix("gatehouse-guard-").tempdir().expect("a folder for the guard");
        let (address, admin) = (loopback(ports::free()), loopback(ports::free()));
        let own = authority.server();
        let mut config = json!({
            "node": "guard-1",
            "fronts": [{ "name": "service", "listen": address.to_string(), "upstream": upstream.to_string() }],
            "tls": { "certificate": own.certificate, "key": own.key, "authorities": authority.root() },
            "admin": admin.to_string(),
            "log": { "form": "json" },
        });
        if let Some(policy) = policy {
            let file = folder.path().join("policy.yaml");
            std::fs::write(&file, policy.to_string()).expect("a file");
            config["policies"] = json!([file]);
        }
        for (name, value) in more.as_object().into_iter().flatten() {
            config[name] = value.clone();
        }
        let file = folder.path().join("guard.yaml");
        std::fs::write(&file, config.to_string()).expect("a configuration file");
        let mut command = Command::new(parts::house());
        command.args(["guard", "--config"]).arg(&file);
        let mut process = Process::start("the guard", command, &folder.path().join("guard.log"), Signal::KILL);
        wait::until_true(START, "the guard to be ready", || {
            process.assert_running();
            async move { page(admin, "/readyz").await.is_some_and(|(status, _)| status == 200) }
        })
        .await;
        Self { folder, process, address, admin }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its policy file.
    pub fn policy(&self) -> PathBuf {
        self.folder.path().join("policy.yaml")
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it wrote on standard error.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// One of its metrics, by the line's beginning; 0: there is none.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn metric(&self, name: &str) -> u64 {
        let (_, text) = page(self.admin, "/metrics").await.expect("the guard's metrics");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        value.map_or(0, |value| value as u64)
    }

    /// The status of one of its pages for a client that names this host; 0: no answer.
    pub async fn status_for(&self, host: &str, path: &str) -> u16 {
        let asked = request("GET", path, &[("host", host), ("connection", "close")], b"");
        exchange(self.admin, &asked).await.map_or(0, |reply| reply.status)
    }

    /// Asks it to stop.
    pub fn terminate(&mut self) {
        self.process.signal(Signal::TERM);
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// When it does not.
    pub async fn ended(&mut self) -> ExitStatus {
        self.process.wait(STOP).await
    }
}

async fn page(admin: SocketAddr, path: &str) -> Option<(u16, String)> {
    let reply =
        exchange(admin, &request("GET", path, &[("host", "localhost"), ("connection", "close")], b"")).await.ok()?;
    Some((reply.status, reply.text()))
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
