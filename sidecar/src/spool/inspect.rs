//! A spool looked at from outside: read only, without its lock, also while a house writes to it.
//!
//! It is read by the same code as at a start, on a disk that takes no writes: what is found is what recovery would find.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::cursor::{self, CursorFile};
use super::disk::Disk;
use super::dry::DryDisk;
use super::format::{ACCOUNT_BYTES, Cursor};
use super::reader::Reader;
use super::recovery::{self, Recovery};
use super::state::{Shared, State};
use super::types::{ReaderStat, SetAside};
use super::{MAX_PAYLOAD_BYTES, SpoolError, lock, opening, segment_name};

/// How often a listing is taken anew when a house removed a segment that it names.
const LOOKS: usize = 16;

/// Name under which the frames are read; no sink's, as it could not be written in a configuration.
const INSPECTOR: &str = "(inspector)";

/// What lies in a spool's folder.
#[derive(Debug)]
pub struct Inspection {
    /// Process number of the house that has the folder, where the kernel tells.
    pub running: Option<u32>,
    /// Segments, oldest first.
    pub segments: Vec<SegmentStat>,
    /// Frames on disk.
    pub frames: u64,
    /// Records stored since the spool began.
    pub records: u64,
    /// Last frame that counts; 0: none.
    pub last_seq: u64,
    /// Frames of the newest group, which a start writes once more: nothing says that it was synced.
    pub unproven_frames: u64,
    /// Bytes after the last commit marker, never acknowledged, that a start cuts off.
    pub truncated_bytes: u64,
    /// What a start would set aside: corrupt, or missing between segments.
    pub set_aside: SetAside,
    /// `.bad` files of earlier starts.
    pub bad_files: Vec<String>,
    /// Every cursor in the folder, by name; its sink may not be configured any more.
    pub readers: Vec<ReaderStat>,
    /// Cursors of which no slot can be read: their sinks begin at the oldest frame.
    pub broken_cursors: Vec<String>,
    shared: Arc<Shared>,
}

/// One segment file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentStat {
    /// Its file name.
    pub name: String,
    /// Its first frame.
    pub first_seq: u64,
    /// The frame after its last.
    pub next_seq: u64,
    /// Its size on disk.
    pub bytes: u64,
    /// Bytes up to the end of its last frame that counts.
    pub used_bytes: u64,
}

impl Inspection {
    /// Looks at the spool in `dir`. Reads every segment; changes nothing, and takes no lock that a house would meet.
    ///
    /// # Errors
    /// The folder or a file cannot be read, or there is no spool in it.
    pub fn open(dir: &Path) -> Result<Self, SpoolError> {
        let disk = DryDisk::new(dir);
        let mut looks = 1;
        loop {
            match Self::look(dir, &disk) {
                // A house that runs has passed it and removed it meanwhile.
                Err(SpoolError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound && looks < LOOKS => {
                    looks += 1
                }
                looked => return looked,
            }
        }
    }

    /// The frames from `from` on, in order, as a sink would be given them.
    ///
    /// # Errors
    /// Another one is in use.
    pub fn frames(&self, from: u64) -> Result<Reader, SpoolError> {
        {
            let mut state = self.shared.lock();
            let at = from.saturating_sub(1);
            let total = state.segment_of(from).map_or(0, |segment| segment.records_before);
            if let Some(reader) = state.reader_mut(INSPECTOR) {
                reader.committed = Cursor { seq: at, total, ..Cursor::default() };
            }
        }
        Reader::open(&self.shared, INSPECTOR, None)
    }

    /// Something of what was acknowledged is lost or cannot be read.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.set_aside.frames > 0 || self.set_aside.files > 0 || !self.broken_cursors.is_empty()
    }

    fn look(dir: &Path, disk: &DryDisk) -> Result<Self, SpoolError> {
        let names = disk.names().map_err(SpoolError::io("list", dir.display().to_string()))?;
        let ours = |name: &String| name.ends_with(".seg") || name.ends_with(cursor::SUFFIX);
        if !names.iter().any(ours) {
            return Err(SpoolError::NoSpool { dir: dir.to_owned() });
        }
        // Cursors first: a house that runs moves them ahead, and removes only what they have passed.
        let (readers, broken_cursors) = cursors(disk, &names)?;
        let max_len = ACCOUNT_BYTES.saturating_add(MAX_PAYLOAD_BYTES);
        let mut recovery = recovery::recover(disk, max_len, u64::MAX)?;
        let unproven_frames = whole(&mut recovery);
        let mut bad_files: Vec<String> = names.iter().filter(|name| name.ends_with(".bad")).cloned().collect();
        bad_files.sort();
        let (frames, truncated_bytes, set_aside) = (recovery.frames, recovery.truncated_bytes, recovery.set_aside);
        let mut state = State {
            next_seq: recovery.next_seq,
            records: recovery.records,
            segments: recovery.segments,
            readers: readers.iter().map(|(name, _)| opening::newcomer(name)).collect(),
            ..State::default()
        };
        let found: Vec<Option<Cursor>> = readers.into_iter().map(|(_, cursor)| cursor).collect();
        opening::place_readers(&mut state, &found);
        let stat = state.stat();
        let segments = state.segments.iter().map(SegmentStat::of).collect();
        state.readers.push(opening::newcomer(INSPECTOR));
        Ok(Self {
            running: lock::holder(dir),
            segments,
            frames,
            records: stat.records,
            last_seq: stat.last_seq,
            unproven_frames,
            truncated_bytes,
            set_aside,
            bad_files,
            readers: stat.readers,
            broken_cursors,
            shared: Shared::new(state),
        })
    }
}

impl SegmentStat {
    fn of(segment: &super::state::Segment) -> Self {
        Self {
            name: segment_name(segment.first_seq),
            first_seq: segment.first_seq,
            next_seq: segment.next_seq,
            bytes: segment.bytes,
            used_bytes: segment.end,
        }
    }
}

/// Lets the newest group count, as a start does; how many frames it has.
fn whole(recovery: &mut Recovery) -> u64 {
    let Some(unproven) = recovery.unproven.take() else { return 0 };
    recovery.next_seq = unproven.next_seq;
    recovery.records = unproven.records;
    if let Some(segment) = recovery.segments.back_mut() {
        segment.next_seq = unproven.next_seq;
        segment.end = unproven.end;
    }
    super::scan::wide(unproven.entries.len())
}

type Cursors = Vec<(String, Option<Cursor>)>;

/// Every cursor, by its reader's name, and the names of those that cannot be read.
fn cursors(disk: &DryDisk, names: &[String]) -> Result<(Cursors, Vec<String>), SpoolError> {
    let mut readers: Vec<&str> = names.iter().filter_map(|name| name.strip_suffix(cursor::SUFFIX)).collect();
    readers.sort_unstable();
    let (mut found, mut broken) = (Vec::new(), Vec::new());
    for reader in readers {
        let (_, cursor) = CursorFile::open(disk, names, reader)?;
        if cursor.is_none() {
            broken.push(reader.to_owned());
        }
        found.push((reader.to_owned(), cursor));
    }
    Ok((found, broken))
}
