//! Where events go: a sink takes what the spool holds, at its own pace, and says when its peer has it.
//!
//! | module | holds |
//! |---|---|
//! | [`parcel`] | spool frames decoded and encoded once: events in order |
//! | `pump` | the loop of every sink: read, deliver, dead-letter, commit; try again for ever; stop in good order |
//! | [`common`] | what is sent: `where`, `sample`, `fields` |
//! | [`behind`] | what a sink does when it falls behind: hold, or skip |
//! | [`board`] | status and books of one sink |
//! | [`dead`] | what can never be delivered |
//! | [`tls`], [`trust`], [`peer`] | certificates and secrets from files, and one peer over HTTP: for every sink that has one |
//! | [`file`](mod@file) | rotating NDJSON |
//! | [`https`] | batches posted to a collector |
//! | [`otlp`] | log records of OpenTelemetry |
//! | `kafka` (feature `kafka`) | Apache Kafka |
//!
//! A sink is always `config` (as written), `encode` (where the form is its own) and `send`. Its promise: [`Sink::deliver`]
//! returns `Ok` only when the peer has acknowledged every event that is not refused, so an event is delivered at least
//! once; `metadata.uid` is the key by which a consumer drops the second copy.

pub mod behind;
pub mod board;
pub mod common;
pub mod dead;
pub mod file;
pub mod https;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod otlp;
pub mod parcel;
pub mod peer;
pub mod tls;
pub mod trust;

mod allowed;
mod batch;
mod config;
mod filter;
mod lines;
mod pump;
mod sample;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::spool::Reader;
use board::{Board, Trouble};
use common::Common;
use dead::DeadLetters;
use parcel::{Parcel, Progress};

pub use behind::Behind;
pub use config::Kind;
pub use pump::Stop;

/// Bytes of spool frames that travel at once; encoded they are about three times as many.
pub const PARCEL_BYTES: usize = 1 << 20;

/// A peer that takes events.
pub trait Sink: Send + 'static {
    /// Delivers what is pending of the parcel. On return nothing is pending, or the attempt failed and what is pending
    /// still has to be delivered. Dropping the future gives up the attempt.
    ///
    /// # Errors
    /// The attempt failed; the next one may succeed. There is no other failure: what the peer will never take goes to
    /// `progress.refused`.
    fn deliver(
        &mut self,
        parcel: &Arc<Parcel>,
        progress: &mut Progress,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Lets go of the peer.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// A sink at work.
#[derive(Debug)]
pub struct Running {
    /// Status and books.
    pub board: Arc<Board>,
    /// Ends when the house stops: at the latest when the time of grace is over.
    pub task: JoinHandle<()>,
}

/// Starts a sink on its reader of the spool. `data` is the data folder: dead letters go there, and events of a file sink
/// without a path. Must be called within a tokio runtime.
#[must_use]
pub fn start(
    name: &str,
    kind: &Kind,
    common: &Arc<Common>,
    behind: Behind,
    reader: Reader,
    data: &Path,
    stop: Stop,
) -> Running {
    let board = Arc::new(Board::new(name, kind.word()));
    let (dead, common) = (DeadLetters::new(data, name), Arc::clone(common));
    let task = match kind {
        Kind::File(config) => {
            let sink = file::FileSink::new(config, name, data);
            tokio::spawn(pump::Pump { sink, dead, common, board: Arc::clone(&board), behind, stop }.run(reader))
        }
        Kind::Https(config) => {
            let sink = https::HttpsSink::new(config.as_ref().clone());
            tokio::spawn(pump::Pump { sink, dead, common, board: Arc::clone(&board), behind, stop }.run(reader))
        }
        Kind::Otlp(config) => {
            let sink = otlp::OtlpSink::new(config.as_ref().clone());
            tokio::spawn(pump::Pump { sink, dead, common, board: Arc::clone(&board), behind, stop }.run(reader))
        }
        #[cfg(feature = "kafka")]
        Kind::Kafka(config) => {
            let sink = kafka::KafkaSink::new(config.clone(), Arc::clone(&board));
            tokio::spawn(pump::Pump { sink, dead, common, board: Arc::clone(&board), behind, stop }.run(reader))
        }
    };
    Running { board, task }
}
