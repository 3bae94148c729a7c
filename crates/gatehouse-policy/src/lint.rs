//! What is allowed but probably not meant: rules that cannot fire, that another rule takes every request from, that match
//! everything; lists that overlap, have expired or are not used; fields that the gate will never know.
//!
//! | module | finds |
//! |---|---|
//! | `cancel` | settings of a rule that take each other's effect away |
//! | `never` | matches that nothing can meet, and those that everything meets |
//! | `shadow` | rules that an earlier one hides or contradicts, by an index and within a budget |
//! | `implies` | whether one match covers another: what both stand on |
//! | `lists` | lists, and the networks that are trusted |
//! | `needs` | fields that need something that is not given |
//! | `placeholders` | placeholders of answers that are misspelt |

mod cancel;
mod implies;
mod lists;
mod needs;
mod never;
mod placeholders;
mod shadow;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::compile::{asked, given};
use crate::document::{Place, Problems};
use crate::spec::types::{Condition, Document, Effect, Rollout, Rule};

/// Tells why a regex is dear; `None`: it is not.
pub type Dear = dyn Fn(&str) -> Option<String>;

/// What the gate will have beside the policy, as far as the caller knows. The default is a gate that has everything, at a time
/// that is not known.
#[derive(Clone)]
pub struct Surroundings<'a> {
    /// Unix seconds; `None`: nothing is taken for expired.
    pub now: Option<u64>,
    /// There is a table of countries.
    pub countries: bool,
    /// There is a table of autonomous systems.
    pub asns: bool,
    /// Envoy verifies JSON web tokens before the gate.
    pub jwt: bool,
    /// Envoy asks clients for certificates.
    pub client_certificates: bool,
    /// Envoy tells JA4 fingerprints.
    pub ja4: bool,
    /// Why a regex is dear, if it is; `None`: it is where its automaton takes more than 8 KiB of the image.
    pub regex_budget: Option<&'a Dear>,
}

impl Default for Surroundings<'_> {
    fn default() -> Self {
        Self {
            now: None,
            countries: true,
            asns: true,
            jwt: true,
            client_certificates: true,
            ja4: true,
            regex_budget: None,
        }
    }
}

/// What all documents say together, for what one rule asks of others.
struct Whole<'d> {
    /// Labels that some rule gives.
    labels: BTreeSet<&'d str>,
    /// What rules weigh.
    weights: Vec<Weight<'d>>,
    /// Headers that some rule sets.
    set: BTreeSet<&'d str>,
    now: Option<u64>,
}

/// One `weigh`.
struct Weight<'d> {
    label: Option<&'d str>,
    weight: i32,
    /// In monitor mode nothing is weighed.
    acts: bool,
}

/// Looks for all of it in `documents`, which have no problems.
pub(crate) fn lint(documents: &[Document], surroundings: &Surroundings<'_>, warnings: &mut Problems) {
    let rules = || documents.iter().flat_map(|document| &document.rules);
    let whole = Whole {
        labels: rules().flat_map(given).collect(),
        weights: documents.iter().flat_map(weights).collect(),
        set: rules().flat_map(effects).filter_map(set).collect(),
        now: surroundings.now,
    };
    for document in documents {
        lists::check(document, surroundings.now, warnings);
        placeholders::check_settings(document, warnings);
        for rule in document.rules.iter().filter(|rule| !is_packed(document, &rule.place)) {
            never::check(rule, document, &whole, warnings);
            cancel::check(rule, warnings);
            placeholders::check_rule(rule, warnings);
        }
    }
    needs::check(documents, surroundings, warnings);
    shadow::check(documents, warnings);
}

fn effects(rule: &Rule) -> impl Iterator<Item = &Effect> {
    let steps = rule.limit.iter().flat_map(|limit| &limit.steps).filter_map(|step| step.then.as_ref());
    std::iter::once(&rule.then).chain(steps).flat_map(|then| &then.effects)
}

fn weights(document: &Document) -> impl Iterator<Item = Weight<'_>> {
    document.rules.iter().flat_map(|rule| {
        let acts = rollout(rule, document) != Rollout::Monitor;
        effects(rule).filter_map(move |effect| match effect {
            Effect::Weigh { weight, label } => Some(Weight { label: label.as_deref(), weight: *weight, acts }),
            _ => None,
        })
    })
}

fn set(effect: &Effect) -> Option<&str> {
    match effect {
        Effect::Route { header, .. } | Effect::Tag { header, .. } => Some(header),
        _ => None,
    }
}

/// What stands at `place` came with a pack: the operator cannot change it.
fn is_packed(document: &Document, place: &Place) -> bool {
    document.uses.iter().any(|used| used.place == *place)
}

/// How far the rule reaches.
fn rollout(rule: &Rule, document: &Document) -> Rollout {
    rule.mode.unwrap_or(document.mode)
}

/// The label that a condition asks for, among those that nobody gives.
fn unknown_label<'c>(leaf: &'c Condition, whole: &Whole<'_>) -> Option<&'c str> {
    asked(leaf).filter(|label| !whole.labels.contains(label))
}
