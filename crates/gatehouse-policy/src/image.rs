//! The policy image: one buffer that the house compiles and the gate uses as it is. Offsets, no pointers; every number is a
//! little-endian `u32` unless said otherwise.
//!
//! ```text
//!  0  "GHPI"  │ 4 version │ 8 total bytes │ 12 number of sections
//! 16  section table: for each section { offset in bytes, number of entries }
//!     the sections in the order of the table in `layout`, each beginning where the one before ends, rounded up to 4
//! ```
//!
//! | part | sections |
//! |---|---|
//! | texts | strings, pointed into by (offset, length), UTF-8 |
//! | where it holds | documents, members of scopes, scopes, hosts by hash |
//! | rules | rules in the order of decision (an index is a rank), conditions (preorder trees, one a rule, without gaps), times |
//! | what they do | `then`s, effects, actions, header pairs, names; limits with their steps, key parts and statuses |
//! | lists | sets, and their networks (IPv4 and IPv6 apart), numbers and texts |
//! | regexes | patterns and their automata (`automata`) |
//! | index | shelves, tables, keys, segment tries, buckets, filters, postings (`index`) |
//!
//! Loading checks every offset, count, tag and text once (`check`); afterwards nothing is trusted more than that: reading is by
//! `get`, and a word that is not there reads as 0.
//! Limits: 16 MiB, conditions nested 64 deep, 256 regexes without an automaton.

pub(crate) mod check;
mod layout;
pub(crate) mod lists;
mod view;
mod write;

pub(crate) use layout::*;
pub(crate) use view::{Record, View, word_of};
pub(crate) use write::{Builder, narrow};

/// The format that a reader of this image must know; `None`: it is no image.
#[must_use]
pub fn version(image: &[u8]) -> Option<u32> {
    let rest = image.strip_prefix(&MAGIC)?;
    rest.first_chunk::<4>().map(|word| u32::from_le_bytes(*word))
}

/// First bytes of an image.
const MAGIC: [u8; 4] = *b"GHPI";
/// Bytes before the first section.
const HEADER: usize = 16 + SECTIONS * 8;
/// Deepest nesting of a condition.
pub(crate) const MAX_NESTING: usize = 64;
/// Most labels of one policy.
pub(crate) const MAX_LABELS: usize = 15;
