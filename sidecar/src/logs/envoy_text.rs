//! Envoy's default text format, and Istio's.
//!
//! ```text
//! [TIME] "METHOD PATH PROTOCOL" CODE FLAGS [DETAILS TERMINATION "FAILURE"] RECEIVED SENT DURATION UPSTREAM "XFF" "UA" "ID" "AUTHORITY" "UPSTREAM"
//!   [CLUSTER LOCAL DOWNSTREAM_LOCAL DOWNSTREAM_REMOTE SNI ROUTE]
//! ```

use super::Told;
use super::common::{quoted, request_line};
use super::json::target;
use super::seen::{Answered, Headers, Seen, Sets};
use crate::request::{Request, Response, Tls, parse_address};
use crate::when;

/// Most parts of a line.
const PARTS: usize = 32;

pub(super) fn read(line: &[u8], sets: &mut Sets) -> Told {
    match entry(line, sets) {
        Ok(told) => told,
        Err(problem) => Told::Malformed(problem.to_owned()),
    }
}

fn entry(line: &[u8], sets: &mut Sets) -> Result<Told, &'static str> {
    let (time, rest) = line.strip_prefix(b"[").and_then(|rest| split(rest, b']')).ok_or("its time has no end")?;
    let time = std::str::from_utf8(time).ok().and_then(when::rfc3339).ok_or("its time cannot be read")?;
    let parts = parts(rest).ok_or("a quote has no end")?;
    let mut parts = parts.iter();
    let request = parts.next().filter(|part| part.quoted).ok_or("no request stands after the time")?;
    let status = parts.next().and_then(|part| part.number()).ok_or("its status cannot be read")?;
    let mut rest: Vec<&Part> = parts.collect();
    // Istio's format has a quoted word of its own before the five that both have.
    if rest.get(3).is_some_and(|part| part.quoted) {
        rest.drain(..4);
    }
    let first = rest.iter().position(|part| part.quoted).ok_or("no quoted columns stand after the numbers")?;
    let known = |offset: usize| rest.get(first + offset).filter(|part| part.quoted);
    let Some(line) = request_line(&request.bytes) else { return Ok(Told::Nothing) };
    let (scheme, authority, path) = target(line.target);
    let present = |part: &&&Part| part.bytes != b"-" && !part.bytes.is_empty();
    let names: [(usize, &[u8], u32); 3] = [(0, b"x-forwarded-for", 2), (1, b"user-agent", 0), (2, b"x-request-id", 3)];
    let mut headers = 0;
    let mut pairs = Vec::new();
    for (offset, name, bit) in names {
        if let Some(part) = known(offset) {
            headers |= 1 << bit;
            pairs.extend(Some(part).filter(present).map(|part| (name.to_vec(), part.bytes.clone())));
        }
    }
    let authority = known(3).filter(present).map(|part| part.bytes.clone()).or(authority);
    let bare = |offset: usize| rest.get(first + offset).filter(|part| !part.quoted).and_then(|part| part.text());
    let peer = bare(8).and_then(parse_address);
    let seen = Seen {
        method: true,
        authority: known(3).is_some(),
        path: true,
        query: true,
        headers: Headers::Only(headers),
        response: Answered::Nothing,
    };
    let request = Request {
        method: if line.method == b"-" { Vec::new() } else { line.method },
        scheme,
        authority,
        path,
        protocol: line.protocol,
        headers: pairs,
        peer: peer.map(|(address, _)| address),
        peer_port: peer.and_then(|(_, port)| port),
        tls: Tls { sni: bare(9).filter(|sni| *sni != "-").map(str::to_owned), ..Tls::default() },
        time: Some(time),
        response: (status != 0).then(|| Response { status, ..Response::default() }),
        known: Some(sets.known(seen)),
        ..Request::default()
    };
    // A connection that brought no request is logged with a dash for each part.
    Ok(if request.method.is_empty() { Told::Nothing } else { Told::Request(Box::new(request), "envoy-text") })
}

/// A word, or a quoted text.
struct Part {
    bytes: Vec<u8>,
    quoted: bool,
}

impl Part {
    fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }

    fn number(&self) -> Option<u16> {
        self.text()?.parse().ok()
    }
}

fn parts(mut rest: &[u8]) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() || parts.len() == PARTS {
            return Some(parts);
        }
        if rest.starts_with(b"\"") {
            let (bytes, after) = quoted(rest)?;
            parts.push(Part { bytes, quoted: true });
            rest = after;
        } else {
            let (word, after) = split(rest, b' ').unwrap_or((rest, b""));
            parts.push(Part { bytes: word.to_vec(), quoted: false });
            rest = after;
        }
    }
}

/// What stands before and after the first `at`.
fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let position = text.iter().position(|byte| *byte == at)?;
    Some((text.get(..position)?, text.get(position + 1..)?))
}
