//! What is on the disk when the spool opens: every committed frame, in order; the rest cut off or set aside, and counted.
//!
//! Nothing found here makes the spool refuse to start, save a disk that cannot be read at all.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use gatehouse_stream::receiver::HighWater;

use super::disk::{Disk, DiskFile};
use super::format::{Account, Header, Kind};
use super::high_waters::HighWaters;
use super::scan::{Scan, Step, wide};
use super::state::Segment;
use super::types::SetAside;
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
}

/// Reads all segments. `.bad` files are written while they are no larger than `bad_limit` bytes together.
pub(super) fn recover(
    disk: &dyn Disk,
    max_len: usize,
    bad_limit: u64,
) -> Result<Recovery, SpoolError> {
    let mut recovery = Recovery {
        segments: VecDeque::new(),
        high_waters: HighWaters::default(),
        next_seq: 1,
        records: 0,
        frames: 0,
        set_aside: SetAside::default(),
        truncated_bytes: 0,
    };
    // Names that are only in memory must not be trusted, nor must bytes: a kill leaves both.
    disk.sync_names().map_err(SpoolError::io("sync", "."))?;
    let names = disk.names().map_err(SpoolError::io("list", "."))?;
    let mut firsts: Vec<u64> = names.iter().filter_map(|name| first_seq(name)).collect();
    firsts.sort_unstable();
    let mut bad = Bad {
        disk,
        names: &names,
        left: bad_limit,
        set_aside: SetAside::default(),
    };
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
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}

impl Recovery {
    /// Takes in one segment; `bound` is the first sequence of the next one.
    fn segment(
        &mut self,
        bad: &mut Bad<'_>,
        first: u64,
        bound: Option<u64>,
        max_len: usize,
    ) -> Result<(), SpoolError> {
        let name = segment_name(first);
        let file = bad
            .disk
            .open(&name)
            .map_err(SpoolError::io("open", name.as_str()))?;
        file.sync().map_err(SpoolError::io("sync", name.as_str()))?;
        let read = SpoolError::io("read", name.as_str());
        let Some((walk, bytes)) = self.walk(&file, first, bound, max_len).map_err(read)? else {
            bad.rename(&name, first);
            return Ok(());
        };
        let at = walk.committed;
        for range in &walk.bad {
            bad.copy(&file, first, range.clone());
        }
        if bound.is_some_and(|bound| bound > at.next_seq) {
            bad.copy(&file, first, at.offset..bytes);
        }
        if bound.is_none() {
            self.truncated_bytes = walk.seen.offset.saturating_sub(at.offset);
            // Not essential: what lies behind the last marker is passed over each time.
            let _ = file.cut(at.offset);
        }
        let records_before = walk.records_before.unwrap_or(self.records);
        // Frames that fell between two segments, or whose neighbours inside one tell of them.
        if !self.segments.is_empty() {
            self.set_aside.frames += first.saturating_sub(self.next_seq);
            self.set_aside.records += records_before.saturating_sub(self.records);
        }
        self.set_aside.frames += at.lost_frames;
        self.set_aside.records += at.lost_records;
        self.frames += at.frames;
        self.next_seq = at.next_seq;
        self.records = at.total;
        let bytes = file.bytes().unwrap_or(bytes);
        let (next_seq, start, end) = (at.next_seq, walk.start, at.offset);
        self.segments.push_back(Segment {
            first_seq: first,
            next_seq,
            records_before,
            start,
            end,
            bytes,
            file,
        });
        Ok(())
    }

    /// Walks one segment; `None` when there is nothing of ours in it.
    fn walk(
        &mut self,
        file: &Arc<dyn DiskFile>,
        first: u64,
        bound: Option<u64>,
        max_len: usize,
    ) -> io::Result<Option<(Walk, u64)>> {
        let bytes = file.bytes()?;
        let mut scan = Scan::new(Arc::clone(file), 0, max_len);
        let records_before = match header(file, first)? {
            Some((header, len)) => {
                header
                    .high_waters
                    .iter()
                    .for_each(|high| self.high_waters.raise(high));
                scan = Scan::new(Arc::clone(file), wide(len), max_len);
                Some(header.records_before)
            }
            None if scan.resync(first, bytes)? => None,
            None => return Ok(None),
        };
        let mut walk = Walk::from(&scan, first, records_before, self.records);
        walk.run(
            &mut scan,
            bound.unwrap_or(u64::MAX),
            bytes,
            &mut self.high_waters,
        )?;
        Ok(Some((walk, bytes)))
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
    Ok(Header::parse(&whole)
        .filter(|header| header.first_seq == first)
        .map(|header| (header, len)))
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

/// The way through one segment.
struct Walk {
    start: u64,
    records_before: Option<u64>,
    /// After the last frame seen.
    seen: Point,
    /// After the last commit marker.
    committed: Point,
    /// Corrupt ranges before the last commit marker.
    bad: Vec<Range<u64>>,
    /// Corrupt ranges behind it, so far.
    bad_since: Vec<Range<u64>>,
    marks_since: Vec<HighWater>,
    /// A corrupt range was met since the last commit marker.
    holed: bool,
}

#[derive(Clone, Copy)]
struct Point {
    offset: u64,
    next_seq: u64,
    total: u64,
    frames: u64,
    lost_frames: u64,
    lost_records: u64,
}

impl Walk {
    fn from(scan: &Scan, first: u64, records_before: Option<u64>, total: u64) -> Self {
        let total = records_before.unwrap_or(total);
        let point = Point {
            offset: scan.offset(),
            next_seq: first,
            total,
            frames: 0,
            lost_frames: 0,
            lost_records: 0,
        };
        Self {
            start: scan.offset(),
            records_before,
            seen: point,
            committed: point,
            bad: Vec::new(),
            bad_since: Vec::new(),
            marks_since: Vec::new(),
            holed: false,
        }
    }

    fn run(
        &mut self,
        scan: &mut Scan,
        bound: u64,
        limit: u64,
        marks: &mut HighWaters,
    ) -> io::Result<()> {
        loop {
            match scan.step(limit)? {
                // Written here, not acknowledged, and written again into the next segment.
                Step::Frame(head) if head.seq >= bound => return Ok(()),
                Step::Frame(head) if head.kind == Kind::Commit => {
                    self.lose_up_to(head.seq.saturating_add(1));
                    self.seen.offset = scan.offset();
                    // A hole in the newest group is the mark of a write that was cut short before its sync: nobody was
                    // told of that group. In any other group it is damage, for the next was not begun before its sync.
                    if !std::mem::take(&mut self.holed) || bound != u64::MAX {
                        self.commit(marks);
                    }
                }
                Step::Frame(head) => {
                    if let Some((account, _)) = Account::parse(scan.payload())
                        && head.seq >= self.seen.next_seq
                    {
                        self.batch(head.seq, head.records, &account);
                    }
                    self.seen.offset = scan.offset();
                }
                Step::Bad | Step::End => {
                    let from = scan.offset();
                    if !scan.resync(self.seen.next_seq, limit)? {
                        return Ok(());
                    }
                    self.bad_since.push(from..scan.offset());
                    self.holed = true;
                }
            }
        }
    }

    fn commit(&mut self, marks: &mut HighWaters) {
        self.committed = self.seen;
        self.bad.append(&mut self.bad_since);
        self.marks_since
            .drain(..)
            .for_each(|high| marks.raise(&high));
    }

    fn batch(&mut self, seq: u64, records: u32, account: &Account) {
        self.lose_up_to(seq);
        let before = account.total.saturating_sub(u64::from(records));
        if self.records_before.is_none() {
            // The header is lost; its first frame knows.
            self.records_before = Some(before);
            self.seen.total = before;
        }
        self.seen.lost_records += before.saturating_sub(self.seen.total);
        self.seen.total = account.total;
        self.seen.next_seq = seq.saturating_add(1);
        self.seen.frames += 1;
        self.marks_since.push(account.high_water);
    }

    fn lose_up_to(&mut self, seq: u64) {
        self.seen.lost_frames += seq.saturating_sub(self.seen.next_seq);
        self.seen.next_seq = self.seen.next_seq.max(seq);
    }
}

/// Puts corrupt ranges out of the way, as well as the disk allows: a copy that fails is not worth a failed start.
struct Bad<'a> {
    disk: &'a dyn Disk,
    names: &'a [String],
    left: u64,
    set_aside: SetAside,
}

impl Bad<'_> {
    fn copy(&mut self, file: &Arc<dyn DiskFile>, first: u64, range: Range<u64>) {
        let bytes = range.end.saturating_sub(range.start);
        let name = format!("{first:020}-{:010}.bad", range.start);
        if bytes == 0 || bytes > self.left || self.names.contains(&name) {
            return;
        }
        if self.try_copy(file, &name, range, bytes).is_ok() {
            self.count(bytes);
        }
    }

    fn try_copy(
        &self,
        file: &Arc<dyn DiskFile>,
        name: &str,
        range: Range<u64>,
        bytes: u64,
    ) -> io::Result<()> {
        let copy = self.disk.create(name, bytes)?;
        let mut buffer = vec![0; 64 * 1024];
        let mut done = 0;
        while done < bytes {
            let want = usize::try_from(bytes - done)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            let read = match buffer.get_mut(..want) {
                Some(into) => file.read_at(range.start + done, into)?,
                None => 0,
            };
            let Some(found) = buffer.get(..read).filter(|found| !found.is_empty()) else {
                break;
            };
            copy.write_at(done, found)?;
            done += wide(read);
        }
        copy.sync()
    }

    fn rename(&mut self, name: &str, first: u64) {
        let bytes = self
            .disk
            .open(name)
            .and_then(|file| file.bytes())
            .unwrap_or_default();
        if self.disk.rename(name, &format!("{first:020}.bad")).is_ok() {
            self.count(bytes);
        }
    }

    fn count(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(bytes);
        self.set_aside.files += 1;
        self.set_aside.bytes += bytes;
    }
}
