//! As much of the sidecar's events as the readers of logs ask for.

#[path = "../../../sidecar/src/ocsf/time.rs"]
pub mod time;

/// What a record of ours calls itself.
pub const RECORD_CODE: &str = "gatehouse.record";

/// The class of the event of a connection.
pub const CONNECTION_CLASS: u32 = 4001;
