//! The request's header pairs as Envoy gives them: bytes, in order, repeated names included.

use crate::connection::Connection;

/// One header: name (Envoy gives lower case), value; both as bytes.
pub type Pair<'a> = (&'a [u8], &'a [u8]);

/// The head of one request: its header pairs (pseudo-headers `:method`, `:path`, `:authority`, `:scheme` among them) and its
/// connection. Cheap to copy: everything is borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// Pairs in the order received.
    pub headers: &'a [Pair<'a>],
    /// The connection it came on.
    pub connection: &'a Connection,
}

impl<'a> Head<'a> {
    /// Every value of the header `name` (lower case), in order.
    pub fn values(&self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// The first value of the header `name` (lower case). Only for headers that Envoy guarantees to be single
    /// (pseudo-headers): everything else is judged on [`Head::values`].
    #[must_use]
    pub fn first(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}
