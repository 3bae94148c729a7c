//! The house: takes in what the gates saw, keeps it, delivers it, and hands the gates their policy.
//!
//! ```text
//!  gate ─gRPC─► intake ─► spool ─► sink::file, sink::kafka        (a batch is acknowledged once the spool synced it)
//!                 ▲  └──► access_log                              (standard output)
//!  folder ─► policies (compiled image, pushed to every stream)
//!            admin: /healthz /readyz /metrics /status /explain /log  (loopback)
//! ```
//!
//! [`run::run`] is the whole wiring, read top to bottom; the binary adds arguments, logging, signals and exit codes.

pub mod access_log;
pub mod admin;
pub mod ask;
pub mod audit;
pub mod books;
pub mod brake;
pub mod check;
pub mod compare;
pub mod config;
pub mod data;
pub mod deadline;
pub mod doctor;
pub mod explain;
pub mod geo;
pub mod guard;
pub mod hash_key;
pub mod intake;
pub mod judge;
pub mod lists;
pub mod loaded;
pub mod logging;
pub mod logs;
pub mod metrics;
pub mod migrate;
pub mod mode;
pub mod notices;
pub mod ocsf;
pub mod packs;
mod peer_uris;
pub mod policies;
pub mod policy;
pub mod policy_test;
pub mod references;
pub mod render;
pub mod renewed;
pub mod replay;
pub mod request;
pub mod rollout;
pub mod run;
pub mod sarif;
pub mod sink;
pub mod spool;
pub mod standing;
pub mod supervise;
pub mod terminal;
pub mod verdict;
pub mod verdicts;
pub mod watched;
pub mod when;
