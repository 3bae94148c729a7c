//! The one pass over a text: nearly every byte costs one look into a table, the rest is handed to whoever may know it.

use core::ops::Range;

use super::{Found, credentials, digits, runs};

/// Shorter texts hold nothing sensitive: `a@b.cc` is the shortest find.
pub(super) const MIN_TEXT_BYTES: usize = 6;

/// A word may begin with it that says what it is.
const BEGINS: u16 = 1;

/// An `@` or a colon.
const MARK: u16 = 2;

/// A card number may begin with it.
const CARD: u16 = 4;

const PLUS: u16 = 8;

/// May not stand in base64, of either alphabet: a run ends.
const ENDS: u16 = 16;

/// Is not shown as it stands, or may begin an escape.
const NOT_PLAIN: u16 = 32;

/// A digit or a capital: a run without one is no token.
const MIXES: u16 = 64;

/// A slash or a plus: a run without one is one piece.
const PARTS: u16 = 128;

/// What is looked at whatever stands before it.
const ALWAYS: u16 = MARK | ENDS;

/// How far above what a byte may be itself stands what is looked at in the byte behind it.
const BEHIND: u32 = 8;

/// What each byte may be, and what is looked at behind it: a word and a telephone number begin behind what is no letter or digit,
/// a card behind what is no digit.
const KINDS: [u16; 256] = kinds();

/// Behind nothing.
const FIRST: u16 = ALWAYS | BEGINS | PLUS | CARD;

#[expect(clippy::indexing_slicing, reason = "a byte is below 256, and constants are made before anything runs")]
const fn kinds() -> [u16; 256] {
    let mut kinds = [ENDS | NOT_PLAIN | FIRST << BEHIND; 256];
    let mut byte = 0x20u8;
    while byte < 0x7F {
        let own = match byte {
            // What else cards begin with, nobody issued (see `digits`).
            b'2'..=b'6' => CARD | MIXES,
            b'0'..=b'9' | b'A'..=b'Z' => MIXES,
            b'a'..=b'z' | b'-' | b'_' => 0,
            b'/' => PARTS,
            b'+' => PLUS | PARTS,
            b'@' | b':' => MARK | ENDS,
            b'%' => ENDS | NOT_PLAIN,
            _ => ENDS,
        };
        let behind = match byte {
            b'0'..=b'9' => ALWAYS,
            b'a'..=b'z' | b'A'..=b'Z' => ALWAYS | CARD,
            _ => FIRST,
        };
        kinds[byte as usize] = own | behind << BEHIND;
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

/// Every find of every kind, in no order, some of them overlapping; and whether all of the text is printable ASCII without a `%`.
pub(super) fn scan(text: &[u8]) -> (Vec<Found>, bool) {
    let mut pass = Pass::new(text);
    let (mut seen, mut looked_at, mut run, mut in_run) = (0, FIRST, 0, 0);
    let mut rest = text;
    while let [byte, behind @ ..] = rest {
        let kind = KINDS.get(usize::from(*byte)).copied().unwrap_or_default();
        let found = kind & looked_at;
        looked_at = kind >> BEHIND;
        if found != 0 {
            let at = text.len() - rest.len();
            if found & ENDS != 0 {
                if at - run >= runs::MIN_RUN_BYTES {
                    pass.run(run..at, in_run);
                }
                run = at + 1;
                seen |= in_run;
                in_run = 0;
            }
            if found & !ENDS != 0 {
                pass.begins(at, found);
            }
        }
        in_run |= kind;
        rest = behind;
    }
    if text.len() >= run + runs::MIN_RUN_BYTES {
        pass.run(run..text.len(), in_run);
    }
    (pass.found, (seen | in_run) & NOT_PLAIN == 0)
}

/// What a pass over a text remembers.
struct Pass<'a> {
    text: &'a [u8],
    found: Vec<Found>,
    tokens: credentials::Runs<'a>,
    // Each kind of find goes on behind its last one.
    next_credential: usize,
    next_number: usize,
}

impl<'a> Pass<'a> {
    fn new(text: &'a [u8]) -> Self {
        let nothing = if text.len() < MIN_TEXT_BYTES { usize::MAX } else { 0 };
        let tokens = credentials::Runs::new(text);
        Self { text, found: Vec::new(), tokens, next_credential: nothing, next_number: nothing }
    }

    /// A run of base64 ended, which holds what `seen` tells.
    fn run(&mut self, range: Range<usize>, seen: u16) {
        let run = runs::Run { range, mixes: seen & MIXES != 0, has_parts: seen & PARTS != 0 };
        runs::judge(self.text, run, &mut self.found);
    }

    /// Something may begin at `at`. (Apart from the loop, whose few variables then stay in registers.)
    #[inline(never)]
    fn begins(&mut self, at: usize, found: u16) {
        let credential = found & MARK != 0 || (found & BEGINS != 0 && credentials::may_begin(self.text, at));
        if credential && at >= self.next_credential {
            self.next_credential = credentials::at(&mut self.tokens, at, &mut self.found);
        }
        if found & (CARD | PLUS) != 0 && at >= self.next_number {
            self.next_number = digits::at(self.text, at, &mut self.found);
        }
    }
}
