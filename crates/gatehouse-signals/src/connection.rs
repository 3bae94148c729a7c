//! What the gate knows of a connection: asked of Envoy once, kept for all requests on it.

use std::net::IpAddr;

/// Facts of one downstream connection. `None` always means "not known", never "no".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connection {
    /// The direct peer: the other end of the TCP connection (or what PROXY protocol said, where Envoy was told to
    /// believe it). Never taken from a header.
    pub peer: Option<IpAddr>,
    /// The direct peer is known to have no address: it came over a Unix domain socket, which the machine's own permissions
    /// guard, so a policy that trusts anybody trusts it. Never set where the peer is just not known.
    pub peer_local: bool,
    /// The direct peer's port.
    pub peer_port: Option<u16>,
    /// A client certificate was presented and verified.
    pub mutual_tls: Option<bool>,
    /// First URI SAN of the verified client certificate.
    pub peer_uri: Option<String>,
    /// How many URI SANs it has.
    pub peer_uris: Option<u32>,
    /// Requested server name, as received.
    pub sni: Option<String>,
    /// `TLSv1.2`, `TLSv1.3`.
    pub tls_version: Option<String>,
    /// The address that the connection was made to: the local one, or the original one where Envoy restored it.
    pub local: Option<IpAddr>,
    /// The local port of the connection.
    pub local_port: Option<u16>,
    /// JA4 of the client's hello.
    pub ja4: Option<String>,
}
