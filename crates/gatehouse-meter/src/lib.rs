//! Counting in bounded memory: limits, sketches, windows, top-k, distinct counts, lists with a time to live.
//!
//! A *limit* says what is allowed and is made once, with the policy; a *cell* is what one key costs in memory and knows
//! nothing of the limit but what it counted. A [`Table`] keeps a fixed number of cells by the keyed hash of their keys. An
//! engine asks a [`LimitTable`], or a [`SharedLimit`] where all workers of a process count together; [`limit`] says how.
//!
//! | module | holds | a cell's bytes | error | when full |
//! |---|---|---|---|---|
//! | [`window`] | at most N in any window ([`WindowLimit`]) | 104 | refuses up to one of 16 sub-windows too long | – |
//! | [`gcra`] | a steady rate with a burst ([`Gcra`]) | 24 | the interval is rounded up to a whole nanosecond | – |
//! | [`failures`] | failed answers, with a bound on unanswered tries ([`FailureLimit`]) | 128 | as the window | – |
//! | [`distinct`] | how many different items ([`DistinctLimit`]) | 1,064 | standard error at the top threshold ≤ 4.5 % | – |
//! | [`limit`] | any of these four, with its cells ([`LimitTable`]) | as above | as above | as the table |
//! | [`shared`] | the first three across workers ([`SharedLimit`]) | 17 + 17, 93 or 113 in the host | none; what falls back is counted | new keys fall back to per-worker counts, counted |
//! | [`scores`] | sums with a half-life, in all and by label ([`Scores`]) | 88 | 0.02 % and a tenth of a point | – |
//! | [`table`] | cells by key, in 8-way sets ([`Table`]) | 17 + cell | none: the full 64-bit tag is compared | evicts within the set, counted |
//! | [`ttl`] | keys for a time ([`TtlList`]) | 32 (64-bit keys), 64 (128-bit) at least | none | refuses, counted |
//! | [`topk`] | the heaviest keys ([`TopK`]) | 24 + value | counts too high by at most total ÷ k | replaces the lightest |
//! | [`guard`] | whether a change hits known-good clients ([`Guard`]), and who they are ([`Familiar`]) | 1, 32 | stated there, by simulation | leaves newcomers out, counted; as the table |
//!
//! A limit may have several thresholds over its one count, each with its own block time: a [`Ladder`] of up to four.
//!
//! **Time** is a nanosecond count that the caller reads from a monotonic clock and passes in; wall-clock steps change
//! nothing. A clock that nevertheless runs backwards never admits more.
//!
//! **Hashes** are the caller's: tags and items are 64-bit results of a keyed hash, so that no stranger can choose keys that
//! meet; [`key`] makes them of typed parts. Where this crate places keys itself ([`ttl`]) it asks for the key of the hash.
//!
//! **Memory** is taken when a table, a list, a top-k or a guard is made; no call after that allocates. Nothing here reads a
//! clock, a random source or the environment.

mod admission;
mod block;
pub mod distinct;
pub mod failures;
pub mod gcra;
pub mod guard;
mod impossible;
pub mod key;
mod ladder;
pub mod limit;
pub mod scores;
pub mod shared;
mod sip;
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
pub use guard::{Arm, Effect, Evidence, Familiar, FamiliarSpec, Figures, Guard, GuardSpec, Rollback, canary_share};
pub use impossible::Impossible;
pub use key::{Derived, Keys, Part, Tag};
pub use ladder::{Ladder, STEPS, Step};
pub use limit::{BUSY_RETRY, Capacities, Count, Decision, Limit, LimitSpec, LimitTable, Over, Pool};
pub use scores::{CAP, LABELS, ScoreCell, Scores};
pub use shared::SharedLimit;
pub use span::{SUB_WINDOWS, Span};
pub use table::{Cell, Evictions, Hold, Table};
pub use topk::{Heavy, TopK};
pub use ttl::{Put, TtlKey, TtlList};
pub use window::{Window, WindowCell, WindowLimit};
