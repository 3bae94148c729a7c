//! Names that rules share over all documents, each with its number: claims, labels, lists that the house fills.

use std::collections::BTreeSet;

use crate::image::narrow;
use crate::spec::types::{ClientKey, Condition, Count, Document, Effect, Entries, KeyPart, Limit};

use super::thens;

/// The names, each kind sorted.
#[derive(Debug, Default)]
pub(in crate::compile) struct Vocabulary {
    claims: Vec<String>,
    labels: Vec<String>,
    verdict_lists: Vec<String>,
}

impl Vocabulary {
    pub(super) fn of(documents: &[Document]) -> Self {
        let mut found = Found::default();
        for document in documents {
            for settings in [&document.own, &document.defaults, &document.mandates] {
                let keys = settings.client_key.iter().flat_map(|(keys, _)| keys);
                found.claims.extend(keys.filter_map(|key| match key {
                    ClientKey::Claim(name) => Some(name.as_str()),
                    ClientKey::Address | ClientKey::Identity => None,
                }));
            }
            for rule in &document.rules {
                found.condition(&rule.condition);
                rule.limit.iter().for_each(|limit| found.limit(limit));
            }
            for then in thens::of(document) {
                found.labels.extend(then.effects.iter().filter_map(|effect| match effect {
                    Effect::Weigh { label, .. } => label.as_deref(),
                    _ => None,
                }));
            }
            let filled = document.lists.iter().filter(|list| matches!(list.entries, Entries::Verdicts(_)));
            found.verdict_lists.extend(filled.map(|list| list.name.as_str()));
        }
        let own = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect();
        Self { claims: own(found.claims), labels: own(found.labels), verdict_lists: own(found.verdict_lists) }
    }

    pub(super) fn claims(&self) -> impl Iterator<Item = &str> {
        self.claims.iter().map(String::as_str)
    }

    pub(super) fn labels(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().map(String::as_str)
    }

    pub(super) fn verdict_lists(&self) -> impl Iterator<Item = &str> {
        self.verdict_lists.iter().map(String::as_str)
    }

    /// Number of a claim.
    pub(super) fn claim(&self, name: &str) -> u32 {
        position(&self.claims, name)
    }

    /// Number of a label + 1; 0: no label.
    pub(in crate::compile) fn label(&self, name: Option<&str>) -> u32 {
        name.map_or(0, |name| position(&self.labels, name) + 1)
    }

    /// Number of a list that the house fills.
    pub(in crate::compile) fn verdict_list(&self, name: &str) -> u32 {
        position(&self.verdict_lists, name)
    }
}

fn position(names: &[String], name: &str) -> u32 {
    names.binary_search_by(|own| own.as_str().cmp(name)).map_or(0, narrow)
}

#[derive(Default)]
struct Found<'d> {
    claims: BTreeSet<&'d str>,
    labels: BTreeSet<&'d str>,
    verdict_lists: BTreeSet<&'d str>,
}

impl<'d> Found<'d> {
    fn condition(&mut self, condition: &'d Condition) {
        match condition {
            Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|part| self.condition(part)),
            Condition::Not(inner) => self.condition(inner),
            Condition::Claim(name, _) => {
                self.claims.insert(name);
            }
            Condition::Label(label) => {
                self.labels.insert(label);
            }
            Condition::Score { label, .. } => self.labels.extend(label.as_deref()),
            _ => {}
        }
    }

    fn limit(&mut self, limit: &'d Limit) {
        let distinct = match &limit.count {
            Count::Distinct(part) => Some(part),
            Count::Failures(_) | Count::Requests => None,
        };
        self.claims.extend(limit.by.iter().chain(distinct).filter_map(|part| match part {
            KeyPart::Claim(name) => Some(name.as_str()),
            _ => None,
        }));
    }
}
