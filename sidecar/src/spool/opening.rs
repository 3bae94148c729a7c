//! How a log begins: settings checked, segments recovered, the newest group proven, each reader where it left off.

use std::sync::{Arc, Weak};

use super::cursor::{self, CursorFile};
use super::disk::Disk;
use super::format::{ACCOUNT_BYTES, Cursor};
use super::log::{Log, RESERVE};
use super::recovery::{self, Unproven};
use super::state::{ReaderState, Shared, State};
use super::{MAX_PAYLOAD_BYTES, Recovered, Settings, SpoolError};

impl Log {
    /// Recovers what is there.
    pub(super) fn open(disk: Arc<dyn Disk>, settings: &Settings) -> Result<(Self, Recovered), SpoolError> {
        check(settings)?;
        let max_len = ACCOUNT_BYTES.saturating_add(MAX_PAYLOAD_BYTES);
        let recovery = recovery::recover(disk.as_ref(), max_len, settings.segment_bytes.saturating_mul(2))?;
        let names = disk.names().map_err(SpoolError::io("list", "."))?;
        let mut cursors = Vec::new();
        let mut found = Vec::new();
        for name in &settings.readers {
            let (file, cursor) = CursorFile::open(disk.as_ref(), &names, name)?;
            cursors.push(file);
            found.push(cursor);
        }
        let mut recovered = Recovered {
            high_waters: recovery.high_waters.liveliest(usize::MAX),
            frames: recovery.frames,
            records: 0,
            set_aside: recovery.set_aside,
            orphans: orphans(&names, settings),
            truncated_bytes: recovery.truncated_bytes,
        };
        let state = State {
            next_seq: recovery.next_seq,
            records: recovery.records,
            segments: recovery.segments,
            set_aside: recovery.set_aside,
            readers: settings.readers.iter().map(|name| newcomer(name)).collect(),
            ..State::default()
        };
        let mut log = Self {
            disk,
            segment_bytes: settings.segment_bytes,
            total_bytes: settings.total_bytes,
            shared: Shared::new(state),
            high_waters: recovery.high_waters,
            cursors,
            reserve: None,
            writing: false,
        };
        let _ = log.disk.remove(RESERVE);
        log.tend();
        if let Some(unproven) = recovery.unproven {
            log.prove(unproven);
        }
        log.resume(&found);
        log.save_cursors();
        recovered.records = log.shared.lock().records;
        Ok((log, recovered))
    }

    /// Writes the newest group of the last run once more, into a segment of its own: that group alone may never have been
    /// synced, or its sync may have failed, and neither can be told from its bytes. Where there is no room for it, a sync of
    /// what is there must do.
    fn prove(&mut self, unproven: Unproven) {
        let proven = self.shared.lock().segments.back().cloned();
        if self.append(&unproven.entries).is_ok() {
            if let Some(segment) = proven.filter(|segment| segment.next_seq > segment.first_seq) {
                // Not essential, see recovery.
                let _ = segment.file.cut(segment.end);
            }
            return;
        }
        let mut state = self.shared.lock();
        state.next_seq = unproven.next_seq;
        state.records = unproven.records;
        if let Some(segment) = state.segments.back_mut() {
            segment.next_seq = unproven.next_seq;
            segment.end = unproven.end;
            if segment.file.sync().and_then(|()| self.disk.sync_names()).is_err() {
                state.failed_syncs += 1;
            }
        }
    }

    /// Puts each reader where its cursor says. Nothing counts as saved: what was read may be in memory only, so each cursor is
    /// written anew before a segment goes.
    fn resume(&mut self, found: &[Option<Cursor>]) {
        let mut state = self.shared.lock();
        if place_readers(&mut state, found) {
            self.writing = false;
        }
        let next_seq = state.next_seq;
        drop(state);
        self.shared.progress.send_modify(|progress| progress.next_seq = next_seq);
    }
}

/// Puts each reader where its cursor says, or before the oldest frame there is. True: a cursor stands beyond the last frame, and
/// sequences go on behind it.
pub(super) fn place_readers(state: &mut State, found: &[Option<Cursor>]) -> bool {
    let furthest = found.iter().flatten().max_by_key(|cursor| cursor.seq).copied().unwrap_or_default();
    let beyond = furthest.seq >= state.next_seq;
    if beyond {
        // The newest frames are lost, but their sequences must not be given out again.
        state.next_seq = furthest.seq.saturating_add(1);
        state.records = state.records.max(furthest.total);
    }
    let oldest = state
        .segments
        .front()
        .map_or((state.next_seq, state.records), |segment| (segment.first_seq, segment.records_before));
    let oldest = Cursor { seq: oldest.0.saturating_sub(1), total: oldest.1, ..Cursor::default() };
    for (reader, cursor) in state.readers.iter_mut().zip(found) {
        let mut cursor = cursor.unwrap_or_default();
        if cursor.seq < oldest.seq {
            cursor.before = cursor.before.saturating_add(oldest.total.saturating_sub(cursor.total));
            (cursor.seq, cursor.total) = (oldest.seq, oldest.total);
        }
        reader.committed = cursor;
    }
    beyond
}

fn check(settings: &Settings) -> Result<(), SpoolError> {
    let wrong = |problem: String| Err(SpoolError::Settings { problem });
    if settings.segment_bytes < 16 * 1024 {
        return wrong(format!(
            "spool segment of {} bytes is too small, at least 16 KiB are needed",
            settings.segment_bytes
        ));
    }
    if settings.total_bytes / 4 < settings.segment_bytes {
        let (total, segment) = (settings.total_bytes, settings.segment_bytes);
        return wrong(format!("spool of {total} bytes is too small, four segments of {segment} bytes must fit"));
    }
    let sound = |name: &String| {
        let known = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        (1..=64).contains(&name.len()) && name.bytes().all(known) && !name.starts_with('.')
    };
    if let Some(name) = settings.readers.iter().find(|name| !sound(name)) {
        return wrong(format!("spool reader `{name}` must be 1 to 64 of `a-z0-9._-`, not beginning with `.`"));
    }
    let twice = |name: &&String| settings.readers.iter().filter(|other| other == name).count() > 1;
    match settings.readers.iter().find(twice) {
        Some(name) => wrong(format!("spool reader `{name}` is named twice")),
        None => Ok(()),
    }
}

pub(super) fn newcomer(name: &str) -> ReaderState {
    ReaderState { name: name.to_owned(), committed: Cursor::default(), saved: None, place: None, held: Weak::new() }
}

/// Names of cursors whose reader was not named.
fn orphans(names: &[String], settings: &Settings) -> Vec<String> {
    let readers = names.iter().filter_map(|name| name.strip_suffix(cursor::SUFFIX));
    readers.filter(|reader| !settings.readers.iter().any(|known| known == reader)).map(str::to_owned).collect()
}
