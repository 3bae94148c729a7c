//! The event of what a sink passed over because it was too far behind.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::GAP_CODE;
use super::base::{BaseEvent, Severity, Told};
use crate::spool::Gap;

/// Identity of a gap event: another one for every other range and sink.
#[must_use]
pub fn gap_id(gap: &Gap, sink: &str) -> [u8; 16] {
    let hash = Sha256::new_with_prefix(b"gap").chain_update(gap.first_seq.to_le_bytes());
    let hash = hash.chain_update(gap.last_seq.to_le_bytes()).chain_update(gap.at_ms.to_le_bytes()).chain_update(sink);
    hash.finalize().first_chunk().copied().unwrap_or_default()
}

/// The range stands under `unmapped.gatehouse.gap`; `count` is the number of records passed over.
pub(super) fn event<'a>(gap: &Gap, sink: &'a str) -> BaseEvent<'static, [u8; 16], Own<'a>> {
    BaseEvent::of(Told {
        activity: "Gap",
        severity: Severity::High,
        time_ms: gap.at_ms,
        count: Some(gap.records),
        message: "records were passed over because the sink was too far behind".into(),
        id: gap_id(gap, sink),
        code: GAP_CODE,
        details: Own { gap: Range { sink, first_frame: gap.first_seq, last_frame: gap.last_seq, count: gap.records } },
    })
}

#[derive(Debug, Serialize)]
pub(super) struct Own<'a> {
    gap: Range<'a>,
}

#[derive(Debug, Serialize)]
struct Range<'a> {
    sink: &'a str,
    first_frame: u64,
    last_frame: u64,
    count: u64,
}
