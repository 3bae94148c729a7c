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
//! | `http`, `carry` | one transaction; a verdict carried out |
//! | `worker` | what outlives configurations: identity, keys, snapshot, books |
//! | `stream`, `intake` | the stream to the house; the snapshot as it arrives |
//! | `lists` | verdict lists as they arrive |
//! | `rolled_back` | changes that were taken back, told to the house and by it |
//! | `table` | countries and systems as they arrive |
//! | `states` | what the engine keeps, for each line of policies |
//! | `store` | the snapshot and the brakes in shared data, for the next VM |
//! | `bootstrap` | the plugin configuration, read |
//! | `cel`, `facts`, `claims`, `outcome` | attributes asked in one call: of a connection, of a verified token, of an ended transaction |
//! | `delays`, `slots` | requests that wait; limits that workers share |
//! | `metrics`, `tally` | every metric; what the engine counted, told now and then |
//! | `host` | host calls: bytes in, `Result` out |
//!
//! A panic here takes a worker's VM down and is a security bug: nothing indexes, unwraps or trusts a length.

mod bootstrap;
mod carry;
mod cel;
mod claims;
mod delays;
mod exports;
mod facts;
mod host;
mod http;
mod intake;
mod lists;
mod metrics;
mod outcome;
mod rolled_back;
mod root;
mod slots;
mod states;
mod store;
mod stream;
mod table;
mod tally;
mod vm;
mod worker;
