//! One line of the access log, as text or as JSON.
//!
//! A TCP connection has `TCP` as its protocol, no method and path, its destination as `authority`, and as BYTES those sent to the client.
//!
//! Text: six columns, then `name=value` in this order, every time; `-` is what is not known or was not.
//! ```text
//! TIME PEER "METHOD PATH PROTOCOL" STATUS BYTES TOTAL_MS canonical_path="…" authority="…" client="…" user_agent="…"
//!   upstream=… upstream_status=… upstream_ms=… request_id="…" verdict=… rule="…" reference=… id=…
//! ```
//! TIME is when the request headers arrived; PATH is as received, without the query; BYTES are those of the response body;
//! times are milliseconds from the arrival of the headers, `upstream_ms` to the first byte from the upstream. Sensitive
//! values were replaced by the gate. In quoted values `"` and `\` have a `\` before them, and characters that control a
//! terminal or turn the direction of writing appear as `\u{…}`: a client cannot forge a line.
//!
//! JSON: one object a line with the same names (`time`, `peer`, `method`, `path`, `protocol`, `status`, `bytes`,
//! `total_ms`, …); what is not known is left out.

use core::fmt::{self, Write as _};

use gatehouse_proto::v1::{Downstream, Judgement, Record, Request, Response, Upstream, judgement::Action};
use serde::Serialize;

use crate::ocsf::hex::Hex;
use crate::ocsf::time::Rfc3339;

/// What a line says of a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line<'a> {
    time: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    peer: &'a str,
    method: &'a str,
    path: &'a str,
    canonical_path: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    protocol: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u32>,
    bytes: u64,
    total_ms: Milliseconds,
    #[serde(skip_serializing_if = "str::is_empty")]
    authority: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    client: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    user_agent: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    upstream: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_status: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_ms: Option<Milliseconds>,
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'a str,
    verdict: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    rule: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reference: &'a str,
    id: Hex<&'a [u8]>,
}

impl<'a> Line<'a> {
    /// Reads a record.
    #[must_use]
    pub fn of(record: &'a Record) -> Self {
        let downstream = record.downstream.as_ref();
        let request = record.request.as_ref();
        let response = record.response.as_ref();
        let upstream = record.upstream.as_ref();
        let judgement = record.judgement.as_ref();
        let connection = record.connection.as_ref();
        let status = response.map(|response| response.status).filter(|status| *status != 0);
        // Envoy's word for a response that is not its own (or a filter's): only then the upstream had this status.
        let from_upstream = response.is_some_and(|response| response.code_details == "via_upstream");
        let first_byte_ns = upstream.map(|upstream| upstream.first_byte_ns).filter(|ns| *ns != 0);
        Self {
            time: Rfc3339(record.start_unix_ns / 1_000_000).to_string(),
            peer: text(downstream, |downstream: &Downstream| &downstream.peer_address),
            method: text(request, |request: &Request| &request.method),
            path: text(request, |request| &request.path),
            canonical_path: text(request, |request| &request.canonical_path),
            protocol: connection.map_or_else(|| text(request, |request| &request.protocol), |_| "TCP"),
            status,
            bytes: match connection {
                Some(connection) => connection.sent_bytes,
                None => response.map_or(0, |response: &Response| response.body_bytes),
            },
            total_ms: Milliseconds(record.duration_ns),
            authority: connection
                .map_or_else(|| text(request, |request| &request.authority), |connection| &connection.host),
            client: text(downstream, |downstream| &downstream.client_address),
            user_agent: text(request, |request| &request.user_agent),
            upstream: text(upstream, |upstream: &Upstream| &upstream.address),
            upstream_status: status.filter(|_| from_upstream),
            upstream_ms: first_byte_ns.map(Milliseconds),
            request_id: text(request, |request| &request.request_id),
            verdict: verdict(judgement),
            rule: text(judgement, |judgement: &Judgement| &judgement.rule),
            reference: text(judgement, |judgement| &judgement.reference),
            id: Hex(&record.id),
        }
    }

    /// The JSON form, without a line end.
    #[must_use]
    pub fn json(&self) -> String {
        // Every key is text and writing to memory cannot fail.
        let json = serde_json::to_string(self).unwrap_or_default();
        if !json.contains(misleads) {
            return json;
        }
        // Such characters stand within strings only, where their escapes mean the same.
        let mut escaped = String::with_capacity(json.len() + 64);
        for c in json.chars() {
            if misleads(c) {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(escaped, "\\u{unit:04x}");
                }
            } else {
                escaped.push(c);
            }
        }
        escaped
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, path, protocol) = (Escaped(self.method), Escaped(self.path), Escaped(self.protocol));
        write!(f, "{} {} \"{method} {path} {protocol}\" ", self.time, Bare(self.peer))?;
        write!(f, "{} {} {}", Known(self.status), self.bytes, self.total_ms)?;
        write!(f, " canonical_path={} authority={}", Quoted(self.canonical_path), Quoted(self.authority))?;
        write!(f, " client={} user_agent={}", Quoted(self.client), Quoted(self.user_agent))?;
        write!(f, " upstream={} upstream_status={}", Bare(self.upstream), Known(self.upstream_status))?;
        write!(f, " upstream_ms={} request_id={}", Known(self.upstream_ms), Quoted(self.request_id))?;
        write!(f, " verdict={} rule={} reference={}", self.verdict, Quoted(self.rule), Bare(self.reference))?;
        write!(f, " id={}", self.id)
    }
}

fn text<'a, T>(message: Option<&'a T>, field: impl Fn(&'a T) -> &'a String) -> &'a str {
    message.map_or("", |message| field(message))
}

fn verdict(judgement: Option<&Judgement>) -> &'static str {
    match judgement.map(|judgement| Action::try_from(judgement.action)) {
        Some(Ok(Action::Block)) => "block",
        Some(Ok(Action::Redirect)) => "redirect",
        Some(Ok(Action::Limit)) => "limit",
        Some(Ok(Action::Deceive)) => "deceive",
        Some(Ok(Action::Drop)) => "drop",
        _ => "allow",
    }
}

/// Nanoseconds, shown as milliseconds with three decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Milliseconds(u64);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let microseconds = self.0 / 1000;
        write!(f, "{}.{:03}", microseconds / 1000, microseconds % 1000)
    }
}

impl Serialize for Milliseconds {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of 285 years are exact")]
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64((self.0 / 1000) as f64 / 1000.0)
    }
}

struct Known<T>(Option<T>);

impl<T: fmt::Display> fmt::Display for Known<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_char('-'),
        }
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_char('-') } else { write!(f, "\"{}\"", Escaped(self.0)) }
    }
}

/// Text within quotes.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_char('-');
        }
        self.0.chars().try_for_each(|c| match c {
            '"' | '\\' => write!(f, "\\{c}"),
            c if misleads(c) => write!(f, "\\u{{{:x}}}", u32::from(c)),
            c => f.write_char(c),
        })
    }
}

/// A value without quotes: addresses and references hold no spaces, and where one does it is quoted all the same.
struct Bare<'a>(&'a str);

impl fmt::Display for Bare<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\');
        if !self.0.is_empty() && self.0.chars().all(plain) { f.write_str(self.0) } else { Quoted(self.0).fmt(f) }
    }
}

/// Ends a line, moves a terminal's cursor, is not seen, or turns the direction of writing.
pub(crate) fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}
