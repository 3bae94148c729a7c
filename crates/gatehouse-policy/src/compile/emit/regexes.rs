//! Regexes, written: each pattern once, as an automaton where automata are built.

use crate::document::{Place, Problems};
use crate::image::{Builder, Section, regex};
use crate::regex::MAX_REGEXES;
use crate::spec::types::Document;

/// Stores a regex; gives its number. Patterns were tried when they were read; one that does not compile all the same is left
/// to be refused when the image is loaded.
pub(in crate::compile) fn write(pattern: &str, builder: &mut Builder) -> u32 {
    builder.once(Section::Regexes, pattern.as_bytes().to_vec(), |builder| {
        let [offset, length] = builder.text(pattern);
        let first = builder.count(Section::Automata);
        let entries = automaton(pattern);
        let bytes: Vec<u8> = entries.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        builder.bytes(Section::Automata, &bytes);
        builder.push(Section::Regexes, &[offset, length, first, builder.count(Section::Automata) - first])
    })
}

#[cfg(feature = "yaml")]
fn automaton(pattern: &str) -> Vec<u16> {
    crate::automata::compile(pattern).unwrap_or_default()
}

#[cfg(not(feature = "yaml"))]
fn automaton(_: &str) -> Vec<u16> {
    Vec::new()
}

/// Regexes without an automaton are compiled by the gate: not too many.
pub(super) fn limit(builder: &Builder, documents: &[Document], problems: &mut Problems) {
    let count =
        (0..builder.count(Section::Regexes)).filter(|at| builder.get(Section::Regexes, *at, regex::ENTRIES) == 0);
    if count.count() > MAX_REGEXES {
        let first = documents.first().map(|document| document.place.clone());
        let message = format!("more than {MAX_REGEXES} different regexes");
        let help = "use `prefix`, `suffix`, `contains` or `*` where they do, or let the house hand this policy out";
        problems.push(&first.unwrap_or_else(|| Place::pointer("policy")), message, help);
    }
}
