//! Regexes over bytes. Those that the house compiled are automata in the image; those of an inline policy are compiled by
//! regex-lite, which takes only text: bytes are then read as Latin-1 and patterns are ASCII.

use regex_lite::{Regex, RegexBuilder};

use crate::automata::Automaton;
use crate::image::{Section, View, regex as r};
use crate::matcher::Decoded;

/// Most regexes without an automaton in one policy.
pub(crate) const MAX_REGEXES: usize = 256;
/// Largest compiled regex, in bytes.
const SIZE_LIMIT: usize = 32 << 10;
/// Deepest nesting of groups.
const NEST_LIMIT: u32 = 24;

/// The regexes of a policy that have no automaton, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Regexes {
    all: Vec<Option<Regex>>,
    compiled: usize,
}

impl Regexes {
    /// Compiles the next of them, if it has no automaton.
    pub(crate) fn push(&mut self, view: &View) -> Result<(), String> {
        let index = self.all.len();
        let compiled = match view.word(Section::Regexes, index, r::ENTRIES) {
            0 if self.compiled == MAX_REGEXES => {
                return Err(format!("more than {MAX_REGEXES} regexes without an automaton"));
            }
            0 => Some(oracle(view.text(Section::Regexes, index, r::PATTERN))?),
            _ => None,
        };
        self.compiled += usize::from(compiled.is_some());
        self.all.push(compiled);
        Ok(())
    }

    /// How many are there.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Regex `index` is found in `bytes`.
    pub(crate) fn found(&self, view: &View, index: usize, bytes: &[u8]) -> bool {
        match self.all.get(index) {
            Some(Some(regex)) => found(regex, bytes),
            Some(None) => automaton(view, index).finds(bytes.iter().copied()),
            None => false,
        }
    }

    /// The same in a value that is decoded on the way.
    pub(crate) fn found_decoded(&self, view: &View, index: usize, value: Decoded<'_>) -> bool {
        match self.all.get(index) {
            Some(Some(regex)) => found(regex, &value.collect::<Vec<u8>>()),
            Some(None) => automaton(view, index).finds(value),
            None => false,
        }
    }
}

fn automaton(view: &View, index: usize) -> Automaton<'_> {
    let range = view.range(Section::Regexes, index, r::FIRST_ENTRY);
    Automaton::new(view.entries(Section::Automata, range.start, range.len()))
}

/// What a pattern must be: found anywhere in a value unless anchored by `^` and `$`; fit for regex-lite, and where automata are
/// built, small enough as one.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    let compiled = oracle(pattern)?;
    #[cfg(feature = "yaml")]
    crate::automata::compile(pattern)?;
    Ok(compiled)
}

/// Compiles a pattern by regex-lite.
pub(crate) fn oracle(pattern: &str) -> Result<Regex, String> {
    if !pattern.is_ascii() || names_characters(pattern) {
        return Err("it is not ASCII; write other bytes as `\\xE9`".into());
    }
    let built = RegexBuilder::new(pattern).size_limit(SIZE_LIMIT).nest_limit(NEST_LIMIT).build();
    built.map_err(|error| error.to_string())
}

/// It holds an escape that names a character by its number (`\u00E9`, `\x{E9}`), which may be no byte.
fn names_characters(pattern: &str) -> bool {
    let mut bytes = pattern.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte == b'\\' {
            match bytes.next() {
                Some(b'u' | b'U') => return true,
                Some(b'x') if bytes.peek() == Some(&b'{') => return true,
                _ => {}
            }
        }
    }
    false
}

/// The regex is found in `bytes`. Text in ASCII is looked at where it stands.
pub(crate) fn found(regex: &Regex, bytes: &[u8]) -> bool {
    match core::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => regex.is_match(text),
        _ => {
            let latin1: String = bytes.iter().copied().map(char::from).collect();
            regex.is_match(&latin1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_latin_1() {
        let regex = compile(r"^caf\xE9$").expect("compiles");
        assert!(found(&regex, b"caf\xe9"));
        assert!(!found(&regex, "café".as_bytes()));
        assert!(compile("café").is_err() && compile(r"\u00E9").is_err() && compile(r"\x{E9}").is_err());
        assert!(compile(r"\\u").is_ok());
    }

    #[test]
    fn a_regex_that_grows_too_large_is_refused_and_a_usual_one_is_not() {
        assert!(compile(r"((a{100}){100}){100}").is_err());
        assert!(compile(r"^/api/v[0-9]+/users/[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}/\w+\.(json|xml)$").is_ok());
        assert!(compile(&"(".repeat(100)).is_err());
    }
}
