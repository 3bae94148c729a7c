//! The messages between gate and house (`proto/gatehouse/v1`), and the conversions to the domain types.
//!
//! Generated code is committed; `make proto` makes it anew and a test says when it is stale. Each way a message can be
//! wrong has its own error in [`convert`].

pub mod convert;
pub mod subject;

/// Version 1 of the messages, generated.
#[allow(missing_docs, clippy::all, reason = "generated code")]
pub mod v1 {
    include!("generated/gatehouse.v1.rs");
}

/// Highest version of the protocol that this crate speaks (`Hello.protocol`).
pub const PROTOCOL: u32 = if cfg!(feature = "test-next") { 2 } else { 1 };

/// Lowest version that it still speaks.
pub const OLDEST_PROTOCOL: u32 = 1;

/// The version that is spoken with a peer whose highest one is this (`Welcome.protocol`); `None`: it is too old.
#[must_use]
pub const fn common_protocol(theirs: u32) -> Option<u32> {
    let common = if theirs < PROTOCOL { theirs } else { PROTOCOL };
    if common >= OLDEST_PROTOCOL { Some(common) } else { None }
}

/// Largest encoded [`v1::Batch`], bytes.
pub const MAX_BATCH_BYTES: usize = 64 * 1024;

/// Largest [`v1::PolicyChunk`] payload, bytes.
pub const MAX_CHUNK_BYTES: usize = 256 * 1024;

/// Smallest window above zero that a house grants, bytes.
pub const MIN_WINDOW_BYTES: u32 = 64 * 1024;

/// Brakes in one [`v1::Brake`], at most.
pub const MAX_BRAKES: usize = 64;

/// Longest time that a brake holds, milliseconds: 7 days.
pub const MAX_BRAKE_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// Longest scope, bytes: four segments of 63 and what is between them.
pub const MAX_SCOPE_BYTES: usize = 4 * 63 + 3;

/// Entries that one [`v1::ListDelta`] adds or removes, at most.
pub const MAX_DELTA_ENTRIES: usize = 4096;

/// Deltas of lists that a gate has not answered, at most.
pub const MAX_DELTAS_UNANSWERED: usize = 8;

/// Verdict lists, at most.
pub const MAX_LISTS: usize = 8;

/// Entries of one verdict list, at most.
pub const MAX_LIST_ENTRIES: usize = 65_536;

/// Rules in one [`v1::RolledBack`], at most.
pub const MAX_RULES_BACK: usize = 256;

/// Rules in one [`v1::Rollbacks`], at most.
pub const MAX_ROLLBACKS: usize = 1024;
