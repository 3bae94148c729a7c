//! How the cost of an event grows with the rate of events: CPU time of the house's process alone, at rates that are kept for some
//! seconds each, and at the greatest that it takes. Records go to the spool and to a file, both synced.

use std::path::Path;
use std::time::{Duration, Instant};

use gatehouse_bench::growth::{Column, Figures, Growth, Line, Row, Topic, keep};
use gatehouse_proto::v1;
use gatehouse_support::House;
use gatehouse_support::house::Setup;
use gatehouse_support::process::{cpu, resident};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::throughput::{WORKERS, send, settled};
use crate::worker::Pace;

const RATES: [u64; 4] = [1000, 3000, 10_000, 30_000];
/// Events of the run that is as fast as it goes, for each second that the others take.
const FASTEST: u64 = 60_000;

const COLUMNS: &[Column] = &[
    Column { key: "cpu_us", head: "CPU µs an event", digits: 1, drawn: true },
    Column { key: "cpu_less_idle_us", head: "the same less what an idle house takes", digits: 1, drawn: false },
    Column { key: "busy", head: "% of a core", digits: 1, drawn: false },
    Column { key: "resident_mib", head: "MiB resident", digits: 0, drawn: false },
];

/// Each rate for so many seconds; tells and keeps it.
///
/// # Errors
/// The files cannot be written.
pub(crate) async fn run(out: &Path, seconds: u64) -> std::io::Result<()> {
    let records = gatehouse_bench::parts::records(1000)?;
    let idle = idle(seconds).await;
    println!("an idle house: {:.2} % of a core", idle * 100.0);
    let mut line = Line::new("spool and file", &[]).timed("cpu_us", Growth::Constant);
    for rate in RATES {
        line.rows.push(one(Some(rate), rate * seconds, idle, &records).await);
    }
    line.rows.push(one(None, FASTEST * seconds, idle, &records).await);
    line.rows.sort_by_key(|row| row.size);
    line.sizes = line.rows.iter().map(|row| row.size).collect();
    let title = "Records a second that a house takes in";
    let topic = Topic { name: "records", title, of: "records a second", columns: COLUMNS, lines: vec![line] };
    keep::tell(&topic, out).map(|_| ())
}

async fn house() -> House {
    let file: Value = json!({ "file": { "file": { "rotate": { "size": "64MiB", "keep": 1 } } } });
    let extra = format!("spool: {{ size: 2GiB }}\nsinks: {file}\n");
    House::start_with(&Setup { extra, ..Setup::default() }).await
}

/// The share of a core that a house takes which nobody sends anything.
async fn idle(seconds: u64) -> f64 {
    let mut house = house().await;
    let id = house.process().id();
    let used = cpu(id).expect("the house runs");
    sleep(Duration::from_secs(seconds)).await;
    let used = cpu(id).expect("the house runs") - used;
    assert!(house.stop().await.success(), "the house ends well");
    used.as_secs_f64() / seconds as f64
}

/// So many events at `rate` a second in all; `None`: as fast as the house grants credit.
async fn one(rate: Option<u64>, events: u64, idle: f64, records: &[v1::Record]) -> Row {
    let mut house = house().await;
    let id = house.process().id();
    let (begin, used) = (Instant::now(), cpu(id).expect("the house runs"));
    send(&house, events, records, rate.map(|rate| Pace::of(rate / WORKERS))).await;
    settled(&house, events).await;
    let (wall, used) = (begin.elapsed().as_secs_f64(), cpu(id).expect("the house runs") - used);
    let resident = resident(id).unwrap_or_default();
    assert!(house.stop().await.success(), "the house ends well");
    let (used, events) = (used.as_secs_f64(), events as f64);
    let figures = [
        ("cpu_us", used * 1e6 / events),
        ("cpu_less_idle_us", (used - idle * wall).max(0.0) * 1e6 / events),
        ("busy", used / wall * 100.0),
        ("resident_mib", resident as f64 / f64::from(1 << 20)),
    ];
    let found: Figures = figures.into_iter().map(|(key, figure)| (key.to_owned(), figure)).collect();
    Row { size: (events / wall).round() as u64, found: Ok(found) }
}
