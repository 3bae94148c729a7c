//! Open-loop load over HTTP/1.1: requests are due at fixed times whether or not earlier ones have been answered, and
//! each latency counts from when its request was *due*, so that a stall shows in full. It keeps its own count of every
//! request and its outcome: the truth from outside, against which the house's books are checked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::client::Http1;

/// A request that takes longer counts as failed.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// What to send, how fast, where.
pub struct Load {
    /// Where to.
    pub address: SocketAddr,
    /// Requests per second.
    pub rate: u32,
    /// Connections; enough that a stall of a second does not use them up.
    pub connections: usize,
    /// The bytes of the n-th request, from 0.
    pub request: Box<dyn Fn(u64) -> Vec<u8> + Send + Sync>,
}

/// One request's fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its number, from 0.
    pub number: u64,
    /// When it was due, since the start.
    pub due: Duration,
    /// From when it was due to its whole answer.
    pub latency: Duration,
    /// Its status, or why there was none.
    pub result: Result<u16, String>,
}

/// Load that runs.
pub struct Running {
    begin: Instant,
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Vec<Outcome>>,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Every request that was sent or tried, in order.
    pub outcomes: Vec<Outcome>,
}

impl Load {
    /// Starts; the first request is due now.
    pub fn start(self) -> Running {
        let begin = Instant::now();
        let (load, next, stop) = (Arc::new(self), Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let mut tasks = JoinSet::new();
        for _ in 0..load.connections {
            tasks.spawn(drive(Arc::clone(&load), begin, Arc::clone(&next), Arc::clone(&stop)));
        }
        Running { begin, stop, tasks }
    }

    /// Runs for this long.
    pub async fn run(self, duration: Duration) -> Report {
        let running = self.start();
        sleep_until(running.begin + duration).await;
        running.stop().await
    }
}

impl Running {
    /// Time since the start: marks phases of the run.
    pub fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Sends no more, waits for the answers that are due.
    pub async fn stop(mut self) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        let mut outcomes = Vec::new();
        while let Some(part) = self.tasks.join_next().await {
            outcomes.extend(part.expect("a load task"));
        }
        outcomes.sort_by_key(|outcome: &Outcome| outcome.number);
        Report { outcomes }
    }
}

impl Report {
    /// Requests by status; failures without one under 0.
    pub fn statuses(&self) -> BTreeMap<u16, usize> {
        let mut counts = BTreeMap::new();
        for outcome in &self.outcomes {
            *counts.entry(outcome.result.clone().unwrap_or(0)).or_default() += 1;
        }
        counts
    }

    /// Requests without an answer, or answered 5xx.
    pub fn failures(&self) -> Vec<&Outcome> {
        self.outcomes.iter().filter(|outcome| !matches!(outcome.result, Ok(status) if status < 500)).collect()
    }

    /// The slowest answer.
    pub fn slowest(&self) -> Duration {
        self.outcomes.iter().map(|outcome| outcome.latency).max().unwrap_or_default()
    }

    /// The latency that a share of the requests due in `phase` did not exceed; `None`: there were none.
    pub fn quantile(&self, share: f64, phase: &Range<Duration>) -> Option<Duration> {
        let due = self.outcomes.iter().filter(|outcome| phase.contains(&outcome.due));
        let mut latencies: Vec<Duration> = due.map(|outcome| outcome.latency).collect();
        latencies.sort_unstable();
        let last = latencies.len().checked_sub(1)?;
        latencies.get((last as f64 * share).ceil() as usize).copied()
    }
}

async fn drive(load: Arc<Load>, begin: Instant, next: Arc<AtomicU64>, stop: Arc<AtomicBool>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut connection = None;
    while !stop.load(Ordering::Relaxed) {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let due = Duration::from_nanos(1_000_000_000 * number / u64::from(load.rate.max(1)));
        sleep_until(begin + due).await;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let bytes = (load.request)(number);
        let result = timeout(PATIENCE, once(&mut connection, load.address, &bytes)).await;
        let result = result.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")));
        if result.is_err() {
            connection = None;
        }
        outcomes.push(Outcome { number, due, latency: (begin + due).elapsed(), result });
    }
    outcomes
}

async fn once(connection: &mut Option<Http1>, address: SocketAddr, bytes: &[u8]) -> Result<u16, String> {
    let mut client = match connection.take() {
        Some(client) => client,
        None => Http1::connect(address).await.map_err(|error| format!("connect: {error}"))?,
    };
    client.send(bytes).await.map_err(|error| format!("send: {error}"))?;
    let method = String::from_utf8_lossy(bytes.split(|byte| *byte == b' ').next().unwrap_or_default()).into_owned();
    let reply = client.reply(&method).await.map_err(|error| format!("reply: {error}"))?;
    if !reply.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
        *connection = Some(client);
    }
    Ok(reply.status)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Load;
    use crate::Upstream;
    use crate::client::request;

    #[tokio::test]
    async fn every_request_is_counted_on_both_sides() {
        let upstream = Upstream::start().await;
        let request = Box::new(|number| request("GET", &format!("/{number}"), &[("host", "a")], b""));
        let load = Load { address: upstream.address(), rate: 400, connections: 8, request };
        let report = load.run(Duration::from_millis(500)).await;
        assert_eq!(report.statuses().keys().collect::<Vec<_>>(), [&200]);
        assert_eq!(report.outcomes.len() as u64, upstream.count());
        assert!((150..=210).contains(&report.outcomes.len()), "{}", report.outcomes.len());
        assert!(report.quantile(0.99, &(Duration::ZERO..Duration::from_secs(9))).unwrap() <= report.slowest());
    }
}
