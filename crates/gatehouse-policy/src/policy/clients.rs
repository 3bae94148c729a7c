//! Who the client is: decoded once, because it is asked for every request.

use gatehouse_signals::address::{Source, Trust};

use crate::image::{Section, View, client as c, lists};

/// What tells a client from others: only what is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientKey {
    /// Its address.
    Address,
    /// A JWT claim, by its index in the policy's claims.
    Claim(usize),
    /// The verified peer's SPIFFE id.
    Identity,
}

/// Where an address is read, and whose word is taken.
#[derive(Debug, Default)]
pub(super) struct Client {
    pub(super) source: Source,
    pub(super) trust: Trust,
}

impl Client {
    pub(super) fn read(view: &View, index: usize) -> Self {
        let word = |w| view.word(Section::Clients, index, w);
        let trusted = word(c::TRUSTED) as usize;
        let trust = match word(c::TRUST) {
            c::NETWORKS => Trust::Networks(lists::networks(view, trusted).collect()),
            c::HOPS => Trust::Hops(u8::try_from(trusted).unwrap_or(0)),
            _ => Trust::None,
        };
        let source = match word(c::SOURCE) {
            c::FORWARDED => Source::Forwarded,
            // A name that is no header's is refused when the image is checked.
            c::BY_HEADER => Source::header(view.text(Section::Clients, index, c::HEADER)).unwrap_or(Source::Peer),
            c::PEER => Source::Peer,
            _ => Source::XForwardedFor,
        };
        Self { source, trust }
    }
}

impl ClientKey {
    pub(super) fn read(view: &View, index: usize) -> Self {
        match view.word(Section::ClientKeys, index, 0) {
            c::KEY_IDENTITY => Self::Identity,
            c::KEY_CLAIM => Self::Claim(view.index(Section::ClientKeys, index, 1)),
            _ => Self::Address,
        }
    }
}
