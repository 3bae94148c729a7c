//! A batch as a run of sequences: is it well-formed, and what is left of it when its front is known already.

use gatehouse_proto::v1::loss::Reason;
use gatehouse_proto::{MAX_BATCH_BYTES, v1};
use prost::Message as _;

use super::BatchError;

/// The sequences `first_seq..end_seq` of a batch that was found well-formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) first_seq: u64,
    pub(super) end_seq: u64,
}

impl Run {
    pub(super) fn of(batch: &v1::Batch, epoch: u64) -> Result<Self, BatchError> {
        if batch.epoch != epoch {
            return Err(BatchError::WrongEpoch { got: batch.epoch });
        }
        let bytes = batch.encoded_len();
        if bytes > MAX_BATCH_BYTES {
            return Err(BatchError::TooLarge { bytes });
        }
        let first_seq = batch.first_seq;
        let beyond = BatchError::BeyondSeen { first_seq };
        let records = u64::try_from(batch.records.len()).map_err(|_| beyond)?;
        let lost = batch.losses.iter().try_fold(0u64, |sum, loss| sum.checked_add(loss.count)).ok_or(beyond)?;
        let end_seq = records.checked_add(lost).and_then(|span| first_seq.checked_add(span)).ok_or(beyond)?;
        if batch.counters.as_ref().is_some_and(|counters| end_seq > counters.seen) {
            return Err(beyond);
        }
        let run = Self { first_seq, end_seq };
        run.check_losses(&batch.losses)?;
        Ok(run)
    }

    fn check_losses(&self, losses: &[v1::Loss]) -> Result<(), BatchError> {
        let mut free_from = self.first_seq;
        for loss in losses {
            let wrong = BatchError::Loss { first_seq: loss.first_seq };
            let end = loss.first_seq.checked_add(loss.count).ok_or(wrong)?;
            if loss.count == 0 || loss.first_seq < free_from || end > self.end_seq {
                return Err(wrong);
            }
            match Reason::try_from(loss.reason) {
                Ok(Reason::Unspecified) | Err(_) => {
                    return Err(BatchError::Reason { got: loss.reason });
                }
                Ok(Reason::NoStream | Reason::Oversize | Reason::RingFull | Reason::Unreadable) => free_from = end,
            }
        }
        Ok(())
    }
}

/// Takes the sequences below `from` out of a well-formed batch that reaches beyond it.
pub(super) fn trim(batch: &mut v1::Batch, from: u64) {
    let known = from.saturating_sub(batch.first_seq);
    if known == 0 {
        return;
    }
    let mut known_lost: u64 = 0;
    batch.losses.retain_mut(|loss| {
        let cut = from.saturating_sub(loss.first_seq).min(loss.count);
        known_lost = known_lost.saturating_add(cut);
        loss.first_seq = loss.first_seq.saturating_add(cut);
        loss.count = loss.count.saturating_sub(cut);
        loss.count > 0
    });
    let known_records = usize::try_from(known.saturating_sub(known_lost)).unwrap_or(usize::MAX);
    batch.records.drain(..known_records.min(batch.records.len()));
    batch.first_seq = from;
}
