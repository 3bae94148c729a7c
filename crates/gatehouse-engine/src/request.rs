//! One request as its host saw it: what the decision may look at.

use gatehouse_policy::Fields;
use gatehouse_signals::{Claims, Head};

/// A request, borrowed from its host. Cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Header pairs and connection.
    pub head: Head<'a>,
    /// JWT claims that Envoy verified.
    pub claims: Claims<'a>,
    /// Fields that whoever saw the request can tell at all; a gate: all of them.
    pub known: Fields,
    /// When it arrived.
    pub now: Now,
}

/// The time, from two clocks that have nothing to do with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Nanoseconds of a clock that never steps: everything that counts or ends goes by it.
    pub mono_ns: u64,
    /// Seconds since the Unix epoch, for `time` in a match; `None`: not known, and such a match is unknown.
    pub wall_s: Option<u64>,
}

/// The head of a response, for rules that read it.
#[derive(Debug, Clone, Copy)]
pub struct ResponseHead<'a> {
    /// HTTP status.
    pub status: u16,
    /// Its header pairs.
    pub headers: &'a [gatehouse_signals::Pair<'a>],
}
