//! The spool: every batch is synced here before it is acknowledged, and every sink reads here at its own pace.
//!
//! # On disk
//! One flat folder (mode 0700, files 0600), all numbers little-endian:
//! ```text
//! lock                      number of the process that has the folder, and its exclusive lock
//! 00000000000000000001.seg  a segment, named by the sequence of its first frame, from 1
//! reserve                   the next segment, made ahead (64 MiB of zeros)
//! NAME.cursor               how far the reader NAME has come
//! SEQ.bad, SEQ-OFFSET.bad   a segment without a header of ours; a corrupt range of one (copied, at most two segments' worth)
//!
//! segment   header, frames, commit marker, frames, commit marker … then zeros up to the preallocated size
//! header    magic "GHSPOOL\n" 8 · version 4 (1) · length of the header 4 · first sequence 8 · records stored before 8
//!           · number of high-water marks 4 · zero 4 · the marks, 88 each · CRC-32C of all that 4
//! mark      epoch, durable sequence, stored, dropped (ring full, no stream, oversize, unreadable), elsewhere, seen,
//!           last sign of life (Unix ms), goodbye (0 or 1): 8 each
//! frame     length of the payload 4 · CRC-32C over (length, sequence, flags, payload) 4 · sequence 8
//!           · flags 4 (bits 0-7 kind: 1 batch, 2 commit marker; bits 8-31 records in it) · payload
//! batch     payload: records stored so far, this frame's included 8 · mark of its epoch 88 · an encoded gatehouse.v1.Batch
//! marker    no payload; its sequence is that of the frame before it
//! cursor    two slots at 0 and 4096, written in turn: magic "GHCURSR\n" 8 · version 4 (2) · generation 8 · last frame
//!           committed 8 · records stored up to there 8 · before 8 · delivered 8 · dead-lettered 8 · skipped 8
//!           · set aside 8 · left out 8 · gap not told yet: first frame, last frame (0: none), records, Unix ms: 8 each
//!           · CRC-32C of all that 4
//! ```
//! # Rules
//! - A group of frames and its marker are written together and synced; only then is anyone told. Recovery keeps what lies
//!   before the last marker and cuts off the rest. Where the writer stands is derived from the frames, never stored.
//! - A segment's header and first group are durable before it gets its name, and the name before anyone is told.
//! - A write or sync that fails is not tried again on those bytes: the segment ends, its unacknowledged group goes into a new
//!   one. Frames of a segment at or beyond the next segment's first sequence are such leftovers and do not count.
//! - At a start the newest group may be in memory only (a kill before the sync, a sync that failed): it is written once more,
//!   into a new segment. Every older group was synced, for the next is not begun before.
//! - Cursor first, durably and by this process; then segments that every reader has passed are unlinked, oldest first. The
//!   last segment always stays: it tells the next start how far the spool had come.
//! - The disk is full when the next segment cannot be made. There is still one to fill then; after it stores are refused, until
//!   space returns. Cursors need no new space.
//! - Corrupt bytes are passed over by length if a frame follows there, else up to the next frame with a good checksum; copied
//!   aside, counted, and never a reason to stop. A hole in the newest group is an unfinished write and takes that group along.

mod cursor;
mod disk;
mod dry;
mod error;
mod format;
mod high_waters;
mod inspect;
mod lock;
mod log;
mod opening;
mod reader;
mod recovery;
mod scan;
mod set_aside;
mod state;
mod types;
mod walk;
mod writer;

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use gatehouse_stream::receiver::HighWater;
use tokio::sync::{Semaphore, oneshot};

use self::disk::RealDisk;
use self::lock::Lock;
use self::log::{Entry, Log};
use self::state::Shared;
use self::writer::{Command, Job, Writer};

pub use self::error::{SpoolError, StoreError};
pub use self::inspect::{Inspection, SegmentStat};
pub use self::reader::Reader;
pub use self::types::{Frame, Gap, MAX_PAYLOAD_BYTES, Pending, ReaderStat, Recovered, SetAside, Settings, Stat, Tally};

/// Bytes that may wait for the writer; whoever wants to store more waits in line.
const MAX_QUEUE_BYTES: u32 = 16 * 1024 * 1024;

/// An open spool. Dropped without [`close`](Self::close) it ends by itself once every handle and reader is gone.
pub struct Spool {
    handle: SpoolHandle,
    writer: JoinHandle<()>,
}

/// Stores frames and opens readers; cheap to clone.
#[derive(Clone)]
pub struct SpoolHandle {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    queue: Arc<Semaphore>,
}

impl Spool {
    /// Opens the spool in `dir`, made where it is missing, and recovers what lies there. Blocks while it reads.
    ///
    /// # Errors
    /// Another process has the folder, a setting cannot be, or the disk cannot be read or written. Corrupt content is no error.
    pub fn open(dir: &Path, settings: Settings) -> Result<(Self, Recovered), SpoolError> {
        let disk = RealDisk::open(dir).map_err(SpoolError::io("create", dir.display().to_string()))?;
        let lock = Lock::take(dir)?;
        let (log, recovered) = Log::open(Arc::new(disk), &settings)?;
        for orphan in &recovered.orphans {
            tracing::warn!(
                reader = orphan,
                "spool has a cursor of a sink that is not configured; it holds nothing back"
            );
        }
        let shared = Arc::clone(&log.shared);
        let (commands, queue) = mpsc::channel();
        let writer = Writer::new(log, queue, settings.sync_every);
        let writer = std::thread::Builder::new()
            .name("spool".to_owned())
            .spawn(move || {
                writer.run();
                // Held to the last write, whoever dropped the spool before.
                drop(lock);
            })
            .map_err(SpoolError::io("start the writer of", dir.display().to_string()))?;
        let queue = Arc::new(Semaphore::new(usize::try_from(MAX_QUEUE_BYTES).unwrap_or(usize::MAX)));
        let handle = SpoolHandle { shared, commands, queue };
        Ok((Self { handle, writer }, recovered))
    }

    /// What the rest of the house works with.
    #[must_use]
    pub fn handle(&self) -> SpoolHandle {
        self.handle.clone()
    }

    /// Stores what was asked for before, saves the cursors, and ends. Blocks meanwhile.
    ///
    /// # Errors
    /// The writer ended before; what it had not acknowledged is not stored.
    pub fn close(self) -> Result<(), SpoolError> {
        // A writer that is gone shows at the join.
        let _ = self.handle.commands.send(Command::Close);
        self.writer.join().map_err(|_| SpoolError::WriterGone)
    }
}

impl SpoolHandle {
    /// Stores one batch and returns the sequence of its frame, once it is durable. `records` (at most 16,777,215) are those in
    /// it, `first_seq` its first sequence within its epoch, `high_water` the epoch's account once it is stored. Batches of
    /// an epoch are stored in the order of the calls.
    ///
    /// # Errors
    /// It is not stored and must not be acknowledged. Later batches of the epoch are refused too, until one comes that begins
    /// no later than this one.
    pub async fn store(
        &self,
        payload: Vec<u8>,
        records: u32,
        first_seq: u64,
        high_water: HighWater,
    ) -> Result<u64, StoreError> {
        let entry = Entry { payload, records, high_water };
        let share = u32::try_from(entry.frame_bytes()).unwrap_or(u32::MAX).min(MAX_QUEUE_BYTES);
        let queue = Arc::clone(&self.queue);
        let share = queue.acquire_many_owned(share).await.map_err(|_| StoreError::Closed)?;
        let (done, answer) = oneshot::channel();
        let job = Job { entry, first_seq, done, _share: share };
        self.commands.send(Command::Store(job)).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// The reader of this name, which [`Settings::readers`] must have named.
    ///
    /// # Errors
    /// The name is not known, or its reader is in use.
    pub fn reader(&self, name: &str) -> Result<Reader, SpoolError> {
        Reader::open(&self.shared, name, Some(self.commands.clone()))
    }

    /// The spool at this moment.
    #[must_use]
    pub fn stat(&self) -> Stat {
        self.shared.lock().stat()
    }

    /// Bytes that can still be stored; what all windows together may not exceed.
    #[must_use]
    pub fn budget(&self) -> u64 {
        self.shared.lock().free_bytes
    }
}

/// File name of the segment that begins with frame `first_seq`.
fn segment_name(first_seq: u64) -> String {
    format!("{first_seq:020}.seg")
}

#[cfg(test)]
mod tests;
