//! What is known of a request, and what is worked out only when it is asked for.

use std::net::IpAddr;

use gatehouse_signals::agent::Agent;
use gatehouse_signals::fingerprint::Fingerprint;
use gatehouse_signals::geo::Place;
use gatehouse_signals::{Claims, Head, Pair};

use crate::Fields;

/// When a rule is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// When the request's headers arrive.
    Request,
    /// When the response's headers arrive.
    Response,
}

/// What is known of a request, on one reading. Cheap to copy: everything is borrowed.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// Canonical host; empty: none was named.
    pub host: &'a [u8],
    /// Canonical path.
    pub path: &'a [u8],
    /// Paths are the same in any letter case (`backend: { paths: caseInsensitive }`).
    pub case_insensitive: bool,
    /// What follows the `?`, as received.
    pub query: Option<&'a [u8]>,
    /// Method as received.
    pub method: &'a [u8],
    /// The client's address; `None`: not known.
    pub address: Option<IpAddr>,
    /// Its headers and its connection.
    pub head: Head<'a>,
    /// JWT claims, as Envoy verified them.
    pub claims: Claims<'a>,
    /// Seconds since the Unix epoch; `None`: not known.
    pub wall_s: Option<u64>,
    /// The fields that the source can tell at all: a log without headers cannot tell those. A header that is there is known
    /// even where headers as such are not.
    pub known: Fields,
    /// What is worked out when asked for, or held elsewhere.
    pub signals: &'a dyn Signals,
    /// The response, once its headers are there.
    pub response: Option<ResponseFacts<'a>>,
}

impl core::fmt::Debug for Facts<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Facts").field("known", &self.known).field("response", &self.response).finish_non_exhaustive()
    }
}

/// What is known of a response.
#[derive(Debug, Clone, Copy)]
pub struct ResponseFacts<'a> {
    /// Its status; `None`: not known.
    pub status: Option<u16>,
    /// Its headers.
    pub headers: &'a [Pair<'a>],
}

/// Signals that are worked out when asked for, or held elsewhere. `None` always means that it cannot be known;
/// so does a method that is left out.
pub trait Signals {
    /// What the client says it is.
    fn agent(&self) -> Option<Agent<'_>> {
        None
    }

    /// It is what it says.
    fn agent_verified(&self) -> Option<bool> {
        None
    }

    /// Our fingerprint of its headers.
    fn fingerprint(&self) -> Option<Fingerprint> {
        None
    }

    /// JA4 of its hello.
    fn ja4(&self) -> Option<&str> {
        None
    }

    /// Where its address is.
    fn place(&self) -> Option<Place> {
        None
    }

    /// It is on a list that the house fills; by the list's index in the policy.
    fn on_verdict_list(&self, list: usize) -> Option<bool> {
        let _ = list;
        None
    }

    /// What was weighed against it in all, or under a label by its index in the policy.
    fn score(&self, label: Option<u8>) -> Option<u32> {
        let _ = label;
        None
    }
}
