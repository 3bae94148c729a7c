//! The writing side, without thread or clock: groups of frames in, segments and cursors kept.

use std::io;
use std::sync::Arc;

use gatehouse_stream::receiver::HighWater;

use super::cursor::CursorFile;
use super::disk::{Disk, DiskFile};
use super::format::{self, ACCOUNT_BYTES, Account, Cursor, HEAD_BYTES, Header, MAX_RECORDS};
use super::high_waters::HighWaters;
use super::scan::wide;
use super::state::{Progress, ReaderState, Segment, Shared, State};
use super::{MAX_PAYLOAD_BYTES, StoreError, segment_name};

/// Name of the segment that is made ahead.
pub(super) const RESERVE: &str = "reserve";

/// Largest group of frames written at once, bytes (half a segment where that is less).
const MAX_GROUP_BYTES: usize = 1024 * 1024;

/// One frame to be written.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) payload: Vec<u8>,
    pub(super) records: u32,
    pub(super) high_water: HighWater,
}

impl Entry {
    /// Its bytes on disk.
    pub(super) fn frame_bytes(&self) -> usize {
        HEAD_BYTES.saturating_add(ACCOUNT_BYTES).saturating_add(self.payload.len())
    }
}

/// The one writer of a spool's folder.
pub(super) struct Log {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) segment_bytes: u64,
    pub(super) total_bytes: u64,
    pub(super) shared: Arc<Shared>,
    pub(super) high_waters: HighWaters,
    pub(super) cursors: Vec<CursorFile>,
    /// Made ahead, so that a full disk is met while there is still a segment to fill.
    pub(super) reserve: Option<Arc<dyn DiskFile>>,
    /// The last segment is being written; otherwise (after the start, after a failure) the next group opens a new one.
    pub(super) writing: bool,
}

impl Log {
    /// Largest payload that is taken, bytes.
    pub(super) fn max_payload(&self) -> usize {
        usize::try_from(self.segment_bytes / 4).unwrap_or(usize::MAX).min(MAX_PAYLOAD_BYTES)
    }

    /// Largest group that is taken, bytes of its frames.
    pub(super) fn max_group(&self) -> usize {
        let half = usize::try_from(self.segment_bytes / 2).unwrap_or(usize::MAX);
        half.saturating_sub(HEAD_BYTES).min(MAX_GROUP_BYTES)
    }

    /// Writes and syncs a group, all or nothing; returns the sequence of its first frame. A write or sync that fails is never
    /// tried again on the same file: the segment is sealed and the group goes into a new one, once.
    pub(super) fn append(&mut self, group: &[Entry]) -> Result<u64, StoreError> {
        let (first_seq, bytes, next) = self.encode(group);
        let mut failure = None;
        for _ in 0..2 {
            match self.try_append(&bytes, &next) {
                Ok(()) => {
                    group.iter().for_each(|entry| self.high_waters.raise(&entry.high_water));
                    return Ok(first_seq);
                }
                Err(Failed::Full) => return Err(self.refuse_full()),
                Err(Failed::Io(error)) => {
                    self.writing = false;
                    self.shared.lock().failed_syncs += 1;
                    failure = Some(error);
                }
            }
        }
        match failure.map(|error| error.kind()) {
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => Err(self.refuse_full()),
            kind => Err(StoreError::Io(kind.unwrap_or(io::ErrorKind::Other))),
        }
    }

    /// Saves the cursors that moved, then removes the segments that every reader has passed. Never the other way round: a
    /// crash in between must find the cursors ahead of what is gone.
    pub(super) fn save_cursors(&mut self) {
        let moved: Vec<Option<Cursor>> = {
            let state = self.shared.lock();
            let cursor = |reader: &ReaderState| (reader.saved != Some(reader.committed)).then_some(reader.committed);
            state.readers.iter().map(cursor).collect()
        };
        for (index, cursor) in moved.into_iter().enumerate() {
            let (Some(cursor), Some(file)) = (cursor, self.cursors.get_mut(index)) else {
                continue;
            };
            let saved = file.save(self.disk.as_ref(), &cursor);
            let mut state = self.shared.lock();
            match (saved, state.readers.get_mut(index)) {
                (Ok(()), Some(reader)) => reader.saved = Some(cursor),
                _ => state.failed_cursors += 1,
            }
        }
        self.tend();
    }

    /// Gives back what nobody needs, and makes the next segment ahead where there is room: so a full spool resumes.
    pub(super) fn tend(&mut self) {
        while let Some(first_seq) = self.passed() {
            if self.disk.remove(&segment_name(first_seq)).is_err() {
                break;
            }
            self.shared.lock().segments.pop_front();
        }
        if self.reserve.is_none() && self.room_for_segment() {
            self.reserve = self.disk.create(RESERVE, self.segment_bytes).ok();
        }
        self.tell_space();
    }

    /// Ends the log: cursors saved, the space behind the last frame given back, everyone who waits is told.
    pub(super) fn close(&mut self) {
        self.save_cursors();
        self.end_segment();
        if self.reserve.take().is_some() {
            let _ = self.disk.remove(RESERVE);
        }
        self.shared.progress.send_modify(|progress| progress.closed = true);
    }

    /// The bytes of a group, with what holds once it is durable.
    fn encode(&self, group: &[Entry]) -> (u64, Vec<u8>, Next) {
        let (first_seq, mut records) = {
            let state = self.shared.lock();
            (state.next_seq, state.records)
        };
        let mut seq = first_seq;
        let mut bytes = Vec::with_capacity(group.iter().map(Entry::frame_bytes).sum::<usize>() + HEAD_BYTES);
        for entry in group {
            let count = entry.records.min(MAX_RECORDS);
            records = records.saturating_add(u64::from(count));
            let account = Account { total: records, high_water: entry.high_water };
            format::put_batch(&mut bytes, seq, count, &account, &entry.payload);
            seq = seq.saturating_add(1);
        }
        format::put_commit(&mut bytes, seq.saturating_sub(1));
        (first_seq, bytes, Next { seq, records })
    }

    fn try_append(&mut self, bytes: &[u8], next: &Next) -> Result<(), Failed> {
        match self.place_for(wide(bytes.len())) {
            Some((file, end)) => {
                file.write_at(end, bytes).and_then(|()| file.sync()).map_err(Failed::Io)?;
                if let Some(segment) = self.shared.lock().segments.back_mut() {
                    segment.end = end.saturating_add(wide(bytes.len()));
                }
            }
            None => self.new_segment(bytes)?,
        }
        {
            let mut state = self.shared.lock();
            state.next_seq = next.seq;
            state.records = next.records;
            if let Some(segment) = state.segments.back_mut() {
                segment.next_seq = next.seq;
            }
        }
        self.tend();
        self.shared.progress.send_replace(Progress { next_seq: next.seq, closed: false });
        Ok(())
    }

    /// Where in the segment being written there is room for `bytes`.
    fn place_for(&self, bytes: u64) -> Option<(Arc<dyn DiskFile>, u64)> {
        let state = self.shared.lock();
        let segment = state.segments.back().filter(|_| self.writing)?;
        let fits = segment.end.saturating_add(bytes) <= self.segment_bytes;
        fits.then(|| (Arc::clone(&segment.file), segment.end))
    }

    /// Puts the reserve to use. Header and first group are durable before the name is, so that a segment always has both.
    fn new_segment(&mut self, group: &[u8]) -> Result<(), Failed> {
        self.end_segment();
        if self.reserve.is_none() {
            self.tend();
        }
        let file = self.reserve.take().ok_or(Failed::Full)?;
        let (first_seq, records_before) = {
            let state = self.shared.lock();
            (state.next_seq, state.records)
        };
        let mut bytes = self.header(first_seq, records_before).encode();
        let start = wide(bytes.len());
        bytes.extend_from_slice(group);
        file.write_at(0, &bytes).and_then(|()| file.sync()).map_err(Failed::Io)?;
        let named = self.disk.rename(RESERVE, &segment_name(first_seq));
        named.and_then(|()| self.disk.sync_names()).map_err(Failed::Io)?;
        let segment = Segment {
            first_seq,
            next_seq: first_seq,
            records_before,
            start,
            end: wide(bytes.len()),
            bytes: self.segment_bytes,
            file,
        };
        let mut state = self.shared.lock();
        // One that holds nothing proven has the same name, and has just been replaced.
        state.segments.pop_back_if(|last| last.first_seq == first_seq);
        state.segments.push_back(segment);
        self.writing = true;
        Ok(())
    }

    fn header(&mut self, first_seq: u64, records_before: u64) -> Header {
        self.high_waters.age();
        let half = usize::try_from(self.segment_bytes / 2).unwrap_or(usize::MAX);
        let each = Header::encoded_len(1).saturating_sub(Header::encoded_len(0));
        let room = half.saturating_sub(Header::encoded_len(0)).checked_div(each).unwrap_or_default();
        Header { first_seq, records_before, high_waters: self.high_waters.liveliest(room) }
    }

    /// Gives back the space behind the last frame of the segment being written.
    fn end_segment(&mut self) {
        let mut state = self.shared.lock();
        if std::mem::take(&mut self.writing)
            && let Some(segment) = state.segments.back_mut()
            && segment.file.cut(segment.end).is_ok()
        {
            segment.bytes = segment.end;
        }
    }

    /// First sequence of the oldest segment, when every reader is durably past it and it is not the last one: that one tells
    /// the next start how far the spool had come.
    fn passed(&self) -> Option<u64> {
        let state = self.shared.lock();
        let oldest = state.segments.front().filter(|_| state.segments.len() > 1)?;
        let passed =
            |reader: &ReaderState| reader.saved.is_some_and(|saved| saved.seq.saturating_add(1) >= oldest.next_seq);
        state.readers.iter().all(passed).then_some(oldest.first_seq)
    }

    fn used(&self, state: &State) -> u64 {
        let segments: u64 = state.segments.iter().map(|segment| segment.bytes).sum();
        segments.saturating_add(if self.reserve.is_some() { self.segment_bytes } else { 0 })
    }

    fn room_for_segment(&self) -> bool {
        self.used(&self.shared.lock()).saturating_add(self.segment_bytes) <= self.total_bytes
    }

    fn tell_space(&self) {
        let mut state = self.shared.lock();
        let writing = state.segments.back().filter(|_| self.writing);
        let mut free = writing.map_or(0, |segment| self.segment_bytes.saturating_sub(segment.end));
        // Without a reserve the disk or the spool is full: what is left of the cap means nothing then.
        if self.reserve.is_some() {
            let more = self.total_bytes.saturating_sub(self.used(&state)) / self.segment_bytes;
            free = free.saturating_add(more.saturating_add(1).saturating_mul(self.segment_bytes));
            state.full = false;
        }
        state.free_bytes = free;
    }

    fn refuse_full(&self) -> StoreError {
        let mut state = self.shared.lock();
        state.full = true;
        StoreError::Full
    }
}

/// What holds once a group is durable.
struct Next {
    seq: u64,
    records: u64,
}

enum Failed {
    Full,
    Io(io::Error),
}
