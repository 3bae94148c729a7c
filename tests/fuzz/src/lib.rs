//! What must hold for any bytes, parser by parser: one module and one `check` a target. A target is `targets/NAME.rs`, its seeds
//! are `corpus/NAME`, words that help the fuzzer are `dictionary/NAME`; `make fuzz` runs them all.
//!
//! "No panic" is checked everywhere without a word: overflow checks and debug assertions are on. What each module checks
//! beyond it stands in its first lines.
#![forbid(unsafe_code)]

pub mod address;
pub mod agent;
pub mod answers;
pub mod asked;
pub mod certificate;
pub mod cookie;
#[path = "../../../sidecar/src/deadline.rs"]
#[allow(dead_code, reason = "the sidecar's own, of which this uses a part")]
mod deadline;
pub mod decision;
pub mod documents;
pub mod fetched;
pub mod fingerprint;
pub mod geo;
mod given;
pub mod host;
pub mod identity;
pub mod image;
pub mod lists;
pub mod loader;
#[path = "../../../sidecar/src/logs/mod.rs"]
#[allow(dead_code, reason = "the sidecar's own, of which this uses a part")]
mod logs;
#[allow(dead_code, reason = "as above")]
mod ocsf;
pub mod pairs;
pub mod path;
#[path = "../../../sidecar/src/peer_uris.rs"]
mod peer_uris;
pub mod query;
pub mod record;
pub mod recorded;
pub mod redact;
pub mod regex;
#[path = "../../../sidecar/src/request/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the sidecar's own, of which this uses a part")]
mod request;
pub mod shared;
pub mod spool;
pub mod stream;
#[allow(dead_code, unreachable_pub, reason = "the sidecar's own, of which this uses a part")]
mod verdicts;
#[path = "../../../sidecar/src/when.rs"]
#[allow(dead_code, reason = "the sidecar's own, of which this uses a part")]
mod when;
pub mod written;
