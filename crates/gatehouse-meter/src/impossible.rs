//! Settings that no limit can have, refused where the limit is made.

use std::fmt;

/// Why a limit, a table or a list cannot be made as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Impossible {
    /// A burst of zero, or one whose tolerance (burst − 1 intervals) does not fit in 64 bits of nanoseconds.
    Burst,
    /// A capacity outside of what the structure may hold.
    Capacity {
        /// What was asked for.
        asked: usize,
        /// The most that it may be; the least is 1.
        most: usize,
    },
    /// A bound of zero unanswered tries, which would let nobody in.
    InFlight,
    /// A limit of zero, which would admit nothing: that is a block, not a limit.
    Limit,
    /// More than one each nanosecond.
    Rate,
    /// A window shorter than 16 ns, which cannot be parted in 16.
    Window,
}

impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Burst => f.write_str("the burst must be at least 1 and fit the time that it is given for"),
            Self::Capacity { asked, most } => write!(f, "the capacity `{asked}` must be from 1 to {most}"),
            Self::InFlight => f.write_str("the bound of unanswered tries must be at least 1"),
            Self::Limit => f.write_str("the limit must be at least 1; to admit nothing, block"),
            Self::Rate => f.write_str("the rate must be at most one each nanosecond"),
            Self::Window => f.write_str("the window must be at least 16 nanoseconds"),
        }
    }
}

impl std::error::Error for Impossible {}

/// A capacity from 1 to `most`.
pub(crate) const fn capacity(asked: usize, most: usize) -> Result<usize, Impossible> {
    if asked == 0 || asked > most { Err(Impossible::Capacity { asked, most }) } else { Ok(asked) }
}
