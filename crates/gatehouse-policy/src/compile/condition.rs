//! A match as nodes of the image: preorder, the cheapest children first.

use crate::image::{Builder, Section, lists, node, set, time};
use crate::matcher::country;
use crate::spec::types::{Addresses, Condition, Document, Entries, List, ListName, Range, Statuses, TimeWindow};
use crate::spec::{HostPattern, PathPattern, TextPattern};

use super::emit::{Vocabulary, regexes};

/// Writes conditions of one document.
pub(super) struct Writer<'w> {
    pub(super) document: &'w Document,
    pub(super) vocabulary: &'w Vocabulary,
    /// Some host of the document has a backend that reads paths in any letter case.
    pub(super) case_insensitive: bool,
    pub(super) builder: &'w mut Builder,
}

impl<'w> Writer<'w> {
    /// Writes the tree of `condition`.
    pub(super) fn write(&mut self, condition: &Condition) {
        let at = self.builder.push(Section::Conditions, &[0; 6]);
        let (kind, words) = match condition {
            Condition::All(parts) => (self.children(node::ALL, parts), [0; 4]),
            Condition::Any(parts) => (self.children(node::ANY, parts), [0; 4]),
            Condition::Not(inner) => {
                self.write(inner);
                (tagged(node::NOT, 0), [0; 4])
            }
            _ => match absence(condition) {
                Some((kind, name)) => {
                    let inner = self.builder.push(Section::Conditions, &[0; 6]);
                    let [a, b] = self.builder.text(name);
                    self.close(inner, tagged(kind, node::PRESENT), [a, b, a, 0]);
                    (tagged(node::NOT, 0), [0; 4])
                }
                None => self.leaf(condition),
            },
        };
        self.close(at, kind, words);
    }

    /// Fills the node in whose subtree ends here.
    fn close(&mut self, at: u32, kind: u32, words: [u32; 4]) {
        let end = self.builder.count(Section::Conditions);
        self.builder.set(Section::Conditions, at, node::KIND, kind);
        self.builder.set(Section::Conditions, at, node::END, end);
        for (word, value) in (node::A..).zip(words) {
            self.builder.set(Section::Conditions, at, word, value);
        }
    }

    fn children(&mut self, kind: u8, parts: &[Condition]) -> u32 {
        let mut sorted: Vec<&Condition> = parts.iter().collect();
        sorted.sort_by_key(|part| cost(part));
        for part in sorted {
            self.write(part);
        }
        tagged(kind, 0)
    }

    /// Kind and words of a leaf.
    fn leaf(&mut self, condition: &Condition) -> (u32, [u32; 4]) {
        match condition {
            Condition::Address(addresses) => self.address(node::ADDRESS, addresses),
            Condition::Destination(addresses) => self.address(node::DESTINATION, addresses),
            Condition::AsnList(list) => self.list(node::ASN, list),
            Condition::Claim(name, pattern) => self.named(node::CLAIM, name, pattern),
            Condition::Cookie(name, pattern) => self.named(node::COOKIE, name, pattern),
            Condition::CountryList(list) => self.list(node::COUNTRY, list),
            Condition::FingerprintList(list) => self.list(node::FINGERPRINT, list),
            Condition::Header(name, pattern) => self.named(node::HEADER, name, pattern),
            Condition::Host(pattern) => self.host(node::HOST, pattern),
            Condition::IdentityList(list) => self.list(node::IDENTITY, list),
            Condition::Path(pattern) => self.path(pattern),
            Condition::Query(name, pattern) => self.named(node::QUERY, name, pattern),
            Condition::ResponseHeader(name, pattern) => self.named(node::RESPONSE_HEADER, name, pattern),
            Condition::ResponseSize(range) => self.range(node::RESPONSE_SIZE, *range),
            Condition::ResponseStatus(statuses) => {
                let [first, count] = write_statuses(statuses, self.builder);
                (tagged(node::RESPONSE_STATUS, node::EQUALS), [first, count, 0, 0])
            }
            Condition::Size(range) => self.range(node::SIZE, *range),
            Condition::Sni(pattern) => self.host(node::SNI, pattern),
            Condition::Time(window) => self.time(window),
            Condition::Verdict(list) => {
                let known = self.resolve(list, node::VERDICT).is_some();
                let index = if known { self.vocabulary.verdict_list(&list.name) } else { 0 };
                (tagged(node::VERDICT, node::EQUALS), [index, 0, 0, 0])
            }
            _ => self.value(condition),
        }
    }

    /// The same of a leaf that compares with one value.
    fn value(&mut self, condition: &Condition) -> (u32, [u32; 4]) {
        let (kind, value) = match condition {
            Condition::AgentClass(class) => return self.text(node::AGENT_CLASS, node::EQUALS, class.as_str()),
            Condition::AgentName(name) => {
                return self.text(node::AGENT_NAME, node::EQUALS, &name.to_ascii_lowercase());
            }
            Condition::AgentVerified(verified) => (node::AGENT_VERIFIED, u32::from(*verified)),
            Condition::Asn(asn) => (node::ASN, *asn),
            Condition::Country(code) => (node::COUNTRY, country(*code)),
            Condition::Fingerprint(text) => return self.text(node::FINGERPRINT, node::EQUALS, text),
            Condition::Identity(pattern) => return self.text(node::IDENTITY, node::EQUALS, pattern),
            Condition::Label(label) => {
                return (tagged(node::LABEL, node::EQUALS), [1, self.vocabulary.label(Some(label)), 0, 0]);
            }
            Condition::Method(method) => return self.text(node::METHOD, node::EQUALS, method),
            Condition::NoIdentity => return (tagged(node::IDENTITY, node::NONE), [0; 4]),
            Condition::Port(port) => (node::PORT, u32::from(*port)),
            Condition::ResponseType(media) => return self.text(node::RESPONSE_TYPE, node::EQUALS, media),
            Condition::Score { at_least, label } => {
                let label = self.vocabulary.label(label.as_deref());
                return (tagged(node::SCORE, node::EQUALS), [*at_least, label, 0, 0]);
            }
            Condition::TlsMutual(mutual) => (node::TLS_MUTUAL, u32::from(*mutual)),
            Condition::TlsVersion(version) => (node::TLS_VERSION, u32::from(*version)),
            _ => return (tagged(node::ALWAYS, 0), [0; 4]),
        };
        (tagged(kind, node::EQUALS), [value, 0, 0, 0])
    }

    fn text(&mut self, kind: u8, test: u8, text: &str) -> (u32, [u32; 4]) {
        let [offset, length] = self.builder.text(text);
        (tagged(kind, test), [offset, length, 0, 0])
    }

    fn host(&mut self, kind: u8, pattern: &HostPattern) -> (u32, [u32; 4]) {
        match pattern {
            HostPattern::Exact(host) => self.text(kind, node::EQUALS, host),
            HostPattern::Under(domain) => self.text(kind, node::SUFFIX, domain),
        }
    }

    fn path(&mut self, pattern: &PathPattern) -> (u32, [u32; 4]) {
        match pattern {
            PathPattern::Exact(text) => self.text(node::PATH, node::EQUALS, text),
            PathPattern::Prefix(text) => self.text(node::PATH, node::PREFIX, text),
            PathPattern::Suffix(text) => self.text(node::PATH, node::SUFFIX, text),
            PathPattern::Segments(text) => self.text(node::PATH, node::SEGMENTS, text),
            PathPattern::Regex(pattern) => {
                let own = regexes::write(pattern, self.builder);
                let folded = if self.case_insensitive {
                    regexes::write(&["(?i)", pattern].concat(), self.builder)
                } else {
                    node::NO_REGEX
                };
                (tagged(node::PATH, node::REGEX), [own, folded, 0, 0])
            }
        }
    }

    fn named(&mut self, kind: u8, name: &str, pattern: &TextPattern) -> (u32, [u32; 4]) {
        let (test, operand) = match pattern {
            TextPattern::Contains(text) => (node::CONTAINS, text.as_str()),
            TextPattern::Equals(text) => (node::EQUALS, text.as_str()),
            TextPattern::Prefix(text) => (node::PREFIX, text.as_str()),
            TextPattern::Suffix(text) => (node::SUFFIX, text.as_str()),
            TextPattern::Present(_) => (node::PRESENT, ""),
            TextPattern::Regex(pattern) => {
                let [a, b] = self.builder.text(name);
                return (tagged(kind, node::REGEX), [a, b, regexes::write(pattern, self.builder), 0]);
            }
        };
        let ([a, b], [c, d]) = (self.builder.text(name), self.builder.text(operand));
        (tagged(kind, test), [a, b, c, d])
    }

    fn address(&mut self, kind: u8, addresses: &Addresses) -> (u32, [u32; 4]) {
        match addresses {
            Addresses::List(list) => self.list(kind, list),
            Addresses::Networks(networks) => {
                let set = lists::write_networks(networks, self.builder);
                (tagged(kind, node::IN_SET), [set, 0, 0, 0])
            }
        }
    }

    fn list(&mut self, kind: u8, name: &ListName) -> (u32, [u32; 4]) {
        let Some(list) = self.resolve(name, kind) else {
            return (tagged(node::ALWAYS, 0), [0; 4]);
        };
        let set = write_entries(&list.entries, self.builder);
        let expires = list.expires.as_ref().map_or(0, |(at, _)| (*at).max(1));
        (tagged(kind, node::IN_SET), [set, 0, expires as u32, (expires >> 32) as u32])
    }

    /// The list of that name, if it holds what a leaf of this kind asks for; `settle` told it otherwise.
    fn resolve(&self, name: &ListName, kind: u8) -> Option<&'w List> {
        let lists: &'w [List] = &self.document.lists;
        let entries = if kind == node::DESTINATION { node::ADDRESS } else { kind };
        lists.iter().find(|list| list.name == name.name && kind_of(&list.entries) == entries)
    }

    fn range(&mut self, kind: u8, range: Range) -> (u32, [u32; 4]) {
        let words = window([range.least.unwrap_or(0), range.most.unwrap_or(u64::MAX)], [0; 3]);
        (tagged(kind, node::EQUALS), [self.builder.push(Section::Times, &words), 0, 0, 0])
    }

    fn time(&mut self, written: &TimeWindow) -> (u32, [u32; 4]) {
        let hours = written.hours.map_or(time::ALL_DAY, |(from, to)| u32::from(from) | u32::from(to) << 16);
        let rest = [u32::from(written.days), hours, i32::from(written.offset_minutes).cast_unsigned()];
        let words = window([written.after.unwrap_or(0), written.before.unwrap_or(u64::MAX)], rest);
        (tagged(node::TIME, node::EQUALS), [self.builder.push(Section::Times, &words), 0, 0, 0])
    }
}

/// A condition that something is not there, as the kind and the name of what it is.
fn absence(condition: &Condition) -> Option<(u8, &str)> {
    let (kind, name, pattern) = match condition {
        Condition::Claim(name, pattern) => (node::CLAIM, name, pattern),
        Condition::Cookie(name, pattern) => (node::COOKIE, name, pattern),
        Condition::Header(name, pattern) => (node::HEADER, name, pattern),
        Condition::Query(name, pattern) => (node::QUERY, name, pattern),
        Condition::ResponseHeader(name, pattern) => (node::RESPONSE_HEADER, name, pattern),
        _ => return None,
    };
    matches!(pattern, TextPattern::Present(false)).then_some((kind, name))
}

fn window([first, second]: [u64; 2], [a, b, c]: [u32; 3]) -> [u32; 7] {
    [first as u32, (first >> 32) as u32, second as u32, (second >> 32) as u32, a, b, c]
}

/// Stores statuses; gives the first range and the number.
pub(super) fn write_statuses(statuses: &Statuses, builder: &mut Builder) -> [u32; 2] {
    let first = builder.count(Section::Statuses);
    for (from, to) in &statuses.0 {
        builder.push(Section::Statuses, &[u32::from(*from) | u32::from(*to) << 16]);
    }
    [first, builder.count(Section::Statuses) - first]
}

pub(super) fn write_entries(entries: &Entries, builder: &mut Builder) -> u32 {
    match entries {
        Entries::Asns(asns) => lists::write_numbers(set::ASNS, asns.iter().copied(), builder),
        Entries::Countries(codes) => {
            lists::write_numbers(set::COUNTRIES, codes.iter().map(|code| country(*code)), builder)
        }
        Entries::Fingerprints(texts) => {
            let kinds = texts.iter().fold(0, |kinds, text| kinds | crate::matcher::fingerprint_kind(text.as_bytes()));
            lists::write_texts(texts.iter().map(String::as_str), kinds, builder)
        }
        Entries::Identities(ids) => lists::write_identities(ids.iter().map(String::as_str), builder),
        Entries::Networks(networks) => lists::write_networks(networks, builder),
        Entries::Verdicts(_) => 0,
    }
}

/// The kind of leaf that asks for such entries.
fn kind_of(entries: &Entries) -> u8 {
    match entries {
        Entries::Asns(_) => node::ASN,
        Entries::Countries(_) => node::COUNTRY,
        Entries::Fingerprints(_) => node::FINGERPRINT,
        Entries::Identities(_) => node::IDENTITY,
        Entries::Networks(_) => node::ADDRESS,
        Entries::Verdicts(_) => node::VERDICT,
    }
}

/// How dear a test is, roughly; its order within `all` and `any` never changes the result.
fn cost(condition: &Condition) -> u32 {
    let text = |base: u32, pattern: &TextPattern| match pattern {
        TextPattern::Regex(_) => base + 1000,
        _ => base,
    };
    match condition {
        Condition::Always => 0,
        Condition::Method(_) | Condition::Port(_) | Condition::TlsMutual(_) | Condition::NoIdentity => 1,
        Condition::Host(_) | Condition::Sni(_) | Condition::ResponseStatus(_) | Condition::TlsVersion(_) => 2,
        Condition::Path(PathPattern::Regex(_)) => 1000,
        Condition::Path(_) => 3,
        Condition::Identity(_) => 6,
        Condition::Address(_) | Condition::Destination(_) | Condition::IdentityList(_) => 8,
        Condition::Time(_) => 10,
        Condition::Claim(_, pattern) => text(16, pattern),
        Condition::Header(_, pattern) | Condition::ResponseHeader(_, pattern) => text(20, pattern),
        Condition::Size(_) | Condition::ResponseSize(_) | Condition::ResponseType(_) => 20,
        Condition::Query(_, pattern) | Condition::Cookie(_, pattern) => text(30, pattern),
        Condition::Label(_) | Condition::Score { .. } | Condition::Verdict(_) => 40,
        Condition::Asn(_) | Condition::AsnList(_) | Condition::Country(_) | Condition::CountryList(_) => 100,
        Condition::Fingerprint(_) | Condition::FingerprintList(_) => 300,
        Condition::AgentClass(_) | Condition::AgentName(_) | Condition::AgentVerified(_) => 400,
        Condition::Not(inner) => cost(inner),
        Condition::All(parts) | Condition::Any(parts) => parts.iter().map(cost).fold(1, u32::saturating_add),
    }
}

fn tagged(kind: u8, test: u8) -> u32 {
    u32::from(kind) | u32::from(test) << 8
}
