//! The real `gatehouse` binary on folders of its own: data, policies, and the events that its file sink wrote.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::client::{Reply, exchange, request};
use crate::process::{self, Process, Signal};
use crate::{parts, wait};

const START: Duration = Duration::from_secs(30);
const STOP: Duration = Duration::from_secs(30);

/// What a house starts with.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Policy documents by file name.
    pub policies: Vec<(String, String)>,
    /// Further lines of the configuration, as YAML.
    pub extra: String,
}

/// A house; its process ends with this value.
#[derive(Debug)]
pub struct House {
    folder: TempDir,
    program: PathBuf,
    environment: Vec<(String, String)>,
    process: Option<Process>,
    admin: SocketAddr,
}

impl House {
    /// Starts a house with embedded defaults and no policy, and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready; its log is in the message.
    pub async fn start() -> Self {
        Self::start_with(&Setup::default()).await
    }

    /// Starts a house with one policy document. Panics like [`House::start`].
    pub async fn with_policy(policy: &Value) -> Self {
        // JSON is YAML.
        Self::start_with(&Setup { policies: vec![("policy.yaml".to_owned(), policy.to_string())], ..Setup::default() })
            .await
    }

    /// Starts a house. Panics like [`House::start`].
    pub async fn start_with(setup: &Setup) -> Self {
        let mut house = Self::prepare(setup);
        house.run().await;
        house
    }

    /// Makes the folders of a house that does not run yet.
    ///
    /// # Panics
    /// When a folder or file cannot be written.
    pub fn prepare(setup: &Setup) -> Self {
        let folder = tempfile::Builder::new().prefix("gatehouse-house-").tempdir().expect("a folder for the house");
        let house = Self {
            folder,
            program: parts::house(),
            environment: Vec::new(),
            process: None,
            admin: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        std::fs::create_dir_all(house.policies()).expect("a folder for policies");
        for (name, text) in &setup.policies {
            house.put_policy(name, text);
        }
        let (data, policies) = (house.data(), house.policies());
        let text = format!(
            "data: {}\nadmin: 127.0.0.1:0\nlog: {{ level: info, form: json }}\npolicies: {{ folder: {}, every: 100ms }}\n{}\n",
            data.display(),
            policies.display(),
            setup.extra,
        );
        std::fs::write(house.folder.path().join("house.yaml"), text).expect("a configuration file");
        house
    }

    /// Further variables of its process, from the next start on.
    pub fn environment(&mut self, variables: Vec<(String, String)>) {
        self.environment = variables;
    }

    /// Another program than [`parts::house`], from the next start on.
    pub fn program(&mut self, path: PathBuf) {
        self.program = path;
    }

    /// Starts the process on the folders that are there, after [`House::prepare`] or an end, and waits until it is ready.
    ///
    /// # Panics
    /// When it runs already, or does not become ready.
    pub async fn run(&mut self) {
        assert!(self.process.is_none(), "the house runs already");
        let address = self.data().join("admin.address");
        let _ = std::fs::remove_file(&address);
        let mut command = Command::new(&self.program);
        command.args(["run", "--config"]).arg(self.folder.path().join("house.yaml"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut process = Process::start("the house", command, &self.folder.path().join("house.log"), Signal::KILL);
        self.admin = wait::until(START, "the house to be ready", || {
            process.assert_running();
            let text = std::fs::read_to_string(&address).unwrap_or_default();
            async move {
                let admin = text.trim().parse::<SocketAddr>().ok()?;
                get(admin, "/readyz").await.filter(|reply| reply.status == 200).map(|_| admin)
            }
        })
        .await;
        self.process = Some(process);
    }

    /// Its process.
    ///
    /// # Panics
    /// When it does not run.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the house runs")
    }

    /// Ends it as an operator does (SIGTERM) and gives its exit status.
    pub async fn stop(&mut self) -> ExitStatus {
        self.end(Signal::TERM).await
    }

    /// Ends it as a crash does (SIGKILL).
    pub async fn kill(&mut self) -> ExitStatus {
        self.end(Signal::KILL).await
    }

    /// Stops its time (SIGSTOP).
    pub fn freeze(&mut self) {
        self.process().signal(Signal::STOP);
    }

    /// Lets its time go on (SIGCONT).
    pub fn thaw(&mut self) {
        self.process().signal(Signal::CONT);
    }

    async fn end(&mut self, signal: Signal) -> ExitStatus {
        let mut process = self.process.take().expect("the house runs");
        process.signal(signal);
        process.wait(STOP).await
    }

    /// The folder of this house, with all that is its own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The socket for gates.
    pub fn socket(&self) -> PathBuf {
        self.data().join("house.sock")
    }

    /// The folder of policy documents.
    pub fn policies(&self) -> PathBuf {
        self.folder.path().join("policies")
    }

    /// Writes a policy document, whole or not at all.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn put_policy(&self, name: &str, text: &str) {
        let fresh = self.folder.path().join(format!("{name}.fresh"));
        std::fs::write(&fresh, text).expect("a policy file");
        std::fs::rename(fresh, self.policies().join(name)).expect("a policy file in its place");
    }

    /// A page of the admin listener.
    ///
    /// # Panics
    /// When the house does not answer.
    pub async fn page(&self, path: &str) -> String {
        get(self.admin, path).await.unwrap_or_else(|| panic!("the house's admin did not answer {path}")).text()
    }

    /// Asks the admin listener for a change (`PUT /verdicts` and its like); gives the whole answer.
    ///
    /// # Panics
    /// When the house does not answer.
    pub async fn change(&self, path: &str, body: &Value) -> Reply {
        let bytes =
            request("PUT", path, &[("host", "localhost"), ("connection", "close")], body.to_string().as_bytes());
        exchange(self.admin, &bytes).await.unwrap_or_else(|error| panic!("the house's admin at {path}: {error}"))
    }

    /// `/status`. Panics when the house does not answer with JSON.
    pub async fn status(&self) -> Value {
        serde_json::from_str(&self.page("/status").await).expect("/status is JSON")
    }

    /// Every event that the file sink wrote so far, oldest file first.
    pub fn events(&self) -> Vec<Value> {
        let mut files = Vec::new();
        collect(&self.data(), &mut files);
        files.sort();
        let whole = |path: &PathBuf| std::fs::read_to_string(path).unwrap_or_default();
        let texts: Vec<String> = files.iter().map(whole).collect();
        texts.iter().flat_map(|text| text.lines()).filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits for the final event of the request with this `x-request-id`.
    ///
    /// # Panics
    /// When it does not come.
    pub async fn event(&self, request_id: &str) -> Value {
        let what = format!("the event of request {request_id}");
        wait::until(Duration::from_secs(15), &what, || async {
            let own = |event: &Value| {
                event["http_request"]["uid"] == request_id && event["unmapped"]["gatehouse"]["part"] == "final"
            };
            self.events().into_iter().find(own)
        })
        .await
    }

    /// What it wrote to standard output and error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("house.log")).unwrap_or_default()
    }

    /// Everything that lies on its disk, for looking for what must not be there.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        walk(self.folder.path(), &mut files);
        files
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
            let tail = process::tail(&self.log(), 25);
            eprintln!("the house's folder is kept: {}; its log ends:\n{tail}", self.folder.path().display());
        }
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut all = Vec::new();
    walk(folder, &mut all);
    files.extend(all.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "ndjson")));
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), files),
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
}

async fn get(admin: SocketAddr, path: &str) -> Option<Reply> {
    exchange(admin, &request("GET", path, &[("host", "localhost"), ("connection", "close")], b"")).await.ok()
}
