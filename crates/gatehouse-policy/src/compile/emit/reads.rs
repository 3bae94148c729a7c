//! Which fields rules read, by their matches and the keys of their limits.

use crate::matcher::fingerprint_kind;
use crate::spec::types::{Addresses, Condition, Count, Document, Entries, KeyPart, ListName, Rule};
use crate::{Field, Fields};

/// Fields that a rule of `document` reads.
pub(super) fn of(rule: &Rule, document: &Document) -> Fields {
    let mut fields = condition(&rule.condition, document);
    if let Some(limit) = &rule.limit {
        let distinct = match &limit.count {
            Count::Distinct(part) => Some(part),
            Count::Failures(_) | Count::Requests => None,
        };
        limit.by.iter().chain(distinct).for_each(|part| fields |= key(part));
    }
    fields
}

pub(crate) fn condition(condition: &Condition, document: &Document) -> Fields {
    let each =
        |parts: &[Condition]| parts.iter().fold(Fields::NONE, |all, part| all.with(self::condition(part, document)));
    Fields::of(match condition {
        Condition::All(parts) | Condition::Any(parts) => return each(parts),
        Condition::Not(inner) => return self::condition(inner, document),
        Condition::Always => return Fields::NONE,
        Condition::Fingerprint(text) => return fingerprints(fingerprint_kind(text.as_bytes())),
        Condition::FingerprintList(name) => return fingerprints(kinds(name, document)).with(until(name, document)),
        Condition::Address(Addresses::List(name)) => return Fields::of(Field::Address).with(until(name, document)),
        Condition::AsnList(name) => return Fields::of(Field::Asn).with(until(name, document)),
        Condition::CountryList(name) => return Fields::of(Field::Country).with(until(name, document)),
        Condition::IdentityList(name) => return Fields::of(Field::Identity).with(until(name, document)),
        Condition::Destination(Addresses::List(name)) => {
            return Fields::of(Field::Destination).with(until(name, document));
        }
        Condition::Address(Addresses::Networks(_)) => Field::Address,
        Condition::Destination(Addresses::Networks(_)) => Field::Destination,
        Condition::AgentClass(_) | Condition::AgentName(_) => Field::Agent,
        Condition::AgentVerified(_) => Field::AgentVerified,
        Condition::Asn(_) => Field::Asn,
        Condition::Claim(..) => Field::Claims,
        Condition::Cookie(..) => Field::Cookies,
        Condition::Country(_) => Field::Country,
        Condition::Header(..) => Field::Headers,
        Condition::Host(_) => Field::Host,
        Condition::Identity(_) | Condition::NoIdentity => Field::Identity,
        Condition::Label(_) | Condition::Score { .. } => Field::Score,
        Condition::Method(_) => Field::Method,
        Condition::Path(_) => Field::Path,
        Condition::Port(_) => Field::Port,
        Condition::Query(..) => Field::Query,
        Condition::ResponseHeader(..) => Field::ResponseHeaders,
        Condition::ResponseSize(_) => Field::ResponseSize,
        Condition::ResponseStatus(_) => Field::ResponseStatus,
        Condition::ResponseType(_) => Field::ResponseType,
        Condition::Size(_) => Field::Size,
        Condition::Sni(_) => Field::Sni,
        Condition::Time(_) => Field::Time,
        Condition::TlsMutual(_) => Field::TlsMutual,
        Condition::TlsVersion(_) => Field::TlsVersion,
        Condition::Verdict(_) => Field::Verdicts,
    })
}

fn key(part: &KeyPart) -> Fields {
    Fields::of(match part {
        KeyPart::Address | KeyPart::AddressPrefix => Field::Address,
        KeyPart::Asn => Field::Asn,
        KeyPart::Claim(_) => Field::Claims,
        KeyPart::Cookie(_) => Field::Cookies,
        KeyPart::Country => Field::Country,
        KeyPart::Fingerprint => Field::Fingerprint,
        KeyPart::Header(_) => Field::Headers,
        KeyPart::Host => Field::Host,
        KeyPart::Identity => Field::Identity,
        KeyPart::Method => Field::Method,
        KeyPart::Path | KeyPart::PathClass => Field::Path,
        KeyPart::Query(_) => Field::Query,
        KeyPart::TlsMutual => Field::TlsMutual,
        KeyPart::TlsVersion => Field::TlsVersion,
        KeyPart::Client => return Fields::NONE,
    })
}

/// A list that ends is asked by the clock.
fn until(name: &ListName, document: &Document) -> Fields {
    let ends = document.lists.iter().any(|list| list.name == name.name && list.expires.is_some());
    if ends { Fields::of(Field::Time) } else { Fields::NONE }
}

fn kinds(name: &ListName, document: &Document) -> u32 {
    match document.list(&name.name).map(|list| &list.entries) {
        Some(Entries::Fingerprints(texts)) => {
            texts.iter().fold(0, |kinds, text| kinds | fingerprint_kind(text.as_bytes()))
        }
        _ => 0,
    }
}

fn fingerprints(kinds: u32) -> Fields {
    let pick = |bit, field| if kinds & bit != 0 { Fields::of(field) } else { Fields::NONE };
    pick(1, Field::Fingerprint).with(pick(2, Field::Ja4))
}
