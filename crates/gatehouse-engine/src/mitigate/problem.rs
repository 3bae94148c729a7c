//! What a client is told it is: problem types (RFC 9457, 3.1.1). Their URIs are stable; `docs/responses.md` explains each.

/// What every problem type's URI begins with.
pub const PROBLEMS: &str = "https://gatehouse.dev/problems/";

/// A problem type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Problem {
    /// The request has more than one reading.
    AmbiguousRequest,
    /// A rule refused the request; the client is not told why.
    Blocked,
    /// The gate has no policy yet and lets nothing through until it has one.
    NoPolicy,
    /// The client came too often.
    RateLimited,
}

impl Problem {
    /// Every problem type.
    pub const ALL: [Self; 4] = [Self::AmbiguousRequest, Self::Blocked, Self::NoPolicy, Self::RateLimited];

    /// The last segment of the URI, after [`PROBLEMS`].
    #[must_use]
    pub const fn slug(self) -> &'static str {
        match self {
            Self::AmbiguousRequest => "ambiguous-request",
            Self::Blocked => "blocked",
            Self::NoPolicy => "no-policy",
            Self::RateLimited => "rate-limited",
        }
    }

    /// The same for gRPC clients: `google.rpc.ErrorInfo.reason`.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::AmbiguousRequest => "AMBIGUOUS_REQUEST",
            Self::Blocked => "BLOCKED",
            Self::NoPolicy => "NO_POLICY",
            Self::RateLimited => "RATE_LIMITED",
        }
    }

    /// The same request may be let through later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::NoPolicy | Self::RateLimited)
    }
}
