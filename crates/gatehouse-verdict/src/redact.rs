//! Redaction: keyed hashes, and what replaces a sensitive value in text that leaves the gate.
//!
//! What is sensitive is told by a [`Classify`]; here it is replaced by `{class:hash}`, text is made printable and cut to
//! length. The same value gives the same hash in every record of one key, raw or percent-encoded.

mod decoded;
mod hash;
mod printable;
mod redactor;
mod shown;
mod written;

pub use hash::KeyedHash;
pub use printable::{cut, printable};
pub use redactor::{Classify, Redactor};
pub use shown::Shown;
pub use written::Written;

/// Longest path in a record, bytes.
pub const MAX_PATH_BYTES: usize = 2048;

/// Longest header value in a record, the user agent among them, bytes.
pub const MAX_VALUE_BYTES: usize = 512;

/// Longest name of a parameter, cookie or header in a record, bytes.
pub const MAX_NAME_BYTES: usize = 128;

/// How addresses appear in records: chosen once for the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AddressForm {
    /// As they are.
    #[default]
    Full,
    /// Keyed hash.
    Hash,
    /// /24 of IPv4, /48 of IPv6.
    Prefix,
}

#[cfg(test)]
mod tests;
