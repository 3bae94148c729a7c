//! What the spool is told and what it tells: settings, frames, tallies, statistics.

use std::time::Duration;

use gatehouse_stream::receiver::HighWater;

/// Largest payload of a frame, bytes (a quarter of a segment where that is less).
pub const MAX_PAYLOAD_BYTES: usize = 1024 * 1024;

/// How large the spool may be and who reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of one segment file, preallocated; at least 16 KiB (1 MiB where batches of 64 KiB are stored).
    pub segment_bytes: u64,
    /// Bytes of all segment files together; at least four segments.
    pub total_bytes: u64,
    /// Frames that come within this time of the last sync share the next one.
    pub sync_every: Duration,
    /// Names of the readers, `[a-z0-9._-]`, at most 64 bytes each. A segment stays until each of them has passed it; with no
    /// reader at all it goes as soon as it is full.
    pub readers: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            segment_bytes: 64 * 1024 * 1024,
            total_bytes: 1024 * 1024 * 1024,
            sync_every: Duration::from_millis(20),
            readers: Vec::new(),
        }
    }
}

/// What was found when the spool was opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recovered {
    /// For `Receiver::restore`.
    pub high_waters: Vec<HighWater>,
    /// Frames on disk.
    pub frames: u64,
    /// Records stored since the spool began, delivered ones included.
    pub records: u64,
    /// What could not be read and lies in `.bad` files now.
    pub set_aside: SetAside,
    /// Readers that have a cursor but were not named; their cursors are left alone and hold nothing back.
    pub orphans: Vec<String>,
    /// Bytes after the last commit marker, never acknowledged, that were cut off.
    pub truncated_bytes: u64,
}

/// Corrupt ranges taken out of the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetAside {
    /// `.bad` files written.
    pub files: u64,
    /// Frames lost.
    pub frames: u64,
    /// Records lost with them.
    pub records: u64,
    /// Bytes in the `.bad` files.
    pub bytes: u64,
}

/// One stored batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Sequence of the frame in this spool, from 1.
    pub seq: u64,
    /// Records in the payload.
    pub records: u32,
    /// When it was taken in, milliseconds since the Unix epoch (the high-water mark's `last_ms`).
    pub taken_ms: u64,
    /// What was stored: an encoded `gatehouse.v1.Batch`.
    pub payload: Vec<u8>,
}

/// What became of the records between two commits of a reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The peer acknowledged them.
    pub delivered: u64,
    /// The peer will never take them; they went elsewhere, or away, counted.
    pub dead_lettered: u64,
    /// Passed over because the reader was too far behind.
    pub skipped: u64,
    /// Not meant for the reader: its filter, or its sample.
    pub left_out: u64,
}

/// What a reader passed over and has not told its peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    /// First frame of it.
    pub first_seq: u64,
    /// Last frame of it.
    pub last_seq: u64,
    /// Records in it that were not delivered.
    pub records: u64,
    /// When it was last added to, milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// What lies before a reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Frames not committed.
    pub frames: u64,
    /// Records not committed.
    pub records: u64,
    /// About as many bytes on disk.
    pub bytes: u64,
}

/// A reader's account: stored = before + delivered + dead-lettered + skipped + left out + set aside
/// + pending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReaderStat {
    /// The reader's name.
    pub name: String,
    /// Last frame committed; 0: none.
    pub seq: u64,
    /// Records that were gone, or not meant for it, before this reader began.
    pub before: u64,
    /// Sums of its tallies.
    pub tally: Tally,
    /// Records that it could not be given because they were corrupt.
    pub set_aside: u64,
    /// What lies before it.
    pub pending: Pending,
}

/// The spool at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Bytes of all segment files.
    pub bytes: u64,
    /// Segment files.
    pub segments: usize,
    /// Frames on disk.
    pub frames: u64,
    /// Records stored since the spool began; survives restarts.
    pub records: u64,
    /// Last durable frame; 0: none yet.
    pub last_seq: u64,
    /// Bytes that can still be stored.
    pub free_bytes: u64,
    /// Stores are refused until space returns.
    pub full: bool,
    /// Syncs or writes that failed since the start; each sealed a segment.
    pub failed_syncs: u64,
    /// Cursor writes that failed since the start.
    pub failed_cursors: u64,
    /// Corrupt frames met by readers since the start.
    pub corrupt_frames: u64,
    /// What was set aside when the spool was opened.
    pub set_aside: SetAside,
    /// By name.
    pub readers: Vec<ReaderStat>,
}
