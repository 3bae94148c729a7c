//! The event of what a sink passed over because it was too far behind.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::activity::Product;
use super::hex::Hex;
use super::{GAP_CODE, SCHEMA_VERSION};
use crate::spool::Gap;

/// Identity of a gap event: another one for every other range and sink.
#[must_use]
pub fn gap_id(gap: &Gap, sink: &str) -> [u8; 16] {
    let hash = Sha256::new_with_prefix(b"gap").chain_update(gap.first_seq.to_le_bytes());
    let hash = hash.chain_update(gap.last_seq.to_le_bytes()).chain_update(gap.at_ms.to_le_bytes()).chain_update(sink);
    hash.finalize().first_chunk().copied().unwrap_or_default()
}

/// A base event (class 0) with the range under `unmapped.gatehouse.gap`; `count` is the number of records passed over.
#[derive(Debug, Serialize)]
pub(super) struct GapEvent<'a> {
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
    gap: Range<'a>,
}

#[derive(Debug, Serialize)]
struct Range<'a> {
    sink: &'a str,
    first_frame: u64,
    last_frame: u64,
    count: u64,
}

impl<'a> GapEvent<'a> {
    pub(super) fn of(gap: &Gap, sink: &'a str) -> Self {
        Self {
            category_uid: 0,
            category_name: "Uncategorized",
            class_uid: 0,
            class_name: "Base Event",
            activity_id: 99,
            activity_name: "Gap",
            type_uid: 99,
            severity_id: 4,
            severity: "High",
            time: gap.at_ms,
            count: gap.records,
            message: "records were passed over because the sink was too far behind",
            metadata: Metadata {
                version: SCHEMA_VERSION,
                uid: Hex(gap_id(gap, sink)),
                event_code: GAP_CODE,
                product: Product::of(env!("CARGO_PKG_VERSION")),
            },
            unmapped: Unmapped {
                gatehouse: Own {
                    gap: Range { sink, first_frame: gap.first_seq, last_frame: gap.last_seq, count: gap.records },
                },
            },
        }
    }
}
