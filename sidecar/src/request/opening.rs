//! One connection as people tell it: a document for `gatehouse explain`, a step of a policy test.
//!
//! ```json
//! {"address": "192.0.2.7", "peer_uris": ["spiffe://…"], "tls": {"version": "TLSv1.3", "sni": "orders.internal"},
//!  "host": "orders.internal", "destination": "10.0.0.5:5432", "time": "2026-01-01T00:00:00Z"}
//! ```
//! Shorter, in the words of the log: `spiffe://… to orders.internal:5432`, `no identity, from 192.0.2.7 to orders.internal`.

use std::net::IpAddr;

use gatehouse_engine::Connection;
use gatehouse_engine::connect::{self, destination};
use gatehouse_policy::document::{Fields, Node, Place, Problems, Value, quoted};
use gatehouse_signals::Host;

use super::arrival::{Address, Arrival, address, connection, parse_address};

/// Longest host.
const MAX_HOST: usize = 253;

/// A connection that somebody opens; owned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opening {
    /// What the network filter or a guard would know of it.
    pub connection: Connection,
    /// Whom the client wants to reach, canonical; empty: not known.
    pub host: Vec<u8>,
    /// When, nanoseconds since the Unix epoch.
    pub time: Option<u64>,
}

/// A connection of which fields may still be missing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OpeningDraft {
    arrival: Arrival,
    host: Option<Vec<u8>>,
    destination: Option<IpAddr>,
    port: Option<u16>,
}

impl Opening {
    /// Who opens it, and to whom, as the log has it.
    #[must_use]
    pub fn shown(&self) -> String {
        connect::parties(&self.connection, &self.host)
    }
}

impl OpeningDraft {
    /// Reads what is written; `None` if it is no connection at all. Problems are told either way.
    pub fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if let Value::String(line) = &node.value {
            return Self::line(line, &node.place, problems);
        }
        let mut fields = Fields::new(node, "the connection", problems)?;
        let arrival = Arrival::read(&mut fields, problems);
        let mut take = |key| fields.take(key).filter(|node| node.value != Value::Null);
        let host = take("host").and_then(|node| host(node, problems));
        let (destination, own) = take("destination").and_then(|node| made_to(node, problems)).unzip();
        let port = take("port").and_then(|node| port(node, own.flatten(), problems));
        fields.finish(problems);
        Some(Self { arrival, host, destination, port: own.flatten().or(port) })
    }

    /// `WHO to HOST:PORT`, where the port may be left out, or all after WHO.
    fn line(text: &str, place: &Place, problems: &mut Problems) -> Option<Self> {
        let (who, to) = text.split_once(" to ").map_or((text, None), |(who, to)| (who, Some(to)));
        let to = to.map_or(Some((None, None)), |to| reached(to).map(|(host, port)| (Some(host), port)));
        let (Some(arrival), Some((host, port))) = (opener(who), to) else {
            let help = "write it as `spiffe://cluster.local/ns/shop/sa/web to orders.internal:5432`, as `no identity, from 192.0.2.7 to \
                        orders.internal`, or as a map";
            problems.push(place, format!("{} is no connection", quoted(text)), help);
            return None;
        };
        Some(Self { arrival, host, port, destination: None })
    }

    /// What this one leaves out is taken from `defaults`.
    #[must_use]
    pub fn over(self, defaults: &Self) -> Self {
        Self {
            arrival: self.arrival.over(&defaults.arrival),
            host: self.host.or_else(|| defaults.host.clone()),
            destination: self.destination.or(defaults.destination),
            port: self.port.or(defaults.port),
        }
    }

    /// The connection. Without a word of a certificate none is shown, as a gate and a guard always know; without a host it is whom the
    /// client names in TLS.
    #[must_use]
    pub fn finish(self) -> Opening {
        let Arrival { address, peer_uris, tls, time } = self.arrival;
        let known = connection(address, peer_uris.as_deref(), &tls.unwrap_or_default());
        let connection = Connection {
            mutual_tls: known.mutual_tls.or(Some(false)),
            local: self.destination,
            local_port: self.port,
            ..known
        };
        let host = self.host.unwrap_or_else(|| destination(&connection));
        Opening { connection, host, time }
    }
}

/// A URI, an address, or `no identity` with or without the address.
fn opener(who: &str) -> Option<Arrival> {
    if let Some(rest) = who.strip_prefix("no identity") {
        let address = match rest.strip_prefix(", from ") {
            Some(from) => Some(parse_address(from)?),
            None if rest.is_empty() => None,
            None => return None,
        };
        return Some(Arrival { peer_uris: Some(Vec::new()), address, ..Arrival::default() });
    }
    if who.contains("://") && !who.contains(char::is_whitespace) {
        return Some(Arrival { peer_uris: Some(vec![who.to_owned()]), ..Arrival::default() });
    }
    parse_address(who).map(|from| Arrival { address: Some(from), ..Arrival::default() })
}

/// A host, and the port where one is written.
fn reached(text: &str) -> Option<(Vec<u8>, Option<u16>)> {
    let Host { name, port, .. } = Host::parse(text.as_bytes());
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_".contains(byte);
    let is_host = name.iter().all(plain) || (name.starts_with(b"[") && name.ends_with(b"]"));
    let is_bare = !text.contains(|c: char| c.is_whitespace() || "/@?#%".contains(c));
    // A colon within brackets is of IPv6; behind them, or without any, it is that of a port.
    let has_port = text.rsplit(']').next().is_some_and(|rest| rest.contains(':'));
    let is_whole = is_host && is_bare && has_port == port.is_some();
    ((1..=MAX_HOST).contains(&name.len()) && is_whole).then(|| (name.into_owned(), port))
}

fn host(node: &Node, problems: &mut Problems) -> Option<Vec<u8>> {
    let text = node.string(problems)?;
    match reached(text) {
        Some((host, None)) => Some(host),
        Some((_, Some(port))) => {
            let help = format!("write `\"port\": {port}` beside it");
            problems.push(&node.place, format!("{} is a host with a port", quoted(text)), help);
            None
        }
        None => {
            problems.push(&node.place, format!("{} is no host", quoted(text)), "write one such as `orders.internal`");
            None
        }
    }
}

fn made_to(node: &Node, problems: &mut Problems) -> Option<Address> {
    let help =
        "write the address that it is made to, such as `10.0.0.5:5432`; whom the client wants to reach is `host`";
    address(node, help, problems)
}

/// A port; `other`: that of the address, which must be the same.
fn port(node: &Node, other: Option<u16>, problems: &mut Problems) -> Option<u16> {
    let port = node.integer(1..=65_535, problems).and_then(|port| u16::try_from(port).ok())?;
    if let Some(other) = other.filter(|other| *other != port) {
        let message = format!("`port` is {port}, and that of `destination` is {other}");
        problems.push(&node.place, message, "write one of the two");
    }
    Some(port)
}

#[cfg(test)]
mod tests;
