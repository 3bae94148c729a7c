//! A sink's peer is away while a backlog is stored; then it is back. How fast the backlog drains, and that records are taken in
//! meanwhile.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gatehouse_proto::v1;
use gatehouse_support::House;
use gatehouse_support::house::Setup;
use gatehouse_support::process::{cpu, peak};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::block_in_place;
use tokio::time::sleep;

use crate::shapes::{Peers, in_files};
use crate::throughput::{WORKERS, distinct, send, settled, sinks};
use crate::worker::{Steady, steadily};

const TOPIC: &str = "gatehouse.backlog";
/// Records a second that are sent while the backlog drains.
const MEANWHILE: u64 = 2000;
/// How often the house is asked how far it is.
const LOOK: Duration = Duration::from_millis(10);

/// What a drain took.
pub(crate) struct Drain {
    pub(crate) sink: &'static str,
    /// Records stored while the peer was away.
    pub(crate) backlog: u64,
    /// From the peer's return to the first record delivered.
    pub(crate) pause: Duration,
    /// From there until nothing was pending.
    pub(crate) took: Duration,
    /// Records delivered in that time.
    pub(crate) delivered: u64,
    /// CPU time of the house in that time.
    pub(crate) cpu: Duration,
    /// What was sent from the peer's return on.
    pub(crate) meanwhile: Steady,
    /// The most that was resident of the house until then, bytes.
    pub(crate) peak: u64,
}

impl Drain {
    /// Events a second.
    pub(crate) fn rate(&self) -> f64 {
        self.delivered as f64 / self.took.as_secs_f64()
    }
}

/// Where the house sends to, and what takes it away and gives it back.
enum Away<'p> {
    /// The broker was killed, and starts anew on its data.
    Broker(&'p mut Peers),
    /// A folder stands where the file should be.
    File(TempDir),
}

/// The backlog of Kafka, then that of a file, of `events` each.
///
/// # Panics
/// When a record does not arrive in the end.
pub(crate) async fn run(peers: &mut Peers, events: u64, records: &[v1::Record]) -> [Drain; 2] {
    let folder = tempfile::Builder::new().prefix("gatehouse-bench-").tempdir().expect("a folder");
    let kafka = one("kafka", Away::Broker(peers), events, records).await;
    [kafka, one("file", Away::File(folder), events, records).await]
}

async fn one(sink: &'static str, mut away: Away<'_>, events: u64, records: &[v1::Record]) -> Drain {
    let config = away.leave();
    let extra = format!("spool: {{ size: 4GiB }}\nsinks: {}\n", json!({ sink: config }));
    let mut house = House::start_with(&Setup { extra, ..Setup::default() }).await;
    let id = house.process().id();
    send(&house, events, records, None).await;
    let delivered = delivered(&house).await;
    assert_eq!(delivered, 0, "{sink}: its peer is away");
    block_in_place(|| away.come_back());
    let stop = Arc::new(AtomicBool::new(false));
    let (back, stopping, socket, more) = (Instant::now(), Arc::clone(&stop), house.socket(), records.to_vec());
    let meanwhile = tokio::spawn(async move { steadily(&socket, WORKERS + 1, more, MEANWHILE, stopping).await });
    while self::delivered(&house).await == 0 {
        sleep(LOOK).await;
    }
    // What the first parcel brought is not of the time that is taken now.
    let (first, begin, used) = (self::delivered(&house).await, Instant::now(), cpu(id).expect("the house runs"));
    let delivered = drained(&house, events).await - first;
    let (took, cpu) = (begin.elapsed(), cpu(id).expect("the house runs") - used);
    stop.store(true, Ordering::Relaxed);
    let meanwhile = meanwhile.await.expect("a worker");
    settled(&house, events + meanwhile.sent).await;
    let peak = peak(id).unwrap_or_default();
    assert!(house.stop().await.success(), "the house ends well");
    block_in_place(|| distinct(away.arrived(), events + meanwhile.sent));
    Drain { sink, backlog: events, pause: begin.duration_since(back), took, delivered, cpu, meanwhile, peak }
}

impl Away<'_> {
    /// Takes the peer away; gives the sink that sends there.
    fn leave(&mut self) -> Value {
        match self {
            Self::Broker(peers) => {
                peers.topic(TOPIC);
                peers.broker.kill();
                peers.kafka(TOPIC)
            }
            Self::File(folder) => {
                let path = events(folder.path());
                std::fs::create_dir(&path).expect("a folder in the place of the file");
                json!({ "file": { "path": path, "rotate": { "size": "64MiB", "keep": 64 } } })
            }
        }
    }

    fn come_back(&mut self) {
        match self {
            Self::Broker(peers) => peers.broker.restart(),
            Self::File(folder) => std::fs::remove_dir(events(folder.path())).expect("the folder is empty"),
        }
    }

    fn arrived(&self) -> Vec<String> {
        match self {
            Self::Broker(peers) => peers.in_topic(TOPIC),
            Self::File(folder) => in_files(folder.path()),
        }
    }
}

fn events(folder: &Path) -> PathBuf {
    folder.join("events.ndjson")
}

async fn delivered(house: &House) -> u64 {
    sinks(house).await.first().and_then(|sink| sink["delivered"].as_u64()).unwrap_or_default()
}

/// Waits until the backlog is delivered, and what came meanwhile but for what is always on its way; gives all that is delivered.
async fn drained(house: &House, backlog: u64) -> u64 {
    loop {
        let sink = sinks(house).await.into_iter().next().unwrap_or_default();
        let of = |name: &str| sink[name].as_u64().unwrap_or_default();
        // A tenth of a second of what is sent meanwhile is no backlog.
        if of("delivered") >= backlog && of("pending") <= MEANWHILE / 10 {
            return of("delivered");
        }
        sleep(LOOK).await;
    }
}
