//! Bytes of a stranger as text that can be shown: nothing in it moves a cursor, ends a line or turns the direction of writing.

use core::fmt::Write as _;

use super::Shown;

/// What marks a cut.
const CUT: char = '…';

/// `raw` as text of at most `most` bytes. Valid UTF-8 stays; control characters, line separators, marks that turn the
/// direction of writing, and bytes that are no UTF-8 are percent-encoded. A longer text is cut and ends in `…`.
#[must_use]
pub fn printable(raw: &[u8], most: usize) -> Shown<'_> {
    if raw.len() <= most && is_printable_ascii(raw) {
        return Shown::plain(raw);
    }
    let mut out = Bounded::new(most, raw.len());
    out.push_raw(raw);
    Shown::made(out.finish())
}

/// Every byte lies from 0x20 up to 0x7E: eight are looked at as one number.
fn is_printable_ascii(text: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let (words, rest) = text.as_chunks();
    let odd = words.iter().fold(0, |odd, word| {
        let word = u64::from_ne_bytes(*word);
        // Of each byte the highest bit: of its own above 0x7F, by one more for 0x7F; and below 0x20 the first to be so borrows.
        odd | word | word.wrapping_add(ONES) | word.wrapping_sub(ONES * 0x20)
    });
    odd & (ONES * 0x80) == 0 && rest.iter().all(|byte| (0x20..0x7F).contains(byte))
}

/// Cuts `text` to at most `most` bytes, the `…` that marks the cut among them.
pub fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most.saturating_sub(CUT.len_utf8())));
        text.push(CUT);
    }
}

/// Text that grows to a bound and no further.
pub(super) struct Bounded {
    text: String,
    most: usize,
    /// How much of the text leaves room for the mark of a cut.
    safe: usize,
    full: bool,
}

impl Bounded {
    pub(super) fn new(most: usize, expected: usize) -> Self {
        Self { text: String::with_capacity(expected.min(most)), most, safe: 0, full: false }
    }

    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    pub(super) fn push(&mut self, piece: &str) {
        if self.full || self.text.len() + piece.len() > self.most {
            self.full = true;
            return;
        }
        self.text.push_str(piece);
        if self.text.len() + CUT.len_utf8() <= self.most {
            self.safe = self.text.len();
        }
    }

    pub(super) fn push_raw(&mut self, raw: &[u8]) {
        if raw.len() + self.text.len() + CUT.len_utf8() <= self.most && is_printable_ascii(raw) {
            // Plain text that fits, which nearly all is.
            self.push(core::str::from_utf8(raw).unwrap_or_default());
            return;
        }
        for chunk in raw.utf8_chunks() {
            for character in chunk.valid().chars() {
                self.push_char(character);
                if self.full {
                    return;
                }
            }
            self.push_escaped(chunk.invalid());
        }
    }

    fn push_char(&mut self, character: char) {
        let mut buffer = [0; 4];
        let text = character.encode_utf8(&mut buffer);
        if is_shown(character) { self.push(text) } else { self.push_escaped(text.as_bytes()) }
    }

    fn push_escaped(&mut self, bytes: &[u8]) {
        let mut escaped = String::with_capacity(bytes.len() * 3);
        for byte in bytes {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
        self.push(&escaped);
    }

    pub(super) fn finish(mut self) -> String {
        if self.full {
            self.text.truncate(self.safe);
            self.text.push(CUT);
        }
        self.text
    }
}

fn is_shown(character: char) -> bool {
    let turns =
        matches!(character, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}' | '\u{FEFF}');
    !character.is_control() && !turns
}
