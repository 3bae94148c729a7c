//! What a limit answers to one request.

/// Whether one more is within a limit.
#[must_use = "a refusal that nobody reads limits nothing"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Within the limit.
    Admitted {
        /// How many more would be admitted at this same moment.
        remaining: u32,
    },
    /// Over the limit; what the top step refuses is not counted.
    Refused {
        /// The highest step that is reached or still blocks; 0 for a limit with one.
        step: u8,
        /// Nanoseconds until one would be admitted, if nothing else is; at least 1.
        retry_after: u64,
    },
}

impl Admission {
    /// Whether it was admitted.
    pub const fn is_admitted(self) -> bool {
        matches!(self, Self::Admitted { .. })
    }
}
