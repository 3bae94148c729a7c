//! Names and values of a query: as received, decoded, and as other software may read them.
//!
//! `parameters` is for records and is cut at a number; what a rule looks at is never cut (the head's size bounds it), since a
//! value would hide behind a flood of others.

use std::borrow::Cow;

use crate::percent::{decode, escape_at};

/// How many parameters [`parameters`] gives, at most.
pub const MAX_PARAMETERS: usize = 1024;

/// The parameters of a query (what follows `?`), in order, split at `&` and at the first `=` of each; empty ones are passed
/// over, a parameter without `=` has an empty value. Nothing is decoded. At most [`MAX_PARAMETERS`].
pub fn parameters(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    pairs(query, b'&').map(split).take(MAX_PARAMETERS)
}

/// Every value of the parameter `name`, in order, decoded once as a form has it: percent-encoding undone, `+` a blank. Names are
/// compared decoded, byte by byte, and as received. Linear in the length of the query.
pub fn values<'a>(query: &'a [u8], name: &'a [u8]) -> impl Iterator<Item = Cow<'a, [u8]>> {
    pairs(query, b'&').map(split).filter(|(written, _)| is_name(written, name)).map(|(_, value)| form(value))
}

/// Everything that some software behind the gate may take for a value of `name`: each value of [`values`], the same with `+` as
/// it stands, and as received, where these differ; and all of them once more for parameters that begin after a `;`, which some
/// take for a separator (as HTML 4 had it). A rule holds where it holds for any of them. Linear; may be given more than once.
pub fn readings<'a>(query: &'a [u8], name: &'a [u8]) -> impl Iterator<Item = Cow<'a, [u8]>> {
    let pieces = |pair: &'a [u8]| {
        let whole = core::iter::once(pair);
        let split = if pair.contains(&b';') { pair } else { b"" };
        whole.chain(pairs(split, b';'))
    };
    pairs(query, b'&').flat_map(pieces).map(split).filter(|(written, _)| is_name(written, name)).flat_map(
        |(_, value)| {
            let (plus, escape) = (value.contains(&b'+'), value.contains(&b'%'));
            let received = (plus || escape).then_some(Cow::Borrowed(value));
            let decoded = (plus && escape).then(|| decode(value));
            core::iter::once(form(value)).chain(decoded).chain(received)
        },
    )
}

/// The query without every parameter whose name, on any reading of it, `is_gone` takes for one: as received, decoded once with
/// `+` a blank or as it stands, after `&` or after `;`. Borrowed where there is none.
pub fn without<'a>(query: &'a [u8], is_gone: impl Fn(&[u8]) -> bool) -> Cow<'a, [u8]> {
    let gone = |piece: &[u8]| {
        let (name, _) = split(piece);
        is_gone(name) || is_gone(&form(name)) || is_gone(&decode(name))
    };
    let any = |pair: &&[u8]| gone(pair) || pair.split(|byte| *byte == b';').any(gone);
    if !query.split(|byte| *byte == b'&').any(|pair| any(&pair)) {
        return Cow::Borrowed(query);
    }
    let kept = query.split(|byte| *byte == b'&').filter(|pair| !gone(pair)).filter_map(|pair| {
        let pieces: Vec<&[u8]> = pair.split(|byte| *byte == b';').filter(|piece| !gone(piece)).collect();
        let left = pieces.join(&b';');
        // What is left may have such a name itself, where names hold a `;`.
        (!pieces.is_empty() && !gone(&left)).then_some(left)
    });
    Cow::Owned(kept.collect::<Vec<_>>().join(&b'&'))
}

fn pairs(query: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    query.split(move |byte| *byte == separator).filter(|pair| !pair.is_empty())
}

fn split(pair: &[u8]) -> (&[u8], &[u8]) {
    let name = pair.split(|byte| *byte == b'=').next().unwrap_or(pair);
    (name, pair.get(name.len() + 1..).unwrap_or_default())
}

/// `value` as a form has it (WHATWG URL, 5.1).
fn form(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'+') {
        return decode(value);
    }
    let blank: Vec<u8> = value.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    match decode(&blank) {
        Cow::Owned(decoded) => Cow::Owned(decoded),
        Cow::Borrowed(_) => Cow::Owned(blank),
    }
}

/// `written` is `name`, as it stands or decoded as a form has it. Nothing is allocated.
fn is_name(written: &[u8], name: &[u8]) -> bool {
    written == name || is_decoded(written, name)
}

fn is_decoded(written: &[u8], name: &[u8]) -> bool {
    let (mut at, mut name) = (0, name.iter());
    while let Some(&byte) = written.get(at) {
        let (byte, width) = match (byte, escape_at(written, at)) {
            (_, Some(decoded)) => (decoded, 3),
            (b'+', None) => (b' ', 1),
            (byte, None) => (byte, 1),
        };
        if name.next() != Some(&byte) {
            return false;
        }
        at += width;
    }
    name.next().is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(query: &str) -> Vec<(&str, &str)> {
        let text = |bytes| core::str::from_utf8(bytes).unwrap();
        parameters(query.as_bytes()).map(|(name, value)| (text(name), text(value))).collect()
    }

    #[test]
    fn names_values_and_repeats_come_in_order() {
        assert_eq!(read("a=1&b=2&a=3=4"), [("a", "1"), ("b", "2"), ("a", "3=4")]);
    }

    #[test]
    fn odd_pairs_are_read_too() {
        assert_eq!(read("&&a&=v&b=&"), [("a", ""), ("", "v"), ("b", "")]);
        assert_eq!(read(""), []);
    }

    #[test]
    fn a_flood_of_parameters_is_cut() {
        assert_eq!(parameters("a=1&".repeat(5000).as_bytes()).count(), MAX_PARAMETERS);
    }

    fn texts<'a>(found: impl Iterator<Item = Cow<'a, [u8]>>) -> Vec<String> {
        found.map(|value| String::from_utf8(value.into_owned()).unwrap()).collect()
    }

    fn decoded(query: &str, name: &str) -> Vec<String> {
        texts(values(query.as_bytes(), name.as_bytes()))
    }

    fn all(query: &str, name: &str) -> Vec<String> {
        texts(readings(query.as_bytes(), name.as_bytes()))
    }

    #[test]
    fn a_parameter_is_taken_out_however_its_name_is_written() {
        let out = |query: &str| {
            let kept = without(query.as_bytes(), |name| name == b"a b" || name == b"token");
            (String::from_utf8(kept.to_vec()).unwrap(), matches!(kept, Cow::Borrowed(_)))
        };
        for (query, kept) in [
            ("x=1&token=2&y=3", "x=1&y=3"),
            ("tok%65n=2&a+b=1&a%20b=2&a b=3", ""),
            ("x=1;token=2&y=3;z=4", "x=1&y=3;z=4"),
            ("token=1;x=2&y", "y"),
            ("token", ""),
            ("y;token&&z", "y&&z"),
        ] {
            assert_eq!(out(query), (kept.to_owned(), false), "{query}");
        }
        for query in ["", "x=token&tokens=1&Token=2&a%2Bb=1", "a=b;c=d&&"] {
            assert_eq!(out(query), (query.to_owned(), true));
        }
    }

    #[test]
    fn every_value_of_a_repeated_parameter_is_decoded_once() {
        assert_eq!(decoded("id=1&x=2&id=%41%2542+c&%69d=4&id", "id"), ["1", "A%42 c", "4", ""]);
        assert_eq!(decoded("id=1", "i"), [""; 0]);
        assert_eq!(decoded("a+b=1&a%20b=2&a%2Bb=3", "a b"), ["1", "2"]);
        assert_eq!(decoded("a+b=1&a%2Bb=3", "a+b"), ["1", "3"]);
        assert_eq!(decoded("id=%zz%4", "id"), ["%zz%4"]);
    }

    #[test]
    fn a_plain_value_is_borrowed() {
        assert!(matches!(values(b"a=x-y", b"a").next(), Some(Cow::Borrowed(b"x-y"))));
    }

    #[test]
    fn an_encoded_value_has_all_its_readings() {
        assert_eq!(all("q=plain", "q"), ["plain"]);
        assert_eq!(all("q=a%2Bb+c", "q"), ["a+b c", "a+b+c", "a%2Bb+c"]);
        assert_eq!(all("q=%61dmin", "q"), ["admin", "%61dmin"]);
        assert_eq!(all("q=a+b", "q"), ["a b", "a+b"]);
    }

    #[test]
    fn a_semicolon_separates_in_a_second_reading() {
        assert_eq!(decoded("x=1;role=admin", "role"), [""; 0]);
        assert_eq!(all("x=1;role=admin", "role"), ["admin"]);
        assert_eq!(all("x=1;role=%61", "x"), ["1;role=a", "1;role=%61", "1"]);
        assert_eq!(all("&;;role;&;", "role"), [""]);
    }

    #[test]
    fn no_value_hides_behind_a_flood_of_others() {
        let query = format!("{}role=admin", "a=1&".repeat(5000));
        assert_eq!(decoded(&query, "role"), ["admin"]);
        assert_eq!(all(&query, "role"), ["admin"]);
    }

    proptest! {
        #[test]
        fn what_a_form_encodes_is_read_back(value in prop::collection::vec(any::<u8>(), 0..16), name in prop::collection::vec(any::<u8>(), 0..6)) {
            let encode = |bytes: &[u8]| bytes.iter().map(|byte| if *byte == b' ' { "+".into() } else { format!("%{byte:02x}") }).collect::<String>();
            let query = format!("x=y&{}={}&z", encode(&name), encode(&value));
            prop_assume!(!name.is_empty() && !matches!(&name[..], b"x" | b"z"));
            let read: Vec<_> = values(query.as_bytes(), &name).collect();
            prop_assert_eq!(read, vec![Cow::Borrowed(&value[..])]);
        }

        #[test]
        fn of_what_is_taken_out_no_reading_is_left_and_of_the_rest_all(
            query in prop::collection::vec(prop::sample::select(b"abb=&;;%+642".to_vec()), 0..40),
            gone in prop::sample::select(vec![&b"a"[..], b"a b", b"a;b", b"b&", b""]),
        ) {
            let kept = without(&query, |name| name == gone);
            prop_assert_eq!(readings(&kept, gone).filter(|_| !gone.is_empty()).count(), 0, "{:?}", kept);
            prop_assert_eq!(&*without(&kept, |name| name == gone), &*kept, "nothing is left to take out");
            // In the reading with more pairs: `bb;=` is one pair to a form, and without its second part `bb` is another.
            let parts = |query: &[u8]| query.split(|byte| matches!(byte, b'&' | b';')).map(<[u8]>::to_vec).collect::<Vec<_>>();
            let others = |query: &[u8]| parts(query).iter().filter(|part| split(part).0 == b"bb").count();
            prop_assert!(others(&kept) <= others(&query), "nothing comes that was not there");
        }

        #[test]
        fn values_are_among_the_readings(query in prop::collection::vec(prop::sample::select(b"ab=&;%+42".to_vec()), 0..40)) {
            let all: Vec<_> = readings(&query, b"a").collect();
            for value in values(&query, b"a") {
                prop_assert!(all.contains(&value));
            }
            for (name, value) in parameters(&query).filter(|(name, _)| *name == b"a") {
                prop_assert!(all.iter().any(|reading| **reading == *value), "{:?}", name);
            }
        }
    }
}
