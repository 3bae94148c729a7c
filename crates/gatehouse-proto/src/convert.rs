//! Between the generated messages and the domain types of `gatehouse-verdict`.
//!
//! Outwards every record has one form and nothing is copied. Inwards each way to be wrong has its own error; a part that is
//! absent is one whose fields are all absent, as protobuf has it.

mod from_wire;
mod grounds;
mod house;
mod to_wire;

use core::fmt;

/// Why a [`crate::v1::Record`] is no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidRecord {
    /// `judgement.action`, or that of a would-have entry, is no action.
    Action(i32),
    /// `downstream.client_address_source` is none of the sources.
    AddressSource(i32),
    /// `judgement.ambiguity` is no known word.
    Ambiguity(String),
    /// `origin.epoch` is not the epoch of the id.
    Epoch {
        /// Of the id.
        id: u64,
        /// Of the origin.
        origin: u64,
    },
    /// `id` is not 16 bytes; holds how many there are.
    Id(usize),
    /// `part` is neither final nor interim.
    Part(i32),
    /// `judgement.policy_digest` is not 32 bytes (or none, with revision 0); holds how many there are.
    PolicyDigest(usize),
    /// A port above 65535.
    Port(u32),
    /// `judgement.reason` is no known word.
    Reason(String),
}

impl fmt::Display for InvalidRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Action(number) => write!(f, "no action has the number {number}: the gate is newer than this house"),
            Self::AddressSource(number) => write!(f, "no source of an address has the number {number}"),
            Self::Ambiguity(word) => {
                write!(f, "`{}` is no known ambiguity: the gate is newer than this house", Short(word))
            }
            Self::Epoch { id, origin } => write!(f, "the id is of epoch {id:016x}, the origin of epoch {origin:016x}"),
            Self::Id(length) => write!(f, "the id has {length} bytes instead of 16"),
            Self::Part(number) => write!(f, "no part has the number {number}"),
            Self::PolicyDigest(length) => write!(f, "the policy's digest has {length} bytes instead of 32"),
            Self::Port(port) => write!(f, "{port} is no port"),
            Self::Reason(word) => write!(f, "`{}` is no known reason: the gate is newer than this house", Short(word)),
        }
    }
}

impl core::error::Error for InvalidRecord {}

/// A word of the other side, in what a log line has room for.
struct Short<'a>(&'a str);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().take(64).try_for_each(|character| write!(f, "{}", character.escape_debug()))
    }
}

#[cfg(test)]
mod tests;
