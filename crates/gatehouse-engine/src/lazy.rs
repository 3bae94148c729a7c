//! Signals of one request that are worked out only when a rule of the policy asks for them, each at most once; and what the
//! worker knows of the client from elsewhere.

use core::cell::OnceCell;

use gatehouse_policy::Signals;
use gatehouse_signals::Head;
use gatehouse_signals::agent::Agent;
use gatehouse_signals::fingerprint::{self, Fingerprint};
use gatehouse_signals::geo::Place;

use crate::knowledge::Knowledge;
use crate::subject::{self, Subject};
use crate::verdicts::{Asked, Key};

/// The signals of one request.
pub(crate) struct Lazy<'a> {
    head: Head<'a>,
    subject: &'a Subject,
    knowledge: &'a Knowledge,
    now_ns: u64,
    agent: OnceCell<Option<Agent<'a>>>,
    fingerprint: OnceCell<Fingerprint>,
    place: OnceCell<Option<Place>>,
}

impl<'a> Lazy<'a> {
    pub(crate) fn new(head: Head<'a>, subject: &'a Subject, knowledge: &'a Knowledge, now_ns: u64) -> Self {
        Self {
            head,
            subject,
            knowledge,
            now_ns,
            agent: OnceCell::new(),
            fingerprint: OnceCell::new(),
            place: OnceCell::new(),
        }
    }
}

impl Lazy<'_> {
    /// The fingerprint as a key: JA4 where Envoy tells it, else ours.
    pub(crate) fn with_fingerprint<T>(&self, use_it: impl FnOnce(&[u8]) -> T) -> T {
        match self.head.connection.ja4.as_deref() {
            Some(ja4) => use_it(ja4.as_bytes()),
            None => use_it(&self.fingerprint.get_or_init(|| fingerprint::fingerprint(&self.head)).key().to_le_bytes()),
        }
    }

    /// Country and ASN, if somebody asked for them.
    pub(crate) fn place_asked(&self) -> Option<Option<Place>> {
        self.place.get().copied()
    }

    /// There is a table of countries and ASNs.
    pub(crate) fn has_places(&self) -> bool {
        self.knowledge.geo.is_some()
    }

    /// Looks at one of the client's keys; `None`: it is not known. Who has no such key is on no list by it.
    fn with_key(&self, asked: Asked, holds: impl FnOnce(Key<'_>) -> bool) -> Option<bool> {
        Some(match asked {
            Asked::Address => holds(Key::Address(self.subject.client.address?)),
            Asked::Asn => holds(Key::Asn(self.place()?.asn?)),
            Asked::Client => holds(Key::Client(&self.subject.shown(self.head, &self.knowledge.hash)?)),
            Asked::Fingerprint => holds(Key::Fingerprint(self.fingerprint()?.text().as_bytes())),
            Asked::Identity => {
                self.head.connection.mutual_tls?;
                subject::verified(self.head).is_some_and(|uri| holds(Key::Identity(uri.as_bytes())))
            }
            Asked::Ja4 => holds(Key::Fingerprint(self.ja4()?.as_bytes())),
        })
    }
}

impl Signals for Lazy<'_> {
    fn agent(&self) -> Option<Agent<'_>> {
        *self.agent.get_or_init(|| self.knowledge.agent(self.head))
    }

    fn fingerprint(&self) -> Option<Fingerprint> {
        Some(*self.fingerprint.get_or_init(|| fingerprint::fingerprint(&self.head)))
    }

    fn ja4(&self) -> Option<&str> {
        self.head.connection.ja4.as_deref()
    }

    fn place(&self) -> Option<Place> {
        *self.place.get_or_init(|| self.knowledge.place(self.subject.client.address?))
    }

    fn agent_verified(&self) -> Option<bool> {
        None
    }

    fn on_verdict_list(&self, list: usize) -> Option<bool> {
        let name = self.knowledge.verdict_list(list)?;
        let Some(list) = self.knowledge.verdicts.find(name) else { return Some(false) };
        let mut known = true;
        for asked in list.asked() {
            match self.with_key(asked, |key| list.holds(key, self.now_ns)) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => known = false,
            }
        }
        known.then_some(false)
    }

    fn score(&self, label: Option<u8>) -> Option<u32> {
        Some(self.knowledge.score(self.subject.tag?, label, self.now_ns))
    }
}
