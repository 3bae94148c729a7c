//! Names and values of cookies (RFC 6265, 4.2): as received, decoded, and as other software may read them.
//!
//! `cookies` is for records and is cut at a number; what a rule looks at is never cut (the head's size bounds it).

use std::borrow::Cow;

use crate::head::Head;
use crate::percent::decode;

/// How many cookies [`cookies`] gives, at most.
pub const MAX_COOKIES: usize = 1024;

/// The cookies of a request in order, over every `cookie` header: split at `;` and at the first `=` of each, blanks around
/// names and values dropped, nothing decoded; a pair without `=` is a name without value. At most [`MAX_COOKIES`].
pub fn cookies<'a>(head: &Head<'a>) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
    all(head).take(MAX_COOKIES)
}

/// Every value of the cookie `name`, in order, without quotes around it and percent-decoded once (which the applications that
/// set it do, not the protocol). Names are compared byte by byte, decoded and as received. Linear in the length of the headers.
pub fn values<'a>(head: &Head<'a>, name: &'a [u8]) -> impl Iterator<Item = Cow<'a, [u8]>> + use<'a> {
    named(head, name).map(|value| decode(unquoted(value)))
}

/// Everything that some software behind the gate may take for a value of `name`: each value of [`values`], the same encoded
/// as it came, and as received with its quotes, where these differ. A rule holds where it holds for any of them.
pub fn readings<'a>(head: &Head<'a>, name: &'a [u8]) -> impl Iterator<Item = Cow<'a, [u8]>> + use<'a> {
    named(head, name).flat_map(|value| {
        let inside = unquoted(value);
        let encoded = inside.contains(&b'%').then_some(Cow::Borrowed(inside));
        let quoted = (inside.len() < value.len()).then_some(Cow::Borrowed(value));
        core::iter::once(decode(inside)).chain(encoded).chain(quoted)
    })
}

fn named<'a>(head: &Head<'a>, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    all(head).filter(move |(written, _)| *written == name || *decode(written) == *name).map(|(_, value)| value)
}

fn all<'a>(head: &Head<'a>) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
    let pairs = head.values(b"cookie").flat_map(|value| value.split(|byte| *byte == b';'));
    pairs.map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty()).map(|pair| {
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or(pair);
        (name.trim_ascii(), pair.get(name.len() + 1..).unwrap_or_default().trim_ascii())
    })
}

fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value)
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
        let connection = Connection::default();
        let head = Head::new(&headers, &connection);
        let expected: Vec<Pair<'_>> = vec![(b"a", b"1"), (b"b", b"x=y"), (b"flag", b""), (b"a", b"\"2\"")];
        assert_eq!(cookies(&head).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn every_value_of_a_name_is_read_decoded_and_as_it_came() {
        let headers: [Pair<'_>; 2] =
            [(b"cookie", b"role=%61dmin; x=1; role=\"a%42\""), (b"cookie", b"r%6Fle=2; ROLE=3; role")];
        let connection = Connection::default();
        let head = Head::new(&headers, &connection);
        let texts = |found: Vec<Cow<'_, [u8]>>| -> Vec<String> {
            found.into_iter().map(|value| String::from_utf8(value.into_owned()).unwrap()).collect()
        };
        assert_eq!(texts(values(&head, b"role").collect()), ["admin", "aB", "2", ""]);
        let readings = texts(readings(&head, b"role").collect());
        assert_eq!(readings, ["admin", "%61dmin", "aB", "a%42", "\"a%42\"", "2", ""]);
    }

    #[test]
    fn no_cookie_hides_behind_a_flood_of_others() {
        let flood = format!("{}role=admin", "a=1;".repeat(5000));
        let headers: [Pair<'_>; 1] = [(b"cookie", flood.as_bytes())];
        let connection = Connection::default();
        let head = Head::new(&headers, &connection);
        assert_eq!(cookies(&head).count(), MAX_COOKIES);
        assert_eq!(values(&head, b"role").collect::<Vec<_>>(), [&b"admin"[..]]);
    }
}
