//! Feeding logs to a replay: parsed on a thread of their own, handed over in batches, judged here in the order read.

use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::logs::{self, Entry, Found, Meter};

/// Requests handed over at once.
const BATCH: usize = 512;
/// Batches on the way, at most.
const BATCHES: usize = 4;
/// How long a stop can go unnoticed while a log has nothing to say.
const NOTICE: Duration = Duration::from_millis(100);

/// Why a log could not be fed.
#[derive(Debug)]
pub enum Failure {
    /// A log cannot be opened.
    Log {
        /// Its name.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// Whoever took the requests could not go on: its output failed.
    Output(io::Error),
}

/// Gives every request of these logs to `take`, until the end or until `stop` is set. What was found in the logs is given
/// either way, but for a log that did not end in time.
///
/// # Errors
/// A log cannot be opened, or `take` fails.
pub fn feed(
    names: &[String],
    meter: &Arc<Meter>,
    stop: &Arc<AtomicBool>,
    take: &mut dyn FnMut(Entry) -> io::Result<()>,
) -> Result<Vec<Found>, Failure> {
    let (sender, batches) = mpsc::sync_channel::<Vec<Entry>>(BATCHES);
    let (tell, told) = mpsc::sync_channel(1);
    let (names, meter, until) = (names.to_vec(), Arc::clone(meter), Arc::clone(stop));
    let reader = std::thread::Builder::new().name("logs".into());
    // Not joined: a read of standard input may never come back.
    let started = reader.spawn(move || {
        // Nobody listens any more when the taking has failed.
        let _ = tell.send(read(&names, &meter, &until, &sender));
    });
    started.map_err(Failure::Output)?;
    take_all(&batches, stop, take).map_err(Failure::Output)?;
    drop(batches);
    match told.recv_timeout(NOTICE) {
        Ok(found) => found,
        Err(RecvTimeoutError::Timeout) => Ok(Vec::new()),
        Err(RecvTimeoutError::Disconnected) => {
            Err(Failure::Output(io::Error::other("the reader of the logs ended early")))
        }
    }
}

fn take_all(
    batches: &mpsc::Receiver<Vec<Entry>>,
    stop: &AtomicBool,
    take: &mut dyn FnMut(Entry) -> io::Result<()>,
) -> io::Result<()> {
    loop {
        let batch = match batches.recv_timeout(NOTICE) {
            Ok(batch) => batch,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => Vec::new(),
        };
        for entry in batch {
            take(entry)?;
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
    }
}

fn read(
    names: &[String],
    meter: &Arc<Meter>,
    stop: &AtomicBool,
    sender: &mpsc::SyncSender<Vec<Entry>>,
) -> Result<Vec<Found>, Failure> {
    let mut found = Vec::new();
    for name in names {
        let mut batch = Vec::with_capacity(BATCH);
        let mut take = |entry: Entry| {
            batch.push(entry);
            if batch.len() < BATCH {
                return ControlFlow::Continue(());
            }
            let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
            let taken = sender.send(full).is_ok() && !stop.load(Ordering::Relaxed);
            if taken { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let failed = |source| Failure::Log { name: name.clone(), source };
        found.push(logs::read(name, meter, &mut take).map_err(failed)?);
        if sender.send(batch).is_err() {
            break;
        }
    }
    Ok(found)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log { name, source } => write!(f, "cannot read the log `{name}`: {source}"),
            Self::Output(source) => write!(f, "cannot write: {source}"),
        }
    }
}

impl std::error::Error for Failure {}
