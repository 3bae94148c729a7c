//! The index of every scope. Where it takes little room, each scope has one shelf for all its rules, so that a request asks
//! each kind of table once. Else documents that hold together wherever they hold share one shelf. Either way the cost of a
//! request does not grow with the number of documents that rules are spread over.

use std::collections::BTreeMap;

use crate::compile::settle::{ScopePlan, Settled};
use crate::image::{Builder, Section, narrow, scope as s};
use crate::index::Index;
use crate::spec::types::{Document, Rule};

#[cfg(feature = "yaml")]
use super::access;
use super::{Vocabulary, holds_below};

/// So many times more rules may be filed than there are, for each scope to have one shelf.
const MORE_FILINGS: usize = 20_000;

/// Rules of a document that hold together: its own, or those that hold below it too.
type Unit = (usize, bool);

/// Shelves of the request's rules and of the response's, each + 1; 0: there are none.
type Root = [u32; 2];

/// Writes the roots of every scope; scope 0 is the one for unclaimed hosts.
pub(super) fn write(
    #[cfg_attr(not(feature = "yaml"), expect(unused_variables, reason = "rules are not filed"))]
    documents: &[Document],
    ranked: &[(usize, &Rule)],
    settled: &Settled,
    #[cfg_attr(not(feature = "yaml"), expect(unused_variables, reason = "rules are not filed"))]
    vocabulary: &Vocabulary,
    builder: &mut Builder,
) {
    #[cfg(feature = "yaml")]
    let accesses = access::of(documents, ranked, vocabulary, builder);
    #[cfg(feature = "yaml")]
    let mut index = Index::new(&accesses);
    #[cfg(not(feature = "yaml"))]
    let mut index = Index;
    let plans: Vec<(u32, &ScopePlan)> = settled.plans().map(|(number, plan)| (narrow(number), plan)).collect();
    let filed: Vec<(Unit, bool)> =
        ranked.iter().map(|(index, rule)| ((*index, !holds_below(rule.tier)), rule.on_response)).collect();
    let groups = groups(&plans, &filed);
    let mut rules: BTreeMap<u32, [Vec<u32>; 2]> = BTreeMap::new();
    for ((unit, on_response), rank) in filed.into_iter().zip(0..) {
        for group in groups.of.get(&unit).into_iter().flatten() {
            let [request, response] = rules.entry(*group).or_default();
            (if on_response { response } else { request }).push(rank);
        }
    }
    let mut roots: BTreeMap<u32, Root> = BTreeMap::new();
    for (group, phases) in &rules {
        let root = phases.each_ref().map(|rules| if rules.is_empty() { 0 } else { index.shelf(rules, builder) + 1 });
        roots.insert(*group, root);
    }
    index.finish(builder);
    for (scope, plan) in plans {
        let mut own: Vec<u32> = units(plan).filter_map(|unit| groups.of.get(&unit)).flatten().copied().collect();
        own.retain(|group| !groups.fused || *group == scope);
        own.sort_unstable();
        own.dedup();
        builder.set(Section::Scopes, scope, s::FIRST_ROOT, builder.count(Section::Roots));
        let first = builder.count(Section::Roots);
        for root in own.iter().filter_map(|group| roots.get(group)) {
            builder.push(Section::Roots, root);
        }
        builder.set(Section::Scopes, scope, s::FIRST_ROOT + 1, builder.count(Section::Roots) - first);
    }
}

fn units(plan: &ScopePlan) -> impl Iterator<Item = Unit> {
    let below = plan.documents.iter().map(|member| (member.document, false));
    below.chain(plan.documents.iter().filter(|member| member.own).map(|member| (member.document, true)))
}

/// The groups of each unit: with one shelf a scope the scopes, else one group for all units that hold on the same scopes.
struct Groups {
    of: BTreeMap<Unit, Vec<u32>>,
    fused: bool,
}

fn groups(plans: &[(u32, &ScopePlan)], filed: &[(Unit, bool)]) -> Groups {
    let mut scopes: BTreeMap<Unit, Vec<u32>> = BTreeMap::new();
    for (scope, plan) in plans {
        units(plan).for_each(|unit| scopes.entry(unit).or_default().push(*scope));
    }
    let filings: usize = filed.iter().map(|(unit, ..)| scopes.get(unit).map_or(0, Vec::len)).sum();
    if filings <= filed.len() + MORE_FILINGS {
        return Groups { of: scopes, fused: true };
    }
    let mut known: BTreeMap<&[u32], u32> = BTreeMap::new();
    let mut of = BTreeMap::new();
    for (unit, scopes) in &scopes {
        let next = narrow(known.len());
        of.insert(*unit, vec![*known.entry(scopes).or_insert(next)]);
    }
    Groups { of, fused: false }
}
