//! Sets of networks, numbers and texts in an image, made so that 100,000 entries answer within 200 ns and 2 MiB.
//!
//! ```text
//! networks   IPv4 and IPv6 apart: first addresses, sorted, and beside them prefix lengths; disjoint, joined where two halves
//!            make a whole. The last one that begins at or before an address is the only one that can hold it.
//!            IPv4: buckets by the leading bits. IPv6: the leading 64 bits of every 32nd as a sample, searched first.
//! numbers    sorted (systems, countries)
//! texts      by hash, then compared; patterns of identities stand behind and are tried one by one
//! ```

mod find;
mod write;

pub(crate) use find::{holds_address, holds_identity, holds_number, holds_text, networks};
pub(crate) use write::{disjoint, write_identities, write_networks, write_numbers, write_texts};

/// IPv6 networks between two samples.
const STRIDE: usize = 32;
/// So few IPv6 networks are searched without samples.
const FEW: usize = 64;

#[cfg(test)]
mod tests;
