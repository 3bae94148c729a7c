//! Counting in bounded memory: limits, sketches, windows, top-k, distinct counts, lists with a time to live.
//!
//! A *limit* says what is allowed and is made once, with the policy; a *cell* is what one key costs in memory and knows
//! nothing of the limit but what it counted. A [`Table`] keeps a fixed number of cells by the keyed hash of their keys.
//!
//! | module | holds | a cell's bytes | error | when full |
//! |---|---|---|---|---|
//! | [`window`] | at most N in any window ([`WindowLimit`]) | 96 | refuses up to one of 16 sub-windows too long | – |
//! | [`gcra`] | a steady rate with a burst ([`Gcra`]) | 16 | the interval is rounded up to a whole nanosecond | – |
//! | [`failures`] | failed answers, with a bound on unanswered tries ([`FailureLimit`]) | 112 | as the window | – |
//! | [`distinct`] | how many different items ([`DistinctLimit`]) | 1,048 | standard error at the threshold ≤ 4.5 % | – |
//! | [`table`] | cells by key, in 8-way sets ([`Table`]) | 16 + cell | none: the full 64-bit tag is compared | evicts within the set, counted |
//! | [`ttl`] | keys for a time ([`TtlList`]) | 32 (64-bit keys), 64 (128-bit) at least | none | refuses, counted |
//! | [`topk`] | the heaviest keys ([`TopK`]) | 24 + value | counts too high by at most total ÷ k | replaces the lightest |
//!
//! **Time** is a nanosecond count that the caller reads from a monotonic clock and passes in; wall-clock steps change
//! nothing. A clock that nevertheless runs backwards never admits more.
//!
//! **Hashes** are the caller's: tags and items are 64-bit results of a keyed hash (SipHash or alike), so that no stranger
//! can choose keys that meet. Where this crate places keys itself ([`ttl`]) it asks for the key of the hash.
//!
//! **Memory** is taken when a table, a list or a top-k is made; no call after that allocates. Nothing here reads a clock,
//! a random source or the environment.

mod admission;
mod block;
pub mod distinct;
pub mod failures;
pub mod gcra;
mod impossible;
mod span;
pub mod table;
pub mod topk;
pub mod ttl;
pub mod window;

#[cfg(test)]
mod model;

pub use admission::Admission;
pub use block::Block;
pub use distinct::{Distinct, DistinctLimit};
pub use failures::{Attempt, FailureLimit, Failures, Ticket};
pub use gcra::{Gcra, GcraCell};
pub use impossible::Impossible;
pub use span::{SUB_WINDOWS, Span};
pub use table::{Cell, Evictions, Hold, Table};
pub use topk::{Heavy, TopK};
pub use ttl::{Put, TtlKey, TtlList};
pub use window::{Window, WindowCell, WindowLimit};
