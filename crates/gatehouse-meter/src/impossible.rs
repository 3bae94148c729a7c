//! Settings that no limit can have, refused where the limit is made.

use std::fmt;

/// Why a limit, a table or a list cannot be made as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Impossible {
    /// Thresholds of distinct counts so far apart that one sketch would err too much at the lower.
    Apart,
    /// A burst of zero, or one whose tolerance (burst − 1 intervals) does not fit in 64 bits of nanoseconds.
    Burst,
    /// A capacity outside of what the structure may hold.
    Capacity {
        /// What was asked for.
        asked: usize,
        /// The most that it may be; the least is 1.
        most: usize,
    },
    /// A guard's share outside of 0 to 1, a sample or a number of clients of zero, or a certainty that is no number
    /// above zero.
    Guard,
    /// A half-life shorter than 4,096 ns, which cannot be parted in 4,096.
    HalfLife,
    /// A bound of zero unanswered tries, which would let nobody in.
    InFlight,
    /// A limit of zero, which would admit nothing: that is a block, not a limit.
    Limit,
    /// More than one each nanosecond.
    Rate,
    /// A distinct count, which is too large to be kept in shared data.
    Shared,
    /// No step, more than four, or steps that do not rise: in their limit, or in how long they block.
    Steps,
    /// A window shorter than 16 ns, which cannot be parted in 16.
    Window,
}

impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apart => {
                f.write_str("the thresholds are too far apart for one distinct count; part them in two limits")
            }
            Self::Burst => f.write_str("the burst must be at least 1 and fit the time that it is given for"),
            Self::Capacity { asked, most } => write!(f, "the capacity `{asked}` must be from 1 to {most}"),
            Self::Guard => {
                f.write_str("the guard needs a share from 0 to 1, samples of at least 1 and a certainty above 0")
            }
            Self::HalfLife => f.write_str("the half-life must be at least 4096 nanoseconds"),
            Self::InFlight => f.write_str("the bound of unanswered tries must be at least 1"),
            Self::Limit => f.write_str("the limit must be at least 1; to admit nothing, block"),
            Self::Rate => f.write_str("the rate must be at most one each nanosecond"),
            Self::Shared => f.write_str("a distinct count cannot be shared across workers"),
            Self::Steps => f.write_str(
                "there must be 1 to 4 steps, each with a higher limit and no shorter block than the one below",
            ),
            Self::Window => f.write_str("the window must be at least 16 nanoseconds"),
        }
    }
}

impl std::error::Error for Impossible {}

/// A capacity from 1 to `most`.
pub(crate) const fn capacity(asked: usize, most: usize) -> Result<usize, Impossible> {
    if asked == 0 || asked > most { Err(Impossible::Capacity { asked, most }) } else { Ok(asked) }
}
