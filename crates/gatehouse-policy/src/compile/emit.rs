//! Documents and what was settled about them, written as an image.

#[cfg(feature = "yaml")]
mod access;
mod identity;
mod index;
mod limits;
mod order;
mod reads;
pub(super) mod regexes;
mod scopes;
mod thens;
mod vocabulary;

use std::collections::BTreeSet;

use crate::Field;
use crate::document::Problems;
use crate::image::{Builder, MEMBER_OWN, Section, limit as l, narrow, rule as r};
use crate::spec::types::{Document, Effect, Rollout, Rule, Tier};

use super::condition::Writer;
use super::settle::{ScopePlan, Settled};

pub(crate) use reads::condition as fields_read;
pub(super) use vocabulary::Vocabulary;

#[cfg(test)]
#[cfg(feature = "yaml")]
mod tests;

/// Writes the image. With problems the image is of no use.
pub(super) fn emit(documents: &[Document], settled: &Settled, problems: &mut Problems) -> Vec<u8> {
    let vocabulary = Vocabulary::of(documents);
    let mut builder = Builder::default();
    let (low, high) = (settled.half_life_ns as u32, (settled.half_life_ns >> 32) as u32);
    let connections = narrow(settled.first_of_connections());
    builder.push(Section::Meta, &[low, high, u32::from(weighs(documents)), 0, 0, connections]);
    builder.texts(Section::Claims, vocabulary.claims());
    builder.texts(Section::Labels, vocabulary.labels());
    builder.texts(Section::VerdictLists, vocabulary.verdict_lists());
    builder.texts(Section::SetHeaders, set_headers(documents));
    let folded = case_insensitive(documents, settled);
    let ranked = order::ranked(documents);
    for (rank, (index, rule)) in ranked.iter().enumerate() {
        let Some(document) = documents.get(*index) else { continue };
        let folds = folded.get(*index).copied().unwrap_or(false);
        let mut out = Out { vocabulary: &vocabulary, builder: &mut builder };
        out.rule(narrow(rank), narrow(*index), document, rule, folds);
    }
    for document in documents {
        let ([name, length], [scope, size]) = (builder.text(&document.name), builder.text(&document.scope.join("/")));
        builder.push(Section::Documents, &[name, length, scope, size]);
    }
    scopes::write(documents, settled, &vocabulary, &mut builder);
    index::write(documents, &ranked, settled, &vocabulary, &mut builder);
    scopes::limit_trust(documents, problems);
    regexes::limit(&builder, documents, problems);
    builder.finish(needed(documents))
}

/// The lowest format that holds what these documents say.
fn needed(documents: &[Document]) -> u32 {
    // What only the next release could say, in its place for the tests of mixed versions.
    let is_new = |document: &Document| document.rules.iter().any(|rule| rule.name == "next");
    if cfg!(feature = "test-next") && documents.iter().any(is_new) {
        crate::IMAGE_VERSION
    } else {
        crate::OLDEST_IMAGE_VERSION
    }
}

/// What a rule and all that hangs on it are written with.
struct Out<'o> {
    vocabulary: &'o Vocabulary,
    builder: &'o mut Builder,
}

impl Out<'_> {
    fn rule(&mut self, rank: u32, index: u32, document: &Document, rule: &Rule, folds: bool) {
        let condition = self.builder.count(Section::Conditions);
        let mut writer =
            Writer { document, vocabulary: self.vocabulary, case_insensitive: folds, builder: self.builder };
        writer.write(&rule.condition);
        let then = thens::write(&rule.then, self.vocabulary, self.builder);
        let names = [document.name.as_str(), rule.name.as_str()];
        let limit = rule.limit.as_ref().map_or(0, |limit| {
            let index = limits::write(rank, limit, self.vocabulary, self.builder);
            let identity = identity::of_limit(names, index, self.builder);
            self.builder.set(Section::Limits, index, l::IDENTITY, identity as u32);
            self.builder.set(Section::Limits, index, l::IDENTITY + 1, (identity >> 32) as u32);
            index + 1
        });
        let [name, length] = self.builder.text(&rule.name);
        let (rollout, percent) = match rule.mode.unwrap_or(document.mode) {
            Rollout::Enforce => (r::ENFORCE, 0),
            Rollout::Monitor => (r::MONITOR, 0),
            Rollout::Canary(percent) => (r::CANARY, u32::from(percent)),
        };
        let tier = match rule.tier {
            Tier::Mandate => 0,
            Tier::Verdict => 1,
            Tier::Rule => 2,
            Tier::Default => 3,
        };
        let kind = tier | rollout << 8 | percent << 16 | u32::from(rule.on_response) << 24;
        let identity = identity::of_rule(names, condition, then, limit.checked_sub(1), self.builder);
        let (low, high) = (identity as u32, (identity >> 32) as u32);
        self.builder.push(Section::Rules, &[name, length, index, kind, condition, then, limit, low, high]);
    }
}

/// For each document: some host on which it holds has a backend that reads paths in any letter case.
fn case_insensitive(documents: &[Document], settled: &Settled) -> Vec<bool> {
    let mut folded = vec![false; documents.len()];
    let plans = settled.plans().map(|(_, plan)| plan);
    for plan in plans.filter(|plan| scopes::is_case_insensitive(documents, plan)) {
        for member in &plan.documents {
            if let Some(folded) = folded.get_mut(member.document) {
                *folded = true;
            }
        }
    }
    folded
}

/// Rules of this tier hold on hosts below their document too.
pub(super) fn holds_below(tier: Tier) -> bool {
    matches!(tier, Tier::Mandate | Tier::Default)
}

/// Whether a member's own rules hold, as a word.
fn member_word(plan: &ScopePlan, at: usize) -> u32 {
    plan.documents.get(at).map_or(0, |member| narrow(member.document) | if member.own { MEMBER_OWN } else { 0 })
}

/// Some rule weighs, or asks what was weighed.
fn weighs(documents: &[Document]) -> bool {
    let rules = || documents.iter().flat_map(|document| document.rules.iter().map(move |rule| (document, rule)));
    let mut effects = documents.iter().flat_map(thens::of).flat_map(|then| &then.effects);
    effects.any(|effect| matches!(effect, Effect::Weigh { .. }))
        || rules().any(|(document, rule)| reads::of(rule, document).has(Field::Score))
}

/// Request headers that some rule or some `otherwise` sets, sorted.
fn set_headers(documents: &[Document]) -> BTreeSet<&str> {
    let mut headers = BTreeSet::new();
    for then in documents.iter().flat_map(thens::of) {
        for effect in &then.effects {
            if let Effect::Route { header, .. } | Effect::Tag { header, .. } = effect {
                headers.insert(header.as_str());
            }
        }
    }
    headers
}
