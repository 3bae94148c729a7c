//! The event of a lost range: records that the gate gave up before they were ever sent.

use gatehouse_proto::v1::{Loss, loss::Reason};
use gatehouse_verdict::record::RecordId;
use serde::Serialize;

use super::activity::Product;
use super::hex::Hex;
use super::{LOSS_CODE, SCHEMA_VERSION};

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

/// A base event (class 0) with the range under `unmapped.gatehouse.loss`; `count` is the number of lost records.
#[derive(Debug, Serialize)]
pub(super) struct LossEvent<'a> {
    category_uid: u8,
    category_name: &'static str,
    class_uid: u8,
    class_name: &'static str,
    activity_id: u8,
    activity_name: &'static str,
    type_uid: u8,
    severity_id: u8,
    severity: &'static str,
    time: u64,
    count: u64,
    message: &'static str,
    metadata: Metadata,
    unmapped: Unmapped<'a>,
}

impl<'a> LossEvent<'a> {
    pub(super) fn of(loss: &Loss, origin: LossOrigin<'a>) -> Self {
        Self {
            category_uid: 0,
            category_name: "Uncategorized",
            class_uid: 0,
            class_name: "Base Event",
            activity_id: 99,
            activity_name: "Loss",
            type_uid: 99,
            severity_id: 3,
            severity: "Medium",
            time: origin.time_ms,
            count: loss.count,
            message: "records were given up by the gate before they were sent",
            metadata: Metadata {
                version: SCHEMA_VERSION,
                uid: Hex(loss_id(origin.epoch, loss)),
                event_code: LOSS_CODE,
                product: Product::of(env!("CARGO_PKG_VERSION")),
            },
            unmapped: Unmapped {
                gatehouse: Own {
                    gateway: origin.gateway,
                    loss: Range {
                        epoch: Hex(origin.epoch.to_be_bytes()),
                        first_seq: loss.first_seq,
                        count: loss.count,
                        reason: reason(loss.reason),
                    },
                },
            },
        }
    }
}

#[derive(Debug, Serialize)]
struct Metadata {
    version: &'static str,
    uid: Hex<[u8; 16]>,
    event_code: &'static str,
    product: Product<'static>,
}

#[derive(Debug, Serialize)]
struct Unmapped<'a> {
    gatehouse: Own<'a>,
}

#[derive(Debug, Serialize)]
struct Own<'a> {
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
