//! Endpoints, URL and TLS: who spoke to whom.

use core::fmt;
use core::net::{IpAddr, SocketAddr};

use gatehouse_proto::v1::{Connection, Downstream, Parameter, Request, Upstream, downstream::AddressSource};
use serde::{Serialize, Serializer};

/// OCSF network endpoint.
#[derive(Debug, Default, Serialize)]
pub(super) struct Endpoint<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    /// An address in a form that is no IP address (prefix, hash, a pipe).
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    svc_name: Option<&'a str>,
}

impl<'a> Endpoint<'a> {
    /// The client; its port is known only where the client is the peer itself.
    pub(super) fn client(downstream: &'a Downstream) -> Self {
        let address = present(&downstream.client_address);
        let is_ip = downstream.client_address.parse::<IpAddr>().is_ok();
        let is_peer = downstream.client_address_source == AddressSource::Peer as i32;
        Self {
            ip: address.filter(|_| is_ip),
            name: address.filter(|_| !is_ip),
            port: u16::try_from(downstream.peer_port).ok().filter(|port| is_peer && *port != 0),
            uid: present(&downstream.client_key),
            ..Self::default()
        }
    }

    /// Whom a connection was made to.
    pub(super) fn destination(connection: &'a Connection) -> Self {
        let port = u16::try_from(connection.destination_port).ok().filter(|port| *port != 0);
        let (ip, hostname) = (present(&connection.destination_address), present(&connection.host));
        Self { ip, port, hostname, ..Self::default() }
    }

    /// The upstream that answered, or the host that was asked for where none did.
    pub(super) fn server(upstream: &'a Upstream, request: &'a Request) -> Self {
        let address = present(&upstream.address);
        let socket = upstream.address.parse::<SocketAddr>().ok();
        let ip = upstream.address.rsplit_once(':').map(|(ip, _)| ip.trim_start_matches('[').trim_end_matches(']'));
        Self {
            ip: ip.filter(|_| socket.is_some()),
            port: socket.map(|socket| socket.port()),
            name: address.filter(|_| socket.is_none()),
            hostname: present(host_and_port(&request.authority).0),
            svc_name: present(&upstream.cluster),
            uid: None,
        }
    }
}

/// OCSF URL; no query string, because values of parameters are never kept.
#[derive(Debug, Serialize)]
pub(super) struct Url<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    scheme: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    hostname: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
}

impl<'a> Url<'a> {
    pub(super) fn of(request: &'a Request) -> Self {
        let (hostname, port) = host_and_port(&request.authority);
        Self { scheme: &request.scheme, hostname, path: &request.path, port }
    }
}

/// OCSF TLS; absent on plain text, as OCSF requires its version.
#[derive(Debug, Serialize)]
pub(super) struct Tls<'a> {
    version: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    sni: &'a str,
}

impl<'a> Tls<'a> {
    pub(super) fn of(downstream: &'a Downstream) -> Option<Self> {
        let version = present(&downstream.tls_version)?;
        Some(Self { version, sni: &downstream.sni })
    }
}

/// Names of query parameters as one string, `a&b&c`, without values.
#[derive(Debug)]
pub(super) struct Names<'a>(pub(super) &'a [Parameter]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, parameter) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "&" };
            write!(f, "{separator}{}", parameter.name)?;
        }
        Ok(())
    }
}

impl Serialize for Names<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The text, unless it is empty.
pub(super) fn present(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// Host and port of an authority (RFC 3986, 3.2), the host without brackets. What does not read as a port stays part
/// of the host: this describes, it does not judge.
fn host_and_port(authority: &str) -> (&str, Option<u16>) {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (authority, None),
        },
        _ => (authority, None),
    };
    (host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_part_into_host_and_port() {
        for (authority, host, port) in [
            ("shop.example", "shop.example", None),
            ("shop.example:8443", "shop.example", Some(8443)),
            ("[2001:db8::1]:80", "2001:db8::1", Some(80)),
            ("[2001:db8::1]", "2001:db8::1", None),
            ("2001:db8::1", "2001:db8::1", None),
            ("shop.example:", "shop.example:", None),
            ("shop.example:99999", "shop.example:99999", None),
            ("", "", None),
            (":", ":", None),
        ] {
            assert_eq!(host_and_port(authority), (host, port), "{authority}");
        }
    }
}
