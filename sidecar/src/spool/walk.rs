//! The way through one segment at the start: what was committed, what is corrupt, what is lost.

use std::io;
use std::ops::Range;

use gatehouse_stream::receiver::HighWater;

use super::format::{Account, Kind};
use super::high_waters::HighWaters;
use super::log::Entry;
use super::scan::{Scan, Step};

/// The way through one segment.
pub(super) struct Walk {
    pub(super) start: u64,
    pub(super) records_before: Option<u64>,
    /// After the last frame seen.
    pub(super) seen: Point,
    /// After the last commit marker that counts.
    pub(super) committed: Point,
    /// Before the group that `committed` ends: all up to here was synced, for that group was begun after it.
    pub(super) proven: Point,
    /// After the last commit marker seen, of whatever group.
    marker: Point,
    /// Corrupt ranges before `committed`.
    pub(super) bad: Vec<Range<u64>>,
    /// Corrupt ranges behind it, so far.
    bad_since: Vec<Range<u64>>,
    marks_since: Vec<HighWater>,
    /// A corrupt range was met since the last commit marker.
    holed: bool,
}

#[derive(Clone, Copy)]
pub(super) struct Point {
    pub(super) offset: u64,
    pub(super) next_seq: u64,
    pub(super) total: u64,
    pub(super) frames: u64,
    pub(super) lost_frames: u64,
    pub(super) lost_records: u64,
}

impl Walk {
    pub(super) fn from(scan: &Scan, first: u64, records_before: Option<u64>, total: u64) -> Self {
        let total = records_before.unwrap_or(total);
        let point = Point { offset: scan.offset(), next_seq: first, total, frames: 0, lost_frames: 0, lost_records: 0 };
        Self {
            start: scan.offset(),
            records_before,
            seen: point,
            committed: point,
            proven: point,
            marker: point,
            bad: Vec::new(),
            bad_since: Vec::new(),
            marks_since: Vec::new(),
            holed: false,
        }
    }

    /// Goes to the end of the segment's own frames; `bound` is the first sequence of the next segment, `limit` the file's
    /// length.
    pub(super) fn run(
        &mut self,
        scan: &mut Scan,
        bound: Option<u64>,
        limit: u64,
        marks: &mut HighWaters,
    ) -> io::Result<()> {
        loop {
            match scan.step(limit)? {
                // Written here, not acknowledged, and written again into the next segment.
                Step::Frame(head) if bound.is_some_and(|bound| head.seq >= bound) => return Ok(()),
                Step::Frame(head) if head.kind == Kind::Commit => {
                    self.lose_up_to(head.seq.saturating_add(1));
                    self.seen.offset = scan.offset();
                    // A hole in the newest group is the mark of a write that was cut short before its sync: nobody was
                    // told of that group. In any other group it is damage, for the next was not begun before its sync.
                    let before = std::mem::replace(&mut self.marker, self.seen);
                    if !std::mem::take(&mut self.holed) || bound.is_some() {
                        self.proven = before;
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

    /// The frames of the group between `proven` and `committed`.
    pub(super) fn newest_group(&self, scan: &mut Scan) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        scan.skip_to(self.proven.offset);
        while scan.offset() < self.committed.offset {
            match scan.step(self.committed.offset)? {
                Step::Frame(head) => {
                    if let Some((account, payload)) = Account::parse(scan.payload()) {
                        let (payload, high_water) = (payload.to_vec(), account.high_water);
                        entries.push(Entry { payload, records: head.records, high_water });
                    }
                }
                Step::Bad | Step::End => break,
            }
        }
        Ok(entries)
    }

    fn commit(&mut self, marks: &mut HighWaters) {
        self.committed = self.seen;
        self.bad.append(&mut self.bad_since);
        self.marks_since.drain(..).for_each(|high| marks.raise(&high));
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
