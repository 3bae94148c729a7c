//! What every gate is made of, whatever it judges: an adapter between proxy-wasm and the decision engine. The filters add what
//! Envoy calls them with: `gatehouse-http` requests, `gatehouse-tcp` connections.
//!
//! ```text
//!  a filter: exports ──► vm ──┬─► root      bootstrap · facts · inline policy · ticks          one per configuration
//!                             ├─► http, connection   judge, carry out, record                  one per transaction
//!                             └─► worker    references · metrics · snapshot · store · stream   one per VM
//!                                      └──► host: the only place that names host calls
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`contexts`], `exports` | what Envoy knows by a number; the callbacks that every filter has alike |
//! | [`root`] | one plugin configuration: bootstrap, inline policy, ticks |
//! | [`worker`] | what outlives configurations: identity, keys, snapshot, books |
//! | [`stream`], `intake` | the stream to the house; the snapshot as it arrives |
//! | `lists` | verdict lists as they arrive |
//! | `rolled_back` | changes that were taken back, told to the house and by it |
//! | `table` | countries and systems as they arrive |
//! | [`states`] | what the engine keeps, for each line of policies |
//! | `store` | the snapshot and the brakes in shared data, for the next VM |
//! | [`bootstrap`] | the plugin configuration, read |
//! | [`cel`], [`facts`], [`claims`] | attributes asked in one call: of a connection, of a verified token |
//! | [`delays`], [`slots`] | requests that wait; limits that workers share |
//! | [`metrics`], `tally` | every metric; what the engine counted, told now and then |
//! | [`host`] | host calls: bytes in, `Result` out |
//!
//! A panic here takes a worker's VM down and is a security bug: nothing indexes, unwraps or trusts a length.

pub mod bootstrap;
pub mod cel;
pub mod claims;
pub mod contexts;
pub mod delays;
mod exports;
pub mod facts;
pub mod host;
mod intake;
mod lists;
pub mod metrics;
mod rolled_back;
pub mod root;
pub mod slots;
pub mod states;
mod store;
pub mod stream;
mod table;
pub mod tally;
pub mod worker;
