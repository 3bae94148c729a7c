//! What is told of a request and of a connection alike: from where and by whom it comes, how it is encrypted, when.

use std::net::{IpAddr, SocketAddr};

use gatehouse_engine::Connection;
use gatehouse_policy::document::{Fields, Node, Problems, Value, quoted};

use super::Tls;
use crate::when;

/// An address, and the port where one is written.
pub(super) type Address = (IpAddr, Option<u16>);

/// Where it comes from. What is not told is `None`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Arrival {
    pub(super) address: Option<Address>,
    pub(super) peer_uris: Option<Vec<String>>,
    pub(super) tls: Option<Tls>,
    pub(super) time: Option<u64>,
}

impl Arrival {
    /// Takes its fields from those of a request or a connection.
    pub(super) fn read(fields: &mut Fields<'_>, problems: &mut Problems) -> Self {
        let mut take = |key| fields.take(key).filter(|node| node.value != Value::Null);
        let help = "write the direct peer's address, such as `192.0.2.7` or `2001:db8::1`";
        Self {
            address: take("address").and_then(|node| address(node, help, problems)),
            peer_uris: take("peer_uris").and_then(|node| uris(node, problems)),
            time: take("time").and_then(|node| time(node, problems)),
            tls: fields.take("tls").and_then(|node| tls(node, problems)),
        }
    }

    /// What this one leaves out is taken from `defaults`.
    pub(super) fn over(self, defaults: &Self) -> Self {
        Self {
            address: self.address.or(defaults.address),
            peer_uris: self.peer_uris.or_else(|| defaults.peer_uris.clone()),
            tls: self.tls.or_else(|| defaults.tls.clone()),
            time: self.time.or(defaults.time),
        }
    }
}

/// What a gate would know of the connection. Who shows a URI has proven it, unless it is said otherwise; who shows none has not.
pub(super) fn connection(address: Option<Address>, peer_uris: Option<&[String]>, tls: &Tls) -> Connection {
    let (peer, peer_port) = address.unzip();
    Connection {
        peer,
        peer_port: peer_port.flatten(),
        mutual_tls: tls.mutual.or(peer_uris.map(|uris| !uris.is_empty())),
        peer_uri: peer_uris.and_then(|uris| uris.first().cloned()),
        peer_uris: peer_uris.and_then(|uris| u32::try_from(uris.len()).ok()),
        sni: tls.sni.clone(),
        tls_version: tls.version.clone(),
        ja4: tls.ja4.clone(),
        ..Connection::default()
    }
}

/// An address, with or without a port; `help`: which one is to be written.
pub(super) fn address(node: &Node, help: &str, problems: &mut Problems) -> Option<Address> {
    let text = node.string(problems)?;
    let found = parse_address(text);
    if found.is_none() {
        problems.push(&node.place, format!("{} is no address", quoted(text)), help);
    }
    found
}

/// `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]`, and both with a port.
pub(crate) fn parse_address(text: &str) -> Option<Address> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Some((address.to_canonical(), None));
    }
    let socket = text.parse::<SocketAddr>().ok()?;
    Some((socket.ip().to_canonical(), Some(socket.port()).filter(|port| *port != 0)))
}

fn uris(node: &Node, problems: &mut Problems) -> Option<Vec<String>> {
    let texts = node.strings(problems)?;
    for text in texts.iter().filter(|text| !text.contains(':')) {
        let help = "write URIs, such as `spiffe://cluster.local/ns/shop/sa/web`";
        problems.push(&node.place, format!("{} is no URI", quoted(text)), help);
    }
    Some(texts.into_iter().map(str::to_owned).collect())
}

/// `null`: plain text.
fn tls(node: &Node, problems: &mut Problems) -> Option<Tls> {
    if node.value == Value::Null {
        return Some(Tls { mutual: Some(false), ..Tls::default() });
    }
    let mut fields = Fields::new(node, "`tls`", problems)?;
    let mutual = fields.take("mutual").and_then(|node| node.boolean(problems));
    let mut text = |key| fields.take(key).and_then(|node| node.string(problems)).map(str::to_owned);
    let tls = Tls { mutual, version: text("version"), sni: text("sni"), ja4: text("ja4") };
    for unused in ["alpn", "cipher", "ja3"] {
        text(unused);
    }
    fields.finish(problems);
    Some(tls)
}

/// RFC 3339, or seconds since the Unix epoch.
fn time(node: &Node, problems: &mut Problems) -> Option<u64> {
    let found = match &node.value {
        Value::String(text) => when::rfc3339(text),
        Value::Integer(number) => when::unix(*number as f64),
        Value::Float(number) => when::unix(*number),
        _ => None,
    };
    if found.is_none() {
        let help = "write it as `2026-01-31T12:34:56Z`, or as seconds since 1970";
        problems.push(&node.place, format!("{} is no moment", node.kind()), help);
    }
    found
}
