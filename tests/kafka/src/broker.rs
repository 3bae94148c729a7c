//! One broker: started, killed, frozen, restarted on the same data.

use std::fs;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::certificates::Certificates;
use crate::messages::{self, Message};
use crate::process::{run, spawn};
use crate::rights::{self, Right};
use crate::{jars, ports};

mod properties;
mod renewed;

pub use renewed::Disk;

/// Who logs in at the SASL listener.
pub const SASL_USER: &str = "gatehouse";
/// With this password, by PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
pub const SASL_PASSWORD: &str = "a password for tests only";

const JAVA: &str = "Java 17 or later (Debian: `apt-get install default-jre-headless`)";
/// Small and quick to start: this broker lives for seconds.
const JVM: [&str; 3] = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"];
/// Any 16 bytes in unpadded URL-safe base 64.
const CLUSTER: &str = "Z2F0ZWhvdXNlLXRlc3RzIQ";

/// A broker with a folder of its own, which goes with it.
#[derive(Debug)]
pub struct Broker {
    folder: TempDir,
    class_path: String,
    certificates: Certificates,
    plain: u16,
    mutual_tls: u16,
    sasl: u16,
    password: String,
    place: Place,
    child: Option<Child>,
}

/// Where a broker stands in its cluster.
#[derive(Debug)]
struct Place {
    node: usize,
    controller: u16,
    /// Of all nodes, as Kafka writes them.
    voters: String,
    /// Port that clients are told for the plain listener.
    told: u16,
    /// Nobody may do anything without a right, but for clients of the plain listener.
    guarded: bool,
}

impl Broker {
    /// Starts a broker and waits until it answers.
    ///
    /// # Panics
    /// Something is missing on this machine (the message says what to install), or the broker does not start.
    #[must_use]
    pub fn start() -> Self {
        let [plain] = ports::free();
        Self::start_on(plain, plain)
    }

    /// Starts a broker whose plain listener is at `plain` and that tells its clients to come to port `told` of loopback
    /// instead: somebody stands there who relays. Panics like [`Broker::start`].
    #[must_use]
    pub fn start_on(plain: u16, told: u16) -> Self {
        let [controller] = ports::free();
        Self::start_alone(plain, Place { node: 1, controller, voters: voter(controller), told, guarded: false })
    }

    /// Starts a broker that lets clients of its plain listener do everything, and others what they are granted. Panics like
    /// [`Broker::start`].
    #[must_use]
    pub fn start_guarded() -> Self {
        let [plain, controller] = ports::free();
        Self::start_alone(plain, Place { node: 1, controller, voters: voter(controller), told: plain, guarded: true })
    }

    fn start_alone(plain: u16, place: Place) -> Self {
        let mut broker = Self::prepare(plain, place);
        broker.restart();
        broker
    }

    /// Starts a cluster of three, which keeps each topic three times and takes a message when two have it. Panics like
    /// [`Broker::start`].
    #[must_use]
    pub fn start_three() -> [Self; 3] {
        let controllers: [u16; 3] = ports::free();
        let voter = |(at, port): (usize, &u16)| format!("{}@127.0.0.1:{port}", at + 1);
        let voters = controllers.iter().enumerate().map(voter).collect::<Vec<_>>().join(",");
        let mut brokers = std::array::from_fn(|at| {
            let [plain] = ports::free();
            let (controller, voters) = (controllers[at], voters.clone());
            Self::prepare(plain, Place { node: at + 1, controller, voters, told: plain, guarded: false })
        });
        // None is ready before two of them run.
        brokers.iter_mut().for_each(Self::spawn);
        brokers.iter_mut().for_each(Self::wait_ready);
        brokers
    }

    fn prepare(plain: u16, place: Place) -> Self {
        let class_path = jars::class_path();
        let folder = tempfile::Builder::new().prefix("gatehouse-kafka-").tempdir().unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        let certificates = Certificates::make(&folder.path().join("certificates"));
        let [mutual_tls, sasl] = ports::free();
        let password = SASL_PASSWORD.into();
        let broker = Self { folder, class_path, certificates, plain, mutual_tls, sasl, password, place, child: None };
        broker.write_properties();
        broker.format();
        broker
    }

    /// `host:port` of the listener without TLS.
    #[must_use]
    pub fn plain(&self) -> String {
        format!("127.0.0.1:{}", self.plain)
    }

    /// `host:port` of the listener that asks for a client certificate.
    #[must_use]
    pub fn mutual_tls(&self) -> String {
        format!("127.0.0.1:{}", self.mutual_tls)
    }

    /// `host:port` of the listener with TLS and a login: [`SASL_USER`], [`SASL_PASSWORD`].
    #[must_use]
    pub fn sasl(&self) -> String {
        format!("127.0.0.1:{}", self.sasl)
    }

    /// What clients need for TLS.
    #[must_use]
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// Makes a topic, with `options` such as `("max.message.bytes", "1000")`. Topics are never made by themselves.
    ///
    /// # Panics
    /// The broker refuses.
    pub fn create_topic(&self, topic: &str, partitions: i32, options: &[(&str, &str)]) {
        messages::create_topic(&self.plain(), topic, partitions, options);
    }

    /// Takes a topic away with all that it holds.
    ///
    /// # Panics
    /// The broker refuses.
    pub fn delete_topic(&self, topic: &str) {
        messages::delete_topic(&self.plain(), topic);
    }

    /// Gives `principal` (`User:…`) rights to `topic`, on a broker that is guarded.
    ///
    /// # Panics
    /// The broker refuses.
    pub fn grant(&self, principal: &str, topic: &str, rights: &[Right]) {
        rights::grant(&self.plain(), principal, topic, rights);
    }

    /// Takes from `principal` what [`Broker::grant`] gave.
    ///
    /// # Panics
    /// The broker refuses, or one was not granted.
    pub fn revoke(&self, principal: &str, topic: &str, rights: &[Right]) {
        rights::revoke(&self.plain(), principal, topic, rights);
    }

    /// Everything that the topic holds now, in order within each partition. Blocks.
    ///
    /// # Panics
    /// It cannot be read within a minute.
    #[must_use]
    pub fn read_all(&self, topic: &str) -> Vec<Message> {
        messages::read_all(&self.plain(), topic)
    }

    /// Kills it as a crash does, and waits until its ports are free.
    ///
    /// # Panics
    /// It does not run.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("the broker does not run");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Freezes it: connections stay open, nothing answers.
    ///
    /// # Panics
    /// It does not run.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    ///
    /// # Panics
    /// It does not run.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Starts it again on its data, and waits until it answers.
    ///
    /// # Panics
    /// It runs, or it does not start.
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "the broker runs");
        self.spawn();
        self.wait_ready();
    }

    fn spawn(&mut self) {
        let output = fs::OpenOptions::new().create(true).append(true).open(self.log()).unwrap();
        let mut java = Command::new("java");
        java.args(JVM).args(["-Xms64m", "-Xmx200m", "-XX:+ExitOnOutOfMemoryError"]);
        // Native libraries are unpacked there; a killed broker does not clean up behind itself.
        java.arg(format!("-Djava.io.tmpdir={}", self.folder.path().join("tmp").display()));
        java.arg(concat!("-Dlog4j2.configurationFile=file:", env!("CARGO_MANIFEST_DIR"), "/log4j2.properties"));
        java.args(["-cp", &self.class_path, "kafka.Kafka"]).arg(self.properties());
        java.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        self.child = Some(spawn(java, JAVA));
    }

    fn wait_ready(&mut self) {
        let (brokers, log) = (self.plain(), self.log());
        let child = self.child.as_mut().expect("it was spawned");
        messages::wait_ready(&brokers, || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the broker ended ({status}):\n{}", fs::read_to_string(&log).unwrap());
            }
        });
    }

    fn log(&self) -> std::path::PathBuf {
        self.folder.path().join("broker.log")
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("the broker does not run");
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn properties(&self) -> std::path::PathBuf {
        self.folder.path().join("server.properties")
    }

    fn format(&self) {
        let mut java = Command::new("java");
        java.args(JVM).args(["-cp", &self.class_path, "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c"]);
        java.arg(self.properties());
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            java.arg("--add-scram").arg(format!("{mechanism}=[name={SASL_USER},password={SASL_PASSWORD}]"));
        }
        run(&mut java, JAVA);
    }
}

fn voter(controller: u16) -> String {
    format!("1@127.0.0.1:{controller}")
}

/// Killed, not asked: a lone node takes minutes to stop politely.
impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
