//! A path written anew, segment by segment: the canonical form and, with other options, the other readings.

use std::borrow::Cow;

use super::scan::{is_unreserved, may_stand};
use crate::percent::{escape_at, push_escape};

/// How a path is written anew.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    /// Parameters of segments are dropped, before anything else.
    pub(super) strip_params: bool,
    /// Repeated slashes are merged before dot segments are removed, not after.
    pub(super) merge_first: bool,
    /// Which dot segments are removed.
    pub(super) remove: Remove,
    /// Repeated slashes are merged at all.
    pub(super) merge: bool,
}

/// Which dot segments are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remove {
    /// All of them, however they are spelled.
    All,
    /// None.
    None,
    /// Those that are spelled without escapes, by software that looks at the path before it decodes.
    Plain,
}

/// The canonical form.
pub(super) const CANONICAL: Options =
    Options { strip_params: false, merge_first: false, remove: Remove::All, merge: true };

/// Writes `path` anew; the result begins with a slash. Linear: every byte is written once and taken back at most once.
pub(super) fn render(path: &[u8], options: &Options) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len().saturating_add(16));
    let mut segments = path.strip_prefix(b"/").unwrap_or(path).split(|byte| *byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        let segment = match options.strip_params {
            true => segment.split(|byte| *byte == b';').next().unwrap_or(segment),
            false => segment,
        };
        if segment.is_empty() && options.merge_first && !last {
            continue;
        }
        let start = out.len();
        out.push(b'/');
        push_canonical(&mut out, segment);
        let plain = matches!(segment, b"." | b"..");
        if options.remove == Remove::All || (options.remove == Remove::Plain && plain) {
            resolve(&mut out, start, last);
        }
    }
    if options.merge {
        out.dedup_by(|next, kept| *next == b'/' && *kept == b'/');
    }
    out
}

/// Takes a dot segment, just written at `start`, back, and with `..` the segment before it. At the end of a path a dot
/// segment leaves its slash.
fn resolve(out: &mut Vec<u8>, start: usize, last: bool) {
    match out.get(start..) {
        Some(b"/.") => out.truncate(start),
        Some(b"/..") => {
            out.truncate(start);
            let before = out.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
            out.truncate(before);
        }
        _ => return,
    }
    if last {
        out.push(b'/');
    }
}

/// See [`super::literal`].
pub(super) fn literal(written: &[u8]) -> Cow<'_, [u8]> {
    if written.iter().all(|byte| may_stand(*byte) || *byte == b'/') {
        return Cow::Borrowed(written);
    }
    let mut out = Vec::with_capacity(written.len().saturating_add(16));
    for (number, segment) in written.split(|byte| *byte == b'/').enumerate() {
        if number > 0 {
            out.push(b'/');
        }
        push_canonical(&mut out, segment);
    }
    Cow::Owned(out)
}

/// Escapes of unreserved characters undone, other escapes in upper case, bytes that may not stand escaped. A percent sign that
/// begins no escape becomes `%25`, so that undoing an escape after it cannot make a new one.
fn push_canonical(out: &mut Vec<u8>, segment: &[u8]) {
    let mut at = 0;
    while let Some(&byte) = segment.get(at) {
        match escape_at(segment, at) {
            Some(decoded) => {
                if is_unreserved(decoded) {
                    out.push(decoded)
                } else {
                    push_escape(out, decoded)
                }
                at += 3;
            }
            None => {
                if may_stand(byte) {
                    out.push(byte)
                } else {
                    push_escape(out, byte)
                }
                at += 1;
            }
        }
    }
}
