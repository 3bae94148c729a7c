//! One sink's way through the spool: durable frames in order, a cursor of its own.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, mpsc};

use tokio::sync::watch;

use super::format::{ACCOUNT_BYTES, Account, Head, Kind};
use super::scan::{Scan, Step};
use super::state::{Progress, Segment, Shared};
use super::types::{Frame, Gap, Pending, Tally};
use super::writer::Command;
use super::{MAX_PAYLOAD_BYTES, SpoolError, segment_name};

/// Reads what is durable, and says how far it got. One per name at a time.
///
/// Corrupt frames met on the way are passed over and counted; where they go is for the next start to say.
pub struct Reader {
    name: String,
    shared: Arc<Shared>,
    progress: watch::Receiver<Progress>,
    /// Wakes the writer, which saves cursors. Absent where a test drives the log itself.
    wake: Option<mpsc::Sender<Command>>,
    _held: Arc<()>,
    /// Sequence to be returned next.
    next_seq: u64,
    /// Records stored before that frame, as far as this reader was given them.
    total: u64,
    /// Records between the frames returned that were corrupt, since the last commit.
    lost: u64,
    place: Option<Place>,
    /// Frames returned and not committed; as many as the sink chose to read ahead.
    returned: VecDeque<Returned>,
}

struct Place {
    first_seq: u64,
    scan: Scan,
}

struct Returned {
    seq: u64,
    total: u64,
    lost: u64,
    segment: u64,
    /// Where the frame after it stands.
    offset: u64,
}

impl Reader {
    pub(super) fn open(
        shared: &Arc<Shared>,
        name: &str,
        wake: Option<mpsc::Sender<Command>>,
    ) -> Result<Self, SpoolError> {
        let held = Arc::new(());
        let cursor = {
            let mut state = shared.lock();
            let reader = state.reader_mut(name).ok_or_else(|| SpoolError::UnknownReader { name: name.to_owned() })?;
            if reader.held.strong_count() > 0 {
                return Err(SpoolError::ReaderTaken { name: name.to_owned() });
            }
            reader.held = Arc::downgrade(&held);
            reader.committed
        };
        Ok(Self {
            name: name.to_owned(),
            shared: Arc::clone(shared),
            progress: shared.progress.subscribe(),
            wake,
            _held: held,
            next_seq: cursor.seq.saturating_add(1),
            total: cursor.total,
            lost: 0,
            place: None,
            returned: VecDeque::new(),
        })
    }

    /// The name it was opened with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next durable frames, about `max_bytes` of payload and at least one where there is one. Does not wait; reads from
    /// the page cache or the disk.
    ///
    /// # Errors
    /// The disk cannot be read; the next call tries again from the same place.
    pub fn read(&mut self, max_bytes: usize) -> Result<Vec<Frame>, SpoolError> {
        let mut frames = Vec::new();
        let mut bytes = 0;
        while bytes < max_bytes.max(1) {
            let Some(segment) = self.segment() else { break };
            let frame = self.frame(&segment).map_err(SpoolError::io("read", segment_name(segment.first_seq)));
            match frame {
                Ok(Some(frame)) => {
                    bytes = bytes.saturating_add(frame.payload.len());
                    frames.push(frame);
                }
                Ok(None) => {}
                // What was read before the error is not lost to the caller.
                Err(_) if !frames.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(frames)
    }

    /// All frames up to `seq`, returned by [`read`](Self::read) before, are dealt with; `tally` says what became of the records
    /// in them. Never blocks: the writer makes it durable soon (within 50 ms, and when the spool closes). Until then a crash
    /// brings the frames again.
    pub fn commit(&mut self, seq: u64, tally: Tally) {
        let mut last = None;
        while let Some(returned) = self.returned.pop_front_if(|returned| returned.seq <= seq) {
            last = Some(returned);
        }
        let Some(last) = last else { return };
        {
            let mut state = self.shared.lock();
            let Some(reader) = state.reader_mut(&self.name) else {
                return;
            };
            let cursor = &mut reader.committed;
            cursor.seq = last.seq;
            cursor.total = last.total;
            cursor.delivered = cursor.delivered.saturating_add(tally.delivered);
            cursor.dead_lettered = cursor.dead_lettered.saturating_add(tally.dead_lettered);
            cursor.skipped = cursor.skipped.saturating_add(tally.skipped);
            cursor.set_aside = cursor.set_aside.saturating_add(last.lost);
            cursor.left_out = cursor.left_out.saturating_add(tally.left_out);
            reader.place = Some((last.segment, last.offset));
        }
        self.lost = self.lost.saturating_sub(last.lost);
        for returned in &mut self.returned {
            returned.lost = returned.lost.saturating_sub(last.lost);
        }
        self.wake();
    }

    /// Has the cursor saved soon.
    fn wake(&self) {
        if let Some(wake) = &self.wake {
            // A writer that is gone has saved all it could.
            let _ = wake.send(Command::SaveCursors);
        }
    }

    /// The last frame of the oldest segment that is not committed whole; `None`: that is the newest one, which is never skipped.
    #[must_use]
    pub fn skippable(&self) -> Option<u64> {
        let state = self.shared.lock();
        state.oldest_pending(state.reader(&self.name)?).map(|(_, after)| after.first_seq.saturating_sub(1))
    }

    /// Passes over all frames up to `last`, which [`skippable`](Self::skippable) named, and goes on behind them. `done` is what
    /// became of some of their records nevertheless; the others count as skipped, and stand in [`gap`](Self::gap) until it is
    /// told. The number of these; durable as a commit is.
    pub fn skip(&mut self, last: u64, done: Tally, now_ms: u64) -> u64 {
        let mut skipped = 0;
        {
            let mut state = self.shared.lock();
            let after = state.segments.iter().find(|segment| segment.first_seq == last.saturating_add(1));
            let after = after.map(|segment| segment.records_before);
            if let (Some(total), Some(reader)) = (after, state.reader_mut(&self.name))
                && reader.committed.seq < last
            {
                let cursor = &mut reader.committed;
                skipped = total
                    .saturating_sub(cursor.total)
                    .saturating_sub(done.delivered)
                    .saturating_sub(done.dead_lettered);
                let first_seq =
                    if cursor.gap.last_seq == 0 { cursor.seq.saturating_add(1) } else { cursor.gap.first_seq };
                let records = cursor.gap.records.saturating_add(skipped);
                cursor.gap = Gap { first_seq, last_seq: last, records, at_ms: now_ms };
                (cursor.seq, cursor.total) = (last, total);
                cursor.delivered = cursor.delivered.saturating_add(done.delivered);
                cursor.dead_lettered = cursor.dead_lettered.saturating_add(done.dead_lettered);
                cursor.skipped = cursor.skipped.saturating_add(skipped);
                reader.place = None;
            }
        }
        self.rewind();
        self.wake();
        skipped
    }

    /// What was skipped and is not told yet.
    #[must_use]
    pub fn gap(&self) -> Option<Gap> {
        let state = self.shared.lock();
        state.reader(&self.name).map(|reader| reader.committed.gap).filter(|gap| gap.last_seq > 0)
    }

    /// The peer knows of this gap; made durable with the next commit.
    pub fn told(&mut self, gap: &Gap) {
        if let Some(reader) = self.shared.lock().reader_mut(&self.name)
            && reader.committed.gap == *gap
        {
            reader.committed.gap = Gap::default();
        }
    }

    /// Goes back to the last commit: what was read and not committed is read again.
    pub fn rewind(&mut self) {
        self.returned.clear();
        self.lost = 0;
        self.place = None;
        if let Some(reader) = self.shared.lock().reader(&self.name) {
            self.next_seq = reader.committed.seq.saturating_add(1);
            self.total = reader.committed.total;
        }
    }

    /// Returns once there is something to read, or the spool is closed and there is nothing; then it says `false`.
    pub async fn wait_for_more(&mut self) -> bool {
        let next_seq = self.next_seq;
        match self.progress.wait_for(|progress| progress.next_seq > next_seq || progress.closed).await {
            Ok(progress) => progress.next_seq > next_seq,
            Err(_) => false,
        }
    }

    /// What is not committed yet.
    #[must_use]
    pub fn pending(&self) -> Pending {
        let state = self.shared.lock();
        state.reader(&self.name).map(|reader| state.pending(reader)).unwrap_or_default()
    }

    /// The segment that the next frame stands in, with the place set to it; `None` when all durable frames were read.
    fn segment(&mut self) -> Option<Segment> {
        let state = self.shared.lock();
        if self.next_seq >= state.next_seq {
            return None;
        }
        let mut segment = match &self.place {
            Some(place) => state.segments.iter().find(|segment| Arc::ptr_eq(&segment.file, place.scan.file())),
            None => None,
        }
        .or_else(|| state.segment_of(self.next_seq))?;
        // Done with this one: the next frame is in the one behind it, whatever its number.
        while self.offset_in(segment, &state.reader(&self.name)?.place) >= segment.end {
            let Some(after) = state.segment_after(segment.first_seq) else {
                // The newest frames cannot be read. They are passed over, or this reader would never wait again.
                self.next_seq = state.next_seq;
                return None;
            };
            segment = after;
        }
        let offset = self.offset_in(segment, &state.reader(&self.name)?.place);
        if self.place.as_ref().is_none_or(|place| !Arc::ptr_eq(place.scan.file(), &segment.file)) {
            let scan = Scan::new(Arc::clone(&segment.file), offset, ACCOUNT_BYTES.saturating_add(MAX_PAYLOAD_BYTES));
            self.place = Some(Place { first_seq: segment.first_seq, scan });
        }
        Some(segment.clone())
    }

    /// Where to go on in `segment`: the place reached, else the one of the last commit, else its first frame.
    fn offset_in(&self, segment: &Segment, committed: &Option<(u64, u64)>) -> u64 {
        match (&self.place, committed) {
            (Some(place), _) if Arc::ptr_eq(place.scan.file(), &segment.file) => place.scan.offset(),
            (None, Some((first_seq, offset))) if *first_seq == segment.first_seq => *offset,
            _ => segment.start,
        }
    }

    /// One step through the segment: a frame, or nothing that is one.
    fn frame(&mut self, segment: &Segment) -> io::Result<Option<Frame>> {
        let Some(place) = &mut self.place else {
            return Ok(None);
        };
        match place.scan.step(segment.end)? {
            Step::Frame(head) if head.kind == Kind::Batch && head.seq >= self.next_seq => Ok(self.take(&head)),
            Step::Frame(_) => Ok(None),
            Step::Bad | Step::End => {
                let found = place.scan.resync(self.next_seq, segment.end)?;
                if !found {
                    place.scan.skip_to(segment.end);
                }
                let mut state = self.shared.lock();
                state.corrupt_frames = state.corrupt_frames.saturating_add(1);
                Ok(None)
            }
        }
    }

    fn take(&mut self, head: &Head) -> Option<Frame> {
        let place = self.place.as_ref()?;
        let (account, payload) = Account::parse(place.scan.payload())?;
        let before = account.total.saturating_sub(u64::from(head.records));
        self.lost = self.lost.saturating_add(before.saturating_sub(self.total));
        self.total = account.total;
        self.next_seq = head.seq.saturating_add(1);
        self.returned.push_back(Returned {
            seq: head.seq,
            total: account.total,
            lost: self.lost,
            segment: place.first_seq,
            offset: place.scan.offset(),
        });
        Some(Frame {
            seq: head.seq,
            records: head.records,
            taken_ms: account.high_water.last_ms,
            payload: payload.to_vec(),
        })
    }
}
