//! One address or identity against one list, through a rule that asks nothing else.

use std::net::IpAddr;

use gatehouse_engine::{Claims, Connection, Fields, Head, Policy};
use gatehouse_policy::{Facts, Signals, Truth};

/// Nothing is known.
struct Nothing;

impl Signals for Nothing {}

/// Nothing is known of it.
const NOBODY: Connection = Connection {
    peer: None,
    peer_local: false,
    peer_port: None,
    mutual_tls: None,
    peer_uri: None,
    peer_uris: None,
    sni: None,
    tls_version: None,
    local: None,
    local_port: None,
    ja4: None,
};

/// Whether the first rule's match holds for an address.
pub(crate) fn holds(policy: &Policy, address: IpAddr) -> bool {
    let connection = const { NOBODY };
    asked(policy, Some(address), &connection)
}

/// Whether the first rule's match holds for the verified peer of a connection.
pub(crate) fn holds_peer(policy: &Policy, connection: &Connection) -> bool {
    asked(policy, None, connection)
}

fn asked(policy: &Policy, address: Option<IpAddr>, connection: &Connection) -> bool {
    let facts = Facts {
        host: b"a.example",
        path: b"/",
        case_insensitive: false,
        query: None,
        method: b"GET",
        address,
        head: Head::new(&[], connection),
        claims: Claims::Unknown,
        wall_s: None,
        known: Fields::ALL,
        signals: &Nothing,
        response: None,
    };
    policy.rule(0).holds(&facts) == Truth::True
}
