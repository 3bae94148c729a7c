//! Connections to workers of an Envoy, each kept, and told apart by the epoch of the worker that a request's event has.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use gatehouse_support::client::{PATIENCE, request};
use gatehouse_support::{Envoy, House, Http1};

use super::WORKERS;

/// The host that the scene's policy speaks for.
pub(super) const HOST: &str = "scene.test";
/// Between an answer and the next request.
const PAUSE: Duration = Duration::from_millis(1);
/// Connections that are tried until each worker has one; the kernel deals them by chance.
const TRIES: usize = 64;

/// A connection to one worker.
pub(super) struct Worker {
    connection: Http1,
}

impl Worker {
    /// The status of the answer.
    ///
    /// # Panics
    /// When there is none.
    pub(super) async fn ask(&mut self, asks: &[u8]) -> u16 {
        let answer = async {
            self.connection.send(asks).await?;
            self.connection.reply("GET").await
        };
        tokio::time::timeout(PATIENCE, answer).await.expect("an answer in time").expect("an answer").status
    }

    /// Asks until it is refused; gives the time since `begin` of that answer.
    ///
    /// # Panics
    /// When it is not refused in time.
    pub(super) async fn refuses(&mut self, asks: &[u8], begin: Instant) -> Duration {
        while self.ask(asks).await != 403 {
            assert!(begin.elapsed() < super::PATIENCE, "a worker does not refuse {}", String::from_utf8_lossy(asks));
            tokio::time::sleep(PAUSE).await;
        }
        begin.elapsed()
    }
}

/// A connection to each worker.
///
/// # Panics
/// When one has none after many tries.
pub(super) async fn one_of_each(envoy: &Envoy, house: &House) -> Vec<Worker> {
    let mut workers = BTreeMap::new();
    for number in 0..TRIES {
        let connection = Http1::connect(envoy.address()).await.expect("Envoy listens");
        let mut worker = Worker { connection };
        let id = format!("bench-{number}");
        worker.ask(&request("GET", "/", &[("host", HOST), ("x-request-id", &id)], b"")).await;
        let event = house.event(&id).await;
        // 16 bytes: the epoch, then the sequence.
        let epoch = event["metadata"]["uid"].as_str().expect("an id")[..16].to_owned();
        workers.entry(epoch).or_insert(worker);
        if workers.len() == WORKERS {
            return workers.into_values().collect();
        }
    }
    panic!("{TRIES} connections went to {} of {WORKERS} workers", workers.len());
}
