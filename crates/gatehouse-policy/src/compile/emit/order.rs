//! The one order of decision, over all documents: a rule's rank.

use std::cmp::Reverse;

use crate::spec::types::{Document, Rule, Tier};

/// Every rule with the index of its document, the first to decide first: by tier; mandates from organisation to group, all
/// others from group to organisation; then the higher priority, the order written, the document's name (documents stand in
/// the order of their names).
pub(super) fn ranked(documents: &[Document]) -> Vec<(usize, &Rule)> {
    let mut rules: Vec<(usize, usize, &Rule)> = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        rules.extend(document.rules.iter().enumerate().map(|(position, rule)| (position, index, rule)));
    }
    rules.sort_by_key(|(position, index, rule)| {
        let layer = documents.get(*index).map_or(0, |document| document.layer);
        let depth = if rule.tier == Tier::Mandate { layer } else { u8::MAX - layer };
        (rule.tier, depth, Reverse(rule.priority), *position, *index)
    });
    rules.into_iter().map(|(_, index, rule)| (index, rule)).collect()
}
