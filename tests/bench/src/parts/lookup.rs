//! One address against one list, through a rule that asks nothing else.

use std::net::IpAddr;

use gatehouse_engine::{Claims, Connection, Fields, Head, Policy};
use gatehouse_policy::{Facts, Signals, Truth};

/// Nothing is known.
struct Nothing;

impl Signals for Nothing {}

/// Whether the first rule's match holds for an address.
pub(super) fn holds(policy: &Policy, address: IpAddr) -> bool {
    let connection = const {
        Connection {
            peer: None,
            peer_local: false,
            peer_port: None,
            mutual_tls: None,
            peer_uri: None,
            sni: None,
            tls_version: None,
            local_port: None,
            ja4: None,
        }
    };
    let facts = Facts {
        host: b"a.example",
        path: b"/",
        case_insensitive: false,
        query: None,
        method: b"GET",
        address: Some(address),
        head: Head::new(&[], &connection),
        claims: Claims::Unknown,
        wall_s: None,
        known: Fields::ALL,
        signals: &Nothing,
        response: None,
    };
    policy.rule(0).holds(&facts) == Truth::True
}
