//! Headers that next to no request has, and that change how it is judged: looked for in one passage over the names.

use gatehouse_signals::Head;

use super::{readings, settings};
use crate::edits;

/// All of these names are as long at least, …
const LEAST: usize = 12;
/// … and those that stand for the request's length.
const LEAST_FRAMING: usize = 14;

/// Which of them there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Odd {
    /// One of our own, which no client may send.
    pub(super) ours: bool,
    /// One by which a client asks for another method.
    pub(super) overrides: bool,
    /// One that some application takes for the request's length, and Envoy does not.
    pub(super) framing: bool,
}

impl Odd {
    pub(super) fn of(head: Head<'_>) -> Self {
        let kinds = head.headers.iter().fold(0, |all, (name, _)| all | kinds(name));
        if kinds == 0 { Self::default() } else { Self::among(head) }
    }

    fn among(head: Head<'_>) -> Self {
        let mut odd = Self::default();
        for (name, _) in head.headers.iter().filter(|(name, _)| kinds(name) != 0) {
            odd.ours |= edits::is_ours(name);
            odd.overrides |= readings::is_override(name);
            odd.framing |= settings::is_framing_twin(name);
        }
        odd
    }
}

/// What it may be, by its length and two of its letters, without a branch that would depend on them: nearly all other names are
/// short, or begin with another letter, or go on with another after `x-`. 0: nothing.
#[inline]
fn kinds(name: &[u8]) -> u8 {
    let [first, _, third, ..] = name else { return 0 };
    let length = LENGTHS.get(name.len().min(LEAST_FRAMING)).copied().unwrap_or(0);
    look(&FIRST, *first) & look(&THIRD, *third) & length
}

#[inline]
fn look(table: &[u8; 256], letter: u8) -> u8 {
    table.get(usize::from(letter)).copied().unwrap_or(0)
}

/// `x-` and what is ours or names a method, …
const EXTENSION: u8 = 1;
/// … and what begins as a header of the length does.
const FRAMING: u8 = 2;
/// What a name of so many bytes may be; longer ones as the last.
const LENGTHS: [u8; LEAST_FRAMING + 1] = {
    let mut lengths = [0; LEAST_FRAMING + 1];
    lengths[LEAST] = EXTENSION;
    lengths[LEAST + 1] = EXTENSION;
    lengths[LEAST_FRAMING] = EXTENSION | FRAMING;
    lengths
};
/// What begins with this byte may be.
const FIRST: [u8; 256] = table(b"x", b"ct", 0);
/// What has this byte as its third.
const THIRD: [u8; 256] = table(b"ghm", b"", FRAMING);

/// What each byte may begin, or go on: these letters, in any case; every byte `always`.
#[expect(clippy::indexing_slicing, reason = "while compiling")]
const fn table(extension: &[u8], framing: &[u8], always: u8) -> [u8; 256] {
    let mut table = [always; 256];
    let mut at = 0;
    while at < extension.len() {
        table[extension[at] as usize] |= EXTENSION;
        table[extension[at].to_ascii_uppercase() as usize] |= EXTENSION;
        at += 1;
    }
    at = 0;
    while at < framing.len() {
        table[framing[at] as usize] |= FRAMING;
        table[framing[at].to_ascii_uppercase() as usize] |= FRAMING;
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_name_that_is_odd_is_passed_over(
            name in "[xX][-_][gG](atehouse|ATEHOUSE)[-_][a-z]{0,4}|[xX][-_](http|HTTP)?[-_]?method([-_]override)?|\
                     [cC][-_.]?ontent[-_.]?[lL]ength[-_.]?|transfer[-_.]?encoding[-_.]?|[xctXCT][-_a-z]{0,24}"
        ) {
            let name = name.as_bytes();
            let odd = edits::is_ours(name) || readings::is_override(name) || settings::is_framing_twin(name);
            prop_assert!(!odd || kinds(name) != 0);
        }
    }
}
