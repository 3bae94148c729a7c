//! The class of a path: what it asks for, without which one. `/catalog/1` and `/catalog/2` are both `/catalog/{n}`.

use core::fmt;
use core::hash::{Hash, Hasher};

use super::shape;

/// How many segments of a path its class keeps, at most; `**` stands for the rest.
pub const MAX_CLASS_SEGMENTS: usize = 16;

/// Longest class, in bytes, with the `/**` that may end it.
pub const MAX_CLASS_BYTES: usize = 256;

/// What ends a class that was cut.
const REST: &[u8] = b"**";

/// The class of a canonical path. Cheap to copy: it is the path, read anew for each use, and equal to the classes that read the
/// same. `to_string` writes it out.
///
/// A segment is written as it stands, unless its form says that it is one of many: `{date}`, `{email}`, `{hex}` (8 digits and
/// more), `{id}` (letters and digits mixed as ids are, ULIDs, base64url, or over 64 bytes), `{n}` (numbers, with dots, commas or
/// colons between them), `{uuid}`; a file's extension stays (`{n}.json`). Parameters (`;x=1`), empty segments and a slash at the
/// end are left out. No literal segment can be taken for a placeholder, since canonical paths hold no braces. The case of
/// letters counts: fold the path first for a backend to which it does not.
#[derive(Debug, Clone, Copy)]
pub struct PathClass<'a> {
    path: &'a [u8],
}

/// The class of a canonical path ([`super::Path::canonical`], or one of its readings). Nothing is read before it is asked for.
#[must_use]
pub fn class(canonical: &[u8]) -> PathClass<'_> {
    PathClass { path: canonical }
}

impl<'a> PathClass<'a> {
    /// The class as consecutive pieces. Linear in the path up to the bounds; nothing is allocated. Classes that are equal have
    /// the same pieces.
    pub fn pieces(self) -> impl Iterator<Item = &'a [u8]> {
        let mut state = State { rest: Some(self.path), segments: 0, bytes: 0 };
        let rooted = self.path.starts_with(b"/");
        let mut empty = true;
        core::iter::from_fn(move || {
            let segment = state.next_segment();
            let first = core::mem::replace(&mut empty, false);
            match segment {
                Some([stem, extension]) => Some([if first && !rooted { b"" } else { &b"/"[..] }, stem, extension]),
                None if first && rooted => Some([b"/", b"", b""]),
                None => None,
            }
        })
        .flatten()
        .filter(|piece| !piece.is_empty())
    }

    /// Feeds the class to a hasher, piece by piece, without writing it out: equal classes hash alike.
    pub fn hash_into(self, hasher: &mut impl Hasher) {
        self.pieces().for_each(|piece| hasher.write(piece));
        // No class ends so, thus what is hashed after it cannot be taken for a part of it.
        hasher.write_u8(0xFF);
    }
}

impl fmt::Display for PathClass<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces().try_for_each(|piece| f.write_str(&String::from_utf8_lossy(piece)))
    }
}

impl PartialEq for PathClass<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.pieces().eq(other.pieces())
    }
}

impl Eq for PathClass<'_> {}

impl Hash for PathClass<'_> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.hash_into(hasher);
    }
}

/// How far a path has been read.
struct State<'a> {
    /// What is not read yet.
    rest: Option<&'a [u8]>,
    segments: usize,
    bytes: usize,
}

impl<'a> State<'a> {
    /// The next segment that is not empty, as stem (or its placeholder) and extension; `**` where the bounds end the class.
    fn next_segment(&mut self) -> Option<[&'a [u8]; 2]> {
        loop {
            let text = self.rest?;
            let length = text.iter().take_while(|byte| **byte != b'/').count();
            let (segment, after) = text.split_at_checked(length)?;
            self.rest = after.get(1..);
            let segment = segment.split(|byte| *byte == b';').next().unwrap_or(segment);
            if segment.is_empty() {
                continue;
            }
            let [stem, extension] = shape::generalise(segment);
            self.segments += 1;
            self.bytes += 1 + stem.len() + extension.len();
            if self.segments > MAX_CLASS_SEGMENTS || self.bytes + 1 + REST.len() > MAX_CLASS_BYTES {
                self.rest = None;
                return Some([REST, b""]);
            }
            return Some([stem, extension]);
        }
    }
}

#[cfg(test)]
mod tests;
