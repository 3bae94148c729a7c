//! One broker: started, killed, frozen, restarted on the same data.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::certificates::Certificates;
use crate::messages::{self, Message};
use crate::process::{run, spawn};
use crate::{jars, ports};

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
        let voters = format!("1@127.0.0.1:{controller}");
        let mut broker = Self::prepare(plain, Place { node: 1, controller, voters, told });
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
            let place = Place { node: at + 1, controller: controllers[at], voters: voters.clone(), told: plain };
            Self::prepare(plain, place)
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
        let broker = Self { folder, class_path, certificates, plain, mutual_tls, sasl, place, child: None };
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

    fn write_properties(&self) {
        let Self { plain, mutual_tls, sasl, place, .. } = self;
        let Place { node, controller, voters, told } = place;
        let copies = voters.split(',').count();
        let at = |name: &str, port: &u16| format!("{name}://127.0.0.1:{port}");
        let others = [at("TLS", mutual_tls), at("LOGIN", sasl), at("CONTROLLER", controller)].join(",");
        let listeners = format!("{},{others}", at("PLAIN", plain));
        let advertised = format!("{},{others}", at("PLAIN", told));
        let path = |path: &Path| path.display().to_string();
        let (keys, authority) = (path(&self.certificates.broker), path(&self.certificates.ca));
        let login = "listener.name.login";
        let module = "org.apache.kafka.common.security";
        let text = format!(
            "process.roles=broker,controller\n\
             node.id={node}\n\
             controller.quorum.voters={voters}\n\
             controller.listener.names=CONTROLLER\n\
             listeners={listeners}\n\
             advertised.listeners={advertised}\n\
             listener.security.protocol.map=PLAIN:PLAINTEXT,TLS:SSL,LOGIN:SASL_SSL,CONTROLLER:PLAINTEXT\n\
             inter.broker.listener.name=PLAIN\n\
             log.dirs={data}\n\
             auto.create.topics.enable=false\n\
             default.replication.factor={copies}\n\
             min.insync.replicas={least}\n\
             offsets.topic.replication.factor=1\n\
             offsets.topic.num.partitions=1\n\
             transaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\n\
             transaction.state.log.num.partitions=1\n\
             share.coordinator.state.topic.replication.factor=1\n\
             share.coordinator.state.topic.min.isr=1\n\
             share.coordinator.state.topic.num.partitions=1\n\
             group.initial.rebalance.delay.ms=0\n\
             # After a kill the old registration has to lapse before the broker may come back.\n\
             broker.session.timeout.ms=2000\n\
             broker.heartbeat.interval.ms=300\n\
             log.cleaner.backoff.ms=1000\n\
             # Its default alone would not fit into the small heap.\n\
             log.cleaner.dedupe.buffer.size=4194304\n\
             ssl.keystore.type=PEM\n\
             ssl.keystore.location={keys}\n\
             ssl.truststore.type=PEM\n\
             ssl.truststore.location={authority}\n\
             listener.name.tls.ssl.client.auth=required\n\
             {login}.ssl.client.auth=none\n\
             {login}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n\
             {login}.plain.sasl.jaas.config={module}.plain.PlainLoginModule required user_{SASL_USER}=\"{SASL_PASSWORD}\";\n\
             {login}.scram-sha-256.sasl.jaas.config={module}.scram.ScramLoginModule required;\n\
             {login}.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;\n",
            data = self.folder.path().join("data").display(),
            least = copies.div_ceil(2),
        );
        fs::write(self.properties(), text).unwrap();
    }
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
