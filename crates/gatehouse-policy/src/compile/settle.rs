//! What several documents say about the same thing: told where they collide, settled where they do not.

use std::collections::BTreeMap;

use gatehouse_verdict::Mode;

use crate::document::{Place, Problems, quoted};
use crate::spec::{Addresses, Ambiguous, Condition, Document, HostPattern, Trust};

/// Settings of one host's documents. Documents are named by their place in the sorted list.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Settings {
    /// Whose `client` holds.
    pub(super) trust: Option<usize>,
    /// Whose `otherwise` holds.
    pub(super) otherwise: Option<usize>,
    /// Whose `ambiguous` holds, if any says so.
    pub(super) ambiguous: Option<usize>,
    /// Who answers for a refusal for ambiguity.
    pub(super) ambiguous_owner: Option<usize>,
}

/// What was settled.
#[derive(Debug)]
pub(super) struct Settled {
    /// For hosts that nobody claims; `None`: no document holds everywhere.
    pub(super) everywhere: Option<Settings>,
    /// For each document's own hosts.
    pub(super) own: Vec<Settings>,
}

pub(super) fn settle(documents: &[Document], problems: &mut Problems, warnings: &mut Problems) -> Settled {
    unique(documents.iter().map(|d| (&d.name, &d.place)), "policy", problems);
    for document in documents {
        unique(document.rules.iter().map(|r| (&r.name, &r.place)), "rule", problems);
        warn_of_unused_lists(document, warnings);
        warn_of_trust(document, warnings);
    }
    claim_hosts(documents, problems);
    let everywhere = settle_everywhere(documents, problems);
    let base = everywhere.unwrap_or_default();
    let own = documents.iter().enumerate().map(|(index, document)| Settings {
        trust: document.trust.as_ref().map(|_| index).or(base.trust),
        otherwise: document.otherwise.as_ref().map(|_| index).or(base.otherwise),
        ambiguous: document.ambiguous.as_ref().map(|_| index).or(base.ambiguous),
        ambiguous_owner: match (&document.ambiguous, base.ambiguous) {
            (None, Some(shared)) => Some(shared),
            _ => Some(index),
        },
    });
    Settled { everywhere, own: own.collect() }
}

/// Documents without hosts hold together; each setting is said by one of them at most.
fn settle_everywhere(documents: &[Document], problems: &mut Problems) -> Option<Settings> {
    let shared = || documents.iter().enumerate().filter(|(_, d)| d.hosts.is_empty());
    shared().next()?;
    let mut one = |word: &str, place: &dyn Fn(&Document) -> Option<Place>| {
        let mut said = shared().filter_map(|(index, d)| Some((index, place(d)?)));
        let first = said.next()?;
        for (_, other) in said {
            let message = format!("`{word}` for every host is said twice; first at {}", first.1);
            problems.push(&other, message, "say it in one document only");
        }
        Some(first.0)
    };
    let trust = one("client", &|d| d.trust.as_ref().map(|(_, place)| place.clone()));
    let otherwise = one("otherwise", &|d| d.otherwise.as_ref().map(|(_, place)| place.clone()));
    let ambiguous = one("ambiguous", &|d| d.ambiguous.as_ref().map(|(_, place)| place.clone()));
    // Nobody says it: a document that enforces answers for it, if there is one.
    let enforcing = shared().find(|(_, d)| d.mode == Mode::Enforce).or_else(|| shared().next());
    let ambiguous_owner = ambiguous.or(enforcing.map(|(index, _)| index));
    Some(Settings { trust, otherwise, ambiguous, ambiguous_owner })
}

fn unique<'d>(names: impl Iterator<Item = (&'d String, &'d Place)>, what: &str, problems: &mut Problems) {
    let mut seen: BTreeMap<&str, &Place> = BTreeMap::new();
    for (name, place) in names {
        if let Some(first) = seen.get(name.as_str()) {
            let message = format!("a {what} called {} stands already at {first}", quoted(name));
            problems.push(place, message, "choose another name");
        } else {
            seen.insert(name, place);
        }
    }
}

fn claim_hosts(documents: &[Document], problems: &mut Problems) {
    let mut claimed: BTreeMap<&HostPattern, (&str, &Place)> = BTreeMap::new();
    for document in documents {
        for (host, place) in &document.hosts {
            let shown = quoted(&host.to_string());
            match claimed.get(host) {
                Some((owner, first)) => {
                    let message = format!("the host {shown} is claimed already by `{owner}` at {first}");
                    problems.push(place, message, "a host has one document");
                }
                None => {
                    claimed.insert(host, (&document.name, place));
                }
            }
        }
    }
}

fn warn_of_trust(document: &Document, warnings: &mut Problems) {
    let Some((Trust::Networks(networks), place)) = &document.trust else {
        return;
    };
    if networks.iter().any(|network| network.prefix() == 0) {
        let help = "name the proxies' networks only";
        warnings.push(place, "`trust` holds every address: any client can claim to be another", help);
    }
}

fn warn_of_unused_lists(document: &Document, warnings: &mut Problems) {
    let mut used = Vec::new();
    for rule in &document.rules {
        lists_of(&rule.condition, &mut used);
    }
    for list in document.lists.iter().filter(|list| !used.contains(&list.name.as_str())) {
        warnings.push(&list.place, format!("no rule uses the list {}", quoted(&list.name)), "");
    }
}

fn lists_of<'c>(condition: &'c Condition, used: &mut Vec<&'c str>) {
    match condition {
        Condition::Address(Addresses::List(name, _)) => used.push(name),
        Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|part| lists_of(part, used)),
        Condition::Not(inner) => lists_of(inner, used),
        _ => {}
    }
}

impl Settings {
    /// The setting for ambiguous requests.
    pub(super) fn ambiguous(&self, documents: &[Document]) -> Option<Ambiguous> {
        documents.get(self.ambiguous?)?.ambiguous.as_ref().map(|(setting, _)| *setting)
    }
}
