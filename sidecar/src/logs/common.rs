//! Common and combined log lines (Apache, nginx), with a virtual host before them or more columns after them.
//!
//! ```text
//! 192.0.2.7 - user [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.1" 200 2326 "referer" "user agent" "x-forwarded-for"
//! ```

use super::Told;
use super::json::target;
use super::seen::{Answered, Headers, Seen, Sets};
use crate::request::{Request, Response, parse_address};
use crate::when;

/// Reads text lines of one log.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) seen: Sets,
}

/// A request line in its parts; empty: none was logged.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RequestLine {
    pub(super) method: Vec<u8>,
    pub(super) target: Vec<u8>,
    pub(super) protocol: Option<String>,
}

impl Reader {
    pub(super) fn read(&mut self, line: &[u8]) -> Told {
        match self.request(line) {
            Ok(told) => told,
            Err(problem) => Told::Malformed(problem.to_owned()),
        }
    }

    fn request(&mut self, line: &[u8]) -> Result<Told, &'static str> {
        let open = find(line, b" [").ok_or("neither JSON nor a log line that we know")?;
        let (before, after) = (line.get(..open).unwrap_or_default(), line.get(open + 2..).unwrap_or_default());
        let close = find(after, b"] \"").ok_or("no request stands after the time")?;
        let time = when::common(after.get(..close).unwrap_or_default()).ok_or("its time cannot be read")?;
        let (request, rest) = quoted(after.get(close + 2..).unwrap_or_default()).ok_or("the request has no end")?;
        let mut rest = rest.trim_ascii_start();
        let mut word = || {
            let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
            let (word, after) = rest.split_at_checked(end)?;
            rest = after.trim_ascii_start();
            std::str::from_utf8(word).ok()
        };
        let status: u16 = word().and_then(|word| word.parse().ok()).ok_or("its status cannot be read")?;
        word();
        let quoted: Vec<Vec<u8>> = core::iter::from_fn(|| {
            let (text, after) = quoted(rest)?;
            rest = after.trim_ascii_start();
            Some(text)
        })
        .take(3)
        .collect();
        let Some(line) = request_line(&request) else {
            // A port scan, a handshake, a timeout: nothing that a gateway would have judged.
            return Ok(Told::Nothing);
        };
        Ok(self.entry(before, time, line, status, &quoted))
    }

    fn entry(&mut self, before: &[u8], time: u64, line: RequestLine, status: u16, quoted: &[Vec<u8>]) -> Told {
        let (scheme, authority, path) = target(line.target);
        let mut words = before.split(|byte| *byte == b' ').filter_map(|word| std::str::from_utf8(word).ok());
        let mut first = words.next();
        let peer = first.and_then(parse_address);
        let mut authority = authority;
        let mut peer = peer;
        // `host:port` before the address, as in the format `vhost_combined`.
        if peer.is_none()
            && let Some(address) = words.next().and_then(parse_address)
        {
            peer = Some(address);
            authority = authority.or(first.take().map(|host| host.as_bytes().to_vec()));
        }
        // The third column is whatever the operator chose; the customary choice is told by its look.
        let third = |text: &Vec<u8>| text == b"-" || forwarded(text);
        let quoted = if quoted.get(2).is_some_and(third) { quoted } else { quoted.get(..2).unwrap_or(quoted) };
        let names: [(&[u8], u32); 3] = [(b"referer", 1 << 1), (b"user-agent", 1), (b"x-forwarded-for", 1 << 2)];
        let present = |((name, _), value): ((&[u8], u32), &Vec<u8>)| {
            (!value.is_empty() && value != b"-").then(|| (name.to_vec(), value.clone()))
        };
        let headers = names.into_iter().zip(quoted).filter_map(present).collect();
        let known = names.into_iter().zip(quoted).map(|((_, bit), _)| bit).sum();
        let seen = Seen {
            method: true,
            authority: authority.is_some(),
            path: true,
            query: true,
            headers: Headers::Only(known),
            response: Answered::Nothing,
        };
        let request = Request {
            method: line.method,
            scheme,
            authority,
            path,
            protocol: line.protocol,
            headers,
            peer: peer.map(|(address, _)| address),
            time: Some(time),
            response: Some(Response { status, ..Response::default() }),
            known: Some(self.seen.known(seen)),
            ..Request::default()
        };
        Told::Request(Box::new(request), if quoted.len() >= 2 { "combined" } else { "common" })
    }
}

/// It is a list of addresses.
fn forwarded(text: &[u8]) -> bool {
    let first = text.split(|byte| *byte == b',').next().and_then(|first| std::str::from_utf8(first).ok());
    first.and_then(parse_address).is_some()
}

/// `METHOD TARGET HTTP/1.1`; the target may hold spaces. `None`: it is no request of HTTP.
pub(super) fn request_line(line: &[u8]) -> Option<RequestLine> {
    let first = line.iter().position(|byte| *byte == b' ')?;
    let (method, rest) = line.split_at_checked(first)?;
    let rest = rest.trim_ascii_start();
    let last = rest.iter().rposition(|byte| *byte == b' ');
    let (target, protocol) = match last.and_then(|at| rest.split_at_checked(at)) {
        Some((target, protocol)) if protocol.trim_ascii().starts_with(b"HTTP/") => {
            (target, Some(protocol.trim_ascii()))
        }
        // HTTP/0.9 has no protocol.
        _ => (rest, None),
    };
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    if method.is_empty() || target.is_empty() || !method.iter().all(is_token) {
        return None;
    }
    let protocol = protocol.map(|protocol| String::from_utf8_lossy(protocol).into_owned());
    Some(RequestLine { method: method.to_vec(), target: target.to_vec(), protocol })
}

/// A quoted text at the beginning, its escapes undone (`\"`, `\\`, `\xHH`, `\t` …), and what follows it.
pub(super) fn quoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let text = text.strip_prefix(b"\"")?;
    let mut out = Vec::new();
    let mut at = 0;
    loop {
        let byte = *text.get(at)?;
        at += 1;
        match byte {
            b'"' => return Some((out, text.get(at..).unwrap_or_default())),
            b'\\' => {
                let (value, length) = escape(text.get(at..).unwrap_or_default())?;
                out.push(value);
                at += length;
            }
            other => out.push(other),
        }
    }
}

fn escape(rest: &[u8]) -> Option<(u8, usize)> {
    let hex = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match rest {
        [b'x', high, low, ..] => match (hex(high), hex(low)) {
            (Some(high), Some(low)) => Some((high << 4 | low, 3)),
            _ => Some((b'x', 1)),
        },
        [b'n', ..] => Some((b'\n', 1)),
        [b'r', ..] => Some((b'\r', 1)),
        [b't', ..] => Some((b'\t', 1)),
        [other, ..] => Some((*other, 1)),
        [] => None,
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
