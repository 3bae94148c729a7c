//! Which test a rule is filed under: the one that the fewest rules share, dear ones last.

use std::collections::{BTreeMap, BTreeSet};

use super::access::{Access, Atom};

/// Most tests that one rule is filed under.
const MAX_FILINGS: usize = 4096;

/// Patterns of one field and name that are walked together, at most, and automata that they may take: then one pass by automata is
/// cheaper than one by runs of bytes, and exact.
const FEW_PATTERNS: usize = 64;
/// See [`FEW_PATTERNS`].
const FEW_AUTOMATA: usize = 2;

/// How many rules share each test.
#[derive(Debug, Default)]
pub(super) struct Shares<'c, 'd> {
    counts: BTreeMap<&'c Atom<'d>, u32>,
    /// Fields and names whose values are walked by automata.
    walked: BTreeSet<(u8, &'d str)>,
}

/// Tests of which one must hold, and how many rules are asked when one does.
struct Choice<'c, 'd> {
    cost: u32,
    atoms: Vec<&'c Atom<'d>>,
}

impl<'c, 'd> Shares<'c, 'd> {
    /// Counts the tests of one more rule.
    pub(super) fn count(&mut self, access: &'c Access<'d>) {
        match access {
            Access::Nothing => {}
            Access::One(atom) => *self.counts.entry(atom).or_default() += 1,
            Access::All(parts) | Access::Any(parts) => parts.iter().for_each(|part| self.count(part)),
        }
    }

    /// Decides, once all rules are counted, which values are walked by automata.
    pub(super) fn settle(&mut self) {
        let mut patterns: BTreeMap<(u8, &'d str), Vec<&str>> = BTreeMap::new();
        for atom in self.counts.keys() {
            if let Atom::Automaton(kind, name, pattern) = atom {
                patterns.entry((*kind, name)).or_default().push(pattern);
            }
        }
        let few = |patterns: &Vec<&str>| {
            patterns.len() <= FEW_PATTERNS && crate::automata::combine(patterns).len() <= FEW_AUTOMATA
        };
        self.walked = patterns.into_iter().filter(|(_, patterns)| few(patterns)).map(|(name, _)| name).collect();
    }

    fn cost(&self, atom: &Atom<'d>) -> u32 {
        let penalty = match atom {
            Atom::Automaton(kind, name, _) if self.walked.contains(&(*kind, name)) => 4,
            Atom::Gram(kind, name, ..) if self.walked.contains(&(*kind, name)) => 256,
            atom => atom.penalty(),
        };
        self.counts.get(atom).copied().unwrap_or(0).saturating_add(penalty)
    }

    /// The best tests to file a rule under; tests in `used` are known to hold already. `None`: there are none.
    pub(super) fn choose(&self, access: &'c Access<'d>, used: &[&Atom<'d>]) -> Option<Vec<&'c Atom<'d>>> {
        let mut chosen = self.best(access, used)?.atoms;
        chosen.sort_unstable();
        chosen.dedup();
        Some(chosen)
    }

    fn best(&self, access: &'c Access<'d>, used: &[&Atom<'d>]) -> Option<Choice<'c, 'd>> {
        match access {
            Access::Nothing => None,
            Access::One(atom) if used.contains(&atom) => None,
            Access::One(atom) => Some(Choice { cost: self.cost(atom), atoms: vec![atom] }),
            Access::All(parts) => {
                parts.iter().filter_map(|part| self.best(part, used)).min_by_key(|choice| choice.cost)
            }
            Access::Any(parts) => {
                let mut joined = Choice { cost: 0, atoms: Vec::new() };
                for part in parts {
                    let part = self.best(part, used)?;
                    joined.cost = joined.cost.max(part.cost);
                    joined.atoms.extend(part.atoms);
                }
                (1..=MAX_FILINGS).contains(&joined.atoms.len()).then_some(joined)
            }
        }
    }
}
