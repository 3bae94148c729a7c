//! Records and losses as OCSF events (version 1.7.0), one JSON object each.
//!
//! A [`Record`] becomes an HTTP Activity (class 4002; of a connection a Network Activity, class 4001) with the `security_control` profile; a lost range becomes a base
//! event (class 0) with `metadata.event_code` = [`LOSS_CODE`], so that losses show downstream; so does what the house itself
//! has to tell ([`ROLLBACK_CODE`], [`AUDIT_CODE`]), and what a sink passed over ([`GAP_CODE`]). What OCSF has no place for stands under `unmapped.gatehouse` with the names of `proto/gatehouse/v1/record.proto`. Nothing is copied on the
//! way: the shapes borrow from the record, because this runs once for every request.

pub mod hex;
pub mod time;

mod activity;
mod base;
mod endpoint;
mod fields;
mod gap;
mod grounds;
mod http;
mod loss;
mod notice;
mod own;
mod verdict;

#[cfg(test)]
mod tests;

use gatehouse_proto::v1::{Loss, Notice, Record};

use crate::spool::Gap;

pub use fields::RECORD_FIELDS;
pub use gap::gap_id;
pub use grounds::Rested;
pub use loss::{LossOrigin, loss_id};
pub(crate) use own::ended;

/// Version of the OCSF schema that these events follow.
pub const SCHEMA_VERSION: &str = "1.7.0";

/// `metadata.event_code` of a record's event.
pub const RECORD_CODE: &str = "gatehouse.record";

/// The class of the event of a connection.
pub const CONNECTION_CLASS: u32 = 4001;

/// `metadata.event_code` of a loss event.
pub const LOSS_CODE: &str = "gatehouse.loss";

/// `metadata.event_code` of the event of a change that a worker took back.
pub const ROLLBACK_CODE: &str = "gatehouse.rollback";

/// `metadata.event_code` of the event of a change by hand.
pub const AUDIT_CODE: &str = "gatehouse.audit";

/// `metadata.event_code` of the event of records that a sink passed over.
pub const GAP_CODE: &str = "gatehouse.gap";

/// Appends the event of `record` to `out`, without a line end.
///
/// # Errors
/// None in practice: writing to memory cannot fail and every key is text. `serde_json` states its error all the same.
pub fn write_record(record: &Record, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    serde_json::to_writer(out, &activity::Activity::of(record))
}

/// Appends the event of a lost range to `out`, without a line end.
///
/// # Errors
/// As [`write_record`].
pub fn write_loss(loss: &Loss, origin: LossOrigin<'_>, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    serde_json::to_writer(out, &loss::event(loss, origin))
}

/// Appends the event of what `sink` passed over to `out`, without a line end.
///
/// # Errors
/// As [`write_record`].
pub fn write_gap(gap: &Gap, sink: &str, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    serde_json::to_writer(out, &gap::event(gap, sink))
}

/// Appends the event of a notice to `out`, without a line end; false: it tells of something that this version does not know.
///
/// # Errors
/// As [`write_record`].
pub fn write_notice(notice: &Notice, out: &mut Vec<u8>) -> Result<bool, serde_json::Error> {
    match notice::event(notice) {
        Some(event) => serde_json::to_writer(out, &event).map(|()| true),
        None => Ok(false),
    }
}
