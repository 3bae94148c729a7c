//! The gate: Envoy's HTTP filter. An adapter between proxy-wasm and the decision engine; everything that thinks is in `crates/`, what
//! the TCP filter needs too in `gatehouse-filter`.
//!
//! | module | holds |
//! |---|---|
//! | `exports` | the callbacks, one line each |
//! | `vm` | which callback goes to which context |
//! | `http`, `carry` | one transaction; a verdict carried out |
//! | `outcome` | attributes of an ended transaction, asked in one call |
//!
//! A panic here takes a worker's VM down and is a security bug: nothing indexes, unwraps or trusts a length.

mod carry;
mod exports;
mod http;
mod outcome;
mod vm;
