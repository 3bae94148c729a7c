//! What several documents say about the same thing: told where they collide, settled where they do not.
//!
//! Of the names that documents give, the most exact one for a host counts: the host itself, or else the longest domain above
//! it. The deepest scope that gives this name owns the host. On it hold the documents of that scope that give the name, those
//! without hosts, and, of the scopes above, those that cover it; what a scope above lays down in `defaults` and `mandates`
//! holds in any case. Which document's word decides a setting is found by
//! nearness: the owner's own first, then layer by layer up to the organisation; no word weakens a mandate.

mod claims;
mod names;
mod seen;
mod strictness;
mod taken;
mod voices;

#[cfg(test)]
#[cfg(feature = "yaml")]
mod tests;

use std::collections::BTreeMap;

use crate::document::{Place, Problems, duration_text};
use crate::spec::types::{Document, Settings, Traffic};
use crate::spec::{HostPattern, bounds};

use claims::Claims;
pub(crate) use claims::covers;
#[cfg(feature = "yaml")]
pub(super) use claims::exactness;
#[cfg(feature = "yaml")]
pub(crate) use names::{asked, given, list_of};
pub(crate) use strictness::Setting;
use voices::{Level, near};

const NANOS_PER_MS: u64 = 1_000_000;

/// What was settled over all documents.
#[derive(Debug)]
pub(super) struct Settled {
    /// Of requests.
    pub(super) requests: Ground,
    /// Of connections.
    pub(super) connections: Ground,
    /// In what time a score halves.
    pub(super) half_life_ns: u64,
}

/// Which documents hold where, of those that speak of one kind of traffic.
#[derive(Debug)]
pub(super) struct Ground {
    /// What holds for hosts that nobody claims; `None`: no document holds everywhere.
    pub(super) everywhere: Option<ScopePlan>,
    /// One for each distinct way that documents hold together; hosts point here.
    pub(super) scopes: Vec<ScopePlan>,
    /// Canonical host or domain → index into `scopes`. Sorted, unique.
    pub(super) hosts: Vec<(HostPattern, usize)>,
}

impl Settled {
    /// Every plan with the number of its scope in the image: of requests first, what holds everywhere before the rest.
    pub(super) fn plans(&self) -> impl Iterator<Item = (usize, &ScopePlan)> {
        self.requests.plans(0).chain(self.connections.plans(self.first_of_connections()))
    }

    /// The number of the scope for connections to hosts that nobody claims.
    pub(super) fn first_of_connections(&self) -> usize {
        1 + self.requests.scopes.len()
    }
}

impl Ground {
    fn plans(&self, first: usize) -> impl Iterator<Item = (usize, &ScopePlan)> {
        let everywhere = self.everywhere.iter().map(move |plan| (first, plan));
        everywhere.chain((first + 1..).zip(&self.scopes))
    }
}

/// What holds for some hosts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ScopePlan {
    /// Documents whose rules are asked, nearest first; rules have one global order.
    pub(super) documents: Vec<Member>,
    pub(super) client_address: Option<Voice>,
    pub(super) client_key: Option<Voice>,
    pub(super) otherwise: Option<Voice>,
    pub(super) ambiguous: Option<Voice>,
    pub(super) backend: Option<Voice>,
    pub(super) forward_canonical: Option<Voice>,
    pub(super) support: Option<Voice>,
    pub(super) identity_headers: Option<Voice>,
    pub(super) require_mutual_tls: Option<Voice>,
    pub(super) require_one_uri: Option<Voice>,
    pub(super) direction: Option<Voice>,
    pub(super) server_name: Option<Voice>,
    /// Who answers for a refusal for ambiguity, and how far it reaches (the document's mode).
    pub(super) ambiguous_owner: usize,
}

/// A document that holds for a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Member {
    /// Its place among the sorted documents.
    pub(super) document: usize,
    /// It names the host (or every host): all its rules hold. Else only its mandates and defaults do.
    pub(super) own: bool,
}

/// Whose word decides a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Voice {
    pub(super) document: usize,
    pub(super) part: Part,
}

/// Which of a document's three groups of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Defaults,
    Mandates,
    Own,
}

impl Part {
    /// The settings of that part.
    pub(super) const fn of(self, document: &Document) -> &Settings {
        match self {
            Self::Defaults => &document.defaults,
            Self::Mandates => &document.mandates,
            Self::Own => &document.own,
        }
    }
}

impl Voice {
    /// The settings that hold the word.
    pub(super) fn settings(self, documents: &[Document]) -> Option<&Settings> {
        documents.get(self.document).map(|document| self.part.of(document))
    }
}

/// Settles `documents`, which are sorted by name.
pub(super) fn settle(documents: &[Document], problems: &mut Problems) -> Settled {
    names::check(documents, problems);
    claims::check_grants(documents, problems);
    let requests = ground(documents, Traffic::Requests, problems);
    let connections = ground(documents, Traffic::Connections, problems);
    taken::check(documents, problems);
    Settled { requests, connections, half_life_ns: half_life(documents, problems) }
}

fn ground(documents: &[Document], traffic: Traffic, problems: &mut Problems) -> Ground {
    let claims = Claims::new(documents, traffic, problems);
    let mut told = voices::Told::default();
    let everywhere: Vec<(Member, Level)> = claims.everywhere().collect();
    let base = voices::plan(documents, &everywhere, None, &mut told, problems);
    let mut plans: BTreeMap<ScopePlan, usize> = BTreeMap::new();
    let mut hosts = Vec::new();
    for host in claims.hosts() {
        let members = claims.members(host);
        let Some(plan) = voices::plan(documents, &members, Some(host), &mut told, problems) else { continue };
        let next = plans.len();
        hosts.push((host.clone(), *plans.entry(plan).or_insert(next)));
    }
    let mut scopes: Vec<(ScopePlan, usize)> = plans.into_iter().collect();
    scopes.sort_by_key(|(_, number)| *number);
    let scopes = scopes.into_iter().map(|(plan, _)| plan).collect();
    Ground { everywhere: base, scopes, hosts }
}

/// One for the whole policy, since one store holds all scores.
fn half_life(documents: &[Document], problems: &mut Problems) -> u64 {
    let mut first: Option<&(u64, Place)> = None;
    for said in documents.iter().filter_map(|document| document.half_life.as_ref()) {
        match first {
            Some((nanos, place)) if *nanos != said.0 => {
                let message = format!("`halfLife` is {} at {place} already", duration_text(nanos / NANOS_PER_MS));
                problems.push(&said.1, message, "scores halve in one time everywhere: say it once");
            }
            Some(_) => {}
            None => first = Some(said),
        }
    }
    first.map_or(bounds::HALF_LIFE_DEFAULT_MS * NANOS_PER_MS, |(nanos, _)| *nanos)
}

/// Every setting with its order of strictness, for the reference.
#[cfg(feature = "yaml")]
pub(crate) fn setting_orders() -> impl Iterator<Item = (&'static str, &'static str)> {
    strictness::Setting::ALL.into_iter().map(|setting| (setting.word(), setting.order()))
}
