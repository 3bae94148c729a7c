//! Automata answer as regex-lite does over bytes read as Latin-1; literals are in whatever is found.

use proptest::prelude::*;

use super::*;
use crate::regex;

fn bytes(entries: &[u16]) -> Vec<u8> {
    entries.iter().flat_map(|entry| entry.to_le_bytes()).collect()
}

fn finds(pattern: &str, value: &[u8]) -> bool {
    let automaton = bytes(&compile(pattern).unwrap_or_else(|why| panic!("{pattern}: {why}")));
    Automaton::new(&automaton).finds(value.iter().copied())
}

/// Parts of patterns, such as operators write and some that they should not.
fn part() -> impl Strategy<Value = String> {
    const ATOMS: &[&str] = &[
        "a",
        "b",
        "/",
        "admin",
        "v[0-9]+",
        ".",
        "\\w",
        "\\W",
        "\\d",
        "\\s",
        "[^a]",
        "[a-c]",
        "[\\x80-\\xFF]",
        "\\xE9",
        "(?i)Ab",
        "^",
        "$",
        "\\b",
        "\\B",
        "(?m)^",
        "(?m)$",
        "(?s).",
        "\\.",
        "x{2,3}",
        "[A-Z]",
        "",
        "(?i:aB)",
        "\\n",
        "(?R)$",
        "\\b{start}",
        "[[:alpha:]]",
        "\\A",
        "\\z",
        "(?x) a ",
    ];
    let leaf = proptest::sample::select(ATOMS).prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            (inner.clone(), proptest::sample::select(&["*", "+", "?", "{2}", "{1,3}", "*?", "+?"][..]))
                .prop_map(|(part, times)| format!("(?:{part}){times}")),
            inner.prop_map(|part| format!("({part})")),
        ]
    })
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![proptest::sample::select(&b"aabbcx/ADMINadmin019v_- .\n\r"[..]), any::<u8>(),];
    proptest::collection::vec(byte, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 600 } else { 20_000 }))]

    #[test]
    fn an_automaton_finds_what_regex_lite_finds(pattern in part(), values in proptest::collection::vec(value(), 1..12)) {
        let Ok(oracle) = regex::oracle(&pattern) else { return Ok(()) };
        let Ok(automaton) = compile(&pattern) else { return Ok(()) };
        let automaton = bytes(&automaton);
        for at in 0..automaton.len() / 2 {
            prop_assert!(entry_is_sound(&automaton, at, false), "{} at {}", pattern, at);
        }
        let needed = literals(&pattern).expect("a pattern");
        for value in values {
            let expected = regex::found(&oracle, &value);
            prop_assert_eq!(Automaton::new(&automaton).finds(value.iter().copied()), expected, "{} in {:?}", pattern, value);
            let lower = value.to_ascii_lowercase();
            let holds = |text: &Vec<u8>| lower.windows(text.len().max(1)).any(|window| window == text.as_slice());
            prop_assert!(!expected || needed.iter().all(|set| set.iter().any(holds)), "{} in {:?}: {:?}", pattern, value, needed);
        }
    }

    #[test]
    fn several_patterns_together_find_what_each_finds(
        patterns in proptest::collection::vec(part(), 1..8), values in proptest::collection::vec(value(), 1..8),
    ) {
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).filter(|p| regex::oracle(p).is_ok() && compile(p).is_ok()).collect();
        let built = combine(&patterns);
        prop_assert_eq!(built.iter().map(|(_, range)| range.len()).sum::<usize>(), patterns.len());
        for value in values {
            for (automaton, range) in &built {
                let automaton = bytes(automaton);
                for at in 0..automaton.len() / 2 {
                    prop_assert!(entry_is_sound(&automaton, at, true));
                }
                let mut found = std::collections::BTreeSet::new();
                Automaton::new(&automaton).each_pattern(value.iter().copied(), |pattern| { found.insert(range.start + pattern); });
                let expected: std::collections::BTreeSet<usize> =
                    range.clone().filter(|at| finds(patterns[*at], &value)).collect();
                prop_assert_eq!(found, expected, "{:?} in {:?}", patterns, value);
            }
        }
    }

    #[test]
    fn whatever_the_bytes_are_walking_them_ends(bytes in proptest::collection::vec(any::<u8>(), 0..700), value in value()) {
        let automaton = Automaton::new(&bytes);
        let _ = automaton.finds(value.iter().copied());
        automaton.each_pattern(value.iter().copied(), |_| {});
    }
}

#[test]
fn literals_are_the_longest_that_a_regex_needs() {
    let read = |pattern: &str| -> String {
        let text = |text: &Vec<u8>| String::from_utf8_lossy(text).into_owned();
        let set = |texts: &Vec<Vec<u8>>| texts.iter().map(text).collect::<Vec<_>>().join("|");
        literals(pattern).expect("a pattern").iter().map(set).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(read("^/api/v[0-9]+/user/x$"), "/user/x /api/v");
    assert_eq!(read("(?i)Select.*FROM"), "select from");
    assert_eq!(read(r"\.(php|asp)x?$"), ".asp|.aspx|.php|.phpx");
    assert_eq!(read("(?:ab){2,}"), "abab");
    assert_eq!(read("(?:a.*bcd|ef.)+"), "bcd|ef");
    assert_eq!([read("a*|b"), read("[0-9]+"), read("(?:a.*b|.)")], ["", "", ""]);
}

#[test]
fn a_pattern_that_grows_too_large_is_refused_with_the_reason() {
    let why = compile("a[ab]{15}c").expect_err("too large");
    assert!(why.contains("64 KiB"), "{why}");
    assert!(finds(
        r"^/api/v[0-9]+/users/[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$",
        b"/api/v1/users/01234567-0123-0123-0123-0123456789ab"
    ));
}

#[test]
fn automata_of_usual_patterns_are_small() {
    let usual = compile("^/api/v[0-9]+/users/[0-9]+/orders$").expect("compiles").len() * 2;
    assert!(usual < 1500, "{usual} bytes");
}
