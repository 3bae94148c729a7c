//! One run of a house: records in as fast as it takes them, until its sinks have delivered all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use gatehouse_proto::v1;
use gatehouse_support::House;
use gatehouse_support::house::Setup;
use gatehouse_support::process::{cpu, peak, resident};
use serde_json::Value;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::sleep;

use crate::shapes::{Peers, Shape};
use crate::threads::{Kind, Threads, Used};
use crate::worker::{self, Pace};

/// Workers that send.
pub(crate) const WORKERS: u64 = 2;
/// What one run took.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) events: u64,
    /// From the first record to the last that is delivered.
    pub(crate) wall: Duration,
    /// To the last that is durable in the spool.
    pub(crate) durable: Duration,
    /// Of the house's process.
    pub(crate) cpu: Duration,
    /// Of those of its threads that were there at the end.
    pub(crate) threads: BTreeMap<Kind, Used>,
    /// Bytes, at the end.
    pub(crate) resident: u64,
    /// Bytes, at most.
    pub(crate) peak: u64,
    /// Events that came to a peer, each once, of the peer that has the fewest; `None`: there is no peer.
    pub(crate) arrived: Option<u64>,
}

impl Run {
    /// Events that became durable in a second.
    pub(crate) fn taken_in(&self) -> f64 {
        self.events as f64 / self.durable.as_secs_f64()
    }

    /// µs of CPU time an event.
    pub(crate) fn us(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e6 / self.events as f64
    }

    /// µs an event of threads of this kind.
    pub(crate) fn of(&self, kind: Kind) -> f64 {
        self.us(self.threads.get(&kind).map_or(Duration::ZERO, |used| used.all()))
    }

    /// µs an event of the process.
    pub(crate) fn whole(&self) -> f64 {
        self.us(self.cpu)
    }
}

/// Runs a house of this shape with `events` records.
///
/// # Panics
/// When a record does not arrive, or the house's books do not add up.
pub(crate) async fn run(peers: &Peers, shape: Shape, events: u64, records: &[v1::Record]) -> Run {
    let topic = format!("gatehouse.{}", shape.word());
    if matches!(shape, Shape::Kafka | Shape::Both) {
        peers.topic(&topic);
    }
    let extra = format!("spool: {{ size: 2GiB }}\nsinks: {}\n", peers.sinks(shape, &topic));
    let mut house = House::start_with(&Setup { extra, ..Setup::default() }).await;
    let mut run = timed(&mut house, events, records).await;
    assert!(house.stop().await.success(), "the house ends well");
    let arrived = block_in_place(|| peers.arrived(shape, &topic, &house.data()));
    run.arrived = arrived.into_iter().map(|ids| distinct(ids, events)).min();
    run
}

async fn timed(house: &mut House, events: u64, records: &[v1::Record]) -> Run {
    let id = house.process().id();
    let (begin, used, before) = (Instant::now(), cpu(id).expect("the house runs"), Threads::of(id));
    send(house, events, records, None).await;
    let durable = begin.elapsed();
    settled(house, events).await;
    let (wall, cpu) = (begin.elapsed(), cpu(id).expect("the house runs") - used);
    let threads = Threads::of(id).since(&before);
    let (resident, peak) = (resident(id).unwrap_or_default(), peak(id).unwrap_or_default());
    Run { events, wall, durable, cpu, threads, resident, peak, arrived: None }
}

/// Sends so many records by all workers, each at `pace` or as fast as the house grants credit; returns when all are durable.
pub(crate) async fn send(house: &House, events: u64, records: &[v1::Record], pace: Option<Pace>) {
    let mut workers = JoinSet::new();
    for worker in 1..=WORKERS {
        let (socket, records) = (house.socket(), records.to_vec());
        let share = events / WORKERS + u64::from(worker <= events % WORKERS);
        workers.spawn(async move { worker::send(&socket, worker, records, share, pace).await });
    }
    while let Some(worker) = workers.join_next().await {
        worker.expect("a worker");
    }
}

/// Waits until every sink has dealt with all that is stored.
///
/// # Panics
/// When the house's books do not add up then, or a record was given up.
pub(crate) async fn settled(house: &House, events: u64) {
    let sinks = loop {
        let sinks = sinks(house).await;
        if sinks.iter().all(|sink| sink["pending"] == 0) {
            break sinks;
        }
        sleep(Duration::from_millis(50)).await;
    };
    for sink in sinks {
        assert_eq!((&sink["stored"], &sink["difference"]), (&events.into(), &0.into()), "{sink}");
        let dealt = sink["delivered"].as_u64().unwrap_or_default() + sink["left_out"].as_u64().unwrap_or_default();
        assert_eq!(dealt, events, "{sink}");
    }
}

/// What the house says of each of its sinks.
pub(crate) async fn sinks(house: &House) -> Vec<Value> {
    house.status().await["sinks"].as_array().cloned().unwrap_or_default()
}

/// Different ones among these.
///
/// # Panics
/// When they are not as many as were sent.
pub(crate) fn distinct(ids: Vec<String>, events: u64) -> u64 {
    let (all, distinct) = (ids.len(), ids.into_iter().collect::<BTreeSet<_>>().len() as u64);
    assert_eq!(distinct, events, "records that arrived, each once; with copies {all}");
    distinct
}

#[cfg(test)]
mod tests {
    use super::distinct;

    fn ids(all: &[&str]) -> Vec<String> {
        all.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn a_copy_is_no_second_record() {
        assert_eq!(distinct(ids(&["a", "b", "a"]), 2), 2);
    }

    #[test]
    #[should_panic(expected = "records that arrived, each once")]
    fn a_record_that_is_missing_ends_the_run() {
        distinct(ids(&["a", "b", "a"]), 3);
    }
}
