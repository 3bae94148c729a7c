//! Headers that next to no request has, and that change how it is judged: looked for in one passage over the names.

use gatehouse_signals::Head;

use super::{readings, settings};
use crate::edits;

/// All of these names are as long at least.
const LEAST: usize = 12;
/// Makes a capital letter a small one.
const LOWER: u8 = 0x20;

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
    /// Nearly all other names are short, or begin with another letter, or go on with another after `x-`.
    pub(super) fn of(head: Head<'_>) -> Self {
        let mut odd = Self::default();
        for (name, _) in head.headers {
            let [first, _, third, ..] = name else { continue };
            if name.len() < LEAST {
                continue;
            }
            match (first | LOWER, third | LOWER) {
                (b'x', b'g') => odd.ours |= edits::is_ours(name),
                (b'x', b'h' | b'm') => odd.overrides |= readings::is_override(name),
                (b'c' | b't', _) => odd.framing |= settings::is_framing_twin(name),
                _ => {}
            }
        }
        odd
    }
}
