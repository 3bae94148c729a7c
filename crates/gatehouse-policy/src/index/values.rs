//! What a request brings to be looked up: hashes of its fields, names with values, and values byte by byte.

use gatehouse_signals::head::{bit_by_ends, name_bit};
use gatehouse_signals::{Claims, Pair};

use crate::image::node;
use crate::matcher::{self, Facts, Reading, cookies, of_cookie, of_cookie_name, of_form, parameters};

use super::hash;
use super::terms::MAX_SEGMENTS;

/// Hashes of the first segments of a path or an id, in a buffer that is used again and again.
#[derive(Debug, Clone, Default)]
pub(super) struct Segments {
    /// Those from `count` on are of others.
    hashes: [u64; MAX_SEGMENTS],
    /// Bit n: segment n is empty, and no star meets it.
    empty: u64,
    /// How many there are in all, as far as they are counted.
    count: usize,
    /// They are those of the request at hand.
    filled: bool,
}

impl Segments {
    /// Another request is asked about.
    pub(super) fn forget(&mut self) {
        self.filled = false;
    }

    /// Makes them those of `text`, once a request.
    pub(super) fn fill(&mut self, text: &[u8]) {
        if self.filled {
            return;
        }
        (self.filled, self.empty, self.count) = (true, 0, 0);
        for segment in text.split(|byte| *byte == b'/').take(MAX_SEGMENTS + 1) {
            if let Some(slot) = self.hashes.get_mut(self.count) {
                *slot = hash::folded(segment);
                self.empty |= u64::from(segment.is_empty()) << self.count;
            }
            self.count += 1;
        }
    }

    /// The hash of segment `at`, and whether a star meets it; `None`: no hash is kept of it.
    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<(u64, bool)> {
        let hash = self.hashes.get(at).filter(|_| at < self.count)?;
        Some((*hash, self.empty >> at & 1 == 0))
    }

    /// There are more than `at` segments, even if no hash is kept of them.
    pub(super) fn go_on(&self, at: usize) -> bool {
        self.count > at
    }
}

/// Every hash that a field has: most have one or none.
pub(super) fn each_hash(field: u8, facts: &Facts<'_>, mut found: impl FnMut(u64)) {
    let connection = facts.head.connection;
    let number = |number: Option<u64>| number.map(hash::number);
    let hash = match field {
        node::PATH => Some(hash::folded(facts.path)),
        node::METHOD => Some(hash::bytes(facts.method)),
        node::PORT => number(connection.local_port.map(u64::from)),
        node::TLS_MUTUAL => number(connection.mutual_tls.map(u64::from)),
        node::IDENTITY => matcher::peer(facts).map(hash::bytes),
        node::ASN => number(facts.signals.place().and_then(|place| place.asn).map(u64::from)),
        node::COUNTRY => {
            number(facts.signals.place().and_then(|place| place.country).map(|code| matcher::country(code).into()))
        }
        node::AGENT_CLASS => facts.signals.agent().map(|agent| hash::bytes(agent.class.as_str().as_bytes())),
        node::AGENT_NAME => facts.signals.agent().map(|agent| hash::folded(agent.name.as_bytes())),
        node::RESPONSE_STATUS => number(facts.response.and_then(|response| response.status).map(u64::from)),
        node::FINGERPRINT => {
            if let Some(own) = facts.signals.fingerprint() {
                found(hash::bytes(own.text().as_bytes()));
            }
            facts.signals.ja4().map(|ja4| hash::bytes(ja4.as_bytes()))
        }
        _ => None,
    };
    if let Some(hash) = hash {
        found(hash);
    }
}

/// The host or the server name.
pub(super) fn domain<'a>(field: u8, facts: &Facts<'a>) -> Option<&'a [u8]> {
    match field {
        node::HOST => Some(facts.host),
        _ => matcher::server_name(facts),
    }
}

/// The bit of a name among 64; see [`name_bit`].
#[inline]
pub(super) fn bit_of(name: Reading<'_>) -> u32 {
    match name {
        Reading::Received(name) => name_bit(name),
        Reading::Decoded(mut name) => {
            let Some(first) = name.next() else { return 0 };
            let (length, last) = name.fold((1, first), |(length, _), byte| (length + 1, byte));
            bit_by_ends(length, first, last)
        }
    }
}

/// The hash of a name in any letter case.
#[inline]
pub(super) fn name_hash(name: Reading<'_>) -> u64 {
    match name {
        Reading::Received(name) => hash::folded(name),
        Reading::Decoded(name) => hash::stream(name.map(|byte| byte.to_ascii_lowercase())),
    }
}

/// The hash of a value.
#[inline]
pub(super) fn value_hash(value: Reading<'_>) -> u64 {
    match value {
        Reading::Received(value) => hash::bytes(value),
        Reading::Decoded(value) => hash::stream(value),
    }
}

/// Every reading of every name of a field; with it what gives every reading of the value under it.
pub(super) fn each_named(field: u8, facts: &Facts<'_>, mut found: impl FnMut(Reading<'_>, Values<'_>)) {
    let mut received = |name, value| found(Reading::Received(name), Values::Received(value));
    match field {
        node::HEADER => facts.head.headers.iter().for_each(|(name, value)| received(name, value)),
        node::RESPONSE_HEADER => {
            let headers = facts.response.map_or(&[][..], |response| response.headers);
            headers.iter().for_each(|(name, value)| received(name, value));
        }
        node::CLAIM => {
            if let Claims::Known(claims) = facts.claims {
                claims.iter().for_each(|(name, value)| received(name, value));
            }
        }
        node::COOKIE => {
            for (name, value) in cookies(&facts.head) {
                of_cookie_name(name).for_each(|name| found(name, Values::Cookie(value)));
            }
        }
        node::QUERY => {
            for (name, value) in parameters(facts.query.unwrap_or_default()) {
                of_form(name).for_each(|name| found(name, Values::Form(value)));
            }
        }
        _ => {}
    }
}

/// A value whose readings are asked for only where its name is looked for.
#[derive(Clone, Copy)]
pub(super) enum Values<'a> {
    Received(&'a [u8]),
    Cookie(&'a [u8]),
    Form(&'a [u8]),
}

impl Values<'_> {
    pub(super) fn each(self, mut found: impl FnMut(Reading<'_>)) {
        match self {
            Self::Received(value) => found(Reading::Received(value)),
            Self::Cookie(value) => of_cookie(value).for_each(found),
            Self::Form(value) => of_form(value).for_each(found),
        }
    }
}

/// Every reading of every value of a field under a name.
pub(super) fn each_value(field: u8, name: &[u8], facts: &Facts<'_>, mut found: impl FnMut(Reading<'_>)) {
    match field {
        node::PATH => found(Reading::Received(facts.path)),
        node::HEADER => named(facts.head.headers, name).for_each(|value| found(Reading::Received(value))),
        node::RESPONSE_HEADER => {
            let headers = facts.response.map_or(&[][..], |response| response.headers);
            named(headers, name).for_each(|value| found(Reading::Received(value)));
        }
        _ => each_named(field, facts, |own, values| {
            if own.is(name) {
                values.each(&mut found);
            }
        }),
    }
}

fn named<'a>(headers: &'a [Pair<'a>], name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    headers.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
}
