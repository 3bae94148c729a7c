//! Limits, decoded once: the engine makes its counters from them.

use crate::Field;
use crate::image::{Section, View, limit as l, part as p};

/// A limit of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitSpec {
    /// Index of its rule.
    pub rule: u32,
    /// The same number for the same limit of the same rule, whatever else a policy holds: counts outlive a change by it.
    pub identity: u64,
    /// What is counted apart.
    pub by: Vec<KeyPart>,
    /// What is counted.
    pub count: Count,
    /// One to four, over one window, ascending; the first is the limit itself.
    pub steps: Vec<StepSpec>,
    /// Of counts of failures: most unanswered tries; `None`: the first step's rate.
    pub in_flight: Option<u32>,
    /// It counts across the workers of one Envoy.
    pub shared: bool,
}

/// One threshold of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepSpec {
    /// So many within the window.
    pub rate: u32,
    /// The window, in nanoseconds.
    pub per_ns: u64,
    /// So many at once, counted by GCRA; `None`: a sliding window.
    pub burst: Option<u32>,
    /// For so many nanoseconds after, it is over all the same; 0: not.
    pub block_for_ns: u64,
    /// It has a `then` of its own; else it is the rule's.
    pub has_then: bool,
}

/// What a limit counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    /// Different values of this.
    Distinct(KeyPart),
    /// Answers with a status in one of these ranges, both ends included.
    Failures(Vec<(u16, u16)>),
    /// Requests.
    Requests,
}

/// One part of a limit's key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyPart {
    /// The client's address.
    Address,
    /// Its network: IPv4 /24, IPv6 /48.
    AddressPrefix,
    /// The system that it belongs to.
    Asn,
    /// A JWT claim, by its index in the policy's claims.
    Claim(usize),
    /// The client, as its key tells it.
    Client,
    /// A cookie by its name.
    Cookie(String),
    /// The country of the address.
    Country,
    /// The fingerprint.
    Fingerprint,
    /// A header by its lower-case name.
    Header(String),
    /// The host.
    Host,
    /// The verified peer's SPIFFE id.
    Identity,
    /// The method.
    Method,
    /// The path.
    Path,
    /// The class of the path.
    PathClass,
    /// A query parameter by its name.
    Query(String),
    /// Whether the client proved itself by a certificate.
    TlsMutual,
    /// Version of TLS.
    TlsVersion,
}

impl KeyPart {
    /// A stranger can choose it alone: the limit then counts the address too (IPv6: its /64), the stricter wins.
    #[must_use]
    pub const fn is_unproven(&self) -> bool {
        matches!(self, Self::Cookie(_) | Self::Header(_) | Self::Query(_))
    }

    /// The field that it is read from; of the client, whose key may be anything that is proven: its address.
    #[must_use]
    pub const fn field(&self) -> Field {
        match self {
            Self::Address | Self::AddressPrefix | Self::Client => Field::Address,
            Self::Asn => Field::Asn,
            Self::Claim(_) => Field::Claims,
            Self::Cookie(_) => Field::Cookies,
            Self::Country => Field::Country,
            Self::Fingerprint => Field::Fingerprint,
            Self::Header(_) => Field::Headers,
            Self::Host => Field::Host,
            Self::Identity => Field::Identity,
            Self::Method => Field::Method,
            Self::Path | Self::PathClass => Field::Path,
            Self::Query(_) => Field::Query,
            Self::TlsMutual => Field::TlsMutual,
            Self::TlsVersion => Field::TlsVersion,
        }
    }

    fn read(view: &View, index: usize) -> Self {
        let text = || view.text(Section::Parts, index, l::PART_TEXT).to_owned();
        match view.word(Section::Parts, index, l::PART_KIND) {
            p::ADDRESS_PREFIX => Self::AddressPrefix,
            p::ASN => Self::Asn,
            p::CLAIM => Self::Claim(view.index(Section::Parts, index, l::PART_TEXT)),
            p::CLIENT => Self::Client,
            p::COOKIE => Self::Cookie(text()),
            p::COUNTRY => Self::Country,
            p::FINGERPRINT => Self::Fingerprint,
            p::HEADER => Self::Header(text()),
            p::HOST => Self::Host,
            p::IDENTITY => Self::Identity,
            p::METHOD => Self::Method,
            p::PATH => Self::Path,
            p::PATH_CLASS => Self::PathClass,
            p::QUERY => Self::Query(text()),
            p::TLS_MUTUAL => Self::TlsMutual,
            p::TLS_VERSION => Self::TlsVersion,
            _ => Self::Address,
        }
    }
}

impl LimitSpec {
    pub(super) fn read(view: &View, index: usize) -> Self {
        let word = |w| view.word(Section::Limits, index, w);
        let count = match word(l::COUNT) {
            l::FAILURES => Count::Failures(
                view.range(Section::Limits, index, l::COUNT_FIRST).map(|at| statuses(view, at)).collect(),
            ),
            l::DISTINCT => Count::Distinct(KeyPart::read(view, word(l::COUNT_FIRST) as usize)),
            _ => Count::Requests,
        };
        Self {
            rule: word(l::RULE),
            identity: view.long(Section::Limits, index, l::IDENTITY),
            by: view.range(Section::Limits, index, l::FIRST_PART).map(|at| KeyPart::read(view, at)).collect(),
            count,
            steps: view.range(Section::Limits, index, l::FIRST_STEP).map(|at| StepSpec::read(view, at)).collect(),
            in_flight: word(l::IN_FLIGHT).checked_sub(1),
            shared: word(l::SHARED) != 0,
        }
    }
}

impl StepSpec {
    fn read(view: &View, index: usize) -> Self {
        let word = |w| view.word(Section::Steps, index, w);
        let long = |w| view.long(Section::Steps, index, w);
        Self {
            rate: word(l::STEP_RATE),
            per_ns: long(l::STEP_PER),
            burst: word(l::STEP_BURST).checked_sub(1),
            block_for_ns: long(l::STEP_BLOCK),
            has_then: word(l::STEP_THEN) != 0,
        }
    }
}

fn statuses(view: &View, index: usize) -> (u16, u16) {
    let range = view.word(Section::Statuses, index, 0);
    (range as u16, (range >> 16) as u16)
}
