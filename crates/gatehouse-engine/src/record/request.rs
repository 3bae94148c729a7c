//! The request as a record tells it.

use gatehouse_signals::head::name_bit;
use gatehouse_signals::{Head, Path, cookie, host, query};
use gatehouse_verdict::redact::{MAX_NAME_BYTES, MAX_VALUE_BYTES, Redactor};

use super::Classes;
use super::fields::{header, parameter as parameter_fields, request as fields};
use super::wire::Wire;

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

pub(super) fn request(
    head: &Head<'_>,
    protocol: &str,
    body_bytes: u64,
    redactor: &Redactor<Classes<'_>>,
    wire: &mut Wire<'_>,
) {
    let raw_path = head.first(b":path").unwrap_or_default();
    let path = Path::parse(raw_path);
    let word = |name: &[u8]| redactor.usual_text(head.first(name).unwrap_or_default(), MAX_WORD_BYTES);
    let authority = host::without_userinfo(head.first(b":authority").unwrap_or_default()).0;
    wire.shown(fields::METHOD, &word(b":method"));
    wire.shown(fields::SCHEME, &word(b":scheme"));
    wire.shown(fields::AUTHORITY, &redactor.usual_text(authority, MAX_VALUE_BYTES));
    paths(raw_path, &path.canonical, redactor, wire);
    for pair in path.query.map(query::parameters).into_iter().flatten().take(MAX_PARAMETERS) {
        wire.message(fields::QUERY, |wire| parameter(pair, redactor, wire));
    }
    for pair in cookie::cookies(head).take(MAX_PARAMETERS) {
        wire.message(fields::COOKIES, |wire| parameter(pair, redactor, wire));
    }
    headers(head, redactor, wire);
    wire.shown(fields::USER_AGENT, &redactor.usual_text(first(head, b"user-agent"), MAX_VALUE_BYTES));
    wire.shown(fields::REQUEST_ID, &redactor.text(first(head, b"x-request-id")));
    traceparent(first(head, b"traceparent"), redactor, wire);
    wire.shown(fields::PROTOCOL, &redactor.usual_text(protocol.as_bytes(), MAX_WORD_BYTES));
    wire.number(fields::HEADER_BYTES, head.headers.iter().map(|(name, value)| octets(name) + octets(value)).sum());
    wire.number(fields::BODY_BYTES, body_bytes);
    wire.number(fields::HEADER_COUNT, u32::try_from(head.headers.len()).unwrap_or(u32::MAX).into());
}

/// The first value of the header `name`; empty: there is none.
fn first<'a>(head: &Head<'a>, name: &[u8]) -> &'a [u8] {
    head.first(name).unwrap_or_default()
}

/// The path as received, without its query, and as judged.
fn paths(raw: &[u8], canonical: &[u8], redactor: &Redactor<Classes<'_>>, wire: &mut Wire<'_>) {
    let received = raw.split(|byte| *byte == b'?').next().unwrap_or(raw);
    let shown = redactor.path(received);
    wire.shown(fields::PATH, &shown);
    if canonical == received {
        wire.shown(fields::CANONICAL_PATH, &shown);
    } else {
        wire.shown(fields::CANONICAL_PATH, &redactor.path(canonical));
    }
}

fn parameter((name, value): (&[u8], &[u8]), redactor: &Redactor<Classes<'_>>, wire: &mut Wire<'_>) {
    wire.shown(parameter_fields::NAME, &redactor.name(name));
    wire.text(parameter_fields::VALUE_CLASS, redactor.class(value));
    wire.number(parameter_fields::VALUE_LENGTH, u32::try_from(value.len()).unwrap_or(u32::MAX).into());
}

fn headers(head: &Head<'_>, redactor: &Redactor<Classes<'_>>, wire: &mut Wire<'_>) {
    let kept = head.headers.iter().filter_map(|(name, value)| Some((kept(name)?, *value))).take(MAX_HEADERS);
    for (name, value) in kept {
        wire.message(fields::HEADERS, |wire| {
            match name {
                Kept::Whole(name) => wire.bytes(header::NAME, name),
                Kept::Begins(name) => header_name(name, redactor, wire),
            }
            let shown = match name {
                Kept::Whole(b"referer") => redactor.text(without_query(value)),
                _ => redactor.usual_text(value, MAX_VALUE_BYTES),
            };
            wire.shown(header::VALUE, &shown);
        });
    }
}

/// So much of the value of a header as a record may show, once it is redacted; `None`: its values are shown nowhere. `name`: as a
/// policy has it, in lower case. Not by [`kept`], which stays on the way of every record alone and so is inlined there.
pub(super) fn shown_value<'a>(name: &[u8], value: &'a [u8]) -> Option<&'a [u8]> {
    match name {
        b"referer" => Some(without_query(value)),
        b"user-agent" | b"x-request-id" => Some(value),
        _ => {
            let begins = KEPT_BEGINNINGS.iter().any(|start| name.starts_with(start));
            (begins || KEPT.contains(&name)).then_some(value)
        }
    }
}

/// In lower case, which Envoy gives it in.
fn header_name(name: &[u8], redactor: &Redactor<Classes<'_>>, wire: &mut Wire<'_>) {
    let mut write = |name: &[u8]| wire.shown(header::NAME, &redactor.usual_text(name, MAX_NAME_BYTES));
    if name.iter().any(u8::is_ascii_uppercase) { write(&name.to_ascii_lowercase()) } else { write(name) }
}

/// The name of a header that is kept.
#[derive(Clone, Copy)]
enum Kept<'a> {
    /// One of [`KEPT`], of our own writing.
    Whole(&'static [u8]),
    /// It begins as one of [`KEPT_BEGINNINGS`]: the rest is the client's.
    Begins(&'a [u8]),
}

/// Among which bits the names of [`KEPT`] are: it tells most others from them.
const KEPT_BITS: u64 = {
    let mut bits = 0;
    let mut rest: &[&[u8]] = &KEPT;
    while let [name, others @ ..] = rest {
        bits |= 1 << name_bit(name);
        rest = others;
    }
    bits
};

fn kept(name: &[u8]) -> Option<Kept<'_>> {
    if KEPT_BITS >> name_bit(name) & 1 != 0
        && let Some(kept) = KEPT.iter().find(|kept| name.eq_ignore_ascii_case(kept))
    {
        return Some(Kept::Whole(kept));
    }
    let begins = |start: &&[u8]| name.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
    let may = name.first().is_some_and(|first| first.eq_ignore_ascii_case(&b's'));
    (may && KEPT_BEGINNINGS.iter().any(begins)).then_some(Kept::Begins(name))
}

/// A URI up to its query or fragment, also where their marks are percent-encoded, once or more.
fn without_query(uri: &[u8]) -> &[u8] {
    let escaped = |digits: &[u8]| {
        let skipped = digits.chunks_exact(2).take_while(|pair| *pair == b"25").count() * 2;
        matches!(digits.get(skipped..skipped + 2), Some(b"3f" | b"3F" | b"23"))
    };
    let end = uri.iter().enumerate().position(|(at, byte)| match byte {
        b'?' | b'#' => true,
        b'%' => uri.get(at + 1..).is_some_and(escaped),
        _ => false,
    });
    end.and_then(|end| uri.get(..end)).unwrap_or(uri)
}

/// As it stands where it has the form of W3C Trace Context 3.2 (its ids would look like tokens), else like any text.
fn traceparent(value: &[u8], redactor: &Redactor<Classes<'_>>, wire: &mut Wire<'_>) {
    let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let lengths = value.split(|byte| *byte == b'-').map(<[u8]>::len);
    let formed =
        value.len() == 55 && lengths.eq([2, 32, 16, 2]) && value.iter().all(|byte| is_hex(byte) || *byte == b'-');
    if formed {
        wire.bytes(fields::TRACEPARENT, value);
    } else {
        wire.shown(fields::TRACEPARENT, &redactor.name(value));
    }
}

fn octets(bytes: &[u8]) -> u64 {
    bytes.len() as u64
}
