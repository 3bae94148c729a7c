//! Building automata: a DFA of the whole pattern, cut off where it is found, made as small as it can be, with as few classes of
//! bytes as tell its rows apart.

use std::collections::BTreeMap;
use std::ops::Range;

use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind};

use super::{HEAD, MAX_ENTRIES};

/// Memory for one DFA and for building it, in bytes, before it is made small.
const BUILT: usize = 4 << 20;
/// Most patterns that are tried together.
const TOGETHER: usize = 1024;
/// Most entries of rows and accepts of several patterns together.
const MAX_TOGETHER: usize = u16::MAX as usize;
/// States that are not looked at any further: nothing can be found, or all is found.
const DEAD: usize = 0;
const FOUND: usize = 1;

/// A DFA as rows of states; the last column is the end of the value.
struct Rows {
    classes: [u8; 256],
    columns: usize,
    rows: Vec<Vec<usize>>,
    begin: usize,
    /// Patterns that are found in a state.
    accepts: Vec<Vec<u16>>,
}

/// The automaton of one pattern.
///
/// # Errors
/// Why there is none: what no automaton can do, or that it would be too large.
pub(crate) fn compile(pattern: &str) -> Result<Vec<u16>, String> {
    let dfa = dfa(&[pattern])?;
    let rows = Rows::read(&dfa, true)?.small();
    let entries = rows.rows.len() * rows.columns;
    if entries > MAX_ENTRIES {
        return Err(too_large());
    }
    Ok(rows.entries(false))
}

/// Automata of several patterns, as few as their sizes allow: each with the range of patterns that it finds.
pub(crate) fn combine(patterns: &[&str]) -> Vec<(Vec<u16>, Range<usize>)> {
    let mut out = Vec::new();
    for first in (0..patterns.len()).step_by(TOGETHER) {
        split(patterns, first..patterns.len().min(first + TOGETHER), &mut out);
    }
    out
}

fn split(patterns: &[&str], range: Range<usize>, out: &mut Vec<(Vec<u16>, Range<usize>)>) {
    let several = patterns.get(range.clone()).unwrap_or_default();
    if let Some(entries) = together(several) {
        out.push((entries, range));
    } else if several.len() > 1 {
        let middle = range.start + several.len() / 2;
        split(patterns, range.start..middle, out);
        split(patterns, middle..range.end, out);
    }
}

fn together(patterns: &[&str]) -> Option<Vec<u16>> {
    // One pattern is cut off where it is found: it was compiled so before, and fits.
    let rows = Rows::read(&dfa(patterns).ok()?, patterns.len() == 1).ok()?.small();
    let accepts: usize = rows.accepts.iter().map(|patterns| 2 + patterns.len()).sum();
    (rows.rows.len() * rows.columns <= MAX_TOGETHER && accepts <= MAX_TOGETHER).then(|| rows.entries(true))
}

fn dfa(patterns: &[&str]) -> Result<dense::DFA<Vec<u32>>, String> {
    let config = dense::Config::new()
        .accelerate(false)
        .match_kind(MatchKind::All)
        .start_kind(StartKind::Unanchored)
        .dfa_size_limit(Some(BUILT))
        .determinize_size_limit(Some(4 * BUILT));
    let built = dense::Builder::new()
        .configure(config)
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .thompson(
            thompson::Config::new()
                .utf8(false)
                .nfa_size_limit(Some(BUILT))
                .which_captures(thompson::WhichCaptures::None),
        )
        .build_many(patterns);
    built.map_err(|error| if error.is_size_limit_exceeded() { too_large() } else { error.to_string() })
}

fn too_large() -> String {
    format!(
        "as an automaton it takes more than {} KiB; bound its repetitions, or anchor it by `^`",
        MAX_ENTRIES * 2 / 1024
    )
}

impl Rows {
    /// Every state that is reached from the start. `cut`: a state in which something is found is the end.
    fn read(dfa: &dense::DFA<Vec<u32>>, cut: bool) -> Result<Self, String> {
        let mut classes = [0; 256];
        for (byte, class) in (0u8..=255).zip(&mut classes) {
            *class = dfa.byte_classes().get(byte);
        }
        let bytes: Vec<u8> = dfa.byte_classes().representatives(..).filter_map(|unit| unit.as_u8()).collect();
        let mut out = Self {
            classes,
            columns: bytes.len() + 1,
            rows: vec![vec![DEAD; bytes.len() + 1]],
            begin: 0,
            accepts: vec![Vec::new()],
        };
        if cut {
            out.rows.push(vec![FOUND; bytes.len() + 1]);
            out.accepts.push(vec![0]);
        }
        let start = dfa.start_state_forward(&Input::new(b"")).map_err(|error| error.to_string())?;
        let mut known = BTreeMap::new();
        let mut queue = Vec::new();
        out.begin = out.number(dfa, start, cut, &mut known, &mut queue);
        while let Some((state, at)) = queue.pop() {
            let mut row: Vec<usize> = Vec::with_capacity(out.columns);
            for byte in &bytes {
                row.push(out.number(dfa, dfa.next_state(state, *byte), cut, &mut known, &mut queue));
            }
            row.push(out.number(dfa, dfa.next_eoi_state(state), cut, &mut known, &mut queue));
            if let Some(slot) = out.rows.get_mut(at) {
                *slot = row;
            }
        }
        Ok(out)
    }

    fn number(
        &mut self,
        dfa: &dense::DFA<Vec<u32>>,
        state: StateID,
        cut: bool,
        known: &mut BTreeMap<StateID, usize>,
        queue: &mut Vec<(StateID, usize)>,
    ) -> usize {
        if dfa.is_dead_state(state) || dfa.is_quit_state(state) {
            return DEAD;
        }
        let found = dfa.is_match_state(state);
        if cut && found {
            return FOUND;
        }
        *known.entry(state).or_insert_with(|| {
            let count = if found { dfa.match_len(state) } else { 0 };
            let mut patterns: Vec<u16> = (0..count).map(|at| dfa.match_pattern(state, at).as_u32() as u16).collect();
            patterns.sort_unstable();
            self.rows.push(Vec::new());
            self.accepts.push(patterns);
            queue.push((state, self.rows.len() - 1));
            self.rows.len() - 1
        })
    }

    /// States that no value tells apart are one; bytes that no state tells apart are one class.
    fn small(self) -> Self {
        let part = self.partition();
        let mut firsts: BTreeMap<usize, usize> = BTreeMap::new();
        for (state, block) in part.iter().enumerate() {
            firsts.entry(*block).or_insert(state);
        }
        let row = |state: &usize| -> Vec<usize> {
            let row = self.rows.get(*state).map(Vec::as_slice).unwrap_or_default();
            row.iter().map(|next| part.get(*next).copied().unwrap_or(DEAD)).collect()
        };
        let rows: Vec<Vec<usize>> = firsts.values().map(row).collect();
        let accepts = firsts.values().map(|state| self.accepts.get(*state).cloned().unwrap_or_default()).collect();
        let begin = part.get(self.begin).copied().unwrap_or(DEAD);
        Self { classes: self.classes, columns: self.columns, rows, begin, accepts }.merged()
    }

    /// For each state the number of its block, blocks numbered by their first states: dead stays 0, found 1.
    fn partition(&self) -> Vec<usize> {
        let mut blocks = renumbered(self.accepts.iter().enumerate().map(|(state, patterns)| (state == DEAD, patterns)));
        loop {
            let key = |(state, row): (usize, &Vec<usize>)| {
                let next: Vec<usize> = row.iter().map(|next| blocks.get(*next).copied().unwrap_or(DEAD)).collect();
                (blocks.get(state).copied(), next)
            };
            let finer = renumbered(self.rows.iter().enumerate().map(key));
            if finer.iter().max() == blocks.iter().max() {
                return finer;
            }
            blocks = finer;
        }
    }

    /// Merges columns that are the same in every row; the last one stays by itself.
    fn merged(self) -> Self {
        let classes = self.columns - 1;
        let column =
            |at: usize| -> Vec<usize> { self.rows.iter().map(|row| row.get(at).copied().unwrap_or(DEAD)).collect() };
        let numbers = renumbered((0..classes).map(column));
        let count = numbers.iter().max().map_or(0, |most| most + 1);
        let mut picked: Vec<usize> = (0..count).filter_map(|class| numbers.iter().position(|n| *n == class)).collect();
        picked.push(classes);
        let rows = self.rows.iter().map(|row| picked.iter().filter_map(|at| row.get(*at)).copied().collect()).collect();
        let class = |old: u8| numbers.get(usize::from(old)).map_or(0, |class| *class as u8);
        Self { classes: self.classes.map(class), columns: count + 1, rows, begin: self.begin, accepts: self.accepts }
    }

    fn entries(&self, several: bool) -> Vec<u16> {
        // Of several patterns, states in which one is found come last.
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        let finds = |state: &usize| self.accepts.get(*state).is_some_and(|patterns| !patterns.is_empty());
        if several {
            order.sort_by_key(finds);
        }
        let mut places = vec![0; order.len()];
        for (place, state) in order.iter().enumerate() {
            if let Some(slot) = places.get_mut(*state) {
                *slot = place;
            }
        }
        let row = |state: usize| (places.get(state).copied().unwrap_or(DEAD) * self.columns) as u16;
        let states = || order.iter().filter_map(|state| self.rows.get(*state));
        let mut rows: Vec<u16> = states().flatten().map(|next| row(*next)).collect();
        // A pattern that is found nowhere has no row for being found.
        rows.resize(rows.len().max(2 * self.columns), 0);
        let quiet = order.iter().take_while(|state| !finds(state)).count();
        let mut accepts = Vec::new();
        if several {
            accepts.resize(rows.len() / self.columns, 0);
            let found = order.iter().enumerate().filter_map(|(place, state)| Some((place, self.accepts.get(*state)?)));
            for (place, patterns) in found.filter(|(_, patterns)| !patterns.is_empty()) {
                let at = accepts.len() as u16;
                if let Some(slot) = accepts.get_mut(place) {
                    *slot = at;
                }
                accepts.push(patterns.len() as u16);
                accepts.extend(patterns);
            }
        }
        let mut out = Vec::with_capacity(HEAD + rows.len() + accepts.len());
        let accepting = (quiet * self.columns).min(usize::from(u16::MAX)) as u16;
        out.extend([self.columns as u16, row(self.begin), rows.len() as u16, accepts.len() as u16, accepting]);
        let (pairs, _) = self.classes.as_chunks::<2>();
        out.extend(pairs.iter().map(|pair| u16::from_le_bytes(*pair)));
        out.extend(rows);
        out.extend(accepts);
        out
    }
}

/// Equal keys as equal numbers, given in the order of their first occurrence.
fn renumbered<K: Ord>(keys: impl Iterator<Item = K>) -> Vec<usize> {
    let mut known: BTreeMap<K, usize> = BTreeMap::new();
    let mut out = Vec::new();
    for key in keys {
        let next = known.len();
        out.push(*known.entry(key).or_insert(next));
    }
    out
}
