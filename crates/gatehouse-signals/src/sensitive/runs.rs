//! Runs that look drawn at random, and base64 of `user:password`.

use core::ops::Range;

use super::{Class, Found};

/// Shortest run of letters and digits that is taken for a token, with this many of each at least.
const MIN_TOKEN_BYTES: usize = 16;
const MIN_OF_EACH: usize = 2;

/// Shortest run of base64 that is judged by how often its characters change kind.
const MIN_MIXED_BYTES: usize = 24;

/// Shortest base64 that is looked into for `user:password`.
const MIN_BASIC_BYTES: usize = 8;

/// Shorter runs hold nothing.
pub(super) const MIN_RUN_BYTES: usize = MIN_BASIC_BYTES;

/// A run of base64 characters, slashes among them.
pub(super) struct Run {
    /// Where it stands.
    pub range: Range<usize>,
    /// There may be a digit or a capital in it: without one, as most words are, it is no token.
    pub mixes: bool,
    /// There may be a slash or a plus in it.
    pub has_parts: bool,
}

/// Either one token, or segments of a path that are judged one by one.
pub(super) fn judge(text: &[u8], run: Run, found: &mut Vec<Found>) {
    let Run { range, mixes, has_parts } = run;
    let run = text.get(range.clone()).unwrap_or_default();
    if !has_parts {
        found.extend(class(run, mixes).map(|class| (range, class)));
        return;
    }
    if mixes && run.len() >= MIN_MIXED_BYTES && is_one_token(run) {
        found.push((range, Class::Token));
        return;
    }
    let mut at = range.start;
    for piece in run.split(|byte| *byte == b'/') {
        if let Some(class) = class(piece, mixes) {
            found.push((at..at + piece.len(), class));
        }
        at += piece.len() + 1;
    }
}

/// Base64 with a slash or plus in it here and there: far fewer than a path has.
fn is_one_token(run: &[u8]) -> bool {
    let separators = run.iter().filter(|b| matches!(b, b'/' | b'+')).count();
    separators > 0 && separators * 8 <= run.len() && Kinds::of(run).is_random()
}

fn class(piece: &[u8], mixes: bool) -> Option<Class> {
    if piece.len() >= MIN_BASIC_BYTES && !piece.starts_with(b"eyJ") && is_basic(piece) {
        return Some(Class::Basic);
    }
    if !mixes || piece.len() < MIN_TOKEN_BYTES || is_uuid(piece) {
        return None;
    }
    let mut words = piece.split(|byte| !byte.is_ascii_alphanumeric());
    let token = words.any(|word| word.len() >= MIN_TOKEN_BYTES && has_both(word));
    let drawn = || {
        let kinds = Kinds::of(piece);
        kinds.is_random() || (kinds.has_both() && kinds.changes_often())
    };
    (token || (piece.len() >= MIN_MIXED_BYTES && drawn())).then_some(Class::Token)
}

/// [`Kinds::has_both`] of a word of letters and digits.
fn has_both(word: &[u8]) -> bool {
    let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
    digits >= MIN_OF_EACH && word.len() - digits >= MIN_OF_EACH
}

/// What kinds of characters a run holds, and how often the kind changes from one to the next.
#[derive(Default)]
struct Kinds {
    digits: usize,
    lower: usize,
    upper: usize,
    /// Not counted: from a single upper-case letter to a lower-case one, which begins a word.
    changes: usize,
}

impl Kinds {
    fn of(run: &[u8]) -> Self {
        let mut kinds = Self::default();
        let (mut before, mut uppers) = (b' ', 0usize);
        for &byte in run {
            match byte {
                b'0'..=b'9' => kinds.digits += 1,
                b'a'..=b'z' => kinds.lower += 1,
                b'A'..=b'Z' => kinds.upper += 1,
                _ => {}
            }
            let kind = |byte: u8| (byte.is_ascii_digit(), byte.is_ascii_uppercase());
            let both = byte.is_ascii_alphanumeric() && before.is_ascii_alphanumeric();
            let begins_word = uppers == 1 && byte.is_ascii_lowercase();
            kinds.changes += usize::from(both && kind(byte) != kind(before) && !begins_word);
            uppers = if byte.is_ascii_uppercase() { uppers + 1 } else { 0 };
            before = byte;
        }
        kinds
    }

    fn letters(&self) -> usize {
        self.lower + self.upper
    }

    fn has_both(&self) -> bool {
        self.digits >= MIN_OF_EACH && self.letters() >= MIN_OF_EACH
    }

    /// One character in five begins another kind: words and numbers do so less, random base64 twice as often.
    fn changes_often(&self) -> bool {
        self.changes * 5 >= self.digits + self.letters()
    }

    fn is_random(&self) -> bool {
        self.digits + self.letters() >= MIN_MIXED_BYTES && self.lower > 0 && self.upper > 0 && self.changes_often()
    }
}

/// Base64 (either alphabet, without padding) of printable text with a colon in it. (So is a JSON object, which `eyJ` begins:
/// the caller keeps those out.)
fn is_basic(run: &[u8]) -> bool {
    let (mut bits, mut held, mut colon) = (0u32, 0u32, false);
    for &byte in run {
        let Some(value) = value(byte) else { return false };
        bits = bits << 6 | value;
        held += 6;
        if held >= 8 {
            held -= 8;
            let decoded = (bits >> held) as u8;
            bits &= (1 << held) - 1;
            colon |= decoded == b':';
            if !(0x20..0x7F).contains(&decoded) {
                return false;
            }
        }
    }
    colon && held < 6
}

fn value(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

/// The byte at `at` lies in a UUID.
pub(super) fn in_uuid(text: &[u8], at: usize) -> bool {
    (at.saturating_sub(35)..=at).any(|start| text.get(start..start + 36).is_some_and(is_uuid))
}

/// RFC 9562, 4: 8-4-4-4-12 hex digits.
pub(super) fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
