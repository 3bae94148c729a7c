//! Whether a path segment looks like one of many: numbers, dates, ids. Judged by form alone, in one pass; a static name taken for
//! an id makes a counter a little stricter, an id taken for a name gives whoever counts through ids a counter each, so the rules
//! lean towards ids.

use crate::percent::escape_at;

/// A longer segment is no static name.
const MAX_NAME_BYTES: usize = 64;

/// Fewest hex digits that are taken for hex.
const MIN_HEX_DIGITS: usize = 8;

/// With so many digits among its letters a segment is an id.
const MIN_ID_DIGITS: usize = 4;

/// The segment as stem and file extension, the stem replaced by a placeholder where it looks like one of many.
pub(super) fn generalise(segment: &[u8]) -> [&[u8]; 2] {
    let (stem, extension) = split_extension(segment);
    if is_email(segment) {
        return [b"{email}", b""];
    }
    if let Some(placeholder) = placeholder(stem) {
        return [placeholder, extension];
    }
    match extension {
        b"" => [segment, b""],
        _ => placeholder(segment).map_or([segment, b""], |placeholder| [placeholder, b""]),
    }
}

/// `.json`, `.mp4`: a letter and up to four letters and digits, in lower case, behind something.
fn split_extension(segment: &[u8]) -> (&[u8], &[u8]) {
    let dot = segment.iter().rposition(|byte| *byte == b'.').filter(|at| *at > 0);
    let Some((stem, extension)) = dot.and_then(|at| segment.split_at_checked(at)) else { return (segment, b"") };
    match extension {
        [_, first, rest @ ..] if first.is_ascii_lowercase() && rest.len() <= 4 => {
            let plain = rest.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
            if plain { (stem, extension) } else { (segment, b"") }
        }
        _ => (segment, b""),
    }
}

fn placeholder(text: &[u8]) -> Option<&'static [u8]> {
    if is_date(text) {
        return Some(b"{date}");
    }
    if is_number(text) {
        return Some(b"{n}");
    }
    if is_uuid(text) {
        return Some(b"{uuid}");
    }
    if is_hex(text) {
        return Some(b"{hex}");
    }
    (text.len() > MAX_NAME_BYTES || (!is_version(text) && Look::at(text).is_id())).then_some(b"{id}")
}

/// `2024-05`, `2024-05-31`, and either with a time after `T` (ISO 8601).
fn is_date(text: &[u8]) -> bool {
    let length = text.iter().take_while(|byte| !matches!(byte, b'T' | b't')).count();
    let (day, time) = text.split_at_checked(length).unwrap_or((text, b""));
    let mut parts = day.split(|byte| *byte == b'-');
    let year = parts.next().is_some_and(|year| year.len() == 4 && year.iter().all(u8::is_ascii_digit));
    let month = parts.next().is_some_and(|month| is_within(month, 12));
    let day = parts.next().is_none_or(|day| is_within(day, 31));
    // A colon or a plus may be escaped; which character an escape stands for is not looked at.
    let timed = bytes_unescaped(time)
        .all(|(at, byte)| byte.is_ascii_digit() || b"T:.Ztz+-".contains(&byte) || escape_at(time, at).is_some());
    year && month && day && parts.next().is_none() && timed
}

/// Two digits from 01 to `most`.
fn is_within(text: &[u8], most: u8) -> bool {
    match text {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => (1..=most).contains(&((tens - b'0') * 10 + (ones - b'0'))),
        _ => false,
    }
}

/// A digit first (after a sign), then digits with dots, commas, colons, dashes or underscores between them.
fn is_number(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    let may = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b',' | b':' | b'-' | b'_' | b'+');
    text.first().is_some_and(u8::is_ascii_digit) && text.iter().all(may)
}

fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_hex(text: &[u8]) -> bool {
    let marked = text.strip_prefix(b"0x");
    let digits = marked.unwrap_or(text);
    let fewest = if marked.is_some() { 1 } else { MIN_HEX_DIGITS };
    digits.len() >= fewest && digits.iter().all(u8::is_ascii_hexdigit)
}

/// `someone@example.com`, the sign encoded or not.
fn is_email(text: &[u8]) -> bool {
    let (at, width) = match text.iter().position(|byte| *byte == b'@') {
        Some(at) => (at, 1),
        None => match text.windows(3).position(|window| window == b"%40") {
            Some(at) => (at, 3),
            None => return false,
        },
    };
    let domain = text.get(at + width..).unwrap_or_default();
    at > 0 && domain.iter().skip(1).any(|byte| *byte == b'.')
}

/// `v1`, `v2beta1`: part of an API's name, whatever their digits.
fn is_version(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"v").or(text.strip_prefix(b"V")) else { return false };
    let major = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let stage = rest.get(major..).unwrap_or_default();
    let number = [&b"alpha"[..], b"beta", b"rc", b"."].into_iter().find_map(|word| stage.strip_prefix(word));
    (1..=3).contains(&major)
        && (stage.is_empty() || number.is_some_and(|n| n.len() <= 3 && n.iter().all(u8::is_ascii_digit)))
}

/// What a segment holds, escapes passed over.
#[derive(Default)]
struct Look {
    digits: usize,
    letters: usize,
    /// Some word of it, between other characters, is drawn at random by its look.
    random_word: bool,
}

impl Look {
    fn at(text: &[u8]) -> Self {
        let mut look = Self::default();
        let mut word = Word::default();
        for (_, byte) in bytes_unescaped(text) {
            if byte.is_ascii_alphanumeric() {
                word.take(byte);
                continue;
            }
            look.end(&word);
            word = Word::default();
        }
        look.end(&word);
        look
    }

    fn end(&mut self, word: &Word) {
        self.digits += word.digits;
        self.letters += word.lower + word.upper;
        self.random_word |= word.is_random();
    }

    fn is_id(&self) -> bool {
        self.random_word || (self.digits >= MIN_ID_DIGITS && self.letters > 0)
    }
}

/// A run of letters and digits.
#[derive(Default)]
struct Word {
    digits: usize,
    lower: usize,
    upper: usize,
    /// How often a letter follows a digit, or a digit a letter.
    turns: usize,
    /// How often an upper-case letter follows a lower-case one.
    humps: usize,
    last: u8,
}

impl Word {
    fn take(&mut self, byte: u8) {
        let last = core::mem::replace(&mut self.last, byte);
        self.turns += usize::from(last != 0 && last.is_ascii_digit() != byte.is_ascii_digit());
        match byte {
            b'0'..=b'9' => self.digits += 1,
            b'a'..=b'z' => self.lower += 1,
            _ => {
                self.upper += 1;
                self.humps += usize::from(last.is_ascii_lowercase());
            }
        }
    }

    fn is_random(&self) -> bool {
        let length = self.digits + self.lower + self.upper;
        let both_cases = self.lower > 0 && self.upper > 0;
        (length >= 6 && self.digits >= 3 && self.turns >= 3)
            || (length >= 10 && self.digits >= 2 && both_cases)
            || (length >= 20 && self.digits >= 1 && self.turns >= 2)
            // Words in camel case have a hump for every five letters or so, base64 one for four.
            || (length >= 20 && both_cases && (self.humps + self.turns) * 5 >= length)
            || (length >= 20 && self.lower == 0)
    }
}

/// The bytes of `text` with their places, escapes as one byte that is neither letter nor digit.
fn bytes_unescaped(text: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    let mut at = 0;
    core::iter::from_fn(move || {
        let here = at;
        let byte = *text.get(here)?;
        at += if escape_at(text, here).is_some() { 3 } else { 1 };
        Some((here, byte))
    })
}
