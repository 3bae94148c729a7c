//! What is on the disk when the spool opens: every committed frame, in order; the rest cut off or set aside, and counted.
//!
//! Nothing found here makes the spool refuse to start, save a disk that cannot be read at all.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::disk::{Disk, DiskFile};
use super::format::Header;
use super::high_waters::HighWaters;
use super::log::Entry;
use super::scan::{Scan, wide};
use super::set_aside::Bad;
use super::state::Segment;
use super::types::SetAside;
use super::walk::Walk;
use super::{SpoolError, segment_name};

/// What the segments hold.
pub(super) struct Recovery {
    pub(super) segments: VecDeque<Segment>,
    pub(super) high_waters: HighWaters,
    pub(super) next_seq: u64,
    pub(super) records: u64,
    pub(super) frames: u64,
    pub(super) set_aside: SetAside,
    pub(super) truncated_bytes: u64,
    pub(super) unproven: Option<Unproven>,
}

/// The newest group on disk. It may have been acknowledged, so it counts; but nothing says that it was synced.
/// The last segment and the sums of [`Recovery`] end before it.
pub(super) struct Unproven {
    pub(super) entries: Vec<Entry>,
    /// What holds with it: the end of its segment, the next sequence, records stored.
    pub(super) end: u64,
    pub(super) next_seq: u64,
    pub(super) records: u64,
}

/// Reads all segments. `.bad` files are written while they are no larger than `bad_limit` bytes together.
pub(super) fn recover(disk: &dyn Disk, max_len: usize, bad_limit: u64) -> Result<Recovery, SpoolError> {
    let mut recovery = Recovery {
        segments: VecDeque::new(),
        high_waters: HighWaters::default(),
        next_seq: 1,
        records: 0,
        frames: 0,
        set_aside: SetAside::default(),
        truncated_bytes: 0,
        unproven: None,
    };
    let names = disk.names().map_err(SpoolError::io("list", "."))?;
    let mut firsts: Vec<u64> = names.iter().filter_map(|name| first_seq(name)).collect();
    firsts.sort_unstable();
    let mut bad = Bad { disk, names: &names, left: bad_limit, set_aside: SetAside::default() };
    let mut nexts = firsts.iter().skip(1).copied();
    for &first in &firsts {
        recovery.segment(&mut bad, first, nexts.next(), max_len)?;
    }
    recovery.set_aside.files = bad.set_aside.files;
    recovery.set_aside.bytes = bad.set_aside.bytes;
    recovery.high_waters.age();
    Ok(recovery)
}

/// The first sequence in a segment's name.
fn first_seq(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}

impl Recovery {
    /// Takes in one segment; `bound` is the first sequence of the next one.
    fn segment(&mut self, bad: &mut Bad<'_>, first: u64, bound: Option<u64>, max_len: usize) -> Result<(), SpoolError> {
        let name = segment_name(first);
        let file = bad.disk.open(&name).map_err(SpoolError::io("open", name.as_str()))?;
        let read = SpoolError::io("read", name.as_str());
        let Some((walk, unproven, bytes)) = self.walk(&file, first, bound, max_len).map_err(read)? else {
            bad.rename(&name, first);
            return Ok(());
        };
        for range in &walk.bad {
            bad.copy(&file, first, range.clone());
        }
        let committed = walk.committed;
        let at = match bound {
            Some(bound) if bound > committed.next_seq => {
                bad.copy(&file, first, committed.offset..bytes);
                committed
            }
            Some(_) => {
                // Not essential: what lies behind the last marker is passed over each time. But it takes space.
                let _ = file.cut(committed.offset);
                committed
            }
            None => {
                self.truncated_bytes = walk.seen.offset.saturating_sub(committed.offset);
                self.unproven = unproven;
                walk.proven
            }
        };
        let records_before = walk.records_before.unwrap_or(self.records);
        // Frames that fell between two segments, or whose neighbours inside one tell of them.
        if !self.segments.is_empty() {
            self.set_aside.frames += first.saturating_sub(self.next_seq);
            self.set_aside.records += records_before.saturating_sub(self.records);
        }
        self.set_aside.frames += committed.lost_frames;
        self.set_aside.records += committed.lost_records;
        self.frames += committed.frames;
        self.next_seq = at.next_seq;
        self.records = at.total;
        let bytes = file.bytes().unwrap_or(bytes);
        let (next_seq, start, end) = (at.next_seq, walk.start, at.offset);
        self.segments.push_back(Segment { first_seq: first, next_seq, records_before, start, end, bytes, file });
        Ok(())
    }

    /// Walks one segment; `None` when there is nothing of ours in it.
    fn walk(
        &mut self,
        file: &Arc<dyn DiskFile>,
        first: u64,
        bound: Option<u64>,
        max_len: usize,
    ) -> io::Result<Option<(Walk, Option<Unproven>, u64)>> {
        let bytes = file.bytes()?;
        let mut scan = Scan::new(Arc::clone(file), 0, max_len);
        let records_before = match header(file, first)? {
            Some((header, len)) => {
                header.high_waters.iter().for_each(|high| self.high_waters.raise(high));
                scan = Scan::new(Arc::clone(file), wide(len), max_len);
                Some(header.records_before)
            }
            None if scan.resync(first, bytes)? => None,
            None => return Ok(None),
        };
        let mut walk = Walk::from(&scan, first, records_before, self.records);
        walk.run(&mut scan, bound, bytes, &mut self.high_waters)?;
        let entries = if bound.is_none() { walk.newest_group(&mut scan)? } else { Vec::new() };
        let unproven = (!entries.is_empty()).then_some(Unproven {
            entries,
            end: walk.committed.offset,
            next_seq: walk.committed.next_seq,
            records: walk.committed.total,
        });
        Ok(Some((walk, unproven, bytes)))
    }
}

fn header(file: &Arc<dyn DiskFile>, first: u64) -> io::Result<Option<(Header, usize)>> {
    let mut fixed = vec![0; Header::fixed_len()];
    read_full(file, &mut fixed)?;
    let Some(len) = Header::length(&fixed) else {
        return Ok(None);
    };
    if wide(len) > file.bytes()? {
        return Ok(None);
    }
    let mut whole = vec![0; len];
    read_full(file, &mut whole)?;
    Ok(Header::parse(&whole).filter(|header| header.first_seq == first).map(|header| (header, len)))
}

fn read_full(file: &Arc<dyn DiskFile>, into: &mut [u8]) -> io::Result<()> {
    let mut have = 0;
    while let Some(rest) = into.get_mut(have..).filter(|rest| !rest.is_empty()) {
        match file.read_at(wide(have), rest)? {
            0 => break,
            read => have += read,
        }
    }
    Ok(())
}
