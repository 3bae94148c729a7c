//! `tls`: whether the client proved itself by a certificate, and the least version.

use super::{Facts, Leaf, Truth};
use crate::Field;
use crate::image::node;

pub(super) fn holds(leaf: Leaf<'_>, facts: &Facts<'_>) -> Truth {
    let connection = facts.head.connection;
    let wanted = leaf.word(node::A);
    if leaf.kind == node::TLS_MUTUAL {
        let mutual = connection.mutual_tls.filter(|_| facts.known.has(Field::TlsMutual));
        return mutual.map_or(Truth::Unknown, |mutual| (mutual == (wanted != 0)).into());
    }
    let version = connection.tls_version.as_deref().filter(|_| facts.known.has(Field::TlsVersion)).and_then(number);
    version.map_or(Truth::Unknown, |version| (version >= wanted).into())
}

/// `TLSv1.2` is 12, `TLSv1` is 10.
fn number(version: &str) -> Option<u32> {
    match version {
        "TLSv1" | "TLSv1.0" => Some(10),
        "TLSv1.1" => Some(11),
        "TLSv1.2" => Some(12),
        "TLSv1.3" => Some(13),
        _ => None,
    }
}
