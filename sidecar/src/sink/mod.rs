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
//! | [`tls`], [`trust`], [`expiry`] | certificates and secrets from files, and until when they are good: for every sink with TLS |
//! | [`peer`] | one peer over HTTP: for every sink that has one |
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
pub mod expiry;
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
use tokio_util::task::AbortOnDropHandle;

use crate::spool::Reader;
use board::{Board, Trouble};
use common::Common;
use dead::DeadLetters;
use parcel::{Parcel, Progress};
use tls::Tls;

pub use behind::Behind;
pub use config::Kind;
pub use pump::Stop;

/// Bytes of spool frames that travel at once; encoded they are about three times as many.
pub const PARCEL_BYTES: usize = 1 << 20;

/// A peer that takes events.
pub trait Sink: Send + Sync + 'static {
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
    let work = Work { dead: DeadLetters::new(data, name), common: Arc::clone(common), board, behind, stop, reader };
    match kind {
        Kind::File(config) => work.begin(file::FileSink::new(config, name, data), None),
        Kind::Https(config) => {
            work.begin(https::HttpsSink::new(config.as_ref().clone()), config.address.trust(&config.tls))
        }
        Kind::Otlp(config) => {
            work.begin(otlp::OtlpSink::new(config.as_ref().clone()), config.address.trust(&config.tls))
        }
        #[cfg(feature = "kafka")]
        Kind::Kafka(config) => {
            let sink = kafka::KafkaSink::new(config.clone(), Arc::clone(&work.board));
            work.begin(sink, config.tls.as_ref())
        }
    }
}

/// What every sink works with.
struct Work {
    dead: DeadLetters,
    common: Arc<Common>,
    board: Arc<Board>,
    behind: Behind,
    stop: Stop,
    reader: Reader,
}

impl Work {
    fn begin<S: Sink>(self, sink: S, trust: Option<&Tls>) -> Running {
        let Self { dead, common, board, behind, stop, reader } = self;
        let pump = pump::Pump { sink, dead, common, board: Arc::clone(&board), behind, stop };
        let watch = trust.map(|tls| expiry::watch(tls.clone(), Arc::clone(&board)));
        let task = tokio::spawn(async move {
            // It never ends by itself, so it goes with the pump.
            let _watch = watch.map(|watch| AbortOnDropHandle::new(tokio::spawn(watch)));
            pump.run(reader).await;
        });
        Running { board, task }
    }
}
