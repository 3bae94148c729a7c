//! The OTLP sink before a real OpenTelemetry Collector, by both protocols: what was stored is what it has taken.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test ends at its first surprise"
)]

#[expect(dead_code, reason = "the collector serves by its own configuration")]
#[path = "../src/sink/tests/pki.rs"]
mod pki;

use std::collections::BTreeSet;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatehouse::sink::board::{State, Status};
use gatehouse::sink::{Behind, Kind, Running, Stop, start};
use gatehouse::spool::{Settings, Spool};
use gatehouse_policy::document::{Problems, yaml};
use gatehouse_proto::v1::{Batch, Record, Request};
use gatehouse_stream::receiver::HighWater;
use gatehouse_verdict::record::RecordId;
use pki::{FAR, Pki};
use prost::Message as _;
use tokio_util::sync::CancellationToken;

const EPOCH: u64 = 0xfeed;
const PATIENCE: Duration = Duration::from_secs(60);
/// The promise: what is renewed is in use after so long.
const PROMISED: Duration = Duration::from_secs(10);

/// A collector that writes what it takes, in full.
struct Collector {
    child: Child,
    log: PathBuf,
    http: u16,
    grpc: u16,
}

impl Collector {
    /// `grpc` is more of the configuration of the gRPC receiver.
    fn start(folder: &Path, grpc: &str) -> Self {
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let [http, grpc_port] = [free(), free()];
        let config = folder.join("collector.yaml");
        let text = format!(
            "receivers:\n  otlp:\n    protocols:\n      http: {{ endpoint: '127.0.0.1:{http}' }}\n      grpc: {{ endpoint: '127.0.0.1:{grpc_port}', max_recv_msg_size_mib: 1{grpc} }}\n\
             exporters:\n  debug: {{ verbosity: detailed, use_internal_logger: false }}\n\
             service:\n  telemetry: {{ metrics: {{ level: none }} }}\n  pipelines: {{ logs: {{ receivers: [otlp], exporters: [debug] }} }}\n"
        );
        std::fs::write(&config, text).unwrap();
        let log = folder.join("collector.log");
        let mut child = spawn(folder, &log);
        let began = Instant::now();
        while [http, grpc_port].iter().any(|port| TcpStream::connect(("127.0.0.1", *port)).is_err()) {
            let said = || std::fs::read_to_string(&log).unwrap();
            assert!(child.try_wait().unwrap().is_none() && began.elapsed() < PATIENCE, "{}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, log, http, grpc: grpc_port }
    }

    /// The sequences of the records that it has taken.
    fn taken(&self) -> BTreeSet<u64> {
        let text = std::fs::read_to_string(&self.log).unwrap();
        let uids = text.lines().filter_map(|line| line.split_once("log.record.uid: Str(")?.1.strip_suffix(')'));
        uids.map(|uid| u64::from_str_radix(&uid[16..], 16).unwrap()).collect()
    }
}

/// The program on the configuration in `folder`.
fn spawn(folder: &Path, log: &Path) -> Child {
    let program = std::env::var_os("OTELCOL_PATH").expect("run `make otel`, which sets OTELCOL_PATH");
    let out = std::fs::File::create(log).unwrap();
    let mut command = Command::new(program);
    command.arg("--config").arg(folder.join("collector.yaml")).stdin(Stdio::null());
    command.stdout(out.try_clone().unwrap()).stderr(out).spawn().unwrap()
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A spool with one sink.
struct House {
    spool: Spool,
    running: Running,
    stop: CancellationToken,
    next: u64,
}

impl House {
    fn start(data: &Path, config: &str) -> Self {
        let settings = Settings {
            readers: vec!["events".into()],
            segment_bytes: 4 << 20,
            total_bytes: 64 << 20,
            ..Settings::default()
        };
        let (spool, _) = Spool::open(&data.join("spool"), settings).unwrap();
        let documents = yaml("house.yaml", config).unwrap();
        let mut problems = Problems::default();
        let kind = Kind::read("events", &documents[0], &mut problems).unwrap();
        assert!(problems.is_empty(), "{problems}");
        let stop = CancellationToken::new();
        let reader = spool.handle().reader("events").unwrap();
        let told = Stop::new(stop.clone(), PATIENCE);
        let running = start("events", &kind, &Arc::default(), Behind::Hold, reader, data, told);
        Self { spool, running, stop, next: 1 }
    }

    /// Stores so many records, each with a path of `length` bytes that no compression makes small.
    async fn store(&mut self, records: u64, length: usize) {
        let record = |sequence: u64| {
            let mut state = sequence;
            let mut letter = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                char::from(b'a' + (state >> 33) as u8 % 26)
            };
            let path = (0..length).map(|_| letter()).collect();
            let request = Request { method: "GET".into(), path, ..Request::default() };
            let id = RecordId { epoch: EPOCH, sequence }.to_bytes().to_vec();
            Record { id, request: Some(request), ..Record::default() }.encode_to_vec()
        };
        let records: Vec<_> = (self.next..self.next + records).map(record).collect();
        let (first_seq, count) = (self.next, u32::try_from(records.len()).unwrap());
        self.next += u64::from(count);
        let batch = Batch { epoch: EPOCH, first_seq, records, ..Batch::default() };
        let high_water = HighWater { epoch: EPOCH, durable_seq: self.next, ..HighWater::default() };
        self.spool.handle().store(batch.encode_to_vec(), count, first_seq, high_water).await.unwrap();
    }

    async fn until(&self, reached: impl Fn(&Status) -> bool) -> Status {
        let began = Instant::now();
        loop {
            let status = self.running.board.status();
            if reached(&status) {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "{status:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn stop(self) -> Status {
        self.stop.cancel();
        self.running.task.await.unwrap();
        let spool = self.spool;
        tokio::task::spawn_blocking(move || spool.close()).await.unwrap().unwrap();
        self.running.board.status()
    }
}

fn all(next: u64) -> BTreeSet<u64> {
    (1..next).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_has_all_that_was_stored_by_both_protocols() {
    for (protocol, compress) in [("http", "gzip"), ("grpc", "gzip"), ("grpc", "none")] {
        let folder = tempfile::tempdir().unwrap();
        let collector = Collector::start(folder.path(), "");
        let (port, path) = if protocol == "http" { (collector.http, "/v1/logs") } else { (collector.grpc, "") };
        let config = format!(
            "otlp: {{ protocol: {protocol}, url: 'http://127.0.0.1:{port}{path}', compress: {compress}, batch: 4MiB }}"
        );
        let mut house = House::start(folder.path(), &config);
        // More than the collector takes in one message by gRPC: such a batch is refused whole and halves.
        for _ in 0..100 {
            house.store(20, 1500).await;
        }
        house.until(|status| status.tallies.delivered == 2000).await;
        let next = house.next;
        let last = house.stop().await;
        assert_eq!((last.tallies.dead_lettered, last.tallies.failures), (0, 0), "{protocol} {compress}: {last:?}");
        assert_eq!(collector.taken(), all(next), "{protocol} {compress}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_was_away_is_given_all_by_grpc_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let gone = Collector::start(folder.path(), "");
    let mut house =
        House::start(folder.path(), &format!("otlp: {{ protocol: grpc, url: 'http://127.0.0.1:{}' }}", gone.grpc));
    house.store(50, 10).await;
    house.until(|status| status.tallies.delivered == 50).await;
    let (port, before) = (gone.grpc, gone.taken());
    drop(gone);
    house.store(50, 10).await;
    house.until(|status| status.state == State::Retrying).await;
    let log = folder.path().join("back.log");
    let back = Collector { child: spawn(folder.path(), &log), log, http: 0, grpc: port };
    house.until(|status| status.tallies.delivered == 100).await;
    let next = house.next;
    house.stop().await;
    assert_eq!(before.union(&back.taken()).copied().collect::<BTreeSet<_>>(), all(next));
}

fn tls(folder: &Path, [ca, certificate, key]: [&str; 3]) -> String {
    let file = |name: &str| folder.join("..data").join(name).display().to_string();
    format!("tls: {{ {ca}: '{}', {certificate}: '{}', {key}: '{}'", file("ca.pem"), file("tls.crt"), file("tls.key"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_authority_is_taken_up_by_grpc_within_ten_seconds_while_records_flow() {
    let (folder, ours, theirs) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (old, new) = (Pki::new("old"), Pki::new("new"));
    old.mount(theirs.path(), "v1", FAR);
    let more = tls(theirs.path(), ["client_ca_file", "cert_file", "key_file"]);
    // Connections end soon, so that the old certificate does not live on by an old one.
    let more = format!(
        ", {more}, reload_interval: 100ms, client_ca_file_reload: true }}, keepalive: {{ server_parameters: {{ max_connection_age: 500ms, max_connection_age_grace: 500ms }} }}"
    );
    let collector = Collector::start(folder.path(), &more);
    let config = format!(
        "otlp: {{ protocol: grpc, url: 'https://localhost:{}', {} }} }}",
        collector.grpc,
        tls(ours.path(), ["ca", "certificate", "key"])
    );
    let mut house = House::start(folder.path(), &config);
    house.store(5, 10).await;
    let waiting = house.until(|status| status.state == State::Waiting).await.problem.unwrap();
    assert!(waiting.contains("ca.pem"), "{waiting}");
    old.mount(ours.path(), "v1", FAR);
    flow(&mut house, |status| status.tallies.delivered > 20).await;
    new.mount(theirs.path(), "v2", FAR);
    let held = |status: &Status| status.problem.as_deref().is_some_and(|problem| problem.contains("`tls"));
    flow(&mut house, held).await;
    let before = house.running.board.status().tallies.delivered;
    new.mount(ours.path(), "v2", FAR);
    flow(&mut house, |status| status.tallies.delivered > before).await;
    let stored = house.next - 1;
    house.until(|status| status.tallies.delivered == stored).await;
    let last = house.stop().await;
    assert_eq!(last.tallies.dead_lettered, 0);
    assert_eq!(collector.taken(), all(stored + 1), "none is lost, none is left");
}

/// Records go on coming until `reached`, which must be within the promised time.
async fn flow(house: &mut House, reached: impl Fn(&Status) -> bool) {
    let began = Instant::now();
    while !reached(&house.running.board.status()) {
        assert!(began.elapsed() < PROMISED, "not within the promised time: {:?}", house.running.board.status());
        house.store(3, 10).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
