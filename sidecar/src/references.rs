//! Records that carry a reference, and the policies that decided them: what `gatehouse explain REF` asks for, also after a
//! restart.
//!
//! ```text
//!  intake ─keep─► recent (memory, the last thousands)
//!            └──► queue ─► writer ─► references/NUMBER.refs       age and size as configured
//!  policies ─────────────► references/policies/DIGEST.json        the last 64
//! ```
//!
//! Records stand here as gates sent them, redacted. They are written without a sync: a restart and a kill lose none that was
//! written, a power loss may lose the last. The sinks hold every event; this is for whoever is asked why, at the gateway.

pub mod policies;
pub mod recent;

mod shelf;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use gatehouse_proto::v1::Record;

use crate::ocsf::time::now_ms;
use recent::{Recent, reference_of};
use shelf::Shelf;

/// The folder in the data folder.
pub const FOLDER: &str = "references";

/// Records on their way to the writer, at most; what comes beyond is kept in memory only, and counted.
const QUEUE: usize = 4096;

/// How often files that are too old are looked for while nothing comes.
const LOOK: Duration = Duration::from_secs(60);

/// How long records are kept, and how much of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Files whose last record is older are removed.
    pub age: Duration,
    /// All files together, bytes.
    pub bytes: u64,
}

impl Default for Keep {
    fn default() -> Self {
        Self { age: Duration::from_secs(7 * 86_400), bytes: 512 << 20 }
    }
}

/// Keeps records that carry a reference, and finds them.
#[derive(Debug)]
pub struct References {
    recent: Recent,
    queue: SyncSender<Job>,
    folder: PathBuf,
    given_up: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Job {
    Keep(Vec<u8>),
    /// Answer when everything before is written, and end.
    Close(SyncSender<()>),
}

impl References {
    /// Keeps records under `data`. What cannot be written is counted and told once; it stops nothing else.
    #[must_use]
    pub fn open(data: &Path, keep: Keep) -> Self {
        let (queue, jobs) = sync_channel(QUEUE);
        let (folder, given_up) = (data.join(FOLDER), Arc::new(AtomicU64::new(0)));
        let shelf = Shelf::new(folder.clone(), keep);
        let count = Arc::clone(&given_up);
        // It ends when it is told to, or with the last sender.
        std::thread::spawn(move || write(shelf, &jobs, &count));
        Self { recent: Recent::default(), queue, folder, given_up }
    }

    /// Keeps a record, if it carries a reference.
    pub fn keep(&self, record: &[u8]) {
        let Some(reference) = reference_of(record) else { return };
        self.recent.keep(reference, record);
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.queue.try_send(Job::Keep(record.to_vec()))
        {
            self.given_up.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The last record with this reference: the final one, where interim ones came before it. Reads files: blocks.
    #[must_use]
    pub fn find(&self, reference: &str) -> Option<Record> {
        self.recent.find(reference).or_else(|| shelf::find(&self.folder, reference))
    }

    /// The policy with this digest, as it was read; `None`: it is not kept any more. Reads a file: blocks.
    #[must_use]
    pub fn policy(&self, digest: &[u8]) -> Option<serde_json::Value> {
        policies::find(&self.folder, digest)
    }

    /// Records that could not be written, since the start.
    #[must_use]
    pub fn given_up(&self) -> u64 {
        self.given_up.load(Ordering::Relaxed)
    }

    /// Waits until what was kept is written, at most `limit`. Nothing is written afterwards.
    pub fn close(&self, limit: Duration) {
        let end = Instant::now() + limit;
        let (done, waits) = mpsc::sync_channel(1);
        let mut close = Job::Close(done);
        // A full queue is being written: there is room soon, unless the disk hangs.
        while let Err(TrySendError::Full(again)) = self.queue.try_send(close) {
            if Instant::now() >= end {
                return;
            }
            close = again;
            std::thread::sleep(Duration::from_millis(10));
        }
        // In vain: what was not written is gone with the process, as with a crash.
        let _ = waits.recv_timeout(end.saturating_duration_since(Instant::now()));
    }
}

fn write(mut shelf: Shelf, jobs: &Receiver<Job>, given_up: &AtomicU64) {
    let mut failing = false;
    loop {
        let job = match jobs.recv_timeout(LOOK) {
            Ok(job) => Some(job),
            Err(mpsc::RecvTimeoutError::Timeout) => None,
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        };
        let result = match job {
            Some(Job::Keep(record)) => shelf.append(now_ms(), &record).inspect_err(|_| {
                given_up.fetch_add(1, Ordering::Relaxed);
            }),
            Some(Job::Close(done)) => {
                let _ = done.send(());
                return;
            }
            None => shelf.prune(now_ms()),
        };
        match result {
            Ok(()) => failing = false,
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(%error, "records are not kept for `gatehouse explain`; the sinks get them all the same");
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_proto::v1::Judgement;
    use prost::Message as _;

    use super::*;

    #[test]
    fn what_was_kept_is_written_when_it_is_closed_however_full_the_queue() {
        let data = tempfile::tempdir().unwrap();
        let references = References::open(data.path(), Keep::default());
        let count = QUEUE * 2;
        for n in 0..count {
            let judgement = Judgement { reference: format!("R{n}"), ..Judgement::default() };
            references.keep(&Record { judgement: Some(judgement), ..Record::default() }.encode_to_vec());
        }
        references.close(Duration::from_secs(60));
        let written = shelf::count(&data.path().join(FOLDER));
        assert!(written >= QUEUE, "{written}");
        assert_eq!(written as u64 + references.given_up(), count as u64, "each is written, or counted");
    }
}
