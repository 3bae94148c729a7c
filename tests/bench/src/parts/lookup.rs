//! One address against one list, through a rule that asks nothing else.

use std::net::IpAddr;

use gatehouse_engine::{Claims, Connection, Fields, Head, Policy};
use gatehouse_policy::{Facts, Signals, Truth};
use gatehouse_signals::agent::Agent;
use gatehouse_signals::fingerprint::Fingerprint;
use gatehouse_signals::geo::Place;

/// Nothing is known.
struct Nothing;

impl Signals for Nothing {
    fn agent(&self) -> Option<Agent<'_>> {
        None
    }

    fn agent_verified(&self) -> Option<bool> {
        None
    }

    fn fingerprint(&self) -> Option<Fingerprint> {
        None
    }

    fn ja4(&self) -> Option<&str> {
        None
    }

    fn place(&self) -> Option<Place> {
        None
    }

    fn on_verdict_list(&self, _: usize) -> Option<bool> {
        None
    }

    fn score(&self, _: Option<u8>) -> Option<u32> {
        None
    }
}

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
