//! The messages between gate and house (`proto/gatehouse/v1`), and the conversions to the domain types.
//!
//! Generated code is committed; `make proto` makes it anew and a test says when it is stale. Each way a message can be
//! wrong has its own error in [`convert`].

pub mod convert;

/// Version 1 of the messages, generated.
#[allow(missing_docs, clippy::all, reason = "generated code")]
pub mod v1 {
    include!("generated/gatehouse.v1.rs");
}

/// Version of the protocol that this crate speaks (`Hello.protocol`, `Welcome.protocol`).
pub const PROTOCOL: u32 = 1;

/// Largest encoded [`v1::Batch`], bytes.
pub const MAX_BATCH_BYTES: usize = 64 * 1024;

/// Largest [`v1::PolicyChunk`] payload, bytes.
pub const MAX_CHUNK_BYTES: usize = 256 * 1024;

/// Smallest window above zero that a house grants, bytes.
pub const MIN_WINDOW_BYTES: u32 = 64 * 1024;
