//! What the writer and the readers share, under one lock that is never held across a disk access of the writer's.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;

use super::disk::DiskFile;
use super::format::Cursor;
use super::types::{Pending, ReaderStat, SetAside, Stat, Tally};

/// How far the spool is durable, for those who wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) next_seq: u64,
    pub(super) closed: bool,
}

#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) progress: watch::Sender<Progress>,
}

/// Bounded by the spool's size in segments and by the number of readers.
#[derive(Debug, Default)]
pub(super) struct State {
    /// In order; the last is being written or was the last one found. Never empty once a segment was made.
    pub(super) segments: VecDeque<Segment>,
    /// Sequence of the next frame.
    pub(super) next_seq: u64,
    pub(super) records: u64,
    pub(super) readers: Vec<ReaderState>,
    /// Bytes that the segment being written, the reserve, and segments still to be made can take.
    pub(super) free_bytes: u64,
    pub(super) full: bool,
    pub(super) failed_syncs: u64,
    pub(super) failed_cursors: u64,
    pub(super) corrupt_frames: u64,
    pub(super) set_aside: SetAside,
}

/// A segment file, as far as it is durable.
#[derive(Clone)]
pub(super) struct Segment {
    pub(super) first_seq: u64,
    /// Sequence after its last frame.
    pub(super) next_seq: u64,
    pub(super) records_before: u64,
    /// Where its first frame stands.
    pub(super) start: u64,
    /// Where the frame after its last durable one would stand.
    pub(super) end: u64,
    /// Its size on disk.
    pub(super) bytes: u64,
    pub(super) file: Arc<dyn DiskFile>,
}

#[derive(Debug)]
pub(super) struct ReaderState {
    pub(super) name: String,
    pub(super) committed: Cursor,
    /// What of `committed` is on disk; absent until this process wrote it.
    pub(super) saved: Option<Cursor>,
    /// Where the first frame that is not committed stands, as far as known: first sequence of its segment, offset.
    pub(super) place: Option<(u64, u64)>,
    /// Alive while a reader of this name is.
    pub(super) held: Weak<()>,
}

impl Shared {
    pub(super) fn new(state: State) -> Arc<Self> {
        let progress = Progress { next_seq: state.next_seq, closed: false };
        Arc::new(Self { state: Mutex::new(state), progress: watch::Sender::new(progress) })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nobody panics with the lock held; if someone did, numbers are still better than none.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(super) fn reader(&self, name: &str) -> Option<&ReaderState> {
        self.readers.iter().find(|reader| reader.name == name)
    }

    pub(super) fn reader_mut(&mut self, name: &str) -> Option<&mut ReaderState> {
        self.readers.iter_mut().find(|reader| reader.name == name)
    }

    /// The segment in which `seq` stands or will stand.
    pub(super) fn segment_of(&self, seq: u64) -> Option<&Segment> {
        let after = self.segments.partition_point(|segment| segment.first_seq <= seq);
        self.segments.get(after.saturating_sub(1))
    }

    /// The segment behind the one that begins with `first_seq`.
    pub(super) fn segment_after(&self, first_seq: u64) -> Option<&Segment> {
        let after = self.segments.partition_point(|segment| segment.first_seq <= first_seq);
        self.segments.get(after)
    }

    /// The oldest segment that has frames before the reader, with the one behind it; `None`: it is the newest, or there is none.
    pub(super) fn oldest_pending(&self, reader: &ReaderState) -> Option<(&Segment, &Segment)> {
        let next = reader.committed.seq.saturating_add(1);
        let at = self.segments.iter().position(|segment| segment.next_seq > next)?;
        Some((self.segments.get(at)?, self.segments.get(at.saturating_add(1))?))
    }

    pub(super) fn pending(&self, reader: &ReaderState) -> Pending {
        let next = reader.committed.seq.saturating_add(1);
        let bytes = |segment: &Segment| match reader.place {
            Some((first_seq, offset)) if first_seq == segment.first_seq => segment.end.saturating_sub(offset),
            _ => segment.end.saturating_sub(segment.start),
        };
        Pending {
            frames: self.next_seq.saturating_sub(next),
            records: self.records.saturating_sub(reader.committed.total),
            bytes: self.segments.iter().filter(|segment| segment.next_seq > next).map(bytes).sum(),
        }
    }

    pub(super) fn stat(&self) -> Stat {
        Stat {
            bytes: self.segments.iter().map(|segment| segment.bytes).sum(),
            segments: self.segments.len(),
            frames: self.segments.iter().map(|segment| segment.next_seq.saturating_sub(segment.first_seq)).sum(),
            records: self.records,
            last_seq: self.next_seq.saturating_sub(1),
            free_bytes: self.free_bytes,
            full: self.full,
            failed_syncs: self.failed_syncs,
            failed_cursors: self.failed_cursors,
            corrupt_frames: self.corrupt_frames,
            set_aside: self.set_aside,
            readers: self.readers.iter().map(|reader| self.reader_stat(reader)).collect(),
        }
    }

    fn reader_stat(&self, reader: &ReaderState) -> ReaderStat {
        let cursor = &reader.committed;
        ReaderStat {
            name: reader.name.clone(),
            seq: cursor.seq,
            before: cursor.before,
            tally: Tally {
                delivered: cursor.delivered,
                dead_lettered: cursor.dead_lettered,
                skipped: cursor.skipped,
                left_out: cursor.left_out,
            },
            set_aside: cursor.set_aside,
            pending: self.pending(reader),
        }
    }
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segment")
            .field("first_seq", &self.first_seq)
            .field("next_seq", &self.next_seq)
            .finish_non_exhaustive()
    }
}
