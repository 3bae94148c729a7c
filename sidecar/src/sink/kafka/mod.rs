//! The Kafka sink: one message an event.
//!
//! | part | holds |
//! |---|---|
//! | value | the OCSF event, JSON |
//! | key | keyed hash of the client, so that one client's events stay in order; none for a loss |
//! | headers | CloudEvents 1.0, binary mode of its Kafka binding: `ce_specversion`, `ce_id` (record id), `ce_source`, `ce_type`, `ce_time`, `content-type` |
//!
//! The producer is idempotent, waits for all in-sync replicas and never gives a message up by itself; what it does give
//! up (a topic that went away, a fatal error) is handed over again. The spool is the store of what is not yet delivered,
//! the client's queue (64 MiB at most) only the way there.

mod config;
mod encode;
mod last_error;
mod options;
mod round;
mod send;
mod told;

pub use crate::sink::tls::Tls;
pub use crate::sink::trust::Secret;
pub use config::{Config, Mechanism, Sasl};
pub use encode::{LOSS_TYPE, NOTICE_TYPE, RECORD_TYPE};
pub use send::KafkaSink;
