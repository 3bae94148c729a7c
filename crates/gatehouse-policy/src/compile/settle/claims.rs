//! Whose hosts are whose: claims, grants, and which documents hold for a host.

use std::collections::BTreeMap;

use crate::document::{Place, Problems, quoted};
use crate::spec::HostPattern;
use crate::spec::types::{Document, Rule, Tier, Traffic};

use super::strictness::Setting;
use super::{Level, Member, near};

/// Segments of a scope; empty: documents with hosts and without a scope, which stand beside all others.
type Scope = [String];

/// Who claims what.
pub(super) struct Claims<'d> {
    documents: &'d [Document],
    /// Host or domain → the documents that name it.
    named: BTreeMap<&'d HostPattern, Vec<usize>>,
    /// Scope → its documents that name hosts.
    of_scope: BTreeMap<&'d Scope, Vec<usize>>,
    /// Documents without hosts.
    shared: Vec<usize>,
}

impl<'d> Claims<'d> {
    pub(super) fn new(documents: &'d [Document], traffic: Traffic, problems: &mut Problems) -> Self {
        let mut claims = Self { documents, named: BTreeMap::new(), of_scope: BTreeMap::new(), shared: Vec::new() };
        let speaking = documents.iter().enumerate().filter(|(_, document)| document.traffic == traffic);
        for (index, document) in speaking {
            if document.hosts.is_empty() {
                claims.shared.push(index);
                continue;
            }
            claims.of_scope.entry(&document.scope).or_default().push(index);
            claims.add(index, document, problems);
        }
        claims
    }

    fn add(&mut self, index: usize, document: &'d Document, problems: &mut Problems) {
        let mut own: BTreeMap<&HostPattern, &Place> = BTreeMap::new();
        for (host, place) in &document.hosts {
            let shown = quoted(&host.to_string());
            if let Some(first) = own.insert(host, place) {
                let message = format!("the host {shown} stands already at {first}");
                problems.push(place, message, "write it once");
                continue;
            }
            let before = self.named.entry(host).or_default();
            let stranger = before.iter().filter_map(|other| self.documents.get(*other));
            let mut stranger = stranger.filter(|other| !related(&other.scope, &document.scope));
            if let Some(other) = stranger.next() {
                let first =
                    other.hosts.iter().find(|(known, _)| known == host).map_or(&other.place, |(_, place)| place);
                let message = format!("the host {shown} is claimed already by `{}` at {first}", other.name);
                problems.push(place, message, "a host belongs to one scope and those above it");
            }
            before.push(index);
        }
    }

    /// Every host and domain that is named, in order.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &'d HostPattern> {
        self.named.keys().copied()
    }

    /// Documents that hold for hosts that nobody claims.
    pub(super) fn everywhere(&self) -> impl Iterator<Item = (Member, Level)> {
        self.shared.iter().map(|document| (Member { document: *document, own: true }, Level::SHARED))
    }

    /// Documents that hold for `host`, nearest first.
    pub(super) fn members(&self, host: &HostPattern) -> Vec<(Member, Level)> {
        let owners = self.named.get(host).into_iter().flatten().filter_map(|index| self.documents.get(*index));
        let Some(owner) = owners.map(|document| document.scope.as_slice()).max_by_key(|scope| scope.len()) else {
            return Vec::new();
        };
        let mut members: Vec<(Member, Level)> = self.everywhere().collect();
        let owns = |index: &&usize| self.documents.get(**index).is_some_and(|document| document.scope == owner);
        for document in self.named.get(host).into_iter().flatten().filter(owns) {
            members.push((Member { document: *document, own: true }, near(owner.len(), 0)));
        }
        // Documents without a scope stand above nobody, so the shortest scope above has one segment.
        for length in 1..owner.len() {
            let scope = owner.get(..length).unwrap_or_default();
            for document in self.of_scope.get(scope).into_iter().flatten() {
                let covered = self.covering(*document, host);
                if covered.is_some() || self.documents.get(*document).is_some_and(Document::lays_down) {
                    let member = Member { document: *document, own: covered.is_some() };
                    members.push((member, near(length, covered.unwrap_or(0))));
                }
            }
        }
        members.sort_by_key(|(member, level)| (*level, member.document));
        members
    }

    /// How exactly a document names `host`: the length of the pattern that covers it, most for the host itself.
    fn covering(&self, document: usize, host: &HostPattern) -> Option<usize> {
        let hosts = &self.documents.get(document)?.hosts;
        hosts.iter().filter(|(pattern, _)| covers(pattern, host)).map(|(pattern, _)| exactness(pattern)).max()
    }
}

impl Document {
    /// It says something by `defaults` or `mandates`, for the scopes below it.
    fn lays_down(&self) -> bool {
        let says = |settings| Setting::ALL.iter().any(|setting| setting.place(settings).is_some());
        let rule = |rule: &Rule| matches!(rule.tier, Tier::Default | Tier::Mandate);
        says(&self.defaults) || says(&self.mandates) || self.rules.iter().any(rule)
    }
}

/// The longer the domain the more exact; most is the host itself.
pub(crate) fn exactness(pattern: &HostPattern) -> usize {
    match pattern {
        HostPattern::Exact(_) => usize::MAX,
        HostPattern::Under(domain) => domain.len(),
    }
}

/// Every host of `narrow` is one of `wide`.
pub(crate) fn covers(wide: &HostPattern, narrow: &HostPattern) -> bool {
    match (wide, narrow) {
        (HostPattern::Exact(wide), HostPattern::Exact(narrow)) => wide == narrow,
        (HostPattern::Exact(_), HostPattern::Under(_)) => false,
        (HostPattern::Under(domain), HostPattern::Exact(narrow)) => {
            narrow.len() > domain.len() && narrow.ends_with(domain.as_str())
        }
        (HostPattern::Under(domain), HostPattern::Under(narrow)) => narrow.ends_with(domain.as_str()),
    }
}

/// One stands above the other, or they are the same. Documents without a scope are related to each other only.
fn related(a: &Scope, b: &Scope) -> bool {
    if a.is_empty() || b.is_empty() {
        return a.is_empty() && b.is_empty();
    }
    a.starts_with(b) || b.starts_with(a)
}

/// Every layer above that gives grants must have granted the hosts.
pub(super) fn check_grants(documents: &[Document], problems: &mut Problems) {
    let granting: Vec<&Document> = documents.iter().filter(|document| !document.grants.is_empty()).collect();
    let mut layers: BTreeMap<&Scope, Vec<&Document>> = BTreeMap::new();
    for document in &granting {
        check_receivers(document, problems);
        layers.entry(&document.scope).or_default().push(document);
    }
    let Some(first) = granting.first().and_then(|document| document.grants.first()) else { return };
    for document in documents.iter().filter(|document| !document.hosts.is_empty()) {
        if document.scope.is_empty() {
            let message =
                format!("the document names hosts and no scope, but grants at {} say who may claim them", first.place);
            problems.push(&document.place, message, "write its `scope`");
            continue;
        }
        for length in 0..document.scope.len() {
            let above = document.scope.get(..length).unwrap_or_default();
            if let Some(givers) = layers.get(above) {
                check_claims(document, givers, problems);
            }
        }
    }
}

/// A grant goes to a scope below.
fn check_receivers(document: &Document, problems: &mut Problems) {
    for grant in &document.grants {
        let below = grant.to.starts_with(&document.scope) && grant.to.len() > document.scope.len();
        let gives = document.hosts.is_empty() || !document.scope.is_empty();
        if !below || !gives {
            let own = if document.scope.is_empty() { "no scope".to_owned() } else { quoted(&document.scope.join("/")) };
            let message = format!("{} does not stand below {own}", quoted(&grant.to.join("/")));
            problems.push(&grant.place, message, "grant to a scope below that of the document");
        }
    }
}

fn check_claims(document: &Document, givers: &[&Document], problems: &mut Problems) {
    for (host, place) in &document.hosts {
        let grants = || givers.iter().flat_map(|giver| &giver.grants);
        let granted = grants()
            .filter(|grant| document.scope.starts_with(&grant.to))
            .any(|grant| grant.hosts.iter().any(|pattern| covers(pattern, host)));
        if granted {
            continue;
        }
        let Some(nearest) = grants().find(|grant| document.scope.starts_with(&grant.to)).or_else(|| grants().next())
        else {
            continue;
        };
        let giver = givers.first().map(|giver| giver.scope.join("/")).filter(|scope| !scope.is_empty());
        let giver = giver.map_or_else(|| "the documents above".to_owned(), |scope| quoted(&scope));
        let message = format!(
            "the host {} is not granted to {}; the grants of {giver} stand at {}",
            quoted(&host.to_string()),
            quoted(&document.scope.join("/")),
            nearest.place
        );
        problems.push(place, message, "claim what is granted, or have the grant extended");
    }
}
