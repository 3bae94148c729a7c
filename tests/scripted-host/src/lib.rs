//! The built `.wasm` under a host of ours: every answer of "Envoy" is scripted, every call is seen, any call can be made to
//! fail. What Envoy itself does is proved end to end; here is proved that the filter holds whatever its host does.
//!
//! | module | holds |
//! |---|---|
//! | [`gate`] | one VM of the filter, driven callback by callback |
//! | [`world`] | what the host knows and what it was told: properties, headers, metrics, shared data, streams, clocks |
//! | [`faults`] | lives in which calls fail |
//! | [`house`] | the other end of the stream, message by message |
//! | `imports` | the host calls (proxy-wasm 0.2.1 and the few of WASI) |
//! | `expressions` | the guarded CEL lists that the filter sends, evaluated over the scripted properties |
//!
//! Failures panic with what was expected: the callers are tests.

mod expressions;
pub mod faults;
pub mod gate;
pub mod house;
mod imports;
pub mod world;

pub use gate::{Answer, Filter, Gate};
pub use house::House;
pub use world::{Fault, Headers, LocalReply, World};
