//! Events a second and CPU an event, end to end and with less in the way.

use std::time::{Duration, Instant};

use gatehouse_kafka::Broker;
use gatehouse_support::House;
use gatehouse_support::house::Setup;
use gatehouse_support::process::{cpu, resident};
use serde_json::{Value, json};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

use crate::worker::{self, Pace};

pub(crate) const WORKERS: u64 = 2;
const TOPIC: &str = "gatehouse.events";

/// Runs each shape of a house with `events` events.
pub async fn run(events: u64) {
    let broker = spawn_blocking(Broker::start).await.expect("a broker");
    println!("{events} events, {WORKERS} workers; CPU of the house's process alone\n");
    println!("| from the stream to | events/s by the wall | CPU an event, µs | events/s a core | resident, MiB |");
    println!("|---|---:|---:|---:|---:|");
    let kafka = json!({ "kafka": { "brokers": [broker.plain()], "topic": TOPIC } });
    let file = json!({ "file": { "rotate": { "size": "64MiB", "keep": 1 } } });
    let nothing = json!({ "file": {}, "where": { "path": "/never/asked/for" } });
    broker.create_topic(TOPIC, 6, &[]);
    // The first run of all warms the broker's JVM.
    let shapes = [
        ("warm-up", json!({ "kafka": kafka })),
        ("the spool (the sink's `where` takes nothing)", json!({ "none": nothing })),
        ("a file, synced", json!({ "file": file })),
        ("Kafka's acknowledgement", json!({ "kafka": kafka })),
        ("both", json!({ "file": file, "kafka": kafka })),
    ];
    for (name, sinks) in shapes {
        let run = one(&sinks, events).await;
        if name != "warm-up" {
            println!("{}", run.row(name, events));
        }
    }
}

struct Run {
    wall: Duration,
    cpu: Duration,
    resident: u64,
}

impl Run {
    fn row(&self, name: &str, events: u64) -> String {
        let events = events as f64;
        let (wall, cpu) = (self.wall.as_secs_f64(), self.cpu.as_secs_f64());
        let mib = self.resident as f64 / f64::from(1 << 20);
        format!("| {name} | {:.0} | {:.1} | {:.0} | {mib:.0} |", events / wall, cpu * 1e6 / events, events / cpu)
    }
}

async fn one(sinks: &Value, events: u64) -> Run {
    let extra = format!("spool: {{ size: 2GiB }}\nsinks: {sinks}\n");
    let mut house = House::start_with(&Setup { extra, ..Setup::default() }).await;
    let id = house.process().id();
    let (begin, used) = (Instant::now(), cpu(id).expect("the house runs"));
    send(&house, events, None).await;
    delivered(&house).await;
    let (wall, used) = (begin.elapsed(), cpu(id).expect("the house runs") - used);
    let resident = resident(id).unwrap_or_default();
    assert!(house.stop().await.success(), "the house ends well");
    Run { wall, cpu: used, resident }
}

/// Sends so many events by all workers, each at `pace`, and returns when all are durable.
pub(crate) async fn send(house: &House, events: u64, pace: Option<Pace>) {
    let records = gatehouse_bench::parts::records(1000).expect("records of the standard requests");
    let mut workers = JoinSet::new();
    for worker in 1..=WORKERS {
        let (socket, records) = (house.socket(), records.clone());
        workers.spawn(async move { worker::send(&socket, worker, records, events / WORKERS, pace).await });
    }
    while let Some(worker) = workers.join_next().await {
        worker.expect("a worker");
    }
}

/// Waits until the sinks have delivered what is stored.
pub(crate) async fn delivered(house: &House) {
    loop {
        let status = house.status().await;
        if status["sinks"].as_array().is_some_and(|sinks| sinks.iter().all(|sink| sink["pending"] == 0)) {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
}
