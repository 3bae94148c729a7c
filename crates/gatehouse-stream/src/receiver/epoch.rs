//! One worker's epoch: how far it came, and its account.

use gatehouse_proto::v1;

use super::run::{self, Run};
use super::{BatchError, Books, HighWater, Left, Parcel, Taken, Ticket, UNKNOWN_FIELDS};

/// Longest node name kept, bytes; the rest is cut.
const MAX_NODE_BYTES: usize = 256;

/// What is known of one epoch.
#[derive(Debug, Default)]
pub(super) struct Epoch {
    pub(super) stream_no: u32,
    pub(super) open: bool,
    /// The open stream broke the rules or a store failed: nothing more is taken from it.
    pub(super) broken: bool,
    node: String,
    /// All that was let through, stored or not.
    pub(super) received: HighWater,
    pub(super) durable: HighWater,
    /// Parcels that came out and were not settled yet.
    on_the_way: u32,
    /// Those of them, the oldest, that were given up when one before them failed.
    given_up: u32,
    /// Largest number of sequences that the gate has told of.
    seen: u64,
    counters: v1::Counters,
    pub(super) bye: bool,
    /// What the gate held when it said goodbye to this process.
    pub(super) left: Option<Left>,
    pub(super) last_ms: u64,
}

impl Epoch {
    pub(super) fn restored(high: &HighWater) -> Self {
        Self {
            received: *high,
            durable: *high,
            seen: high.seen,
            bye: high.bye,
            last_ms: high.last_ms,
            ..Self::default()
        }
    }

    pub(super) fn open(&mut self, hello: &v1::Hello, now_ms: u64) {
        self.stream_no = hello.stream_no;
        self.open = true;
        self.broken = false;
        self.bye = false;
        self.left = None;
        self.node = hello.node.chars().take(MAX_NODE_BYTES / 4).collect();
        self.last_ms = self.last_ms.max(now_ms);
        self.told(hello.counters.as_ref(), hello.next_seq);
        // What the gate holds no longer and we never had was acknowledged by another house, or by this one before its
        // spool was removed.
        for mark in [&mut self.received, &mut self.durable] {
            mark.epoch = hello.epoch;
            mark.elsewhere = mark.elsewhere.saturating_add(hello.oldest_seq.saturating_sub(mark.durable_seq));
            mark.durable_seq = mark.durable_seq.max(hello.oldest_seq);
        }
    }

    /// One parcel was settled; says whether it had been given up before.
    pub(super) fn settled(&mut self) -> bool {
        self.on_the_way = self.on_the_way.saturating_sub(1);
        let given_up = self.given_up > 0;
        self.given_up = self.given_up.saturating_sub(1);
        given_up
    }

    /// Forgets what is on the way, and the open stream with it.
    pub(super) fn give_up(&mut self) {
        self.received = self.durable;
        self.given_up = self.on_the_way;
        self.broken = true;
    }

    /// The stream that is open.
    pub(super) fn ticket(&self, epoch: u64) -> Option<Ticket> {
        self.open.then_some(Ticket { epoch, stream_no: self.stream_no })
    }

    pub(super) fn take(&mut self, ticket: &Ticket, mut batch: v1::Batch, now_ms: u64) -> Result<Taken, BatchError> {
        let run = Run::of(&batch, ticket.epoch)?;
        let received = self.received.durable_seq;
        if run.first_seq > received {
            return Err(BatchError::Gap { expected: received, got: run.first_seq });
        }
        self.last_ms = self.last_ms.max(now_ms);
        self.told(batch.counters.as_ref(), run.end_seq);
        if run.end_seq <= received {
            return Ok(Taken::Duplicate);
        }
        run::trim(&mut batch, received);
        let before = self.received.dropped.total();
        self.received.dropped.add(&batch.losses);
        let records = u32::try_from(batch.records.len()).unwrap_or(u32::MAX);
        self.received.stored = self.received.stored.saturating_add(u64::from(records));
        self.received.durable_seq = run.end_seq;
        self.on_the_way = self.on_the_way.saturating_add(1);
        let lost = self.received.dropped.total().saturating_sub(before);
        let high_water = self.high_water(ticket.epoch, self.received);
        Ok(Taken::Store(Box::new(Parcel { batch, records, lost, end_seq: run.end_seq, high_water })))
    }

    pub(super) fn told(&mut self, counters: Option<&v1::Counters>, next_seq: u64) {
        let seen = counters.map_or(0, |counters| counters.seen);
        self.seen = self.seen.max(seen).max(next_seq);
        if let Some(counters) = counters
            && counters.seen >= self.counters.seen
        {
            self.counters.clone_from(counters);
            // What is kept of it is bounded, whatever it sends: places that a later version has are taken together.
            let kept = &mut self.counters.unknown_fields;
            if kept.len() > UNKNOWN_FIELDS {
                let more = kept.drain(UNKNOWN_FIELDS..).fold(0, u64::saturating_add);
                kept.first_mut().into_iter().for_each(|others| *others = others.saturating_add(more));
            }
        }
    }

    pub(super) fn high_water(&self, epoch: u64, mark: HighWater) -> HighWater {
        HighWater { epoch, seen: self.seen, bye: self.bye, last_ms: self.last_ms, ..mark }
    }

    pub(super) fn books(&self, epoch: u64) -> Books {
        let durable = &self.durable;
        let seen = self.seen.max(self.received.durable_seq);
        // What was let through is on its way to the disk; what was not is lost with the gate unless it comes back.
        let on_the_way = self.received.durable_seq.saturating_sub(durable.durable_seq);
        let not_come = seen.saturating_sub(self.received.durable_seq);
        let (in_flight, unknown_tail) =
            if self.open { (on_the_way.saturating_add(not_come), 0) } else { (on_the_way, not_come) };
        Books {
            epoch,
            node: self.node.clone(),
            stream_no: self.stream_no,
            open: self.open,
            bye: self.bye,
            left: self.left,
            last_ms: self.last_ms,
            durable_seq: durable.durable_seq,
            seen,
            stored: durable.stored,
            dropped: durable.dropped,
            elsewhere: durable.elsewhere,
            in_flight,
            unknown_tail,
            counters: self.counters.clone(),
        }
    }
}
