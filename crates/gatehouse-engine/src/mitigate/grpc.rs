//! Refusals for clients that speak gRPC or gRPC-Web: HTTP 200 whose trailers tell the error.
//!
//! A gRPC answer is "trailers only": everything is in the header block, which ends the stream (Envoy sees to it). A gRPC-Web answer
//! carries its trailers as the last frame of the body: a byte 0x80, the length in four bytes, lines of `name:value`; its text form
//! is base 64 of that. `grpc-status-details-bin` is a `google.rpc.Status` with `ErrorInfo`, and where they apply `RetryInfo`, `Help`
//! and `LocalizedMessage`.

use core::fmt::Write as _;
use std::borrow::Cow;

use gatehouse_signals::Head;

use super::base64;
use super::escape::Context;
use super::headers::Headers;
use super::input::Occasion;
use super::protobuf::Message;
use super::refuse::Refusal;
use super::words::{ENGLISH, Words};

/// `google.rpc.ErrorInfo.domain`: whose reasons they are.
const DOMAIN: &str = "gatehouse.dev";
/// Longest message, and longest text within the details, in bytes: both travel in one header block.
const MAX_MESSAGE: usize = 1024;
const MAX_DETAIL: usize = 512;

/// How the client speaks gRPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// gRPC over HTTP/2.
    Grpc,
    /// gRPC-Web.
    Web,
    /// gRPC-Web in base 64.
    WebText,
}

impl Protocol {
    /// The host is told the status and writes it too (Envoy, for gRPC alone).
    pub(super) const fn told_by_host(self) -> bool {
        matches!(self, Self::Grpc)
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Grpc => "application/grpc",
            Self::Web => "application/grpc-web+proto",
            Self::WebText => "application/grpc-web-text+proto",
        }
    }
}

/// Whether and how the client speaks gRPC, by the request's content type. For gRPC itself it is the test that Envoy makes; another
/// would let the two answer in different forms. A gRPC-Web client may ask for the other form of answer by `accept`.
pub(super) fn protocol(head: Head<'_>) -> Option<Protocol> {
    let rest = head.first(b"content-type")?.strip_prefix(b"application/grpc")?;
    match rest {
        [] | [b'+', ..] => return Some(Protocol::Grpc),
        _ if !is_web(rest) => return None,
        _ => {}
    }
    let accepted = head.values(b"accept").flat_map(|value| value.split(|byte| *byte == b','));
    let mut asked = accepted.filter_map(|range| range.trim_ascii().strip_prefix(b"application/grpc"));
    let form = asked.find(|range| is_web(range)).unwrap_or(rest);
    Some(if form.starts_with(b"-web-text") { Protocol::WebText } else { Protocol::Web })
}

/// `-web` or `-web-text`, and nothing or a format or parameters after it.
fn is_web(rest: &[u8]) -> bool {
    let Some(rest) = rest.strip_prefix(b"-web") else { return false };
    let rest = rest.strip_prefix(b"-text").unwrap_or(rest);
    matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

/// Headers that only the protocol may write.
pub(super) fn keeps_back(name: &str) -> bool {
    name == "content-type" || name == "content-encoding" || name.starts_with("grpc-")
}

/// An error as gRPC tells it.
#[derive(Debug)]
pub(super) struct Error {
    /// `google.rpc.Code`.
    pub(super) status: u32,
    /// Plain text; empty: none.
    message: String,
    /// An encoded `google.rpc.Status`; empty: none.
    details: Vec<u8>,
}

/// The error of a refusal; `own`: the operator's message.
pub(super) fn error(refusal: &Refusal<'_>, own: Option<String>, occasion: &Occasion<'_>, words: &Words) -> Error {
    let status = status(refusal.status);
    let mut message = own.unwrap_or_else(|| message(refusal, occasion));
    message.truncate(message.floor_char_boundary(MAX_MESSAGE));
    let details = details(status, &message, refusal, occasion, words);
    Error { status, message, details }
}

/// No error, or one that says nothing, by an HTTP status.
pub(super) fn plain(http: u16) -> Error {
    let status = if http < 400 { 0 } else { status(http) };
    Error { status, message: String::new(), details: Vec::new() }
}

/// Writes the error for that protocol; what comes back is the body.
pub(super) fn answer(protocol: Protocol, error: &Error, headers: &mut Headers) -> Vec<u8> {
    headers.replace("content-type", protocol.content_type());
    let mut message = String::with_capacity(error.message.len());
    // A field value neither begins nor ends with a blank (RFC 9110, 5.5).
    Context::Header.push(&mut message, error.message.trim_matches(' '));
    let trailers = [
        ("grpc-status", error.status.to_string()),
        ("grpc-message", message),
        ("grpc-status-details-bin", base64::unpadded(&error.details)),
    ];
    let trailers = trailers.into_iter().filter(|(_, value)| !value.is_empty());
    if protocol == Protocol::Grpc {
        trailers.for_each(|(name, value)| headers.set(name, value));
        return Vec::new();
    }
    let mut lines = String::with_capacity(256);
    for (name, value) in trailers {
        // Writing to a string does not fail.
        let _ = write!(lines, "{name}:{value}\r\n");
    }
    let mut frame = vec![0x80];
    frame.extend(u32::try_from(lines.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend(lines.bytes());
    if protocol == Protocol::WebText { base64::padded(&frame).into_bytes() } else { frame }
}

/// For people that develop; the same in every language.
fn message(refusal: &Refusal<'_>, occasion: &Occasion<'_>) -> String {
    let (title, _) = ENGLISH.told(refusal.problem);
    let wait = refusal.wait_s.map_or(Cow::Borrowed(""), |wait_s| Cow::Owned(format!("; retry after {wait_s} s")));
    format!("{title}{wait}; reference {}", occasion.reference)
}

/// `google.rpc.Status` of code, message and details.
fn details(status: u32, message: &str, refusal: &Refusal<'_>, occasion: &Occasion<'_>, words: &Words) -> Vec<u8> {
    let pair = Message::default().bytes(1, b"reference").bytes(2, bounded(occasion.reference));
    let info =
        Message::default().bytes(1, refusal.problem.reason().as_bytes()).bytes(2, DOMAIN.as_bytes()).message(3, &pair);
    let mut out = Message::default().number(1, status.into()).bytes(2, message.as_bytes());
    out = out.message(3, &any("ErrorInfo", &info));
    if let Some(wait_s) = refusal.wait_s {
        let delay = Message::default().number(1, wait_s.into());
        out = out.message(3, &any("RetryInfo", &Message::default().message(1, &delay)));
    }
    if let Some(link) = occasion.support.link() {
        let text = occasion.support.text.unwrap_or_default();
        let link = Message::default().bytes(1, bounded(text)).bytes(2, bounded(link));
        out = out.message(3, &any("Help", &Message::default().message(1, &link)));
    }
    if words.tag != ENGLISH.tag {
        let (_, text) = words.told(refusal.problem);
        let localized = Message::default().bytes(1, words.tag.as_bytes()).bytes(2, text.as_bytes());
        out = out.message(3, &any("LocalizedMessage", &localized));
    }
    out.encoded().to_vec()
}

/// `google.protobuf.Any` of a message of `google.rpc`.
fn any(name: &str, message: &Message) -> Message {
    let url = ["type.googleapis.com/google.rpc.", name].concat();
    Message::default().bytes(1, url.as_bytes()).message(2, message)
}

fn bounded(text: &str) -> &[u8] {
    text.get(..text.floor_char_boundary(MAX_DETAIL)).unwrap_or_default().as_bytes()
}

/// gRPC status of a refusal (`google.rpc.Code`).
const fn status(http: u16) -> u32 {
    match http {
        400 | 413 | 414 | 415 | 422 => 3,
        401 => 16,
        404 | 410 => 5,
        408 | 504 => 4,
        409 => 10,
        412 | 428 => 9,
        429 => 8,
        501 => 12,
        502 | 503 => 14,
        500..=599 => 13,
        _ => 7,
    }
}
