//! Text that was found fit to be shown.

use core::fmt;
use std::borrow::Cow;

/// Text that may leave the gate: printable UTF-8, as [`printable()`](super::printable()) and a [`Redactor`](super::Redactor) make it.
///
/// It is held as bytes: where it is shown as received, the search that let it pass saw that it is ASCII, and what carries it
/// to the house carries bytes; to prove it once more would cost as much as to copy it.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown<'a>(Cow<'a, [u8]>);

impl<'a> Shown<'a> {
    /// `text` is printable ASCII.
    pub(super) fn plain(text: &'a [u8]) -> Self {
        debug_assert!(text.iter().all(|byte| (0x20..0x7F).contains(byte)), "printable ASCII");
        Self(Cow::Borrowed(text))
    }

    pub(super) fn made(text: String) -> Self {
        Self(Cow::Owned(text.into_bytes()))
    }

    /// The text, UTF-8.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text as a string of its own.
    #[must_use]
    pub fn into_string(self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*String::from_utf8_lossy(&self.0), f)
    }
}

impl PartialEq<&str> for Shown<'_> {
    fn eq(&self, other: &&str) -> bool {
        *self.0 == *other.as_bytes()
    }
}

impl PartialEq<String> for Shown<'_> {
    fn eq(&self, other: &String) -> bool {
        *self.0 == *other.as_bytes()
    }
}
