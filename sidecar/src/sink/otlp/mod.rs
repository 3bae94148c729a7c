//! The OTLP sink: each event as a log record of OpenTelemetry, over HTTP in binary protobuf (OTLP 1.x, `/v1/logs`)
//! or over gRPC.
//!
//! | part of the log record | holds |
//! |---|---|
//! | time, severity | of the event |
//! | attributes | semantic conventions where there is one (`http.request.method`, `client.address` …), `gatehouse.*` for the verdict |
//! | `log.record.uid` | the record's id, by which a copy is told |
//! | event name | `metadata.event_code` |
//! | body | the OCSF event, JSON: what has no attribute is there |
//!
//! A collector that takes a batch in part says how many it refused, not which. The batch is then halved down to the event
//! that is refused alone: what it had taken comes twice and is counted so, and nothing is lost unnamed.

mod answer;
mod config;
mod encode;
mod grpc;
mod messages;
mod send;

#[cfg(test)]
mod tests;

pub use config::Config;
pub use send::OtlpSink;
