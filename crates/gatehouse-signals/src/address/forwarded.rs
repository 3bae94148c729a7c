//! The `forwarded` header (RFC 7239), read from its right end.
//!
//! Quotes are matched from the right, too: what a trusted proxy appended then reads as it wrote it, whatever quote a client left
//! open before it. (Read from the left, `for="` of a client would swallow the proxies' elements after it.)

use std::net::IpAddr;

use super::entry;

/// The elements of one value, right to left.
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    Backwards { rest: Some(value), separator: b',' }
}

/// The address of an element's `for`. `None`: it has none, or two, or what it holds is no address (`unknown`, `_hidden`).
pub(super) fn address(element: &[u8]) -> Option<IpAddr> {
    let mut found = None;
    for pair in (Backwards { rest: Some(element), separator: b';' }) {
        let Some(at) = pair.iter().position(|byte| *byte == b'=') else { continue };
        let (name, value) = (pair.get(..at)?, pair.get(at + 1..)?);
        if name.trim_ascii().eq_ignore_ascii_case(b"for") && found.replace(value.trim_ascii()).is_some() {
            return None;
        }
    }
    unquoted(found?)
}

/// The address in a token or in a quoted string, whose escapes are undone.
fn unquoted(value: &[u8]) -> Option<IpAddr> {
    let Some(inside) = value.strip_prefix(b"\"") else { return entry::bare(value) };
    let inside = inside.strip_suffix(b"\"")?;
    let mut text = [0u8; entry::MAX_ENTRY_BYTES];
    let mut length = 0;
    let mut bytes = inside.iter();
    while let Some(&byte) = bytes.next() {
        *text.get_mut(length)? = if byte == b'\\' { *bytes.next()? } else { byte };
        length += 1;
    }
    entry::bare(text.get(..length)?)
}

/// Pieces between separators that stand outside quotes, right to left. Linear: each backslash is counted for the one quote
/// that may follow it.
struct Backwards<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> Iterator for Backwards<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let text = self.rest.take()?;
        let mut quoted = false;
        for (at, &byte) in text.iter().enumerate().rev() {
            let before = text.get(..at)?;
            if byte == b'"' && !(quoted && is_escape(before)) {
                quoted = !quoted;
            } else if byte == self.separator && !quoted {
                self.rest = Some(before);
                return text.get(at + 1..);
            }
        }
        Some(text)
    }
}

/// A backslash that is not itself escaped ends `before`.
fn is_escape(before: &[u8]) -> bool {
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}
