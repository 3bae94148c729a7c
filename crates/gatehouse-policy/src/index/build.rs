//! Writing shelves: rules are filed, and those that share a key are filed again under what else they need.

use std::collections::BTreeMap;

use crate::image::{Builder, Section, narrow, target};

use super::access::{Access, Atom};
use super::choose::Shares;
use super::tables;
use super::terms::PRESENT;
use super::tries::Tries;

/// So few rules of a scope are asked one by one.
const FEW: usize = 4;
/// The same of rules that share a key.
const FEW_BELOW: usize = 2;
/// Shelves within shelves, at most; those of names come between.
const DEPTH: usize = 6;

/// The index in the making.
#[derive(Debug)]
pub(crate) struct Index<'f, 'd> {
    /// Of each rule by its rank.
    accesses: &'f [Access<'d>],
    tries: Tries,
}

/// A rule's rank, and the tests that it may be filed under.
type Filed<'f, 'd> = (u32, &'f Access<'d>);

/// What is filed under each test: places among the rules at hand.
type Groups<'f, 'd> = BTreeMap<&'f Atom<'d>, Vec<usize>>;

impl<'f, 'd> Index<'f, 'd> {
    /// Begins with the tests of each rule, by its rank.
    pub(crate) fn new(accesses: &'f [Access<'d>]) -> Self {
        Self { accesses, tries: Tries::default() }
    }

    /// Writes the shelf of these rules, which come in ascending order; gives its number.
    pub(crate) fn shelf(&mut self, rules: &[u32], builder: &mut Builder) -> u32 {
        let filed = |rank: &u32| Some((*rank, self.accesses.get(*rank as usize)?));
        let rules: Vec<Filed<'f, 'd>> = rules.iter().filter_map(filed).collect();
        self.file(&rules, &[], builder)
    }

    /// Writes what is left once every shelf is written.
    pub(crate) fn finish(self, builder: &mut Builder) {
        self.tries.write(builder);
    }

    /// `used`: tests that are known to hold where the shelf is reached.
    fn file(&mut self, rules: &[Filed<'f, 'd>], used: &[&'f Atom<'d>], builder: &mut Builder) -> u32 {
        let mut always = Vec::new();
        let mut groups: Groups<'f, 'd> = BTreeMap::new();
        let few = if used.is_empty() { FEW } else { FEW_BELOW };
        let indexed = rules.len() > few && used.len() < DEPTH;
        let mut shares = Shares::default();
        if indexed {
            rules.iter().for_each(|(_, access)| shares.count(access));
            shares.settle();
        }
        for (place, (rank, access)) in rules.iter().enumerate() {
            match shares.choose(access, used).filter(|_| indexed) {
                Some(atoms) => atoms.into_iter().for_each(|atom| groups.entry(atom).or_default().push(place)),
                None => always.push(*rank),
            }
        }
        // Values are looked into only under names that are there.
        let mut inner: BTreeMap<(u8, &'d str), Groups<'f, 'd>> = BTreeMap::new();
        for (atom, places) in core::mem::take(&mut groups) {
            let groups = inner_name(atom).map_or(&mut groups, |name| inner.entry(name).or_default());
            groups.insert(atom, places);
        }
        let mut entries = Vec::with_capacity(groups.len());
        for ((kind, name), inner) in inner {
            let present: Atom<'d> = Atom::Named(kind, name, PRESENT);
            let own = groups.remove(&present).unwrap_or_default();
            let own = own.iter().filter_map(|place| rules.get(*place)).map(|(rank, _)| *rank).collect();
            let inner = self.entries(inner, rules, used, builder);
            let shelf = self.write(own, inner, builder);
            entries.push((present, shelf | target::SHELF));
        }
        entries.extend(self.entries(groups, rules, used, builder));
        self.write(always, entries, builder)
    }

    /// Where each test leads.
    fn entries(
        &mut self,
        groups: Groups<'f, 'd>,
        rules: &[Filed<'f, 'd>],
        used: &[&'f Atom<'d>],
        builder: &mut Builder,
    ) -> Vec<(Atom<'d>, u32)> {
        let mut entries = Vec::with_capacity(groups.len());
        for (atom, places) in groups {
            let members: Vec<Filed<'f, 'd>> = places.iter().filter_map(|place| rules.get(*place)).copied().collect();
            let leads = match members.as_slice() {
                [(rank, _)] => *rank,
                _ => {
                    let used: Vec<&Atom<'d>> = used.iter().copied().chain([atom]).collect();
                    self.file(&members, &used, builder) | target::SHELF
                }
            };
            entries.push((atom.clone(), leads));
        }
        entries
    }

    fn write(&mut self, always: Vec<u32>, entries: Vec<(Atom<'_>, u32)>, builder: &mut Builder) -> u32 {
        let first = builder.count(Section::Postings);
        for rank in &always {
            builder.push(Section::Postings, &[*rank]);
        }
        let [first_table, tables] = tables::write(entries, &mut self.tries, builder);
        builder.push(Section::Shelves, &[first, narrow(always.len()), first_table, tables])
    }
}

/// The name that must be there before this test is looked up.
fn inner_name<'d>(atom: &Atom<'d>) -> Option<(u8, &'d str)> {
    match atom {
        Atom::Gram(kind, name, ..) | Atom::Automaton(kind, name, _) if !name.is_empty() => Some((*kind, name)),
        _ => None,
    }
}
