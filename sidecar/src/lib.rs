//! The house: takes in what the gates saw, keeps it, delivers it, and hands the gates their policy.
//!
//! ```text
//!  gate ─gRPC─► intake ─► spool ─► sink::file, sink::kafka        (a batch is acknowledged once the spool synced it)
//!                 ▲  └──► access_log                              (standard output)
//!  folder ─► policies (compiled image, pushed to every stream)
//!            admin: /healthz /readyz /metrics /status /log        (loopback)
//! ```
//!
//! [`run::run`] is the whole wiring, read top to bottom; the binary adds arguments, logging, signals and exit codes.

pub mod access_log;
pub mod admin;
pub mod check;
pub mod config;
pub mod data;
pub mod hash_key;
pub mod intake;
pub mod logging;
pub mod metrics;
pub mod ocsf;
pub mod policies;
pub mod run;
pub mod sink;
pub mod spool;
