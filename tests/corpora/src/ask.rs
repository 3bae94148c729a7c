//! One request, owned.

use std::net::{IpAddr, Ipv4Addr};

/// A request as Envoy would hand it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Header pairs in order, pseudo-headers first.
    pub headers: Vec<(String, String)>,
    /// The other end of the connection.
    pub peer: IpAddr,
    /// URI of the verified peer.
    pub peer_uri: Option<String>,
    /// JA4 of its hello.
    pub ja4: Option<String>,
}

impl Ask {
    /// A request over TLS from a proxy in 10.0.0.0/8, with the pseudo-headers only.
    #[must_use]
    pub fn new(method: &str, authority: &str, path: &str) -> Self {
        let pseudo = [(":method", method), (":authority", authority), (":scheme", "https"), (":path", path)];
        let headers = pseudo.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { headers, peer: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), peer_uri: None, ja4: None }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Header pairs as bytes.
    #[must_use]
    pub fn pairs(&self) -> Vec<(&[u8], &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect()
    }
}
