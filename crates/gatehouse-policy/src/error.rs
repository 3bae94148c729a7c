//! Why a policy image was refused: whose fault it is and what to do about it.

use std::fmt;

/// Why a policy image was refused. The policy in force stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyError {
    /// A chunk does not follow the one before.
    Gap {
        /// Offset that was due.
        expected: u64,
        /// Offset that came.
        found: u64,
    },
    /// A part of the image points outside itself or holds what no compiler of ours writes; the part.
    Malformed(&'static str),
    /// A chunk belongs to another image than the one being taken in.
    Mixed,
    /// The bytes are not those of the announced SHA-256.
    Digest,
    /// Larger than an image may be, or than there is memory for; the size in bytes.
    TooLarge(u64),
    /// Of a format that this build does not read.
    Version {
        /// The image's format.
        found: u32,
        /// The highest format that is read here.
        needed: u32,
    },
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap { expected, found } => {
                write!(f, "policy chunk at offset {found} where {expected} was due: send the image again from offset 0")
            }
            Self::Malformed(part) => {
                write!(f, "policy image is malformed in its {part}: send one that this version's compiler made")
            }
            Self::Mixed => f.write_str("policy chunk belongs to another image: send the image again from offset 0"),
            Self::Digest => {
                f.write_str("policy image does not have the announced sha-256: send the image again from offset 0")
            }
            Self::TooLarge(size) => {
                write!(f, "policy image of {size} bytes is too large: at most {} are taken", crate::MAX_IMAGE)
            }
            Self::Version { found, needed } if found < needed => {
                write!(
                    f,
                    "policy image has format {found}, older than any that this gate reads: bring the house to the gate's release"
                )
            }
            Self::Version { found, needed } => {
                write!(
                    f,
                    "policy image needs format {found}, this gate reads up to {needed}: bring the gate to the house's release"
                )
            }
        }
    }
}

impl std::error::Error for PolicyError {}
