//! One attempt to deliver one parcel: what was handed over, and what became of it.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::error::RDKafkaErrorCode;
use tokio::time::Instant;

use crate::sink::board::Board;
use crate::sink::parcel::{Parcel, Progress};

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
    /// Refused for their size as part of a batch, perhaps.
    pub(super) suspects: Vec<usize>,
    /// Handed over and given up by the client: whether the broker has them is not known.
    unknown: u64,
    /// Why the first of those was given up, or a message was not taken.
    pub(super) failed: Option<RDKafkaErrorCode>,
    pub(super) silent_since: Instant,
}

impl<'a> Round<'a> {
    pub(super) fn new(parcel: &'a Parcel, progress: &'a mut Progress, topic: &'a str, board: &'a Board) -> Self {
        let pending = core::mem::take(&mut progress.pending).into_iter().collect();
        Self {
            parcel,
            progress,
            topic,
            board,
            pending,
            out: BTreeMap::new(),
            suspects: Vec::new(),
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
            Ok(()) => _ = self.pending.remove(&index),
            Err(RDKafkaErrorCode::MessageSizeTooLarge) => self.suspects.push(index),
            Err(code @ RDKafkaErrorCode::InvalidRecord) => {
                self.refuse(index, &format!("refused by the broker: {code}"))
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
