//! The event of a lost range: records that the gate gave up before they were ever sent.

use gatehouse_proto::v1::{Loss, loss::Reason};
use gatehouse_verdict::record::RecordId;
use serde::Serialize;

use super::LOSS_CODE;
use super::base::{BaseEvent, Severity, Told};
use super::hex::Hex;

/// What a [`Loss`] does not say itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LossOrigin<'a> {
    /// Epoch of the batch that told it.
    pub epoch: u64,
    /// Gateway of the records that came with it; empty: it came alone.
    pub gateway: &'a str,
    /// When it became known, milliseconds since the Unix epoch.
    pub time_ms: u64,
}

/// Identity of a loss event: the id that the first lost record would have had, which no record has.
#[must_use]
pub fn loss_id(epoch: u64, loss: &Loss) -> [u8; 16] {
    RecordId { epoch, sequence: loss.first_seq }.to_bytes()
}

/// The range stands under `unmapped.gatehouse.loss`; `count` is the number of lost records.
pub(super) fn event<'a>(loss: &Loss, origin: LossOrigin<'a>) -> BaseEvent<'static, [u8; 16], Own<'a>> {
    BaseEvent::of(Told {
        activity: "Loss",
        severity: Severity::Medium,
        time_ms: origin.time_ms,
        count: Some(loss.count),
        message: "records were given up by the gate before they were sent".into(),
        id: loss_id(origin.epoch, loss),
        code: LOSS_CODE,
        details: Own {
            gateway: origin.gateway,
            loss: Range {
                epoch: Hex(origin.epoch.to_be_bytes()),
                first_seq: loss.first_seq,
                count: loss.count,
                reason: reason(loss.reason),
            },
        },
    })
}

#[derive(Debug, Serialize)]
pub(super) struct Own<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    gateway: &'a str,
    loss: Range,
}

#[derive(Debug, Serialize)]
struct Range {
    epoch: Hex<[u8; 8]>,
    first_seq: u64,
    count: u64,
    reason: &'static str,
}

fn reason(number: i32) -> &'static str {
    match Reason::try_from(number) {
        Ok(Reason::RingFull) => "ring_full",
        Ok(Reason::NoStream) => "no_stream",
        Ok(Reason::Oversize) => "oversize",
        Ok(Reason::Unreadable) => "unreadable",
        Ok(Reason::Unspecified) | Err(_) => "unspecified",
    }
}
