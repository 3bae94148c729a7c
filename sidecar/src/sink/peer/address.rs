//! Where a peer is, as a URL.

use core::fmt;
use std::net::IpAddr;

use gatehouse_policy::document::{Node, Problems, quoted};
use http::Uri;

use crate::sink::tls::Tls;

/// A URL with a host: `https`, or `http` to this machine only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Host without brackets.
    pub host: String,
    /// Port, also where none was written.
    pub port: u16,
    /// By TLS.
    pub secure: bool,
    /// Path and query.
    pub target: String,
    /// Host and port as written.
    pub authority: String,
}

impl Address {
    /// Reads the URL of whom events are sent to.
    pub(crate) fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let help = "write `https://`; plain `http://` is for peers on this machine (`127.0.0.1`, `[::1]`, `localhost`)";
        Self::read_safe(node, ("events would travel in clear text", help), problems)
    }

    /// Reads a URL; `clear` says what is wrong with plain HTTP to another machine, and what to do.
    pub(crate) fn read_safe(node: &Node, clear: (&str, &str), problems: &mut Problems) -> Option<Self> {
        let text = node.string(problems)?;
        let Some(address) = Self::parse(text) else {
            let help = "write one such as `https://collector.example/ingest`, without a login in it";
            problems.push(&node.place, format!("{} is no URL of a peer", quoted(text)), help);
            return None;
        };
        if !address.secure && !address.is_loopback() {
            problems.push(&node.place, clear.0, clear.1);
            return None;
        }
        Some(address)
    }

    /// `tls` beside a URL that uses none is not what was meant.
    pub(crate) fn refuse_idle_tls(&self, tls: Option<&Node>, problems: &mut Problems) {
        if let Some(node) = tls.filter(|_| !self.secure) {
            problems.push(
                &node.place,
                "`tls` stands beside a URL of plain `http`",
                "write `https://`, or leave it out",
            );
        }
    }

    /// The trust that is used: none with plain HTTP.
    pub(in crate::sink) fn trust<'t>(&self, tls: &'t Tls) -> Option<&'t Tls> {
        self.secure.then_some(tls)
    }

    /// Takes a URL apart; `None`: it is none, or has a login in it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let secure = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return None;
        }
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let target = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
        Some(Self { host, port, secure, target, authority: authority.as_str().to_owned() })
    }

    /// On this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let address = Address::parse("https://[2001:db8::1]/a?b=c").unwrap();
        let parts = (address.host.as_str(), address.port, address.target.as_str());
        assert_eq!(parts, ("2001:db8::1", 443, "/a?b=c"));
        assert!(Address::parse("http://127.0.0.1:8080/").unwrap().is_loopback());
        assert!(!Address::parse("http://127.0.0.1.example/").unwrap().is_loopback());
        for text in ["collector.example", "ftp://a.example/", "https://user:word@a.example/", "/path"] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
