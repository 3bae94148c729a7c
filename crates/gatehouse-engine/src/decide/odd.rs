//! Headers that next to no request has, and that change how it is judged: looked for in one passage over the names.

use gatehouse_signals::Head;

use super::{readings, settings};
use crate::edits;

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
    /// All of these names are long, and nearly all others are short or begin with another letter.
    pub(super) fn of(head: Head<'_>) -> Self {
        let mut odd = Self::default();
        for (name, _) in head.headers {
            match name {
                [b'x' | b'X', _, _, _, _, _, _, _, _, _, _, _, ..] => {
                    odd.ours |= edits::is_ours(name);
                    odd.overrides |= readings::is_override(name);
                }
                [b'c' | b'C' | b't' | b'T', _, _, _, _, _, _, _, _, _, _, _, _, _, ..] => {
                    odd.framing |= settings::is_framing_twin(name);
                }
                _ => {}
            }
        }
        odd
    }
}
