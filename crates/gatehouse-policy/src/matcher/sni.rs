//! `sni`: the server name that the client asked for, exact or under a domain. Unknown without TLS, and where none was sent.

use super::{Facts, Leaf, Truth};
use crate::Field;
use crate::image::node;

pub(super) fn holds(leaf: Leaf<'_>, facts: &Facts<'_>) -> Truth {
    let Some(sni) = name(facts) else {
        return Truth::Unknown;
    };
    let pattern = leaf.text(node::A);
    let holds = match leaf.test {
        node::SUFFIX => {
            let at = sni.len().checked_sub(pattern.len()).filter(|at| *at > 0);
            at.and_then(|at| sni.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(pattern))
        }
        _ => sni.eq_ignore_ascii_case(pattern),
    };
    holds.into()
}

/// The name as received, without a trailing dot.
pub(crate) fn name<'a>(facts: &Facts<'a>) -> Option<&'a [u8]> {
    let name = facts.head.connection.sni.as_deref()?.as_bytes();
    facts.known.has(Field::Sni).then_some(name.strip_suffix(b".").unwrap_or(name))
}
