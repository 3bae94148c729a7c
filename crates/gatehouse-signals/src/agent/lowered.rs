//! The text as it is read: its first bytes in lower case, with room behind.

/// Bytes of a user agent that are looked at; what stands behind them changes nothing.
pub(super) const LIMIT: usize = 512;

/// Room behind the text for its last window.
const BEHIND: usize = 3;

/// The text in lower case, zeros behind.
pub(super) struct Lowered {
    bytes: [u8; LIMIT + BEHIND],
    length: usize,
}

impl Lowered {
    /// The first [`LIMIT`] bytes of `text`.
    pub(super) fn of(text: &[u8]) -> Self {
        let text = text.get(..LIMIT).unwrap_or(text);
        let mut bytes = [0; LIMIT + BEHIND];
        if let Some(room) = bytes.get_mut(..text.len()) {
            room.copy_from_slice(text);
            room.make_ascii_lowercase();
        }
        Self { bytes, length: text.len() }
    }

    /// The text itself.
    pub(super) fn text(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// The text from `at` on.
    pub(super) fn from(&self, at: usize) -> &[u8] {
        self.text().get(at..).unwrap_or_default()
    }

    /// The byte before `at`; zero at the start.
    pub(super) fn before(&self, at: usize) -> u8 {
        at.checked_sub(1).and_then(|before| self.bytes.get(before)).copied().unwrap_or(0)
    }

    /// Every position's next four bytes.
    #[inline]
    pub(super) fn windows(&self) -> impl Iterator<Item = &[u8; 4]> {
        self.bytes.array_windows::<4>().take(self.length)
    }

    /// Where the token begins that follows the one at `at` after a space.
    pub(super) fn next_token(&self, at: usize) -> usize {
        let rest = self.from(at);
        let space = rest.iter().position(|byte| *byte == b' ').unwrap_or(0);
        at + rest.iter().skip(space).position(|byte| *byte != b' ').map_or(0, |gap| space + gap)
    }

    /// Where the next letter stands.
    pub(super) fn next_letter(&self, at: usize) -> Option<usize> {
        self.from(at).iter().position(u8::is_ascii_lowercase).map(|skipped| at + skipped)
    }

    /// A byte of the product before the address at `at`: `Name/1.0 (+https:` has `Name`.
    pub(super) fn product_before(&self, at: usize) -> usize {
        let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let before = |end: usize| self.text().get(..end).unwrap_or_default();
        let end = before(at).iter().rposition(is_token).map_or(0, |last| last + 1);
        let start = before(end).iter().rposition(|byte| !is_token(byte)).map_or(0, |last| last + 1);
        match before(start).split_last() {
            Some((b'/', name)) => name.len().saturating_sub(1),
            _ => start,
        }
    }

    /// The word at `at` has a version behind a `/`.
    pub(super) fn is_versioned(&self, at: usize) -> bool {
        self.from(at).iter().find(|byte| !byte.is_ascii_alphanumeric() && **byte != b'-') == Some(&b'/')
    }

    /// The number behind the `/` of the product at `at`; 0 if there is none.
    pub(super) fn major(&self, at: usize) -> u32 {
        let digits = self.from(at).iter().skip_while(|byte| byte.is_ascii_lowercase()).skip(1).take(4);
        digits.map_while(|byte| char::from(*byte).to_digit(10)).fold(0, |sum, digit| sum * 10 + digit)
    }
}
