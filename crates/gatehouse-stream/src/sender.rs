//! The gate's half: a ring of records and loss ranges in sequence order, sent inside the window that the house grants.
//!
//! Every transaction takes one sequence number, from 0. A record leaves the ring when the house says it is durable, or when
//! it was shed before it was ever sent; then a loss range stands in its place, so that no number is ever unaccounted for.

mod ring;
mod types;

use std::collections::VecDeque;

use gatehouse_proto::v1::counters::Field;
use gatehouse_proto::v1::loss::Reason;
use gatehouse_proto::{MAX_BATCH_BYTES, v1};
use prost::Message as _;

use self::ring::Ring;
pub use self::types::{Class, CreditError, Limits, Opening, Stats, Tallied};

/// Room that a batch keeps for its epoch, first sequence and counters, bytes: 9 + 11 + 3 + 12 × 11 + 28 unknown fields × 10,
/// rounded up.
const BATCH_HEAD_BYTES: usize = 448;

/// The gate's end of the stream. Memory is bounded by [`Limits::ring_bytes`], one record, and 64 KiB of loss ranges.
#[derive(Debug)]
pub struct Sender {
    epoch: u64,
    max_batch_bytes: usize,
    next_seq: u64,
    durable_seq: u64,
    ring: Ring,
    counters: v1::Counters,
    stream_no: u32,
    open: Option<Open>,
    refused_credits: u64,
}

/// State of the open stream. `outstanding` holds one entry per batch, so never more than the ring holds items.
#[derive(Debug, Default)]
struct Open {
    window: Option<u32>,
    outstanding: VecDeque<Sent>,
    outstanding_bytes: usize,
    /// The window stopped us; only a credit can change that.
    stalled: bool,
}

#[derive(Debug)]
struct Sent {
    end_seq: u64,
    bytes: usize,
}

impl Sender {
    /// A sender for one VM's life; `epoch` is random and never 0.
    #[must_use]
    pub fn new(epoch: u64, limits: Limits) -> Self {
        let max_batch_bytes = limits.max_batch_bytes.clamp(1024, MAX_BATCH_BYTES);
        Self {
            epoch,
            max_batch_bytes,
            next_seq: 0,
            durable_seq: 0,
            ring: Ring::new(limits.ring_bytes.max(max_batch_bytes)),
            counters: v1::Counters::default(),
            stream_no: 0,
            open: None,
            refused_credits: 0,
        }
    }

    /// Takes in one encoded record and returns its sequence. When there is no room, the newest plain records that were never
    /// sent are given up for a kept one; otherwise the record itself is. Both are counted, and told to the house.
    pub fn push(&mut self, class: Class, record: Vec<u8>) -> u64 {
        let seq = self.take_seq();
        if record.len() > self.max_record_bytes() {
            self.lose(seq, Reason::Oversize);
            return seq;
        }
        let reason = if self.open.is_some() { Reason::RingFull } else { Reason::NoStream };
        let shed = self.ring.push(seq, class, record, reason);
        self.count(reason, shed);
        seq
    }

    /// Takes a sequence number for a record that could not be made, and returns it.
    pub fn push_lost(&mut self, reason: Reason) -> u64 {
        let seq = self.take_seq();
        self.lose(seq, reason);
        seq
    }

    /// A new stream was opened: what its `Hello` must say. Nothing is sent on it before its first credit.
    pub fn opened(&mut self) -> Opening {
        self.stream_no = self.stream_no.saturating_add(1);
        self.open = Some(Open::default());
        self.ring.rewind();
        Opening {
            epoch: self.epoch,
            stream_no: self.stream_no,
            oldest_seq: self.durable_seq,
            next_seq: self.next_seq,
            counters: self.counters.clone(),
        }
    }

    /// The stream ended, however it ended. What was sent and not acknowledged stays pinned for the next one.
    pub fn closed(&mut self) {
        self.open = None;
        self.ring.rewind();
    }

    /// Applies what the house says is durable, and its window. A `durable_seq` older than one seen before changes nothing.
    ///
    /// # Errors
    /// The credit cannot be ours; it is counted in [`Stats::refused_credits`] and nothing changes.
    pub fn credit(&mut self, credit: &v1::Credit) -> Result<(), CreditError> {
        self.apply(credit).inspect_err(|_| self.refused_credits = self.refused_credits.saturating_add(1))
    }

    /// The next batch that the window lets out, if there is one. Call until `None`, on a tick and after each credit.
    pub fn next_batch(&mut self) -> Option<v1::Batch> {
        let open = self.open.as_mut()?;
        let window = usize::try_from(open.window?).unwrap_or(usize::MAX);
        if open.stalled || window == 0 || self.ring.unsent() == 0 {
            return None;
        }
        let mut batch = v1::Batch {
            epoch: self.epoch,
            first_seq: self.ring.cursor_seq().unwrap_or(self.next_seq),
            counters: Some(self.counters.clone()),
            ..v1::Batch::default()
        };
        // One batch may always be outstanding. Beyond that a batch goes out only whole: cutting it to what is left of the
        // window would end in a dribble of tiny ones.
        let left = if open.outstanding.is_empty() { usize::MAX } else { window.saturating_sub(open.outstanding_bytes) };
        let head = batch.encoded_len();
        let plan = self.ring.plan(self.max_batch_bytes.saturating_sub(head));
        let bytes = head.saturating_add(plan.bytes);
        if bytes > left || plan.items == 0 {
            open.stalled = true;
            return None;
        }
        let end_seq = self.ring.take(plan.items, &mut batch);
        open.outstanding.push_back(Sent { end_seq, bytes });
        open.outstanding_bytes = open.outstanding_bytes.saturating_add(bytes);
        Some(batch)
    }

    /// A request was judged while no policy was in force.
    pub fn count_without_policy(&mut self) {
        self.counters.without_policy = self.counters.without_policy.saturating_add(1);
    }

    /// Something happened `by` more times since the last call.
    pub fn tally(&mut self, what: Tallied, by: u64) {
        if by == 0 {
            return;
        }
        let counters = &mut self.counters;
        let counter = match what {
            Tallied::Delayed => &mut counters.delayed,
            Tallied::Evictions => &mut counters.evictions,
            Tallied::NotDelayed => &mut counters.not_delayed,
            Tallied::Rollbacks => &mut counters.rollbacks,
            Tallied::SharedFallbacks => &mut counters.shared_fallbacks,
            Tallied::Unknown(field) => return unknown(&mut counters.unknown_fields, field, by),
        };
        *counter = counter.saturating_add(by);
    }

    /// The reading of the Envoy counter that survives VM reloads; only grows.
    pub fn envoy_seen(&mut self, seen: u64) {
        self.counters.envoy_seen = self.counters.envoy_seen.max(seen);
    }

    /// The last message of this epoch: what is not sent by then ends with the gate, and is counted in it.
    #[must_use]
    pub fn bye(&self) -> v1::Bye {
        let (held, unsent) = self.ring.records();
        v1::Bye {
            epoch: self.epoch,
            next_seq: self.next_seq,
            counters: Some(self.counters.clone()),
            held_records: Some(held),
            unsent_records: Some(unsent),
        }
    }

    /// Totals since the epoch began. They count what was dropped exactly; the loss ranges may name another reason where
    /// too many had to be merged.
    #[must_use]
    pub fn counters(&self) -> &v1::Counters {
        &self.counters
    }

    /// The epoch this sender was made with.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Largest record that [`push`](Self::push) takes, bytes; a longer one is to be cut to its bounded form first.
    #[must_use]
    pub fn max_record_bytes(&self) -> usize {
        self.max_batch_bytes.saturating_sub(BATCH_HEAD_BYTES)
    }

    /// The sequence that the next [`push`](Self::push) takes.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// What is held at this moment.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            ring_bytes: self.ring.bytes(),
            outstanding_bytes: self.open.as_ref().map_or(0, |open| open.outstanding_bytes),
            unsent_bytes: self.ring.unsent_bytes(),
            unsent: self.ring.unsent(),
            durable_seq: self.durable_seq,
            window_bytes: self.open.as_ref().and_then(|open| open.window),
            open: self.open.is_some(),
            refused_credits: self.refused_credits,
        }
    }

    fn apply(&mut self, credit: &v1::Credit) -> Result<(), CreditError> {
        let open = self.open.as_mut().ok_or(CreditError::NoStream)?;
        if credit.epoch != self.epoch {
            return Err(CreditError::WrongEpoch { got: credit.epoch });
        }
        // Sent on any stream, not only on this one: an acknowledgement may have been lost with the stream before.
        let sent_seq = self.ring.sent_seq().max(self.durable_seq);
        if credit.durable_seq > sent_seq {
            return Err(CreditError::BeyondSent { durable_seq: credit.durable_seq, sent_seq });
        }
        self.durable_seq = self.durable_seq.max(credit.durable_seq);
        self.ring.release(self.durable_seq);
        while let Some(sent) = open.outstanding.pop_front_if(|sent| sent.end_seq <= self.durable_seq) {
            open.outstanding_bytes = open.outstanding_bytes.saturating_sub(sent.bytes);
        }
        open.window = Some(credit.window_bytes);
        open.stalled = false;
        Ok(())
    }

    fn take_seq(&mut self) -> u64 {
        let seq = self.next_seq;
        self.next_seq = self.next_seq.saturating_add(1);
        self.counters.seen = self.counters.seen.saturating_add(1);
        seq
    }

    fn lose(&mut self, seq: u64, reason: Reason) {
        self.ring.lose(seq, reason);
        self.count(reason, 1);
    }

    fn count(&mut self, reason: Reason, records: u64) {
        let counters = &mut self.counters;
        let counter = match reason {
            Reason::RingFull => &mut counters.dropped_ring_full,
            Reason::NoStream => &mut counters.dropped_no_stream,
            Reason::Oversize => &mut counters.dropped_oversize,
            Reason::Unreadable | Reason::Unspecified => &mut counters.dropped_unreadable,
        };
        *counter = counter.saturating_add(records);
    }
}

fn unknown(counts: &mut Vec<u64>, field: Field, by: u64) {
    let place = usize::try_from(i32::from(field)).unwrap_or(0);
    if counts.len() <= place {
        counts.resize(place.saturating_add(1), 0);
    }
    if let Some(count) = counts.get_mut(place) {
        *count = count.saturating_add(by);
    }
}

#[cfg(test)]
mod tests;
