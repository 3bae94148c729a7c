//! `identity`: the verified peer's SPIFFE id by a pattern or a list; `none`: there is no verified peer.

use gatehouse_signals::identity;

use super::{Facts, Leaf, Truth};
use crate::Field;
use crate::image::{lists, node};

pub(super) fn holds(leaf: Leaf<'_>, facts: &Facts<'_>) -> Truth {
    let Some(verified) = facts.head.connection.mutual_tls.filter(|_| facts.known.has(Field::Identity)) else {
        return Truth::Unknown;
    };
    if leaf.test == node::NONE {
        return (!verified).into();
    }
    let peer = peer(facts);
    match leaf.test {
        node::IN_SET => match leaf.set(facts) {
            Ok(set) => set.zip(peer).is_some_and(|(set, peer)| lists::holds_identity(leaf.view, set, peer)).into(),
            Err(unknown) => unknown,
        },
        _ => peer.is_some_and(|peer| identity::matches(leaf.text(node::A), peer)).into(),
    }
}

/// The SPIFFE id of the verified peer.
pub(crate) fn peer<'a>(facts: &Facts<'a>) -> Option<&'a [u8]> {
    let connection = facts.head.connection;
    connection.peer_uri.as_deref().filter(|_| connection.mutual_tls == Some(true)).map(str::as_bytes)
}
