//! The gate: Envoy's HTTP filter. An adapter between proxy-wasm and the decision engine; everything that thinks is in `crates/`.
//!
//! ```text
//!  exports ──► vm ──┬─► root      bootstrap · facts · inline policy · ticks          one per configuration
//!                   ├─► http      judge, carry out, record                           one per transaction
//!                   └─► worker    references · metrics · snapshot · store · stream   one per VM
//!                            └──► host: the only place that names host calls
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `exports` | the callbacks, one line each |
//! | `vm` | which callback goes to which context |
//! | `root` | one plugin configuration: bootstrap, inline policy, ticks |
//! | `http` | one transaction |
//! | `worker` | what outlives configurations: identity, keys, snapshot, books |
//! | `stream`, `intake` | the stream to the house; the snapshot as it arrives |
//! | `store` | the snapshot in shared data, for the next VM |
//! | `bootstrap` | the plugin configuration, read |
//! | `cel`, `facts`, `outcome` | attributes asked in one call; those of a connection; those of an ended transaction |
//! | `metrics` | every metric |
//! | `host` | host calls: bytes in, `Result` out |
//!
//! A panic here takes a worker's VM down and is a security bug: nothing indexes, unwraps or trusts a length.

mod bootstrap;
mod cel;
mod exports;
mod facts;
mod host;
mod http;
mod intake;
mod metrics;
mod outcome;
mod root;
mod store;
mod stream;
mod vm;
mod worker;
