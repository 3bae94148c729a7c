//! Reading a request from a document, field by field; what is left out can come from another draft (the defaults of a test).
//!
//! ```json
//! {"method": "GET", "scheme": "https", "authority": "shop.example", "path": "/a?b", "headers": [["accept", "*/*"]],
//!  "address": "192.0.2.7", "peer_uris": ["spiffe://…"], "tls": {"version": "TLSv1.3"}, "time": "2026-01-01T00:00:00Z"}
//! ```
//! A value that is not UTF-8 is `{"base64": "…"}`. Shorter: the whole request as one text `GET https://shop.example/a?b`,
//! headers as a map of name to value or values.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatehouse_policy::document::{Entry, Fields, Node, Place, Problems, Value, quoted};

use super::arrival::Arrival;
use super::{Request, Response};

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
    arrival: Arrival,
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
        draft.claims = take("claims").and_then(|node| claims(node, problems));
        draft.status = take("status").and_then(|node| status(node, problems));
        draft.response_headers = take("response_headers").map(|node| headers(node, problems)).unwrap_or_default();
        draft.arrival = Arrival::read(&mut fields, problems);
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
            arrival: self.arrival.over(&defaults.arrival),
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
        let Arrival { address, peer_uris, tls, time } = self.arrival;
        let (peer, peer_port) = address.unzip();
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
            peer_uris,
            tls: tls.unwrap_or_default(),
            time,
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

fn status(node: &Node, problems: &mut Problems) -> Option<u16> {
    node.integer(100..=599, problems).and_then(|status| u16::try_from(status).ok())
}

fn claims(node: &Node, problems: &mut Problems) -> Option<serde_json::Map<String, serde_json::Value>> {
    let entries = node.entries(problems)?;
    Some(entries.iter().map(|entry| (entry.key.clone(), serde_json::Value::from(&entry.value))).collect())
}
