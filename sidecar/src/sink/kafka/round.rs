//! One attempt to deliver one parcel: what was handed over, and what became of it.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::error::RDKafkaErrorCode;
use tokio::time::Instant;

use crate::sink::board::Board;
use crate::sink::parcel::{Parcel, Progress};

const ALL_INVALID: &str = "the broker refuses every record as invalid: compare the clocks of house and broker, and the topic's \
    `message.timestamp.*`, `cleanup.policy` and schema validation";

/// Refusals of single messages that tell as much as all would.
const ENOUGH: usize = 16;

/// What a message, or another one of its batch, was refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is larger than the topic takes.
    Size,
    /// The broker says no more than that it is invalid.
    Validity,
}

/// What became of one message.
pub(super) struct Receipt {
    pub(super) opaque: usize,
    pub(super) result: Result<(), RDKafkaErrorCode>,
}

/// One attempt to deliver one parcel.
pub(super) struct Round<'a> {
    pub(super) parcel: &'a Parcel,
    progress: &'a mut Progress,
    pub(super) topic: &'a str,
    pub(super) board: &'a Board,
    /// Not acknowledged, not refused.
    pub(super) pending: BTreeSet<usize>,
    /// Handed over, no receipt yet: index by serial number.
    pub(super) out: BTreeMap<usize, usize>,
    /// Refused as part of a batch, perhaps for another message in it.
    pub(super) suspects: Vec<(usize, Fault)>,
    /// Refused alone as invalid: by a fault of their own only where others are taken (see [`Round::judge_invalid`]).
    invalid: Vec<usize>,
    /// The broker took something of this parcel.
    taken: bool,
    /// Handed over and given up by the client: whether the broker has them is not known.
    unknown: u64,
    /// Why the first of those was given up, or a message was not taken.
    pub(super) failed: Option<RDKafkaErrorCode>,
    pub(super) silent_since: Instant,
}

impl<'a> Round<'a> {
    pub(super) fn new(parcel: &'a Parcel, progress: &'a mut Progress, topic: &'a str, board: &'a Board) -> Self {
        let pending: BTreeSet<usize> = core::mem::take(&mut progress.pending).into_iter().collect();
        let taken = pending.len().saturating_add(progress.refused.len()) < parcel.events().len();
        Self {
            parcel,
            progress,
            topic,
            board,
            pending,
            out: BTreeMap::new(),
            suspects: Vec::new(),
            invalid: Vec::new(),
            taken,
            unknown: 0,
            failed: None,
            silent_since: Instant::now(),
        }
    }

    pub(super) fn receipt(&mut self, receipt: &Receipt) {
        let Some(index) = self.out.remove(&receipt.opaque) else {
            return;
        };
        match receipt.result {
            Ok(()) => {
                self.pending.remove(&index);
                self.taken = true;
            }
            Err(RDKafkaErrorCode::MessageSizeTooLarge) => self.suspects.push((index, Fault::Size)),
            Err(RDKafkaErrorCode::InvalidRecord | RDKafkaErrorCode::InvalidDifferentRecord) => {
                self.suspects.push((index, Fault::Validity));
            }
            Err(code) => {
                self.unknown += 1;
                self.failed.get_or_insert(code);
            }
        }
    }

    pub(super) fn refuse(&mut self, index: usize, reason: &str) {
        self.pending.remove(&index);
        self.progress.refused.push((index, reason.into()));
    }

    /// A message was refused that was in no batch with others.
    pub(super) fn refused_alone(&mut self, index: usize, fault: Fault) {
        match fault {
            Fault::Size => self.refuse(index, "too large for the topic"),
            Fault::Validity => self.invalid.push(index),
        }
    }

    /// So many were refused alone as invalid, and nothing was taken: there is no use in trying the others one by one.
    pub(super) fn is_hopeless(&self) -> bool {
        !self.taken && self.invalid.len() >= ENOUGH
    }

    /// Gives up what was refused as invalid while others were taken. Where none is, it is not the records: a broker says the
    /// same of every record when the clocks of the two differ by more than the topic allows, or when the topic asks for what
    /// our events do not have. That is waited for.
    ///
    /// # Errors
    /// What to tell: every record is refused.
    pub(super) fn judge_invalid(&mut self) -> Result<(), &'static str> {
        let invalid = core::mem::take(&mut self.invalid);
        if !invalid.is_empty() && !self.taken {
            return Err(ALL_INVALID);
        }
        for index in invalid {
            self.refuse(index, "refused by the broker: invalid record");
        }
        Ok(())
    }

    pub(super) fn heard(&mut self) {
        self.silent_since = Instant::now();
        if self.failed.is_none() {
            self.board.well();
        }
    }

    /// Gives back what is still pending; what was on its way may be there already.
    pub(super) fn end(self) {
        self.progress.again += self.unknown + self.out.len() as u64;
        self.progress.pending = self.pending.into_iter().collect();
    }
}
