//! Which parts of a request a log's columns tell; each set of columns is made once and shared by all its lines.

use std::sync::Arc;

use gatehouse_policy::{Field, Fields};

use crate::request::{Known, without};

/// Sets of columns that are remembered; a log has few.
const KEPT: usize = 32;

/// Request headers that logs have columns for, by lower-case name.
pub(super) const HEADERS: [&str; 12] = [
    "user-agent",
    "referer",
    "x-forwarded-for",
    "x-request-id",
    "content-type",
    "accept",
    "accept-language",
    "accept-encoding",
    "origin",
    "cookie",
    "traceparent",
    "x-real-ip",
];

/// Headers that other fields are read from.
const AGENT: u32 = 1;
const COOKIE: u32 = 1 << 9;

/// What a line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) method: bool,
    pub(super) authority: bool,
    pub(super) path: bool,
    pub(super) query: bool,
    pub(super) headers: Headers,
    /// The response's headers: all of them, or its media type at least.
    pub(super) response: Answered,
}

/// Which request headers are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Headers {
    /// All, in the order sent.
    All,
    /// All, in another order.
    Unordered,
    /// Those with a bit of [`HEADERS`].
    Only(u32),
}

/// Which response headers are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    All,
    Type,
    Nothing,
}

/// Remembers the sets of columns that came before.
#[derive(Debug, Default)]
pub(super) struct Sets(Vec<(Seen, Arc<Known>)>);

impl Sets {
    /// What a line with these columns tells.
    pub(super) fn known(&mut self, seen: Seen) -> Arc<Known> {
        if let Some((_, known)) = self.0.iter().find(|(before, _)| *before == seen) {
            return Arc::clone(known);
        }
        let known = Arc::new(seen.known());
        if self.0.len() == KEPT {
            self.0.clear();
        }
        self.0.push((seen, Arc::clone(&known)));
        known
    }
}

impl Seen {
    /// Something of the request is not told.
    pub(super) fn hides_something(self) -> bool {
        let Self { method, authority, path, query, headers, response } = self;
        !(method && authority && path && query) || headers != Headers::All || response != Answered::All
    }

    fn known(self) -> Known {
        let told = |told: bool, field: Field| (!told).then_some(field);
        let (agent, cookies, headers, ordered) = match self.headers {
            Headers::All => (true, true, true, true),
            Headers::Unordered => (true, true, true, false),
            Headers::Only(bits) => (bits & AGENT != 0, bits & COOKIE != 0, false, false),
        };
        let hidden = [
            told(self.method, Field::Method),
            told(self.authority, Field::Host),
            told(self.path, Field::Path),
            told(self.query, Field::Query),
            told(agent, Field::Agent),
            told(cookies, Field::Cookies),
            told(headers, Field::Headers),
            told(ordered, Field::Fingerprint),
            told(self.response == Answered::All, Field::ResponseHeaders),
            told(self.response != Answered::Nothing, Field::ResponseType),
        ];
        let named = match self.headers {
            Headers::All | Headers::Unordered => 0,
            Headers::Only(bits) => bits,
        };
        let names = HEADERS.iter().enumerate().filter(|(bit, _)| named >> bit & 1 == 1);
        Known {
            fields: without(Fields::ALL, hidden.into_iter().flatten()),
            headers: names.map(|(_, name)| name.as_bytes().to_vec()).collect(),
        }
    }
}
