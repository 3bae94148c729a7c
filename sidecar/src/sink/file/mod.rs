//! The file sink: events as NDJSON, one OCSF event a line, in a file that is rotated by size and age.
//!
//! ```text
//! events.ndjson     being written
//! events.ndjson.1   the last one put aside … events.ndjson.KEEP, the oldest
//! events.ndjson.1.gz   where files put aside are compressed
//! ```
//!
//! A line is whole or absent: what a crash left behind the last line end is cut off when the file is opened again.

mod config;
mod rotate;
mod send;

pub use config::{Config, Durability, Rotate};
pub use send::FileSink;
