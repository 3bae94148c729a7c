//! The key of a limit for one request: its parts, read where they stand, hashed to tags.

use core::cell::OnceCell;
use core::iter::Peekable;
use std::borrow::Cow;

use gatehouse_meter::{Derived, Keys, Part, Tag};
use gatehouse_policy::{Facts, Field, KeyPart, Signals as _};
use gatehouse_signals::geo::Place;
use gatehouse_signals::{cookie, path, query};

use crate::lazy::Lazy;
use crate::subject::{self, Subject};

/// Most values of a repeated header, cookie or parameter that belong to a key. A stranger who sends more chooses no other key by
/// them than by the first: the address is counted beside it.
const MAX_VALUES: usize = 8;

/// Tells the count by address apart from the one that it stands beside.
const BESIDE: u64 = 0x6265_7369_6465_0001;

/// Whose count a request belongs to, in one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) tag: u64,
    /// The same by address, where a stranger could choose the key alone.
    pub(crate) beside: Option<u64>,
    /// What a distinct count counts.
    pub(crate) item: Option<u64>,
}

impl Key {
    /// The tags that count it: one, or two of which the stricter wins.
    pub(crate) fn tags(&self) -> impl Iterator<Item = u64> + use<> {
        core::iter::once(self.tag).chain(self.beside)
    }
}

/// What the tags of a limit begin with, hashed once: the limit itself is a part of every key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    pub(super) key: Tag,
    pub(super) beside: Tag,
    pub(super) item: Tag,
    /// Of limits by client alone, whose tag is a keyed hash already.
    pub(super) client: Derived,
}

impl Begun {
    pub(super) fn of(keys: &Keys, domain: u64) -> Self {
        Self {
            key: keys.key(domain),
            beside: keys.key(domain ^ BESIDE),
            item: keys.item(domain),
            client: keys.derived(domain),
        }
    }
}

/// Where the parts of a key are read.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a, 'f> {
    pub(crate) facts: &'a Facts<'f>,
    pub(crate) lazy: &'a Lazy<'f>,
    pub(crate) subject: &'a Subject,
    pub(crate) claims: &'a [String],
    /// The class of the path, once it was asked for.
    pub(crate) class: &'a OnceCell<[u8; 8]>,
}

impl Asker<'_, '_> {
    /// Whose count it is, by `parts`; `None`: one of them cannot be known.
    pub(super) fn counted(&self, begun: &Begun, parts: &[KeyPart]) -> Option<u64> {
        match parts {
            [KeyPart::Client] => Some(begun.client.of(self.subject.tag?)),
            _ => self.tag(begun.key, parts),
        }
    }

    /// The tag of `parts`; `None`: one of them cannot be known.
    pub(crate) fn tag(&self, tag: Tag, parts: &[KeyPart]) -> Option<u64> {
        parts.iter().try_fold(tag, |tag, part| self.add(tag, part)).map(|tag| tag.finish())
    }

    /// The tag of the address alone: of IPv6 its /64, since whoever has one address there has them all.
    pub(crate) fn address(&self, tag: Tag) -> Option<u64> {
        let address = self.facts.address?;
        Some(tag.part(Part::Prefix { address, bits: if is_v4(address) { 32 } else { 64 } }).finish())
    }

    fn add(&self, tag: Tag, part: &KeyPart) -> Option<Tag> {
        let facts = self.facts;
        let told = |field| facts.known.has(field).then_some(());
        Some(match part {
            KeyPart::Address => tag.part(Part::Address(facts.address?)),
            KeyPart::AddressPrefix => {
                let address = facts.address?;
                tag.part(Part::Prefix { address, bits: if is_v4(address) { 24 } else { 48 } })
            }
            KeyPart::Asn => tag.part(Part::Asn(Some(self.place(Field::Asn)?.asn?))),
            KeyPart::Claim(number) => {
                told(Field::Claims)?;
                let name = self.claims.get(*number)?.as_bytes();
                let values = facts.claims.values(name)?.map(Cow::Borrowed);
                many(tag, values, |tag, value| tag.part(Part::Claim { name, value }))
            }
            KeyPart::Client => tag.part(Part::Client(&self.subject.tag?.to_le_bytes())),
            KeyPart::Cookie(name) => {
                let name = name.as_bytes();
                let values = self.some(Field::Cookies, cookie::values(&facts.head, name))?;
                many(tag, values, |tag, value| tag.part(Part::Cookie { name, value }))
            }
            KeyPart::Country => tag.part(Part::Country(Some(self.place(Field::Country)?.country?))),
            KeyPart::Fingerprint => {
                facts.head.connection.ja4.as_ref().map(|_| ()).or_else(|| told(Field::Fingerprint))?;
                self.lazy.with_fingerprint(|bytes| tag.part(Part::Fingerprint(Some(bytes))))
            }
            KeyPart::Header(name) => {
                let name = name.as_bytes();
                let values = self.some(Field::Headers, facts.head.values(name).map(Cow::Borrowed))?;
                many(tag, values, |tag, value| tag.part(Part::Header { name, value }))
            }
            KeyPart::Host => told(Field::Host).map(|()| tag.part(Part::Host(facts.host)))?,
            KeyPart::Identity => {
                facts.head.connection.mutual_tls.and_then(|_| told(Field::Identity))?;
                tag.part(Part::Identity(subject::verified(facts.head).map(str::as_bytes)))
            }
            KeyPart::Method => told(Field::Method).map(|()| tag.part(Part::Method(facts.method)))?,
            KeyPart::Path => told(Field::Path).map(|()| tag.part(Part::Path(facts.path)))?,
            KeyPart::PathClass => {
                told(Field::Path).map(|()| tag.part(Part::PathClass(self.class.get_or_init(|| class(facts.path)))))?
            }
            KeyPart::TlsMutual => {
                let mutual = facts.head.connection.mutual_tls.filter(|_| facts.known.has(Field::TlsMutual))?;
                tag.part(Part::Tls { name: b"mutual", value: Some(if mutual { b"1" } else { b"0" }) })
            }
            KeyPart::TlsVersion => {
                told(Field::TlsVersion)?;
                let version = facts.head.connection.tls_version.as_deref();
                tag.part(Part::Tls { name: b"version", value: version.map(str::as_bytes) })
            }
            KeyPart::Query(name) => {
                let name = name.as_bytes();
                let values = facts.query.into_iter().flat_map(|query| query::values(query, name));
                many(tag, self.some(Field::Query, values)?, |tag, value| tag.part(Part::Query { name, value }))
            }
        })
    }

    fn place(&self, field: Field) -> Option<Place> {
        self.lazy.place().filter(|_| self.facts.known.has(field))
    }

    /// The values; `None`: there are none, and whoever saw the request could not have told them.
    fn some<T>(&self, field: Field, values: impl Iterator<Item = T>) -> Option<Peekable<impl Iterator<Item = T>>> {
        let mut values = values.peekable();
        (values.peek().is_some() || self.facts.known.has(field)).then_some(values)
    }
}

fn class(path: &[u8]) -> [u8; 8] {
    let mut hasher = siphasher::sip::SipHasher13::new();
    path::class(path).hash_into(&mut hasher);
    core::hash::Hasher::finish(&hasher).to_le_bytes()
}

fn is_v4(address: std::net::IpAddr) -> bool {
    address.to_canonical().is_ipv4()
}

/// Every value as a part; a part without a value where there is none.
fn many<'a>(tag: Tag, values: impl Iterator<Item = Cow<'a, [u8]>>, add: impl Fn(Tag, Option<&[u8]>) -> Tag) -> Tag {
    let mut values = values.take(MAX_VALUES).peekable();
    if values.peek().is_none() {
        return add(tag, None);
    }
    values.fold(tag, |tag, value| add(tag, Some(&value)))
}
