//! Who the client is: its address by the policy's trust, and its key by what is proven.

use std::net::IpAddr;

use gatehouse_meter::Part;
use gatehouse_policy::{ClientKey, Policy, Scope};
use gatehouse_signals::Head;
use gatehouse_signals::address::Client;
use gatehouse_verdict::redact::{KeyedHash, Written};

use crate::request::Request;
use crate::state::State;

/// What tags of clients are for, apart from those of limits.
const DOMAIN: u64 = 0x636c_6965_6e74_0001;

/// The client of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Subject {
    /// Its address and how it was found.
    pub client: Client,
    /// What proves its key.
    pub proof: Proof,
    /// Keyed 64-bit hash of its key; `None`: nothing is known of it.
    pub tag: Option<u64>,
    /// The key as records show it, where neither head nor connection tells it: of a claim.
    pub(crate) claim: Option<[u8; 32]>,
}

/// What a client's key was proven by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Proof {
    /// Its address.
    Address,
    /// A claim of a token that Envoy verified.
    Claim,
    /// Its verified peer certificate.
    Identity,
    /// Nothing is known.
    #[default]
    None,
}

impl Subject {
    /// A client of whom only the direct peer is known.
    pub(crate) fn of_peer(peer: Option<IpAddr>) -> Self {
        Self { client: Client::from_peer(peer), ..Self::default() }
    }

    /// The client of `request` as `scope` decides it: the first key that is proven; where the policy names none, its verified
    /// identity, else its address.
    pub(crate) fn of(policy: &Policy, scope: Scope<'_>, request: &Request<'_>, state: &State) -> Self {
        let (source, trust) = scope.client_source();
        let client = Client::resolve(&request.head, source, trust);
        let begin = || state.keys().key(DOMAIN);
        let mut claim = None;
        let wanted = match scope.client_key() {
            [] => &[ClientKey::Identity, ClientKey::Address],
            wanted => wanted,
        };
        let proven = wanted.iter().find_map(|key| match key {
            ClientKey::Identity => {
                let uri = verified(request.head)?.as_bytes();
                Some((Proof::Identity, begin().part(Part::Identity(Some(uri)))))
            }
            ClientKey::Claim(number) => {
                let name = policy.claims().get(*number)?.as_bytes();
                let value = request.claims.values(name)?.next()?;
                claim = state.knowledge.shown_claim(*number, value);
                Some((Proof::Claim, begin().part(Part::Claim { name, value: Some(value) })))
            }
            ClientKey::Address => Some((Proof::Address, begin().part(Part::Address(client.address?)))),
        });
        match proven {
            Some((proof, tag)) => Self { client, proof, tag: Some(tag.finish()), claim },
            None => Self { client, ..Self::default() },
        }
    }

    /// Its key as records show it: 32 hexadecimal digits of a keyed hash. Where the policy did not decide who it is: its
    /// verified identity, else its address.
    pub(crate) fn shown(&self, head: Head<'_>, hash: &KeyedHash) -> Option<[u8; 32]> {
        let identity = || verified(head).map(|uri| hash.digits("identity", uri.as_bytes()));
        let address = || self.client.address.map(|address| hash.digits("address", Written::of(address).as_bytes()));
        match self.proof {
            Proof::Address => address(),
            Proof::Claim => self.claim,
            Proof::Identity => identity(),
            Proof::None => identity().or_else(address),
        }
    }

    /// It proved who it is, by more than where it comes from.
    pub(crate) fn is_identified(&self) -> bool {
        matches!(self.proof, Proof::Claim | Proof::Identity)
    }
}

/// The URI of the peer whose certificate Envoy verified.
pub(crate) fn verified(head: Head<'_>) -> Option<&str> {
    let connection = head.connection;
    connection.peer_uri.as_deref().filter(|uri| connection.mutual_tls == Some(true) && !uri.is_empty())
}
