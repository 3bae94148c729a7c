//! What one request costs, natively: the operations that are measured, each once, for the clock (`benches/calls.rs`, `bin/tail.rs`)
//! and for the instruction counter (`bin/instructions.rs`).
//!
//! | module | holds |
//! |---|---|
//! | [`operations`] | every measured operation by its name |
//! | [`worker`] | a policy, its requests and one worker's state: what a decision needs |
//! | [`parts`] | the parts of a decision, each for itself |
//! | [`images`] | the measured policies, compiled |
//! | [`table`] | the committed counts in `docs/performance.md` |
//! | [`callgrind`] | counting the instructions of calls |
//! | [`growth`] | how cost grows: sizes, fits, tables and pictures (`bin/growth.rs`) |
//! | [`svg`] | drawing |

pub mod callgrind;
pub mod growth;
pub mod images;
pub mod operations;
pub mod parts;
pub mod svg;
pub mod table;
pub mod worker;

pub use operations::{Call, OPERATIONS, Operation};

#[cfg(test)]
mod tests;
