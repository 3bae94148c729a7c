//! Regexes over bytes: regex-lite takes only text, so bytes are read as Latin-1 and patterns are ASCII.

use regex_lite::{Regex, RegexBuilder};

/// Most regexes in one policy.
pub(crate) const MAX_REGEXES: usize = 256;
/// Largest compiled regex, in bytes.
const SIZE_LIMIT: usize = 32 << 10;
/// Deepest nesting of groups.
const NEST_LIMIT: u32 = 24;

/// Compiles a pattern; it is found anywhere in a value unless anchored by `^` and `$`.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    if !pattern.is_ascii() {
        return Err("it is not ASCII; write other bytes as `\\xE9`".into());
    }
    let built = RegexBuilder::new(pattern).size_limit(SIZE_LIMIT).nest_limit(NEST_LIMIT).build();
    built.map_err(|error| error.to_string())
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
        assert!(compile("café").is_err());
    }

    #[test]
    fn a_regex_that_grows_too_large_is_refused_and_a_usual_one_is_not() {
        assert!(compile(r"((a{100}){100}){100}").is_err());
        assert!(compile(r"^/api/v[0-9]+/users/[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}/\w+\.(json|xml)$").is_ok());
        assert!(compile(&"(".repeat(100)).is_err());
    }
}
