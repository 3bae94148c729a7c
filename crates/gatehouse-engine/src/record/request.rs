//! The request as a record tells it.

use gatehouse_signals::{Head, Path, cookie, host, query};
use gatehouse_verdict::record::{Parameter, Request};
use gatehouse_verdict::redact::Redactor;

use super::Classes;

/// Most query parameters and most cookies of a record.
const MAX_PARAMETERS: usize = 64;

/// Most headers of a record.
const MAX_HEADERS: usize = 32;

/// Longest method, scheme and protocol, bytes.
const MAX_WORD_BYTES: usize = 32;

/// Headers whose (redacted) value is kept; no header that carries credentials, addresses or an identity is among them.
const KEPT: [&[u8]; 9] = [
    b"accept",
    b"accept-encoding",
    b"accept-language",
    b"content-length",
    b"content-type",
    b"origin",
    b"referer",
    b"sec-ch-ua",
    b"x-requested-with",
];

/// Beginnings of names that are kept likewise.
const KEPT_BEGINNINGS: [&[u8]; 2] = [b"sec-ch-ua-", b"sec-fetch-"];

pub(super) fn request(head: &Head<'_>, protocol: &str, body_bytes: u64, redactor: &Redactor<Classes>) -> Request {
    let raw_path = head.first(b":path").unwrap_or_default();
    let path = Path::parse(raw_path);
    let text = |name: &[u8]| head.values(name).next().map(|value| redactor.text(value)).unwrap_or_default();
    let word = |value: &[u8]| redactor.bounded_text(value, MAX_WORD_BYTES);
    let authority = host::without_userinfo(head.first(b":authority").unwrap_or_default()).0;
    let parameters = path.query.map(query::parameters).into_iter().flatten();
    let received = raw_path.split(|byte| *byte == b'?').next().unwrap_or(raw_path);
    let shown = redactor.path(received);
    Request {
        method: word(head.first(b":method").unwrap_or_default()),
        scheme: word(head.first(b":scheme").unwrap_or_default()),
        authority: redactor.text(authority),
        canonical_path: if *path.canonical == *received { shown.clone() } else { redactor.path(&path.canonical) },
        path: shown,
        query: parameters.take(MAX_PARAMETERS).map(|pair| parameter(pair, redactor)).collect(),
        cookies: cookie::cookies(head).take(MAX_PARAMETERS).map(|pair| parameter(pair, redactor)).collect(),
        headers: headers(head, redactor),
        user_agent: text(b"user-agent"),
        request_id: text(b"x-request-id"),
        traceparent: traceparent(head.values(b"traceparent").next().unwrap_or_default(), redactor),
        protocol: word(protocol.as_bytes()),
        header_bytes: head.headers.iter().map(|(name, value)| octets(name) + octets(value)).sum(),
        body_bytes,
        header_count: u32::try_from(head.headers.len()).unwrap_or(u32::MAX),
    }
}

fn parameter((name, value): (&[u8], &[u8]), redactor: &Redactor<Classes>) -> Parameter {
    Parameter {
        name: redactor.name(name),
        value_class: redactor.class(value).to_owned(),
        value_length: u32::try_from(value.len()).unwrap_or(u32::MAX),
    }
}

fn headers(head: &Head<'_>, redactor: &Redactor<Classes>) -> Vec<(String, String)> {
    let kept = head.headers.iter().filter(|(name, _)| is_kept(name)).take(MAX_HEADERS);
    kept.map(|(name, value)| {
        let value = if name.eq_ignore_ascii_case(b"referer") { without_query(value) } else { value };
        (redactor.name(&name.to_ascii_lowercase()), redactor.text(value))
    })
    .collect()
}

fn is_kept(name: &[u8]) -> bool {
    let begins = |start: &&[u8]| name.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
    KEPT.iter().any(|kept| name.eq_ignore_ascii_case(kept)) || KEPT_BEGINNINGS.iter().any(begins)
}

/// A URI up to its query or fragment, also where their marks are percent-encoded, once or more.
fn without_query(uri: &[u8]) -> &[u8] {
    let mut at = 0;
    while let Some(&byte) = uri.get(at) {
        let escaped = || {
            let digits = uri.get(at + 1..).unwrap_or_default();
            let skipped = digits.chunks_exact(2).take_while(|pair| *pair == b"25").count() * 2;
            matches!(digits.get(skipped..skipped + 2), Some(b"3f" | b"3F" | b"23"))
        };
        if matches!(byte, b'?' | b'#') || (byte == b'%' && escaped()) {
            break;
        }
        at += 1;
    }
    uri.get(..at).unwrap_or(uri)
}

/// As it stands where it has the form of W3C Trace Context 3.2 (its ids would look like tokens), else like any text.
fn traceparent(value: &[u8], redactor: &Redactor<Classes>) -> String {
    let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let lengths = value.split(|byte| *byte == b'-').map(<[u8]>::len);
    let formed =
        value.len() == 55 && lengths.eq([2, 32, 16, 2]) && value.iter().all(|byte| is_hex(byte) || *byte == b'-');
    match core::str::from_utf8(value) {
        Ok(text) if formed => text.to_owned(),
        _ => redactor.name(value),
    }
}

fn octets(bytes: &[u8]) -> u64 {
    bytes.len() as u64
}
