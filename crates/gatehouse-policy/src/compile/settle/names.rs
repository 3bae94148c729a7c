//! Names: each once, each of something that exists.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::{Place, Problems, nearest, quoted};
use crate::spec::Outside;
use crate::spec::bounds;
use crate::spec::types::{Addresses, Condition, Document, Effect, Entries, ListName, Rule, Then};

pub(super) fn check(documents: &[Document], problems: &mut Problems) {
    unique(documents.iter().map(|d| (&d.name, &d.place)), "policy", problems);
    for document in documents {
        unique(document.rules.iter().map(|r| (&r.name, &r.place)), "rule", problems);
        unique(document.lists.iter().map(|l| (&l.name, &l.place)), "list", problems);
        for rule in &document.rules {
            rule.condition.each_leaf(&mut |leaf| check_list(leaf, document, problems));
        }
    }
    one_source(documents, problems);
    count_labels(documents, problems);
}

/// Lists that the house fills are known to it by their name alone: two documents that name one must say the same of it.
fn one_source(documents: &[Document], problems: &mut Problems) {
    let mut seen: BTreeMap<&str, (&Option<Outside>, &Place)> = BTreeMap::new();
    for list in documents.iter().flat_map(|document| &document.lists) {
        let Entries::Verdicts(outside) = &list.entries else { continue };
        match seen.get(list.name.as_str()) {
            Some((known, first)) if *known != outside => {
                let message = format!("the list {} is filled otherwise at {first}", quoted(&list.name));
                problems.push(&list.place, message, "say the same of it in both documents, or choose another name");
            }
            Some(_) => {}
            None => {
                seen.insert(&list.name, (outside, &list.place));
            }
        }
    }
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

/// The list that a leaf names, and what it must hold.
pub(crate) fn list_of(leaf: &Condition) -> Option<(&ListName, &'static str)> {
    match leaf {
        Condition::Address(Addresses::List(list)) | Condition::Destination(Addresses::List(list)) => {
            Some((list, "cidrs"))
        }
        Condition::AsnList(list) => Some((list, "asns")),
        Condition::CountryList(list) => Some((list, "countries")),
        Condition::FingerprintList(list) => Some((list, "fingerprints")),
        Condition::IdentityList(list) => Some((list, "identities")),
        Condition::Verdict(list) => Some((list, "verdicts")),
        _ => None,
    }
}

impl Entries {
    /// The word that operators write for such entries.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Asns(_) => "asns",
            Self::Countries(_) => "countries",
            Self::Fingerprints(_) => "fingerprints",
            Self::Identities(_) => "identities",
            Self::Networks(_) => "cidrs",
            Self::Verdicts(_) => "verdicts",
        }
    }
}

fn check_list(leaf: &Condition, document: &Document, problems: &mut Problems) {
    let Some((named, needed)) = list_of(leaf) else { return };
    let Some(list) = document.lists.iter().find(|list| list.name == named.name) else {
        let help = match nearest(&named.name, document.lists.iter().map(|list| list.name.as_str())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write it under `lists`".to_owned(),
        };
        problems.push(&named.place, format!("there is no list {}", quoted(&named.name)), help);
        return;
    };
    let held = list.entries.word();
    if held != needed {
        let message = format!("the list {} at {} holds `{held}`, not `{needed}`", quoted(&list.name), list.place);
        let help = match needed {
            "verdicts" => "name a list that says `from: verdicts`, or where the house fetches it from".to_owned(),
            _ => format!("name a list of `{needed}`"),
        };
        problems.push(&named.place, message, help);
    }
}

/// Labels that a rule gives.
pub(crate) fn given(rule: &Rule) -> impl Iterator<Item = &str> {
    let steps = rule.limit.iter().flat_map(|limit| &limit.steps).filter_map(|step| step.then.as_ref());
    std::iter::once(&rule.then).chain(steps).flat_map(labels_of)
}

fn labels_of(then: &Then) -> impl Iterator<Item = &str> {
    then.effects.iter().filter_map(|effect| match effect {
        Effect::Weigh { label, .. } => label.as_deref(),
        _ => None,
    })
}

/// The label that a leaf asks for.
pub(crate) fn asked(leaf: &Condition) -> Option<&str> {
    match leaf {
        Condition::Label(label) => Some(label),
        Condition::Score { label, .. } => label.as_deref(),
        _ => None,
    }
}

fn count_labels(documents: &[Document], problems: &mut Problems) {
    let mut labels: BTreeSet<&str> = BTreeSet::new();
    for rule in documents.iter().flat_map(|document| &document.rules) {
        let before = labels.len();
        labels.extend(given(rule));
        rule.condition.each_leaf(&mut |leaf| labels.extend(asked(leaf)));
        if before <= bounds::LABELS && labels.len() > bounds::LABELS {
            let message = format!("more than {} different labels in one policy", bounds::LABELS);
            problems.push(&rule.place, message, "let rules that mean the same give the same label");
        }
    }
}
