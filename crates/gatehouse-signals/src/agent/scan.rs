//! One pass over the text: every position is looked up by its next four bytes, and the brackets are counted.

use super::lowered::Lowered;
use super::sign::{Sign, Signs};
use super::table::{PARTS, Pattern, WORDS};

/// `bot`, as the scanner reads it.
const BOT: u32 = u32::from_le_bytes(*b"bot\0");

/// All signs of `text`.
pub(super) fn scan(text: &Lowered) -> Signs {
    let mut scanner = Scanner { text, signs: Signs::none(), depth: 0, comments: 0, quiet_until: 0 };
    let mut in_word = false;
    for (at, window) in text.windows().enumerate() {
        let [byte, second, _, fourth] = *window;
        let key = u32::from_le_bytes(*window);
        let starts = !in_word;
        in_word = byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if byte.is_ascii_lowercase() {
            if starts {
                scanner.word_start(at);
                WORDS.find(key).for_each(|pattern| scanner.word(at, pattern));
            }
            if key & 0x00FF_FFFF == BOT {
                scanner.bot(at, starts, fourth);
            }
            PARTS.find(key).for_each(|pattern| scanner.part(at, pattern));
        } else if !in_word {
            scanner.mark(at, byte, second);
            if matches!(byte, b'-' | b'(' | b'[') {
                PARTS.find(key).for_each(|pattern| scanner.part(at, pattern));
            }
        } else if starts {
            WORDS.find(key).for_each(|pattern| scanner.word(at, pattern));
        }
    }
    scanner.signs
}

struct Scanner<'t> {
    text: &'t Lowered,
    signs: Signs,
    depth: u8,
    comments: u8,
    /// Where the last quiet word ends.
    quiet_until: usize,
}

impl Scanner<'_> {
    /// A word starts with a letter.
    #[inline]
    fn word_start(&mut self, at: usize) {
        if self.depth == 0 {
            self.signs.note(if self.comments > 0 { Sign::Tail } else { Sign::Letter }, at);
        }
    }

    /// `bot` where a word ends or begins: not as in both or bottle, not in the middle of a name or of random letters, and not
    /// as a word of its own in a device's name.
    fn bot(&mut self, at: usize, starts: bool, behind: u8) {
        let bordered = !behind.is_ascii_alphanumeric() || behind == b's' || (starts && !matches!(behind, b'h' | b't'));
        let device = starts && self.in_platform() && self.signs.has(Sign::Handheld);
        if bordered && !device && at >= self.quiet_until {
            self.signs.note(Sign::Strong, at);
        }
    }

    /// A byte that is neither letter nor digit, and the next.
    #[inline]
    fn mark(&mut self, at: usize, byte: u8, next: u8) {
        match byte {
            b'(' => {
                self.depth = self.depth.saturating_add(1);
                self.comments = self.comments.saturating_add(1);
                self.signs.note(Sign::Comment, at);
            }
            b'[' => self.depth = self.depth.saturating_add(1),
            b')' | b']' => self.depth = self.depth.saturating_sub(1),
            b'/' => self.signs.note(Sign::Slash, at),
            b'"' | b'\'' | b'<' | b'>' | b'`' if self.depth == 0 => self.signs.note(Sign::Odd, at),
            b'.' if self.depth > 0 && next.is_ascii_lowercase() && ends_host(self.text, at) => {
                self.signs.note(Sign::Host, at);
            }
            b'@' if next.is_ascii_lowercase() && is_mail(self.text, at) => self.signs.note(Sign::Contact, at),
            _ => {}
        }
    }

    fn word(&mut self, at: usize, pattern: &'static Pattern) {
        if (pattern.at_start && at != 0) || !self.stands(at, pattern) {
            return;
        }
        match pattern.sign {
            Sign::Quiet => self.quiet_until = at + pattern.text.len(),
            Sign::Library if self.in_platform() && self.names_device() => {}
            Sign::Java if self.depth == 0 => {}
            sign => self.signs.note(sign, at),
        }
    }

    fn part(&mut self, at: usize, pattern: &'static Pattern) {
        if at < self.quiet_until || !self.stands(at, pattern) {
            return;
        }
        match pattern.sign {
            Sign::Hint if self.in_platform() => self.signs.note(Sign::InnerHint, at),
            Sign::Scan if self.in_platform() => {}
            Sign::Guest => {
                let guest = self.text.from(at + pattern.text.len()).trim_ascii_start();
                let named = guest.first().is_some_and(u8::is_ascii_lowercase) && !guest.starts_with(b"safari");
                if self.depth > 0 && named {
                    self.signs.note(Sign::Guest, self.text.text().len() - guest.len());
                }
            }
            sign => self.signs.note(sign, at),
        }
    }

    /// Inside the first comment, where a browser tells its platform.
    fn in_platform(&self) -> bool {
        self.depth > 0 && self.comments == 1
    }

    /// A handheld's comment holds its model; a program's without a browser's text holds what it runs on.
    fn names_device(&self) -> bool {
        self.signs.has(Sign::Handheld) || !self.signs.has(Sign::Mozilla)
    }

    #[inline]
    fn stands(&self, at: usize, pattern: &Pattern) -> bool {
        match self.text.from(at).strip_prefix(pattern.text) {
            Some(rest) => pattern.open || !rest.first().is_some_and(u8::is_ascii_lowercase),
            None => false,
        }
    }
}

/// Top-level domains that hosts of automata end in. Not the ones that package and product names borrow (`app`, `io`).
const TOP_LEVEL: &[&[u8]] = &[
    b"ai", b"at", b"au", b"be", b"biz", b"br", b"ca", b"cat", b"ch", b"cn", b"co", b"com", b"cz", b"de", b"dk", b"edu",
    b"es", b"eu", b"fi", b"fr", b"gov", b"hu", b"info", b"it", b"jp", b"kr", b"nl", b"net", b"no", b"org", b"pl",
    b"pt", b"ro", b"ru", b"se", b"ua", b"uk", b"us",
];

/// The dot at `at` stands before a top-level domain, behind a label of at least three bytes, and nothing follows that would
/// make it a package's name.
fn ends_host(text: &Lowered, at: usize) -> bool {
    let behind = text.from(at + 1);
    let length = behind.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let (top, rest) = behind.split_at_checked(length).unwrap_or_default();
    let label = text.text().get(..at).unwrap_or_default();
    let label = label.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
    label >= 3 && TOP_LEVEL.contains(&top) && !matches!(rest.first(), Some(b'.' | b'_' | b'-' | b'@'))
}

/// The `@` at `at` has a name before it and a dotted host behind.
fn is_mail(text: &Lowered, at: usize) -> bool {
    let host = text.from(at + 1);
    let length = host.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.')).count();
    let host = host.get(..length).unwrap_or_default();
    text.before(at).is_ascii_alphanumeric() && host.iter().skip(1).any(|byte| *byte == b'.')
}
