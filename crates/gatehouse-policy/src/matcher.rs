//! Whether a match holds for a request: one predicate a file, and the tree that joins them.
//!
//! Unknown is not false: a field that cannot be known makes the match unknown, through `not`, `any` and `all` alike, and an
//! enforced rule does not fire on it.

mod address;
mod agent;
mod claim;
mod cookie;
mod destination;
mod facts;
mod fingerprint;
mod header;
mod host;
mod identity;
pub(crate) mod inputs;
mod method;
mod network;
mod path;
mod port;
mod query;
mod readings;
mod response;
mod score;
mod size;
mod sni;
mod text;
mod time;
mod tls;
mod truth;
mod verdict;

pub use facts::{Facts, Phase, ResponseFacts, Signals};
pub(crate) use fingerprint::kind as fingerprint_kind;
pub(crate) use identity::peer;
pub use inputs::{Input, Inputs, MAX_INPUTS, Seen};
pub(crate) use network::country;
pub(crate) use readings::{Decoded, Reading, cookies, of_cookie, of_cookie_name, of_form, parameters};
pub(crate) use sni::name as server_name;
pub use truth::Truth;

use crate::image::{Section, View, node};
use crate::regex::Regexes;
use crate::{Field, Fields};

/// The truth of the tree that begins at node `at` of a checked image. Children stand cheapest first, so that a regex is run
/// only where what is cheaper has not decided.
pub(crate) fn holds(view: &View, regexes: &Regexes, at: usize, facts: &Facts<'_>) -> Truth {
    let leaf = Leaf::new(view, regexes, at);
    match leaf.kind {
        node::ALL => truth::all(leaf.children().map(|child| holds(view, regexes, child, facts))),
        node::ANY => truth::any(leaf.children().map(|child| holds(view, regexes, child, facts))),
        node::NOT => holds(view, regexes, at + 1, facts).negated(),
        _ => leaf.holds(facts),
    }
}

/// The fields of those leaves of the tree at `at` that are unknown.
pub(crate) fn unknown(view: &View, regexes: &Regexes, at: usize, facts: &Facts<'_>) -> Fields {
    let mut fields = Fields::NONE;
    for index in at..view.index(Section::Conditions, at, node::END) {
        let leaf = Leaf::new(view, regexes, index);
        if !matches!(leaf.kind, node::ALL | node::ANY | node::NOT) && leaf.holds(facts) == Truth::Unknown {
            fields |= leaf.fields();
        }
    }
    fields
}

/// The fields that the tree at `at` reads.
pub(crate) fn reads(view: &View, regexes: &Regexes, at: usize) -> Fields {
    let mut fields = Fields::NONE;
    for index in at..view.index(Section::Conditions, at, node::END) {
        fields |= Leaf::new(view, regexes, index).fields();
    }
    fields
}

/// One node of a checked image.
#[derive(Clone, Copy)]
struct Leaf<'p> {
    view: &'p View,
    regexes: &'p Regexes,
    at: usize,
    kind: u8,
    test: u8,
    words: [u32; 6],
}

impl<'p> Leaf<'p> {
    fn new(view: &'p View, regexes: &'p Regexes, at: usize) -> Self {
        let words: [u32; 6] = view.words(Section::Conditions, at);
        let [kind, ..] = words;
        Self { view, regexes, at, kind: kind as u8, test: (kind >> 8) as u8, words }
    }

    fn holds(self, facts: &Facts<'_>) -> Truth {
        match self.kind {
            node::ALWAYS => Truth::True,
            node::ADDRESS => address::holds(self, facts),
            node::AGENT_CLASS | node::AGENT_NAME | node::AGENT_VERIFIED => agent::holds(self, facts),
            node::ASN | node::COUNTRY => network::holds(self, facts),
            node::CLAIM => claim::holds(self, facts),
            node::COOKIE => cookie::holds(self, facts),
            node::DESTINATION => destination::holds(self, facts),
            node::FINGERPRINT => fingerprint::holds(self, facts),
            node::HEADER => header::holds(self, facts),
            node::HOST => host::holds(self, facts),
            node::IDENTITY => identity::holds(self, facts),
            node::LABEL | node::SCORE => score::holds(self, facts),
            node::METHOD => method::holds(self, facts),
            node::PATH => path::holds(self, facts),
            node::PORT => port::holds(self, facts),
            node::QUERY => query::holds(self, facts),
            node::RESPONSE_HEADER | node::RESPONSE_SIZE | node::RESPONSE_STATUS | node::RESPONSE_TYPE => {
                response::holds(self, facts)
            }
            node::SIZE => size::holds(self, facts),
            node::SNI => sni::holds(self, facts),
            node::TIME => time::holds(self, facts),
            node::TLS_MUTUAL | node::TLS_VERSION => tls::holds(self, facts),
            node::VERDICT => verdict::holds(self, facts),
            _ => Truth::Unknown,
        }
    }

    /// What it reads.
    fn fields(self) -> Fields {
        fields_of(self.kind, || fingerprint::fields(self))
    }

    fn children(self) -> impl Iterator<Item = usize> {
        let end = self.index(node::END);
        let mut next = self.at + 1;
        core::iter::from_fn(move || {
            let child = next;
            if child >= end {
                return None;
            }
            next = self.view.index(Section::Conditions, child, node::END);
            Some(child)
        })
    }

    /// The text whose two words begin at `word`.
    fn text(self, word: usize) -> &'p [u8] {
        self.view.string(self.word(word), self.word(word + 1))
    }

    fn word(self, word: usize) -> u32 {
        self.words.get(word).copied().unwrap_or(0)
    }

    fn index(self, word: usize) -> usize {
        self.word(word) as usize
    }

    fn long(self, word: usize) -> u64 {
        u64::from(self.word(word)) | u64::from(self.word(word + 1)) << 32
    }

    /// The set that an `IN_SET` names; `None`: its time is over, so that nothing is in it. `Err`: the time is not known.
    fn set(self, facts: &Facts<'_>) -> Result<Option<usize>, Truth> {
        let set = self.index(node::A);
        match self.long(node::C) {
            0 => Ok(Some(set)),
            expires => match facts.wall_s.filter(|_| facts.known.has(Field::Time)) {
                Some(now) => Ok((now < expires).then_some(set)),
                None => Err(Truth::Unknown),
            },
        }
    }
}

/// The fields of a leaf of this kind; of a fingerprint it depends.
fn fields_of(kind: u8, fingerprint: impl FnOnce() -> Fields) -> Fields {
    Fields::of(match kind {
        node::ADDRESS => Field::Address,
        node::AGENT_CLASS | node::AGENT_NAME => Field::Agent,
        node::AGENT_VERIFIED => Field::AgentVerified,
        node::ASN => Field::Asn,
        node::CLAIM => Field::Claims,
        node::COOKIE => Field::Cookies,
        node::COUNTRY => Field::Country,
        node::DESTINATION => Field::Destination,
        node::FINGERPRINT => return fingerprint(),
        node::HEADER => Field::Headers,
        node::HOST => Field::Host,
        node::IDENTITY => Field::Identity,
        node::LABEL | node::SCORE => Field::Score,
        node::METHOD => Field::Method,
        node::PATH => Field::Path,
        node::PORT => Field::Port,
        node::QUERY => Field::Query,
        node::RESPONSE_HEADER => Field::ResponseHeaders,
        node::RESPONSE_SIZE => Field::ResponseSize,
        node::RESPONSE_STATUS => Field::ResponseStatus,
        node::RESPONSE_TYPE => Field::ResponseType,
        node::SIZE => Field::Size,
        node::SNI => Field::Sni,
        node::TIME => Field::Time,
        node::TLS_MUTUAL => Field::TlsMutual,
        node::TLS_VERSION => Field::TlsVersion,
        node::VERDICT => Field::Verdicts,
        _ => return Fields::NONE,
    })
}
