//! A real Envoy: started by func-e (the tests) or directly (the demo), watched through its admin interface.

pub mod config;
pub mod tcp;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

pub use config::{Gate, Gateway, HouseAt, Limits};
pub use tcp::TcpGateway;

use crate::client::{Reply, exchange, request};
use crate::process::{self, Process, Signal};
use crate::{parts, ports, wait};

const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(20);
const RUN_ID: &str = "run";

/// Who starts Envoy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Launcher {
    /// `envoy` itself.
    Direct,
    /// `func-e run` with `ENVOY_PATH`.
    #[default]
    FuncE,
}

/// A running Envoy; it ends with this value.
#[derive(Debug)]
pub struct Envoy {
    process: Process,
    launcher: Launcher,
    folder: TempDir,
    address: SocketAddr,
    admin: SocketAddr,
}

impl Envoy {
    /// Starts Envoy by func-e and waits until it is live.
    ///
    /// # Panics
    /// When it does not come up; its log is in the message.
    pub async fn start(gateway: &Gateway) -> Self {
        Self::start_by(Launcher::FuncE, gateway).await
    }

    /// Starts Envoy and waits until it is live. Panics like [`Envoy::start`].
    pub async fn start_by(launcher: Launcher, gateway: &Gateway) -> Self {
        let folder = folder();
        let port = gateway.port.unwrap_or_else(ports::free);
        let text = gateway.render(port, &folder.path().join("access.log")).to_string();
        Self::run(launcher, folder, "envoy.json", &text, port, gateway.concurrency).await
    }

    /// Starts Envoy with a configuration file as it is; `port` is where its listener stands. Panics like [`Envoy::start`].
    pub async fn start_with(launcher: Launcher, text: &str, port: u16) -> Self {
        Self::run_with(launcher, text, port, 2).await
    }

    /// The same with so many workers.
    pub async fn run_with(launcher: Launcher, text: &str, port: u16, concurrency: u32) -> Self {
        Self::run(launcher, folder(), "envoy.yaml", text, port, concurrency).await
    }

    /// Has Envoy judge a configuration without serving it, and gives what it says.
    ///
    /// # Panics
    /// When it accepts the configuration.
    pub async fn refuses(gateway: &Gateway) -> String {
        let folder = folder();
        let (file, log) = (folder.path().join("envoy.json"), folder.path().join("envoy.log"));
        let text = gateway.render(ports::free(), &folder.path().join("access.log")).to_string();
        std::fs::write(&file, text).expect("a configuration file");
        let mut command = Command::new(parts::envoy());
        command.args(["--mode", "validate", "--log-level", "warning", "-c"]).arg(&file);
        let mut process = Process::start("Envoy", command, &log, Signal::KILL);
        let status = process.wait(START).await;
        assert!(!status.success(), "Envoy accepts a configuration that it should refuse:\n{}", process.tail(20));
        process.log()
    }

    async fn run(launcher: Launcher, folder: TempDir, file: &str, text: &str, port: u16, concurrency: u32) -> Self {
        let path = folder.path();
        let file = path.join(file);
        std::fs::write(&file, text).expect("a configuration file");
        let (mut command, admin_file) = command(launcher, path);
        command.arg("-c").arg(&file).args(["--concurrency", &concurrency.to_string(), "--use-dynamic-base-id"]);
        command.args(["--log-level", "warning", "--component-log-level", "wasm:info"]);
        command.args(["--drain-time-s", "1", "--parent-shutdown-time-s", "2"]);
        // func-e must live long enough to end Envoy; a SIGKILL of func-e would leave Envoy behind.
        let mut process = Process::start("Envoy", command, &path.join("envoy.log"), Signal::TERM);
        let admin = wait::until(START, "Envoy's admin address", || {
            process.assert_running();
            let text = std::fs::read_to_string(&admin_file).unwrap_or_default();
            async move { text.trim().parse::<SocketAddr>().ok() }
        })
        .await;
        let mut envoy = Self { process, launcher, folder, address: SocketAddr::from(([127, 0, 0, 1], port)), admin };
        envoy.live().await;
        envoy
    }

    async fn live(&mut self) {
        let admin = self.admin;
        let process = &mut self.process;
        wait::until_true(START, "Envoy to be live", || {
            process.assert_running();
            async move {
                get(admin, "/ready").await.is_some_and(|reply| reply.status == 200 && reply.text().trim() == "LIVE")
            }
        })
        .await;
    }

    /// Where its listener stands.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its admin interface stands.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Its folder: configuration, log, access log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A page of the admin interface.
    ///
    /// # Panics
    /// When Envoy does not answer.
    pub async fn page(&self, path: &str) -> String {
        get(self.admin, path).await.unwrap_or_else(|| panic!("Envoy's admin did not answer {path}")).text()
    }

    /// All counters and gauges whose name contains `part`, with their values, in order of name.
    pub async fn stats(&self, part: &str) -> Vec<(String, u64)> {
        let page: Value = serde_json::from_str(&self.page("/stats?format=json").await).expect("statistics in JSON");
        let entries = page["stats"].as_array().cloned().unwrap_or_default();
        let pair = |entry: &Value| Some((entry["name"].as_str()?.to_owned(), entry["value"].as_u64()?));
        let mut stats: Vec<_> = entries.iter().filter_map(pair).filter(|(name, _)| name.contains(part)).collect();
        stats.sort();
        stats
    }

    /// One counter or gauge by its full name; 0 while Envoy does not know it.
    pub async fn stat(&self, name: &str) -> u64 {
        self.stats(name).await.into_iter().find(|(known, _)| known == name).map_or(0, |(_, value)| value)
    }

    /// Its access log so far, a JSON object a line. Envoy writes it with a delay: wait for the line you need.
    pub fn access_log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default();
        text.lines()
            .chain(self.log().lines())
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(Value::is_object)
            .collect()
    }

    /// Waits for the access-log line of the request with this `x-request-id`. Panics when it does not come.
    pub async fn logged(&self, request_id: &str) -> Value {
        let what = format!("the access-log line of {request_id}");
        wait::until(Duration::from_secs(15), &what, || async {
            self.access_log().into_iter().find(|line| line["request_id"] == request_id)
        })
        .await
    }

    /// What Envoy and func-e wrote.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Envoy's own process id.
    ///
    /// # Panics
    /// When it has ended.
    pub fn id(&self) -> u32 {
        match self.launcher {
            Launcher::Direct => self.process.id(),
            Launcher::FuncE => *process::children(self.process.id()).first().expect("func-e has an Envoy"),
        }
    }

    /// The VM never failed: no reload, and no request ended by it. Call it at the end of every test with the filter.
    ///
    /// # Panics
    /// When a VM failure is counted or logged.
    pub async fn assert_filter_sound(&self) {
        let reloads = self.stats("vm_reload").await;
        assert!(!reloads.is_empty(), "this Envoy does not count the reloads of a filter's VM");
        for (name, value) in reloads {
            assert_eq!(value, 0, "{name}: the filter's VM failed; Envoy's log ends:\n{}", self.process.tail(30));
        }
        let failed = self.access_log().into_iter().find(|line| line.to_string().contains("wasm_fail_stream"));
        assert!(failed.is_none(), "a request ended by the filter's VM: {failed:?}");
    }

    /// Ends it as an operator does, and waits.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn stop(mut self) {
        self.process.signal(Signal::TERM);
        self.process.wait(STOP).await;
    }

    /// Ends it at once, as a crash does, and waits until it is gone.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn kill(mut self) {
        process::send(self.id(), Signal::KILL);
        self.process.wait(STOP).await;
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        if self.launcher == Launcher::FuncE && self.process.ended().is_none() {
            process::children(self.process.id()).into_iter().for_each(|id| process::send(id, Signal::KILL));
        }
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
            eprintln!(
                "Envoy's folder is kept: {}; its log ends:\n{}",
                self.folder.path().display(),
                self.process.tail(25)
            );
        }
    }
}

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("gatehouse-envoy-").tempdir().expect("a folder for Envoy")
}

fn command(launcher: Launcher, folder: &Path) -> (Command, PathBuf) {
    match launcher {
        Launcher::Direct => {
            let mut command = Command::new(parts::envoy());
            let admin = folder.join("admin-address.txt");
            command.arg("--admin-address-path").arg(&admin);
            (command, admin)
        }
        Launcher::FuncE => {
            let mut command = Command::new(parts::func_e());
            command.arg("run").env("ENVOY_PATH", parts::envoy()).env("FUNC_E_RUN_ID", RUN_ID);
            for name in ["CONFIG_HOME", "DATA_HOME", "STATE_HOME", "RUNTIME_DIR"] {
                command.env(format!("FUNC_E_{name}"), folder.join(name.to_lowercase()));
            }
            (command, folder.join("runtime_dir").join(RUN_ID).join("admin-address.txt"))
        }
    }
}

async fn get(admin: SocketAddr, path: &str) -> Option<Reply> {
    exchange(admin, &request("GET", path, &[("host", "localhost"), ("connection", "close")], b"")).await.ok()
}
