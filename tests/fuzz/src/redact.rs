//! Sensitive values are found in order, apart and within bounds; none of them is left in what a record may hold.

use core::ops::Range;

use gatehouse_signals::sensitive::{self, UsualTexts, classify_segment, find, is_plain};
use gatehouse_verdict::redact::{AddressForm, Classify, Redactor, printable};

struct Classes;

impl Classify for Classes {
    fn find(&self, text: &[u8], found: &mut dyn FnMut(Range<usize>, &'static str)) {
        find(text).for_each(|(range, class)| found(range, class.as_str()));
    }

    fn is_plain(&self, text: &[u8]) -> bool {
        is_plain(text)
    }

    fn classify_segment(&self, value: &[u8]) -> Option<&'static str> {
        classify_segment(value).map(sensitive::Class::as_str)
    }
}

/// Longest text a record keeps of these.
const MOST: usize = 256;

thread_local! {
    /// As a worker has it: of all inputs so far.
    static USUAL: UsualTexts = UsualTexts::default();
}

/// See the module.
pub fn check(bytes: &[u8]) {
    let found: Vec<_> = find(bytes).collect();
    let mut end = 0;
    for (range, _) in &found {
        assert!(range.start >= end && range.start < range.end && range.end <= bytes.len(), "in order, apart, inside");
        end = range.end;
    }
    assert!(found.len() <= bytes.len() / 5, "few");
    assert!(found.is_empty() || classify_segment(bytes).is_some(), "a value that holds one is one");
    let shown = bytes.iter().all(|byte| (0x20..0x7F).contains(byte) && *byte != b'%');
    assert_eq!(is_plain(bytes), shown && found.is_empty(), "plain is what is shown as it stands");
    for _ in 0..2 {
        assert_eq!(USUAL.with(|usual| usual.is_plain(bytes)), is_plain(bytes), "remembered or searched");
    }
    let redactor = Redactor::new(&[7; 16], 1, AddressForm::Full, Classes);
    let kept = redactor.bounded_text(bytes, MOST);
    let kept = core::str::from_utf8(kept.as_bytes()).expect("text");
    assert!(kept.len() <= MOST && !kept.chars().any(char::is_control), "bounded and printable");
    let whole = printable(bytes, bytes.len() * 3);
    let whole = core::str::from_utf8(whole.as_bytes()).expect("text");
    for (range, class) in &found {
        // What looks the same but was not found, since nothing said what it is, may stand elsewhere.
        let value = &bytes[range.clone()];
        let same = found.iter().filter(|(other, _)| &bytes[other.clone()] == value).count();
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" !#$&'()*+,-./:;=?@_~".contains(byte);
        let Some(shown) = core::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| plain(&byte))) else {
            // Nor may what printing makes of other bytes be taken for it.
            continue;
        };
        let (before, left) = (times(shown, whole), times(shown, &without_hashes(kept)));
        assert!(value.len() < 8 || left + same <= before, "a {} is left: {kept:?}", class.as_str());
    }
}

/// How often `value` stands in `text`.
fn times(value: &str, text: &str) -> usize {
    text.as_bytes().windows(value.len()).filter(|window| *window == value.as_bytes()).count()
}

/// The text without every `{class:hash}`, so that nothing is found in those.
fn without_hashes(text: &str) -> String {
    let classes = sensitive::Class::ALL.map(|class| format!("{{{}:", class.as_str()));
    let pieces = text.split_inclusive('}').map(|piece| {
        let begin = classes.iter().filter_map(|class| piece.rfind(class.as_str())).max();
        begin.filter(|_| piece.ends_with('}')).map_or(piece, |at| &piece[..at])
    });
    pieces.collect::<Vec<_>>().join("\n")
}
