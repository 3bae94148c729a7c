//! Why a stream or a batch is refused. In each case the stream is closed; the gate opens the next one and resends.

use std::fmt;

use gatehouse_proto::{MAX_BATCH_BYTES, OLDEST_PROTOCOL};

/// A stream that is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelloError {
    /// The gate knows fewer sequences than were received from it, or fewer than it holds.
    Backwards {
        /// Received, or held by its own word.
        received: u64,
        /// What the gate says comes next.
        next_seq: u64,
    },
    /// The epoch is 0.
    NoEpoch,
    /// The stream's number is not higher than that of the epoch's last stream.
    NotNewer {
        /// The number in the hello.
        got: u32,
        /// The number of the last stream.
        last: u32,
    },
    /// The gate speaks another protocol.
    Protocol {
        /// Its version.
        got: u32,
    },
    /// As many epochs as can be remembered have a stream open.
    TooMany {
        /// How many that is.
        limit: usize,
    },
}

impl fmt::Display for HelloError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backwards { received, next_seq } => {
                write!(f, "gate counts {next_seq} sequences where {received} are known; its epoch is not its own")
            }
            Self::NoEpoch => f.write_str("gate sent epoch 0"),
            Self::NotNewer { got, last } => write!(f, "stream {got} of the gate is not newer than stream {last}"),
            Self::Protocol { got } => {
                write!(
                    f,
                    "gate speaks protocol {got}, this house speaks {OLDEST_PROTOCOL} and newer; bring the gate to its release"
                )
            }
            Self::TooMany { limit } => write!(f, "{limit} workers have a stream open already, no more are taken"),
        }
    }
}

impl std::error::Error for HelloError {}

/// A batch that breaks the rules of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// Its sequences go beyond what its own counters say was seen, or beyond 64 bits.
    BeyondSeen {
        /// Its first sequence.
        first_seq: u64,
    },
    /// Sequences before it are missing.
    Gap {
        /// The sequence that comes next.
        expected: u64,
        /// The batch's first.
        got: u64,
    },
    /// A loss range is empty, not in order, overlaps the one before, or lies outside the batch.
    Loss {
        /// The range's first sequence.
        first_seq: u64,
    },
    /// A loss range gives no reason that this house knows.
    Reason {
        /// The number it gives.
        got: i32,
    },
    /// It is larger than a batch may be.
    TooLarge {
        /// Its encoded size.
        bytes: usize,
    },
    /// It names another epoch than its stream's.
    WrongEpoch {
        /// The epoch it names.
        got: u64,
    },
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeyondSeen { first_seq } => {
                write!(f, "batch at {first_seq} goes beyond what its gate says it has seen")
            }
            Self::Gap { expected, got } => {
                write!(f, "batch begins at {got} where {expected} comes next")
            }
            Self::Loss { first_seq } => {
                write!(f, "loss range at {first_seq} is empty, out of order or out of its batch")
            }
            Self::Reason { got } => write!(f, "loss range gives the unknown reason {got}"),
            Self::TooLarge { bytes } => write!(f, "batch of {bytes} bytes, at most {MAX_BATCH_BYTES} are allowed"),
            Self::WrongEpoch { got } => write!(f, "batch names epoch {got:#018x}, which is not its stream's"),
        }
    }
}

impl std::error::Error for BatchError {}
