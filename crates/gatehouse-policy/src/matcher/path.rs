//! `path`: against one canonical reading; in any letter case where what stands behind the gate reads it so.

use super::{Facts, Leaf, Truth};
use crate::Field;
use crate::image::node;

pub(super) fn holds(leaf: Leaf<'_>, facts: &Facts<'_>) -> Truth {
    if !facts.known.has(Field::Path) {
        return Truth::Unknown;
    }
    let path = facts.path;
    let same: fn(&[u8], &[u8]) -> bool =
        if facts.case_insensitive { <[u8]>::eq_ignore_ascii_case } else { |a, b| a == b };
    let holds = match leaf.test {
        node::EQUALS => same(path, leaf.text(node::A)),
        node::PREFIX => prefix(leaf.text(node::A), path, same),
        node::SUFFIX => {
            let suffix = leaf.text(node::A);
            path.len().checked_sub(suffix.len()).and_then(|at| path.get(at..)).is_some_and(|end| same(end, suffix))
        }
        node::SEGMENTS => segments(leaf.text(node::A), path, same),
        node::REGEX if facts.case_insensitive && leaf.word(node::B) != node::NO_REGEX => {
            leaf.regexes.found(leaf.view, leaf.index(node::B), path)
        }
        node::REGEX => leaf.regexes.found(leaf.view, leaf.index(node::A), path),
        _ => false,
    };
    holds.into()
}

/// `/a` is a prefix of `/a` and `/a/b`, not of `/ab`; `/a/` of everything under it.
fn prefix(pattern: &[u8], path: &[u8], same: fn(&[u8], &[u8]) -> bool) -> bool {
    let Some((start, rest)) = path.split_at_checked(pattern.len()) else {
        return false;
    };
    same(start, pattern) && (matches!(rest.first(), None | Some(b'/')) || pattern.ends_with(b"/"))
}

/// Segment by segment: `*` is any one that is not empty, a last `**` the rest.
fn segments(pattern: &[u8], path: &[u8], same: fn(&[u8], &[u8]) -> bool) -> bool {
    let mut pattern = pattern.split(|b| *b == b'/');
    let mut path = path.split(|b| *b == b'/');
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some(b"**"), Some(_)) => return true,
            (Some(b"*"), Some(segment)) if !segment.is_empty() => {}
            (Some(literal), Some(segment)) if same(literal, segment) && literal != b"*" => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &[u8], b: &[u8]) -> bool {
        a == b
    }

    #[test]
    fn a_prefix_ends_at_a_segment_border() {
        let prefix = |pattern: &[u8], path: &[u8]| prefix(pattern, path, same);
        assert!(prefix(b"/a", b"/a") && prefix(b"/a", b"/a/b") && prefix(b"/a/", b"/a/b") && prefix(b"/", b"/x"));
        assert!(!prefix(b"/a", b"/ab") && !prefix(b"/a/", b"/a"));
    }

    #[test]
    fn a_star_is_one_segment_and_two_are_the_rest() {
        let matches = |pattern: &str, path: &str| segments(pattern.as_bytes(), path.as_bytes(), same);
        assert!(matches("/a/*", "/a/b") && matches("/*/c", "/x/c"));
        assert!(!matches("/a/*", "/a/") && !matches("/a/*", "/a/b/c") && !matches("/a/*", "/a"));
        assert!(matches("/a/**", "/a/") && matches("/a/**", "/a/b/c") && matches("/**", "/"));
        assert!(!matches("/a/**", "/a") && !matches("/a/**", "/ab"));
        assert!(segments(b"/A/*", b"/a/b", <[u8]>::eq_ignore_ascii_case));
    }
}
