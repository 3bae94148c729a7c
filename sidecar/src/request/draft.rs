//! Reading a request from a document, field by field; what is left out can come from another draft (the defaults of a test).
//!
//! ```json
//! {"method": "GET", "scheme": "https", "authority": "shop.example", "path": "/a?b", "headers": [["accept", "*/*"]],
//!  "address": "192.0.2.7", "peer_uris": ["spiffe://…"], "tls": {"version": "TLSv1.3"}, "time": "2026-01-01T00:00:00Z"}
//! ```
//! A value that is not UTF-8 is `{"base64": "…"}`. Shorter: the whole request as one text `GET https://shop.example/a?b`,
//! headers as a map of name to value or values.

use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatehouse_policy::document::{Entry, Fields, Node, Place, Problems, Value, quoted};

use super::{Request, Response, Tls};
use crate::when;

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// A request of which fields may still be missing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Draft {
    method: Option<Vec<u8>>,
    scheme: Option<Vec<u8>>,
    authority: Option<Vec<u8>>,
    path: Option<Vec<u8>>,
    protocol: Option<String>,
    headers: Pairs,
    address: Option<(IpAddr, Option<u16>)>,
    peer_uris: Option<Vec<String>>,
    tls: Option<Tls>,
    time: Option<u64>,
    claims: Option<serde_json::Map<String, serde_json::Value>>,
    status: Option<u16>,
    response_headers: Pairs,
}

impl Draft {
    /// A plain `GET`.
    #[must_use]
    pub fn get() -> Self {
        Self { method: Some(b"GET".to_vec()), ..Self::default() }
    }

    /// Reads what is written; `None` if it is no request at all. Problems are told either way.
    pub fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if let Value::String(line) = &node.value {
            return Self::line(line, &node.place, problems);
        }
        let mut fields = Fields::new(node, "the request", problems)?;
        let mut bytes = |key: &'static str, problems: &mut Problems| {
            let node = fields.take(key)?;
            bytes(node, problems).filter(|bytes| !empty(bytes, key, node, problems))
        };
        let mut draft = Self {
            method: bytes("method", problems),
            scheme: bytes("scheme", problems),
            authority: bytes("authority", problems),
            path: bytes("path", problems),
            ..Self::default()
        };
        let mut take = |key| fields.take(key).filter(|node| node.value != Value::Null);
        draft.headers = take("headers").map(|node| headers(node, problems)).unwrap_or_default();
        draft.protocol = take("protocol").and_then(|node| node.string(problems)).map(str::to_owned);
        draft.address = take("address").and_then(|node| address(node, problems));
        draft.peer_uris = take("peer_uris").and_then(|node| uris(node, problems));
        draft.time = take("time").and_then(|node| time(node, problems));
        draft.claims = take("claims").and_then(|node| claims(node, problems));
        draft.status = take("status").and_then(|node| status(node, problems));
        draft.response_headers = take("response_headers").map(|node| headers(node, problems)).unwrap_or_default();
        draft.tls = fields.take("tls").and_then(|node| tls(node, problems));
        fields.finish(problems);
        Some(draft)
    }

    /// `GET /path`, `GET https://host/path`, or only one of path and URL.
    fn line(text: &str, place: &Place, problems: &mut Problems) -> Option<Self> {
        let (method, target) = text.split_once(' ').unwrap_or(("GET", text));
        let (scheme, rest) = match target.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, target),
        };
        let (authority, path) = match (scheme, rest.find('/')) {
            (Some(_), Some(at)) => rest.split_at(at),
            (Some(_), None) => (rest, "/"),
            (None, _) => ("", rest),
        };
        if method.is_empty() || !(path.starts_with('/') || path == "*") || path.contains(' ') {
            let help = "write it as `GET /path` or `GET https://host/path`, or as a map";
            problems.push(place, format!("{} is no request", quoted(text)), help);
            return None;
        }
        let owned = |text: &str| (!text.is_empty()).then(|| text.as_bytes().to_vec());
        let authority = owned(authority);
        let scheme = scheme.and_then(owned);
        Some(Self { method: owned(method), path: owned(path), scheme, authority, ..Self::default() })
    }

    /// What this one leaves out is taken from `defaults`; headers of a name that this one has are its own.
    #[must_use]
    pub fn over(self, defaults: &Self) -> Self {
        let joined = |own: Pairs, others: &Pairs| {
            let missing = |(name, _): &&(Vec<u8>, Vec<u8>)| !own.iter().any(|(known, _)| known == name);
            let others: Pairs = others.iter().filter(missing).cloned().collect();
            others.into_iter().chain(own).collect::<Pairs>()
        };
        Self {
            method: self.method.or_else(|| defaults.method.clone()),
            scheme: self.scheme.or_else(|| defaults.scheme.clone()),
            authority: self.authority.or_else(|| defaults.authority.clone()),
            path: self.path.or_else(|| defaults.path.clone()),
            protocol: self.protocol.or_else(|| defaults.protocol.clone()),
            headers: joined(self.headers, &defaults.headers),
            address: self.address.or(defaults.address),
            peer_uris: self.peer_uris.or_else(|| defaults.peer_uris.clone()),
            tls: self.tls.or_else(|| defaults.tls.clone()),
            time: self.time.or(defaults.time),
            claims: self.claims.or_else(|| defaults.claims.clone()),
            status: self.status.or(defaults.status),
            response_headers: joined(self.response_headers, &defaults.response_headers),
        }
    }

    /// The request, if it has a method and a path. A `host` header is the authority where none is given, as in Envoy.
    pub fn finish(self, place: &Place, problems: &mut Problems) -> Option<Request> {
        let mut required = |what: &str, example: &str, value: Option<Vec<u8>>| {
            if value.is_none() {
                problems.push(place, format!("the request has no `{what}`"), format!("add one, such as {example}"));
            }
            value
        };
        let method = required("method", "\"method\": \"GET\"", self.method);
        let path = required("path", "\"path\": \"/\"", self.path);
        if self.status.is_none() && !self.response_headers.is_empty() {
            problems.push(place, "`response_headers` stands without `status`", "add the answer's `status`");
        }
        let (peer, peer_port) = self.address.unzip();
        let (mut headers, mut authority) = (self.headers, self.authority);
        if authority.is_none()
            && let Some(host) = headers.iter().position(|(name, _)| name == b"host")
        {
            authority = Some(headers.remove(host).1);
        }
        Some(Request {
            method: method?,
            scheme: self.scheme,
            authority,
            path: path?,
            protocol: self.protocol,
            headers,
            peer,
            peer_port: peer_port.flatten(),
            is_client: false,
            peer_uris: self.peer_uris,
            tls: self.tls.unwrap_or_default(),
            time: self.time,
            claims: self.claims,
            response: self.status.map(|status| Response { status, headers: self.response_headers }),
            known: None,
        })
    }
}

/// A text, or `{"base64": "…"}`.
fn bytes(node: &Node, problems: &mut Problems) -> Option<Vec<u8>> {
    let Value::Map(_) = &node.value else {
        return node.string(problems).map(|text| text.as_bytes().to_vec());
    };
    let mut fields = Fields::new(node, "a value in base64", problems)?;
    let inner = fields.require("base64");
    fields.finish(problems);
    let (inner, text) = (inner?, inner?.string(problems)?);
    let decoded = STANDARD.decode(text);
    if decoded.is_err() {
        problems.push(
            &inner.place,
            format!("{} is not base64", quoted(text)),
            "use the standard alphabet, with padding",
        );
    }
    decoded.ok()
}

fn empty(bytes: &[u8], key: &str, node: &Node, problems: &mut Problems) -> bool {
    if bytes.is_empty() {
        problems.push(&node.place, format!("`{key}` is empty"), "leave it out, or write its value");
    }
    bytes.is_empty()
}

/// A list of `[name, value]`, or a map of name to value or values.
pub(crate) fn headers(node: &Node, problems: &mut Problems) -> Pairs {
    let mut pairs = Pairs::new();
    match &node.value {
        Value::List(items) => {
            for item in items {
                let Value::List(both) = &item.value else {
                    problems.push(&item.place, format!("{} where a header is expected", item.kind()), PAIR);
                    continue;
                };
                let [name, value] = both.as_slice() else {
                    problems.push(&item.place, format!("a header of {} parts", both.len()), PAIR);
                    continue;
                };
                let (text, value) = (name.string(problems), bytes(value, problems));
                pairs.extend(text.and_then(|text| header(text, &name.place, problems)).zip(value));
            }
        }
        Value::Map(entries) => {
            for Entry { key, key_place, value } in entries {
                let Some(name) = header(key, key_place, problems) else { continue };
                for value in value.one_or_many() {
                    pairs.extend(bytes(value, problems).map(|value| (name.clone(), value)));
                }
            }
        }
        _ => problems.push(&node.place, format!("{} where headers are expected", node.kind()), PAIR),
    }
    pairs
}

const PAIR: &str = "write `[name, value]`";

/// A name in lower case, as Envoy gives it.
fn header(name: &str, place: &Place, problems: &mut Problems) -> Option<Vec<u8>> {
    if name.is_empty() || name.starts_with(':') {
        let help = "`:method`, `:scheme`, `:authority` and `:path` are fields of their own, without the colon";
        problems.push(place, format!("{} is no name of a header", quoted(name)), help);
        return None;
    }
    Some(name.to_ascii_lowercase().into_bytes())
}

/// An address, with or without a port.
fn address(node: &Node, problems: &mut Problems) -> Option<(IpAddr, Option<u16>)> {
    let text = node.string(problems)?;
    let found = parse_address(text);
    if found.is_none() {
        let help = "write the direct peer's address, such as `192.0.2.7` or `2001:db8::1`";
        problems.push(&node.place, format!("{} is no address", quoted(text)), help);
    }
    found
}

/// `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]`, and both with a port.
pub(crate) fn parse_address(text: &str) -> Option<(IpAddr, Option<u16>)> {
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

fn status(node: &Node, problems: &mut Problems) -> Option<u16> {
    node.integer(100..=599, problems).and_then(|status| u16::try_from(status).ok())
}

fn claims(node: &Node, problems: &mut Problems) -> Option<serde_json::Map<String, serde_json::Value>> {
    let entries = node.entries(problems)?;
    Some(entries.iter().map(|entry| (entry.key.clone(), plain(&entry.value))).collect())
}

fn plain(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(truth) => (*truth).into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::String(text) => text.clone().into(),
        Value::List(items) => items.iter().map(plain).collect(),
        Value::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), plain(&entry.value))).collect(),
    }
}
