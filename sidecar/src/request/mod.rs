//! One request as people and logs tell it: REQUEST.json, a step of a policy test, a line of recorded traffic. All of them
//! become the same head and connection, so that one engine judges them as the gate does. Likewise one connection ([`Opening`]), which
//! becomes what the network filter and a guard judge.

mod arrival;
mod asked;
mod draft;
mod known;
mod opening;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use gatehouse_engine::{Connection, Pair};
use gatehouse_policy::document::{self, Problems};
use gatehouse_policy::{Field, Fields};

pub(crate) use arrival::parse_address;
pub use asked::Asked;
pub use draft::Draft;
pub(crate) use draft::headers;
pub use known::Known;
pub(crate) use known::{OF_RESPONSE, without};
pub use opening::{Opening, OpeningDraft};

/// A request and its connection; owned. Bytes are as they were received.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// Method; empty where it is not known.
    pub method: Vec<u8>,
    /// `http` or `https`.
    pub scheme: Option<Vec<u8>>,
    /// Host and port.
    pub authority: Option<Vec<u8>>,
    /// Path and query; `/` where it is not known.
    pub path: Vec<u8>,
    /// `HTTP/1.1`, `HTTP/2` …
    pub protocol: Option<String>,
    /// Headers in order, names in lower case, without pseudo-headers.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The direct peer.
    pub peer: Option<IpAddr>,
    /// Its port.
    pub peer_port: Option<u16>,
    /// `peer` is the client itself, as somebody decided who saw more: no header is asked who the client is.
    pub is_client: bool,
    /// URI SANs of the verified peer certificate; empty: it has none, or none was sent.
    pub peer_uris: Option<Vec<String>>,
    /// The connection's encryption.
    pub tls: Tls,
    /// Arrival, nanoseconds since the Unix epoch.
    pub time: Option<u64>,
    /// Claims of a token that was verified.
    pub claims: Option<serde_json::Map<String, serde_json::Value>>,
    /// What the application answered.
    pub response: Option<Response>,
    /// What its source tells of it; `None`: everything that can be known of a request.
    pub known: Option<Arc<Known>>,
}

/// The encryption of a connection. `None` always means "not known".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// A client certificate was presented and verified.
    pub mutual: Option<bool>,
    /// `TLSv1.3` …
    pub version: Option<String>,
    /// Requested server name.
    pub sni: Option<String>,
    /// JA4 fingerprint of the client's hello.
    pub ja4: Option<String>,
}

/// What the application answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Headers in order, names in lower case.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Response {
    /// Its headers, borrowed.
    #[must_use]
    pub fn pairs(&self) -> Vec<Pair<'_>> {
        self.headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect()
    }
}

impl Request {
    /// Reads REQUEST.json.
    ///
    /// # Errors
    /// Every problem, each with its place.
    pub fn parse(name: &str, text: &str) -> Result<Self, Problems> {
        let node = document::json(name, text)?;
        let mut problems = Problems::default();
        let request = Draft::read(&node, &mut problems).and_then(|draft| draft.finish(&node.place, &mut problems));
        request.filter(|_| problems.is_empty()).ok_or(problems)
    }

    /// The head as Envoy gives it: pseudo-headers first.
    #[must_use]
    pub fn pairs(&self) -> Vec<Pair<'_>> {
        let mut pairs: Vec<Pair<'_>> = Vec::with_capacity(self.headers.len() + 4);
        if !self.method.is_empty() {
            pairs.push((b":method", &self.method));
        }
        if let Some(scheme) = &self.scheme {
            pairs.push((b":scheme", scheme));
        }
        if let Some(authority) = &self.authority {
            pairs.push((b":authority", authority));
        }
        pairs.push((b":path", &self.path));
        pairs.extend(self.headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())));
        pairs
    }

    /// The connection it came on.
    #[must_use]
    pub fn connection(&self) -> Connection {
        let address = self.peer.map(|peer| (peer, self.peer_port));
        arrival::connection(address, self.peer_uris.as_deref(), &self.tls)
    }

    /// The first value of a header, as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name.as_bytes()));
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }

    /// The header `name` (lower case) may have been sent without our knowing.
    #[must_use]
    pub fn hides_header(&self, name: &[u8]) -> bool {
        self.known.as_ref().is_some_and(|known| known.hides_header(name))
    }

    /// It is known whether the request had this field, and what it was.
    #[must_use]
    pub fn tells(&self, field: Field) -> bool {
        self.known.as_ref().is_none_or(|known| known.has(field))
    }

    /// Fields of it and of its answer that are known, as far as its source can tell: a log that does not say whether there was a certificate
    /// cannot say that there was none.
    #[must_use]
    pub fn known(&self) -> Fields {
        let mut fields = self.known.as_ref().map_or(Fields::ALL, |known| known.fields);
        if self.tls.mutual.is_none() && self.peer_uris.is_none() {
            fields = without(fields, [Field::Identity, Field::TlsMutual]);
        }
        fields
    }
}
