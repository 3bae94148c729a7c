//! What a [`Sender`](super::Sender) is told and what it tells.

use std::fmt;

use gatehouse_proto::v1::counters::Field;
use gatehouse_proto::{MAX_BATCH_BYTES, v1};

/// How much a [`Sender`](super::Sender) may hold and send at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the ring: records with 64 bytes of book-keeping each. At least `max_batch_bytes`.
    pub ring_bytes: usize,
    /// Largest encoded batch, bytes; held to 1 KiB … 64 KiB (`gatehouse_proto::MAX_BATCH_BYTES`).
    pub max_batch_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { ring_bytes: 4 * 1024 * 1024, max_batch_bytes: MAX_BATCH_BYTES }
    }
}

/// What may be given up first when the ring is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Mitigated, would have been, an error, or asked for by a rule: shed last.
    Kept,
    /// A plain success: shed first, the newest first.
    Plain,
}

/// What the gate counts beside its records; see `gatehouse.v1.Counters` for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tallied {
    /// Requests delayed.
    Delayed,
    /// Counts of limits given up by a full table.
    Evictions,
    /// Requests that should have been delayed and were not.
    NotDelayed,
    /// Rules rolled back.
    Rollbacks,
    /// Requests that a shared limit counted in this worker alone.
    SharedFallbacks,
    /// An enforced rule did not fire because this field was unknown.
    Unknown(Field),
}

/// The sender's part of a `Hello`; the caller fills in who it is and what policy it has.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// Random number of this worker's VM.
    pub epoch: u64,
    /// Counts the streams of this epoch, from 1.
    pub stream_no: u32,
    /// First sequence that can still be resent.
    pub oldest_seq: u64,
    /// Sequence that the next record will get.
    pub next_seq: u64,
    /// Totals so far.
    pub counters: v1::Counters,
}

impl Opening {
    /// The `Hello` that opens the stream, but for who the worker is and what it has.
    #[must_use]
    pub fn hello(self) -> v1::Hello {
        v1::Hello {
            protocol: gatehouse_proto::PROTOCOL,
            epoch: self.epoch,
            stream_no: self.stream_no,
            oldest_seq: self.oldest_seq,
            next_seq: self.next_seq,
            counters: Some(self.counters),
            ..v1::Hello::default()
        }
    }
}

/// A credit that was not applied; the stream that brought it is best closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreditError {
    /// It acknowledges sequences that were never sent.
    BeyondSent {
        /// What the credit says is durable.
        durable_seq: u64,
        /// End of what was ever sent.
        sent_seq: u64,
    },
    /// No stream is open.
    NoStream,
    /// It is meant for another epoch.
    WrongEpoch {
        /// The epoch that the credit names.
        got: u64,
    },
}

impl fmt::Display for CreditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeyondSent { durable_seq, sent_seq } => {
                write!(f, "credit acknowledges up to {durable_seq}, but only {sent_seq} was sent; close the stream")
            }
            Self::NoStream => f.write_str("credit arrived while no stream is open"),
            Self::WrongEpoch { got } => {
                write!(f, "credit names epoch {got:#018x}, which is not ours; close the stream")
            }
        }
    }
}

impl std::error::Error for CreditError {}

/// What a [`Sender`](super::Sender) holds at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes charged to the ring.
    pub ring_bytes: usize,
    /// Encoded bytes of batches sent on this stream and not acknowledged.
    pub outstanding_bytes: usize,
    /// Charged bytes of what this stream has still to send.
    pub unsent_bytes: usize,
    /// Records and loss ranges that this stream has still to send.
    pub unsent: usize,
    /// Everything below is durable at the house.
    pub durable_seq: u64,
    /// Window last granted on this stream, bytes; absent before its first credit.
    pub window_bytes: Option<u32>,
    /// A stream is open.
    pub open: bool,
    /// Credits refused since the epoch began.
    pub refused_credits: u64,
}
