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
    /// Which names there may be.
    pub names: Names,
}

/// Which header names there may be among some: for each a bit of 64, by length, first and last byte. Most names that somebody
/// looks for are not there, and that is seen at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Names(u64);

impl Names {
    /// Of these pairs.
    #[must_use]
    pub fn of(headers: &[Pair<'_>]) -> Self {
        Self(headers.iter().fold(0, |bits, (name, _)| bits | 1 << name_bit(name)))
    }

    /// Of these bits, as [`name_bit`] counts them.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The name may be there; `false`: it is not, in any letter case, nor with `_` for `-`.
    #[inline]
    #[must_use]
    pub fn may_have(self, name: &[u8]) -> bool {
        self.0 >> name_bit(name) & 1 != 0
    }

    /// One of the other names may be there.
    #[inline]
    #[must_use]
    pub const fn may_meet(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Among 64 bits, one that names share which are the same but for letter case and `_` for `-`.
#[inline]
#[must_use]
pub const fn name_bit(name: &[u8]) -> u32 {
    let (Some(first), Some(last)) = (name.first(), name.last()) else { return 0 };
    bit_by_ends(name.len(), *first, *last)
}

/// The same, of a name whose bytes come one by one; of an empty one it is 0.
#[inline]
#[must_use]
pub const fn bit_by_ends(length: usize, first: u8, last: u8) -> u32 {
    // What both cases of a letter, and dash and underscore, have alike.
    const ALIKE: u8 = 0x0d;
    (length as u32).wrapping_mul(7).wrapping_add((first & ALIKE) as u32 * 5 + (last & ALIKE) as u32 * 3) & 63
}

impl<'a> Head<'a> {
    /// Goes through the names once.
    #[must_use]
    pub fn new(headers: &'a [Pair<'a>], connection: &'a Connection) -> Self {
        Self { headers, connection, names: Names::of(headers) }
    }

    /// Every value of the header `name` (lower case), in order.
    pub fn values(&self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let headers = if self.names.may_have(name) { self.headers } else { &[] };
        headers.iter().filter(move |(own, _)| is_named(own, name)).map(|(_, value)| *value)
    }

    /// The first value of the header `name` (lower case). Only for headers that Envoy guarantees to be single
    /// (pseudo-headers): everything else is judged on [`Head::values`].
    #[inline]
    #[must_use]
    pub fn first(&self, name: &[u8]) -> Option<&'a [u8]> {
        if !self.names.may_have(name) {
            return None;
        }
        self.headers.iter().find(|(own, _)| is_named(own, name)).map(|(_, value)| *value)
    }
}

/// A header has this name, in any letter case. Nearly every name comes in the case that it is asked for in, and then it is seen
/// without a look at each letter.
#[inline]
pub(crate) fn is_named(own: &[u8], name: &[u8]) -> bool {
    own.len() == name.len() && (own == name || own.eq_ignore_ascii_case(name))
}

/// An underscore stands in the header name: software that turns names into variables (CGI, WSGI, PHP) takes it for the header
/// with a dash there.
#[must_use]
pub fn is_underscore_twin(name: &[u8]) -> bool {
    name.contains(&b'_')
}

/// Two header names are one to software that turns names into variables: case is nothing to it, and dash and underscore are the
/// same.
#[must_use]
pub fn is_same_variable(one: &[u8], other: &[u8]) -> bool {
    let variable = |byte: &u8| if *byte == b'-' { b'_' } else { byte.to_ascii_lowercase() };
    one.iter().map(variable).eq(other.iter().map(variable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_an_underscore_is_the_twin_of_one_with_a_dash() {
        assert!(is_underscore_twin(b"x_forwarded-for") && !is_underscore_twin(b"x-forwarded-for"));
        assert_eq!(name_bit(b"_X_Forwarded-"), name_bit(b"-x-forwarded_"));
        assert!(is_same_variable(b"X_Forwarded-For", b"x-forwarded-for") && is_same_variable(b"host", b"Host"));
        assert!(
            !is_same_variable(b"x-forwarded-fo", b"x-forwarded-for")
                && !is_same_variable(b"xforwarded", b"x-forwarded")
        );
    }
}
