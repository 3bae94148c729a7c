//! The name lists hold what the tables expect of them.

use std::collections::BTreeSet;

use super::super::names;
use super::super::sign::Sign;
use super::super::table::{PARTS, WORDS};

#[test]
fn every_pattern_is_found_by_its_first_four_bytes() {
    for pattern in WORDS.patterns() {
        let key = u32::from_le_bytes(*pattern.text.first_chunk::<4>().unwrap());
        assert!(WORDS.find(key).any(|found| found.text == pattern.text && found.sign == pattern.sign));
    }
    for pattern in PARTS.patterns() {
        let key = u32::from_le_bytes(*pattern.text.first_chunk::<4>().unwrap());
        assert!(PARTS.find(key).any(|found| found.text == pattern.text && found.sign == pattern.sign));
    }
}

#[test]
fn patterns_are_lower_case_and_begin_where_the_scanner_looks() {
    for pattern in WORDS.patterns() {
        let text = String::from_utf8_lossy(pattern.text);
        assert_eq!(text, text.to_ascii_lowercase());
        assert!(pattern.text[0].is_ascii_alphanumeric(), "{text} begins no word");
    }
    for pattern in PARTS.patterns() {
        let text = String::from_utf8_lossy(pattern.text);
        assert_eq!(text, text.to_ascii_lowercase());
        assert!(
            pattern.text[0].is_ascii_lowercase() || b"-([".contains(&pattern.text[0]),
            "{text} is never looked for"
        );
    }
}

#[test]
fn no_name_stands_in_two_lists_that_decide_the_class() {
    let decides = |sign: &Sign| matches!(sign, Sign::Scanner | Sign::Ai | Sign::Crawler | Sign::Library | Sign::App);
    let mut seen = BTreeSet::new();
    for pattern in WORDS.patterns().iter().filter(|pattern| decides(&pattern.sign)) {
        assert!(seen.insert(pattern.text), "{} stands twice", String::from_utf8_lossy(pattern.text));
    }
}

#[test]
fn lists_are_sorted_so_that_a_name_is_found_by_eye() {
    let lists = [
        names::AI,
        names::AI_WHOLE,
        names::APPS,
        names::BRANDS,
        names::CRAWLERS,
        names::DESKTOPS,
        names::HANDHELDS,
        names::HINTS,
        names::LIBRARIES,
        names::PHONES,
        names::SCANNERS,
        names::STRONG,
        names::UNIXES,
    ];
    for list in lists {
        let bare: Vec<_> = list.iter().map(|name| name.trim_matches(['^', '*', '$'])).collect();
        assert!(bare.is_sorted(), "{:?}", bare.windows(2).find(|pair| pair[0] > pair[1]));
    }
}
