//! Headers that a policy sets are taken from every request, whoever it is for: what a mandate reads may be taken only by a document
//! that stands where the mandate's does, or above it.

use std::collections::BTreeMap;

use gatehouse_signals::fingerprint;

use crate::document::{Place, Problems, quoted};
use crate::spec::types::{AddressFrom, Condition, Document, Effect, KeyPart, Rule, Then, Tier};

use super::seen::Seen;

/// Always taken, so that no rule ever reads it.
const OURS: &str = "x-gatehouse-";

/// A header that is set, by whom, and where.
type Setter<'d> = (&'d str, &'d Document, &'d Place);

pub(super) fn check(documents: &[Document], problems: &mut Problems) {
    let mut setters: BTreeMap<&str, Vec<Setter<'_>>> = BTreeMap::new();
    for setter in documents.iter().flat_map(setters_of).filter(|(header, ..)| !header.starts_with(OURS)) {
        setters.entry(setter.0).or_default().push(setter);
    }
    if setters.is_empty() {
        return;
    }
    for owner in documents {
        for rule in owner.rules.iter().filter(|rule| rule.tier == Tier::Mandate) {
            let reads = reads(rule, owner, documents);
            let read = setters.iter().filter(|(header, _)| reads.iter().any(|reads| reads.has(header)));
            for (header, _, place) in read.flat_map(|(_, setters)| setters).filter(|(_, setter, _)| !may(setter, owner))
            {
                let mandate = format!("{}/{}", owner.name, rule.name);
                let message = format!(
                    "what is set here, {}, is taken from every request, so the mandate {} at {} would not see it",
                    quoted(header),
                    quoted(&mandate),
                    rule.place
                );
                problems.push(place, message, "set a header of another name, such as `x-gatehouse-class`");
            }
        }
    }
}

/// `setter` stands where `owner` does, or above.
fn may(setter: &Document, owner: &Document) -> bool {
    setter.layer <= owner.layer && owner.scope.starts_with(&setter.scope)
}

/// Every header that a document sets on requests.
fn setters_of(document: &Document) -> impl Iterator<Item = Setter<'_>> {
    let settings = [&document.own, &document.defaults, &document.mandates].into_iter();
    let otherwise = settings.filter_map(|settings| settings.otherwise.as_ref()).map(|(then, place)| (then, place));
    let rules = document.rules.iter().flat_map(|rule| {
        let steps = rule.limit.iter().flat_map(|limit| limit.steps.iter().filter_map(|step| step.then.as_ref()));
        std::iter::once(&rule.then).chain(steps).map(|then| (then, &rule.place))
    });
    otherwise.chain(rules).flat_map(move |(then, place)| set(then).map(move |header| (header, document, place)))
}

fn set(then: &Then) -> impl Iterator<Item = &str> {
    then.effects.iter().filter_map(|effect| match effect {
        Effect::Route { header, .. } | Effect::Tag { header, .. } => Some(header.as_str()),
        _ => None,
    })
}

/// What a rule reads of a request's headers.
enum Reads<'d> {
    Header(&'d str),
    /// Those that fingerprints are made of.
    Fingerprint,
}

impl Reads<'_> {
    fn has(&self, header: &str) -> bool {
        match self {
            Self::Header(name) => name.eq_ignore_ascii_case(header),
            Self::Fingerprint => fingerprint::counts(header.as_bytes()),
        }
    }
}

/// `cookie`, `user-agent` and the like, which no policy may set, are left out.
fn reads<'d>(rule: &'d Rule, owner: &Document, documents: &'d [Document]) -> Vec<Reads<'d>> {
    let mut reads = Vec::new();
    rule.condition.each_leaf(&mut |leaf| match leaf {
        Condition::Header(name, _) => reads.push(Reads::Header(name)),
        Condition::Fingerprint(_) | Condition::FingerprintList(_) => reads.push(Reads::Fingerprint),
        _ => {}
    });
    for part in rule.limit.iter().flat_map(|limit| &limit.by) {
        match part {
            KeyPart::Header(name) => reads.push(Reads::Header(name)),
            KeyPart::Fingerprint => reads.push(Reads::Fingerprint),
            _ => {}
        }
    }
    if Seen::of(rule, owner).address {
        let settings = documents.iter().flat_map(|document| [&document.own, &document.defaults, &document.mandates]);
        reads.extend(settings.filter_map(|settings| match &settings.client_address.as_ref()?.0.from {
            AddressFrom::Header(name) => Some(Reads::Header(name)),
            AddressFrom::Forwarded | AddressFrom::Peer | AddressFrom::XForwardedFor => None,
        }));
    }
    reads
}
