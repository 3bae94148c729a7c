//! `path`: against one canonical reading.

use super::Leaf;
use crate::image::node;

pub(super) fn holds(leaf: Leaf<'_>, path: &[u8]) -> bool {
    match leaf.test {
        node::EQUALS => path == leaf.text(node::A),
        node::PREFIX => prefix(leaf.text(node::A), path),
        node::SUFFIX => path.ends_with(leaf.text(node::A)),
        node::SEGMENTS => segments(leaf.text(node::A), path),
        node::REGEX => leaf.regex(node::A, path),
        _ => false,
    }
}

/// `/a` is a prefix of `/a` and `/a/b`, not of `/ab`; `/a/` of everything under it.
fn prefix(pattern: &[u8], path: &[u8]) -> bool {
    path.strip_prefix(pattern).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')) || pattern.ends_with(b"/"))
}

/// Segment by segment: `*` is any one that is not empty, a last `**` the rest.
fn segments(pattern: &[u8], path: &[u8]) -> bool {
    let mut pattern = pattern.split(|b| *b == b'/');
    let mut path = path.split(|b| *b == b'/');
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some(b"**"), Some(_)) => return true,
            (Some(b"*"), Some(segment)) if !segment.is_empty() => {}
            (Some(literal), Some(segment)) if literal == segment && literal != b"*" => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_at_a_segment_border() {
        assert!(prefix(b"/a", b"/a") && prefix(b"/a", b"/a/b") && prefix(b"/a/", b"/a/b") && prefix(b"/", b"/x"));
        assert!(!prefix(b"/a", b"/ab") && !prefix(b"/a/", b"/a"));
    }

    #[test]
    fn a_star_is_one_segment_and_two_are_the_rest() {
        let matches = |pattern: &str, path: &str| segments(pattern.as_bytes(), path.as_bytes());
        assert!(matches("/a/*", "/a/b") && matches("/*/c", "/x/c"));
        assert!(!matches("/a/*", "/a/") && !matches("/a/*", "/a/b/c") && !matches("/a/*", "/a"));
        assert!(matches("/a/**", "/a/") && matches("/a/**", "/a/b/c") && matches("/**", "/"));
        assert!(!matches("/a/**", "/a") && !matches("/a/**", "/ab"));
    }
}
