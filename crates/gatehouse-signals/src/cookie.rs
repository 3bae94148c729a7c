//! Names and values of cookies (RFC 6265, 4.2), as received.

use crate::head::Head;

/// How many cookies are looked at, at most.
pub const MAX_COOKIES: usize = 1024;

/// The cookies of a request in order, over every `cookie` header: split at `;` and at the first `=` of each, blanks around
/// names and values dropped, nothing decoded; a pair without `=` is a name without value. At most [`MAX_COOKIES`].
pub fn cookies<'a>(head: &Head<'a>) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    let pairs = head.values(b"cookie").flat_map(|value| value.split(|byte| *byte == b';'));
    pairs.map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty()).take(MAX_COOKIES).map(|pair| {
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or(pair);
        (name.trim_ascii(), pair.get(name.len() + 1..).unwrap_or_default().trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Connection;
    use crate::head::Pair;

    #[test]
    fn cookies_of_all_headers_come_in_order() {
        let headers: [Pair<'_>; 3] =
            [(b"cookie", b"a=1; b = x=y ;; flag"), (b"accept", b"c=3"), (b"Cookie", b"a=\"2\"")];
        let head = Head { headers: &headers, connection: &Connection::default() };
        let expected: Vec<Pair<'_>> = vec![(b"a", b"1"), (b"b", b"x=y"), (b"flag", b""), (b"a", b"\"2\"")];
        assert_eq!(cookies(&head).collect::<Vec<_>>(), expected);
    }
}
