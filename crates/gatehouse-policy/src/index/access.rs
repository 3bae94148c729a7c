//! The tests of a match that a rule can be filed under.

use std::borrow::Cow;

use gatehouse_signals::address::Network;

use crate::image::{node, table};
use crate::matcher::country;
use crate::spec::types::{Addresses, Condition, Entries, ListName, Statuses};
use crate::spec::{HostPattern, PathPattern, TextPattern};

use super::terms::{MAX_ENDING, MAX_SEGMENTS, PRESENT};
use super::{grams, hash, keys};

/// Sets with so many entries are looked up as sets; smaller ones entry by entry.
const FEW_ENTRIES: usize = 32;

/// One test, as it is looked up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Atom<'d> {
    /// A field has the value of this hash; the field is a kind of node.
    Value(u8, u64),
    /// A host is this one or under this domain.
    Domain(u8, u64),
    /// The path ends with so many bytes of this hash.
    Ending(usize, u64),
    /// A path or an id has these segments.
    Segments(u8, Vec<Step>, End),
    /// Something of that name has the value of this hash, or [`PRESENT`].
    Named(u8, &'d str, u64),
    /// The address is in this network.
    Network(Network),
    /// The field is in the set of this number.
    InSet(u8, u32),
    /// The client is on the list of this number.
    Verdict(u32),
    /// Under a label + 1, at least so much was weighed.
    Score(u32, u32),
    /// A value holds this run of bytes, in any letter case; the field, the name, how many bytes, the bytes.
    Gram(u8, &'d str, u8, u64),
    /// A value is found by this regex.
    Automaton(u8, &'d str, Cow<'d, str>),
}

/// One segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// That of this hash.
    Literal(u64),
    /// Any.
    Any,
}

/// Which paths meet a pattern whose segments they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// That end there.
    Here,
    /// That end there or go on.
    FromHere,
    /// That go on.
    Below,
}

/// What must hold for a match to hold, as far as it can be looked up.
#[derive(Debug, Clone)]
pub(crate) enum Access<'d> {
    /// Nothing that can be looked up.
    Nothing,
    One(Atom<'d>),
    /// Each of these: any one may be looked up.
    All(Vec<Self>),
    /// One of these: all must be looked up.
    Any(Vec<Self>),
}

impl<'d> Access<'d> {
    fn any(parts: impl Iterator<Item = Atom<'d>>) -> Self {
        Self::Any(parts.map(Self::One).collect())
    }
}

/// Finds the tests of one document's matches.
pub(crate) struct Extract<'e> {
    /// The number of a set that a list is written as.
    pub(crate) set: &'e mut dyn FnMut(&Entries) -> u32,
    /// The entries of a list by its name.
    pub(crate) list: &'e dyn Fn(&str) -> Option<&'e Entries>,
    /// The number of a label + 1.
    pub(crate) label: &'e dyn Fn(Option<&str>) -> u32,
    /// The number of a list that the house fills.
    pub(crate) verdict_list: &'e dyn Fn(&str) -> u32,
}

impl Extract<'_> {
    /// What must hold for `condition` to hold.
    pub(crate) fn of<'d>(&mut self, condition: &'d Condition) -> Access<'d> {
        match condition {
            Condition::All(parts) => Access::All(parts.iter().map(|part| self.of(part)).collect()),
            Condition::Any(parts) => Access::Any(parts.iter().map(|part| self.of(part)).collect()),
            Condition::Address(Addresses::Networks(networks)) => self.networks(networks),
            Condition::Address(Addresses::List(name)) => self.list(node::ADDRESS, name),
            Condition::AsnList(name) => self.list(node::ASN, name),
            Condition::Claim(name, pattern) => text(node::CLAIM, name, pattern),
            Condition::Cookie(name, pattern) => text(node::COOKIE, name, pattern),
            Condition::CountryList(name) => self.list(node::COUNTRY, name),
            Condition::FingerprintList(name) => self.list(node::FINGERPRINT, name),
            Condition::Header(name, pattern) => text(node::HEADER, name, pattern),
            Condition::IdentityList(name) => self.list(node::IDENTITY, name),
            Condition::Label(label) => Access::One(Atom::Score((self.label)(Some(label)), 1)),
            Condition::Path(pattern) => path(pattern),
            Condition::Query(name, pattern) => text(node::QUERY, name, pattern),
            Condition::ResponseHeader(name, pattern) => text(node::RESPONSE_HEADER, name, pattern),
            Condition::ResponseStatus(statuses) => status(statuses),
            Condition::Score { at_least, label } => Access::One(Atom::Score((self.label)(label.as_deref()), *at_least)),
            Condition::Verdict(name) => Access::One(Atom::Verdict((self.verdict_list)(&name.name))),
            _ => value(condition).map_or(Access::Nothing, Access::One),
        }
    }

    fn networks<'d>(&mut self, networks: &[Network]) -> Access<'d> {
        if networks.len() <= FEW_ENTRIES {
            return Access::any(networks.iter().copied().map(Atom::Network));
        }
        let set = (self.set)(&Entries::Networks(networks.to_vec()));
        Access::One(Atom::InSet(node::ADDRESS, set))
    }

    fn list<'d>(&mut self, kind: u8, name: &ListName) -> Access<'d> {
        let Some(entries) = (self.list)(&name.name) else {
            return Access::Nothing;
        };
        let values = |hashes: Vec<u64>| Access::any(hashes.into_iter().map(|hash| Atom::Value(kind, hash)));
        match entries {
            Entries::Verdicts(_) => Access::Nothing,
            Entries::Networks(networks) => self.networks(networks),
            Entries::Asns(asns) if asns.len() <= FEW_ENTRIES => {
                values(asns.iter().map(|asn| hash::number((*asn).into())).collect())
            }
            Entries::Countries(codes) if codes.len() <= FEW_ENTRIES => {
                values(codes.iter().map(|code| hash::number(country(*code).into())).collect())
            }
            Entries::Fingerprints(texts) if texts.len() <= FEW_ENTRIES => {
                values(texts.iter().map(|text| hash::bytes(text.as_bytes())).collect())
            }
            Entries::Identities(ids) if ids.len() <= FEW_ENTRIES => Access::any(ids.iter().map(|id| identity(id))),
            entries => Access::One(Atom::InSet(kind, (self.set)(entries))),
        }
    }
}

/// A condition that compares one field with one value.
fn value<'d>(condition: &Condition) -> Option<Atom<'d>> {
    let (kind, hash) = match condition {
        Condition::AgentClass(class) => (node::AGENT_CLASS, hash::bytes(class.as_str().as_bytes())),
        Condition::AgentName(name) => (node::AGENT_NAME, hash::folded(name.as_bytes())),
        Condition::Asn(asn) => (node::ASN, hash::number((*asn).into())),
        Condition::Country(code) => (node::COUNTRY, hash::number(country(*code).into())),
        Condition::Fingerprint(text) => (node::FINGERPRINT, hash::bytes(text.as_bytes())),
        Condition::Host(pattern) => return Some(domain(node::HOST, pattern)),
        Condition::Identity(pattern) => return Some(identity(pattern)),
        Condition::Method(method) => (node::METHOD, hash::bytes(method.as_bytes())),
        Condition::Port(port) => (node::PORT, hash::number((*port).into())),
        Condition::Sni(pattern) => return Some(domain(node::SNI, pattern)),
        Condition::TlsMutual(mutual) => (node::TLS_MUTUAL, hash::number((*mutual).into())),
        _ => return None,
    };
    Some(Atom::Value(kind, hash))
}

fn domain<'d>(kind: u8, pattern: &HostPattern) -> Atom<'d> {
    let (HostPattern::Exact(text) | HostPattern::Under(text)) = pattern;
    Atom::Domain(kind, keys::reversed_folded(text.as_bytes()))
}

/// An id without a star is one value; else its segments.
fn identity<'d>(pattern: &str) -> Atom<'d> {
    if !pattern.contains('*') {
        return Atom::Value(node::IDENTITY, hash::bytes(pattern.as_bytes()));
    }
    match pattern.strip_suffix("/**") {
        Some(folder) => segments(node::IDENTITY, folder.split('/'), End::Below),
        None => segments(node::IDENTITY, pattern.split('/'), End::Here),
    }
}

fn status<'d>(statuses: &Statuses) -> Access<'d> {
    let numbers = statuses.0.iter().flat_map(|(from, to)| *from..=*to);
    Access::any(numbers.map(|status| Atom::Value(node::RESPONSE_STATUS, hash::number(status.into()))))
}

fn path(pattern: &PathPattern) -> Access<'_> {
    let below = |folder: &str| segments(node::PATH, folder.split('/'), End::Below);
    Access::One(match pattern {
        PathPattern::Exact(text) => Atom::Value(node::PATH, hash::folded(text.as_bytes())),
        PathPattern::Suffix(text) => {
            let start = text.len().saturating_sub(MAX_ENDING);
            let ending = text.as_bytes().get(start..).unwrap_or_default();
            Atom::Ending(ending.len(), keys::reversed_folded(ending))
        }
        PathPattern::Prefix(text) => match text.strip_suffix('/') {
            Some(folder) => below(folder),
            None => segments(node::PATH, text.split('/'), End::FromHere),
        },
        PathPattern::Segments(text) => match text.strip_suffix("/**") {
            Some(folder) => below(folder),
            None => segments(node::PATH, text.split('/'), End::Here),
        },
        PathPattern::Regex(pattern) => return regex(node::PATH, "", pattern),
    })
}

fn segments<'d, 's>(kind: u8, written: impl Iterator<Item = &'s str>, end: End) -> Atom<'d> {
    let mut steps: Vec<Step> = Vec::new();
    for segment in written {
        if steps.len() == MAX_SEGMENTS {
            return Atom::Segments(kind, steps, End::FromHere);
        }
        steps.push(if segment == "*" { Step::Any } else { Step::Literal(hash::folded(segment.as_bytes())) });
    }
    Atom::Segments(kind, steps, end)
}

fn text<'d>(kind: u8, name: &'d str, pattern: &'d TextPattern) -> Access<'d> {
    let present = Access::One(Atom::Named(kind, name, PRESENT));
    match pattern {
        TextPattern::Present(false) => Access::Nothing,
        TextPattern::Present(true) => present,
        TextPattern::Equals(text) => Access::One(Atom::Named(kind, name, hash::bytes(text.as_bytes()))),
        TextPattern::Contains(text) => literal(present, kind, name, text, |text| text),
        TextPattern::Prefix(text) => literal(present, kind, name, text, |text| format!("^{text}")),
        TextPattern::Suffix(text) => literal(present, kind, name, text, |text| format!("{text}$")),
        TextPattern::Regex(pattern) => Access::All(vec![present, regex(kind, name, pattern)]),
    }
}

/// A text that must be there: a run of its bytes, or a regex of it.
fn literal<'d>(
    present: Access<'d>,
    kind: u8,
    name: &'d str,
    text: &str,
    pattern: impl Fn(String) -> String,
) -> Access<'d> {
    let own = Atom::Automaton(kind, name, pattern(crate::automata::escape(text.as_bytes())).into());
    Access::All(vec![present, grams::of(kind, name, text.as_bytes()), Access::One(own)])
}

/// Runs of bytes of which one must be there, or the regex itself.
fn regex<'d>(kind: u8, name: &'d str, pattern: &'d str) -> Access<'d> {
    let Some(literals) = crate::automata::literals(pattern) else {
        return Access::Nothing;
    };
    let set = |texts: &Vec<Vec<u8>>| Access::Any(texts.iter().map(|text| grams::of(kind, name, text)).collect());
    let own = Access::One(Atom::Automaton(kind, name, Cow::Borrowed(pattern)));
    Access::All(literals.iter().map(set).chain([own]).collect())
}

impl Atom<'_> {
    /// How much dearer this test is than a look-up of one hash, and how much likelier it holds for requests that its rules
    /// are not about; in rules that are asked in vain.
    pub(crate) fn penalty(&self) -> u32 {
        match self {
            Self::Value(node::PATH, _) | Self::Domain(node::HOST, _) => 0,
            Self::Value(node::METHOD | node::PORT | node::TLS_MUTUAL, _) => 64,
            Self::Value(node::AGENT_CLASS, _) => 96,
            Self::Value(node::AGENT_NAME | node::FINGERPRINT, _) | Self::InSet(..) | Self::Named(_, _, PRESENT) => 32,
            Self::Value(node::ASN | node::COUNTRY, _) | Self::Verdict(_) | Self::Score(..) => 24,
            Self::Value(..) | Self::Domain(..) => 4,
            Self::Ending(..) => 2,
            Self::Segments(_, steps, _) => {
                let stars = steps.iter().filter(|step| **step == Step::Any).count();
                let named =
                    steps.iter().any(|step| !matches!(step, Step::Any) && *step != Step::Literal(hash::folded(b"")));
                if named { 2 * stars as u32 } else { 128 }
            }
            Self::Named(..) => 4,
            Self::Network(network) => {
                if network.prefix() < 8 {
                    64
                } else {
                    4
                }
            }
            Self::Gram(_, _, length, _) => {
                if *length >= 4 {
                    8
                } else {
                    48
                }
            }
            Self::Automaton(..) => 64,
        }
    }

    /// The kind of table that it stands in, and the field.
    pub(crate) fn slot(&self) -> (u8, u8) {
        match self {
            Self::Value(kind, _) => (table::VALUE, *kind),
            Self::Domain(kind, _) => (table::DOMAIN, *kind),
            Self::Ending(..) => (table::ENDING, node::PATH),
            Self::Segments(kind, ..) => (table::SEGMENTS, *kind),
            Self::Named(kind, ..) => (table::NAMED, *kind),
            Self::Network(_) => (table::NETWORK, node::ADDRESS),
            Self::InSet(kind, _) => (table::SETS, *kind),
            Self::Verdict(_) => (table::VERDICTS, node::VERDICT),
            Self::Score(..) => (table::SCORES, node::SCORE),
            Self::Gram(kind, ..) => (table::GRAMS, *kind),
            Self::Automaton(kind, ..) => (table::AUTOMATON, *kind),
        }
    }
}
