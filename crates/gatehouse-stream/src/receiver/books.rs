//! The account of an epoch: seen = stored + dropped + elsewhere + in flight + unknown tail.

use gatehouse_proto::v1;
use gatehouse_proto::v1::loss::Reason;

/// Records given up by the gate, by the reason that its loss ranges name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// The gate's ring was full while a stream was open.
    pub ring_full: u64,
    /// The gate's ring was full and no stream was open.
    pub no_stream: u64,
    /// Larger than a batch may be.
    pub oversize: u64,
    /// The record could not be made.
    pub unreadable: u64,
}

impl Dropped {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.ring_full.saturating_add(self.no_stream).saturating_add(self.oversize).saturating_add(self.unreadable)
    }

    pub(super) fn add(&mut self, losses: &[v1::Loss]) {
        for loss in losses {
            let counter = match loss.reason() {
                Reason::RingFull => &mut self.ring_full,
                Reason::NoStream => &mut self.no_stream,
                Reason::Oversize => &mut self.oversize,
                Reason::Unreadable | Reason::Unspecified => &mut self.unreadable,
            };
            *counter = counter.saturating_add(loss.count);
        }
    }
}

/// Fields that may be unknown, by their number in `gatehouse.v1.Counters.Field`; 0 stands for those of a later version.
pub const UNKNOWN_FIELDS: usize = 29;

/// What gates count beside their records; see `gatehouse.v1.Counters` for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tallies {
    /// Counts of limits given up by full tables.
    pub evictions: u64,
    /// Requests that shared limits counted in one worker alone.
    pub shared_fallbacks: u64,
    /// Requests delayed.
    pub delayed: u64,
    /// Requests that should have been delayed and were not.
    pub not_delayed: u64,
    /// Rules rolled back.
    pub rollbacks: u64,
    /// Enforced rules that did not fire because a field was unknown, by the field's number.
    pub unknown: [u64; UNKNOWN_FIELDS],
}

impl Tallies {
    /// What these counters say.
    #[must_use]
    pub fn of(counters: &v1::Counters) -> Self {
        let mut tallies = Self {
            evictions: counters.evictions,
            shared_fallbacks: counters.shared_fallbacks,
            delayed: counters.delayed,
            not_delayed: counters.not_delayed,
            rollbacks: counters.rollbacks,
            unknown: [0; UNKNOWN_FIELDS],
        };
        for (number, more) in counters.unknown_fields.iter().enumerate() {
            let number = if number < UNKNOWN_FIELDS { number } else { 0 };
            if let Some(count) = tallies.unknown.get_mut(number) {
                *count = count.saturating_add(*more);
            }
        }
        tallies
    }

    fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.evictions, other.evictions),
            (&mut self.shared_fallbacks, other.shared_fallbacks),
            (&mut self.delayed, other.delayed),
            (&mut self.not_delayed, other.not_delayed),
            (&mut self.rollbacks, other.rollbacks),
        ];
        for (sum, more) in pairs.into_iter().chain(self.unknown.iter_mut().zip(other.unknown)) {
            *sum = sum.saturating_add(more);
        }
    }
}

/// How far an epoch is durable, and the account up to there. Stored with each batch and in each spool segment's header, so
/// that neither duplicates nor sums are lost by a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HighWater {
    /// The epoch.
    pub epoch: u64,
    /// Everything below is on disk, or booked as lost or elsewhere: `stored + dropped + elsewhere`.
    pub durable_seq: u64,
    /// Records on disk.
    pub stored: u64,
    /// Records given up by the gate.
    pub dropped: Dropped,
    /// Acknowledged before this house knew of the epoch: by another house, or by a spool that is gone.
    pub elsewhere: u64,
    /// Largest number of sequences that the gate has told of.
    pub seen: u64,
    /// The gate said goodbye.
    pub bye: bool,
    /// Last sign of life, milliseconds of the caller's clock (the Unix epoch's).
    pub last_ms: u64,
}

/// What a gate held when it said goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Records that were not acknowledged to it.
    pub held: u64,
    /// Those of them that it never sent: they ended with it.
    pub unsent: u64,
}

/// The account of one epoch. `seen` is always the sum of `stored`, `dropped`, `elsewhere`, `in_flight`, `unknown_tail`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Books {
    /// The epoch.
    pub epoch: u64,
    /// Envoy's node id; empty until the gate says hello to this process.
    pub node: String,
    /// Number of its last stream; 0 until the gate says hello to this process.
    pub stream_no: u32,
    /// Its stream is open.
    pub open: bool,
    /// It said goodbye.
    pub bye: bool,
    /// What it held then; `None`: it did not say, or not to this process.
    pub left: Option<Left>,
    /// Last sign of life, milliseconds since the Unix epoch.
    pub last_ms: u64,
    /// Everything below is durable.
    pub durable_seq: u64,
    /// Transactions that took a sequence number, as far as the gate has told.
    pub seen: u64,
    /// Records on disk.
    pub stored: u64,
    /// Records given up by the gate.
    pub dropped: Dropped,
    /// See [`HighWater::elsewhere`].
    pub elsewhere: u64,
    /// Held by the gate of an open stream, or on the way to the disk.
    pub in_flight: u64,
    /// Told of, never received, and no stream is open: lost with the gate, unless it comes back.
    pub unknown_tail: u64,
    /// The gate's own totals as last heard.
    pub counters: v1::Counters,
}

impl Books {
    /// The sum that `seen` must equal.
    #[must_use]
    pub fn booked(&self) -> u64 {
        self.stored
            .saturating_add(self.dropped.total())
            .saturating_add(self.elsewhere)
            .saturating_add(self.in_flight)
            .saturating_add(self.unknown_tail)
    }
}

/// Sums over epochs; see [`Books`] for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Epochs summed up.
    pub epochs: u64,
    /// Transactions that took a sequence number.
    pub seen: u64,
    /// Records on disk.
    pub stored: u64,
    /// Records given up by the gate.
    pub dropped: Dropped,
    /// See [`HighWater::elsewhere`].
    pub elsewhere: u64,
    /// Held by gates, or on the way to the disk.
    pub in_flight: u64,
    /// Lost with their gates.
    pub unknown_tail: u64,
    /// What gates count beside their records, since this process began.
    pub tallies: Tallies,
}

impl Totals {
    /// Adds one epoch's account.
    pub fn add(&mut self, books: &Books) {
        self.epochs = self.epochs.saturating_add(1);
        self.seen = self.seen.saturating_add(books.seen);
        self.stored = self.stored.saturating_add(books.stored);
        self.dropped.ring_full = self.dropped.ring_full.saturating_add(books.dropped.ring_full);
        self.dropped.no_stream = self.dropped.no_stream.saturating_add(books.dropped.no_stream);
        self.dropped.oversize = self.dropped.oversize.saturating_add(books.dropped.oversize);
        self.dropped.unreadable = self.dropped.unreadable.saturating_add(books.dropped.unreadable);
        self.elsewhere = self.elsewhere.saturating_add(books.elsewhere);
        self.in_flight = self.in_flight.saturating_add(books.in_flight);
        self.unknown_tail = self.unknown_tail.saturating_add(books.unknown_tail);
        self.tallies.add(&Tallies::of(&books.counters));
    }
}
