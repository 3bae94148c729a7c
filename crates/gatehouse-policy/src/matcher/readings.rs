//! What some software behind the gate may take for a value of a query parameter or a cookie: the same as
//! `gatehouse_signals::query::readings` and `cookie::readings` give, but decoded on the way, so that nothing is allocated, and
//! over all names at once.

use gatehouse_signals::Head;

/// One reading of a name or a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reading<'a> {
    /// As it came.
    Received(&'a [u8]),
    /// With escapes undone.
    Decoded(Decoded<'a>),
}

/// Bytes with `%XX` undone once, and `+` read as a blank where forms are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decoded<'a> {
    rest: &'a [u8],
    plus: bool,
}

/// Every parameter of a query, its name and its value as received: split at `&`, and what holds a `;` once more at that.
pub(crate) fn parameters(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let pairs = query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    let pieces = pairs.flat_map(|pair| {
        let again = if pair.contains(&b';') { pair } else { b"" };
        core::iter::once(pair).chain(again.split(|byte| *byte == b';').filter(|piece| !piece.is_empty()))
    });
    pieces.map(named)
}

/// Every cookie, its name and its value as received.
pub(crate) fn cookies<'a>(head: &Head<'a>) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    let pairs = head.values(b"cookie").flat_map(|value| value.split(|byte| *byte == b';'));
    pairs.map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = named(pair);
        (name.trim_ascii(), value.trim_ascii())
    })
}

fn named(pair: &[u8]) -> (&[u8], &[u8]) {
    let name = pair.split(|byte| *byte == b'=').next().unwrap_or(pair);
    (name, pair.get(name.len() + 1..).unwrap_or_default())
}

/// Readings of a parameter's name or value: as received, as a form has it, and with `+` as it stands.
pub(crate) fn of_form(text: &[u8]) -> impl Iterator<Item = Reading<'_>> {
    let (plus, escape) = (text.contains(&b'+'), text.contains(&b'%'));
    let form = (plus || escape).then_some(Decoded { rest: text, plus: true });
    let plain = (plus && escape).then_some(Decoded { rest: text, plus: false });
    core::iter::once(Reading::Received(text)).chain([form, plain].into_iter().flatten().map(Reading::Decoded))
}

/// Readings of a cookie's name: as received and decoded.
pub(crate) fn of_cookie_name(text: &[u8]) -> impl Iterator<Item = Reading<'_>> {
    let decoded = text.contains(&b'%').then_some(Reading::Decoded(Decoded { rest: text, plus: false }));
    core::iter::once(Reading::Received(text)).chain(decoded)
}

/// Readings of a cookie's value: as received, without quotes around it, and that decoded.
pub(crate) fn of_cookie(text: &[u8]) -> impl Iterator<Item = Reading<'_>> {
    let inside = text.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let unquoted = inside.map(Reading::Received);
    let inner = inside.unwrap_or(text);
    let decoded = inner.contains(&b'%').then_some(Reading::Decoded(Decoded { rest: inner, plus: false }));
    core::iter::once(Reading::Received(text)).chain(unquoted).chain(decoded)
}

impl Reading<'_> {
    /// How many bytes it has, at most.
    pub(crate) fn length(self) -> usize {
        match self {
            Self::Received(own) => own.len(),
            Self::Decoded(own) => own.rest.len(),
        }
    }

    /// It is `text`, byte by byte.
    pub(crate) fn is(self, text: &[u8]) -> bool {
        match self {
            Self::Received(own) => own == text,
            Self::Decoded(own) => own.eq(text.iter().copied()),
        }
    }
}

impl Iterator for Reading<'_> {
    type Item = u8;

    #[inline]
    fn next(&mut self) -> Option<u8> {
        match self {
            Self::Received(bytes) => {
                let (first, rest) = bytes.split_first()?;
                *bytes = rest;
                Some(*first)
            }
            Self::Decoded(bytes) => bytes.next(),
        }
    }
}

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        match first {
            b'%' => match (rest.first().and_then(digit), rest.get(1).and_then(digit)) {
                (Some(high), Some(low)) => {
                    self.rest = rest.get(2..).unwrap_or_default();
                    Some(high << 4 | low)
                }
                _ => Some(b'%'),
            },
            b'+' if self.plus => Some(b' '),
            byte => Some(*byte),
        }
    }
}

fn digit(byte: &u8) -> Option<u8> {
    char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use gatehouse_signals::{Connection, cookie, query};
    use proptest::prelude::*;

    use super::*;

    fn texts<'a>(readings: impl Iterator<Item = Reading<'a>>) -> BTreeSet<Vec<u8>> {
        readings.map(Iterator::collect).collect()
    }

    proptest! {
        #[test]
        fn parameters_are_read_as_the_signals_read_them(query in proptest::collection::vec(proptest::sample::select(&b"ab=&;%+46 1"[..]), 0..40)) {
            for name in [&b"a"[..], b"b", b"ab", b""] {
                let own = parameters(&query).filter(|(written, _)| of_form(written).take(2).any(|reading| reading.is(name)));
                let own: BTreeSet<Vec<u8>> = own.flat_map(|(_, value)| texts(of_form(value))).collect();
                let signals: BTreeSet<Vec<u8>> = query::readings(&query, name).map(|value| value.into_owned()).collect();
                prop_assert_eq!(own, signals);
            }
        }

        #[test]
        fn cookies_are_read_as_the_signals_read_them(value in proptest::collection::vec(proptest::sample::select(&b"ab=;%\"46 1"[..]), 0..40)) {
            let headers: [(&[u8], &[u8]); 2] = [(b"cookie", &value), (b"Cookie", b"a=1; b=%61")];
            let connection = Connection::default();
            let head = Head::new(&headers, &connection);
            for name in [&b"a"[..], b"b", b"ab"] {
                let own = cookies(&head).filter(|(written, _)| of_cookie_name(written).any(|reading| reading.is(name)));
                let own: BTreeSet<Vec<u8>> = own.flat_map(|(_, value)| texts(of_cookie(value))).collect();
                let signals: BTreeSet<Vec<u8>> = cookie::readings(&head, name).map(|value| value.into_owned()).collect();
                prop_assert_eq!(own, signals);
            }
        }
    }
}
