//! The one pass over a text: nearly every byte costs one look into a table, the rest is handed to whoever may know it.

use super::{Found, credentials, digits, runs};

/// Shorter texts hold nothing sensitive: `a@b.cc` is the shortest find.
const MIN_TEXT_BYTES: usize = 6;

/// A letter or digit.
const ALNUM: u8 = 1;

/// A word may begin with it that says what it is.
const BEGINS: u8 = 2;

/// An `@` or a colon.
const MARK: u8 = 4;

const DIGIT: u8 = 8;

const PLUS: u8 = 16;

/// May stand in base64, of either alphabet.
const BASE64: u8 = 32;

/// What each byte may be.
const KINDS: [u8; 256] = kinds();

#[expect(clippy::indexing_slicing, reason = "a byte is below 256, and constants are made before anything runs")]
const fn kinds() -> [u8; 256] {
    let mut kinds = [0; 256];
    let mut byte = 0u8;
    while byte < 128 {
        kinds[byte as usize] = match byte {
            b'0'..=b'9' => ALNUM | BASE64 | DIGIT,
            b'a'..=b'z' | b'A'..=b'Z' => ALNUM | BASE64,
            b'+' => PLUS | BASE64,
            b'/' | b'-' | b'_' => BASE64,
            b'@' | b':' => MARK,
            _ => 0,
        };
        byte += 1;
    }
    let mut rest: &[u8] = credentials::WORDS;
    while let [first, others @ ..] = rest {
        kinds[*first as usize] |= BEGINS;
        rest = others;
    }
    let mut rest: &[(&[u8], usize)] = &credentials::PREFIXES;
    while let [(prefix, _), others @ ..] = rest {
        if let [first, ..] = prefix {
            kinds[*first as usize] |= BEGINS;
        }
        rest = others;
    }
    kinds
}

/// Every find of every kind, in no order, some of them overlapping.
pub(super) fn scan(text: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    if text.len() < MIN_TEXT_BYTES {
        return found;
    }
    let mut tokens = credentials::Runs::new(text);
    let (mut before, mut run) = (0, 0);
    // Each kind of find goes on behind its last one.
    let (mut next_credential, mut next_number) = (0, 0);
    for (at, &byte) in text.iter().enumerate() {
        let kind = KINDS.get(usize::from(byte)).copied().unwrap_or_default();
        if kind & BASE64 == 0 {
            runs::judge(text, run..at, &mut found);
            run = at + 1;
        }
        let begins = kind & MARK != 0 || (kind & BEGINS != 0 && before & ALNUM == 0);
        if begins && at >= next_credential {
            next_credential = credentials::at(&mut tokens, at, &mut found);
        }
        let counts = kind & !before & DIGIT != 0 || (kind & PLUS != 0 && before & ALNUM == 0);
        if counts && at >= next_number {
            next_number = digits::at(text, at, &mut found);
        }
        before = kind;
    }
    runs::judge(text, run..text.len(), &mut found);
    found
}
