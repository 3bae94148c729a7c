//! Which web pages may read an answer of ours (the CORS protocol of the Fetch standard), and which requests are preflights.
//!
//! A page of another origin sees neither status nor `retry-after` nor reference unless the answer allows it. Ours hold nothing
//! private, so by default any origin may read them, without credentials: with them, a stranger's page could learn how the gate
//! judges the visitor's own session. Pages of the operator's own hosts may read them with credentials too.
//!
//! A mitigated preflight is refused like any request: to grant it would be to consent in the application's name, and the
//! request itself might be let through a moment later. Only a trusted origin's is granted, so that the request itself comes and
//! its refusal can be read.

use gatehouse_signals::Head;
use gatehouse_signals::host::Host;

use super::headers::Headers;
use super::input::Occasion;
use crate::exchange::Reply;

/// What scripts may read besides the headers that they always may.
const EXPOSED: &str = "retry-after, ratelimit, ratelimit-policy, x-gatehouse-reference";
const EXPOSED_GRPC: &str = "retry-after, ratelimit, ratelimit-policy, x-gatehouse-reference, \
    grpc-status, grpc-message, grpc-status-details-bin";
const ALLOW_ORIGIN: &str = "access-control-allow-origin";
const PREFLIGHT_VARY: &str = "origin, access-control-request-method, access-control-request-headers";
/// Longest origin: a scheme, a host name of 253 bytes, a port.
const MAX_ORIGIN: usize = 300;
const MAX_METHOD: usize = 32;
/// Longest list of header names that a granted preflight repeats.
const MAX_REQUEST_HEADERS: usize = 1024;

/// Which web pages of other origins may read an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cors {
    /// None.
    Closed,
    /// Any, without credentials.
    #[default]
    Open,
    /// The request's origin belongs to the operator ([`own_origin_host`] helps to tell): with credentials, and a mitigated
    /// preflight is granted. `null` is never trusted.
    Trusted,
}

/// The method that a CORS preflight asks for; `None`: it is not one, and is an ordinary request. Where it is one, the request is
/// judged by this method and counted by no limit.
#[must_use]
pub fn preflight<'a>(head: Head<'a>) -> Option<&'a [u8]> {
    if head.first(b":method") != Some(b"OPTIONS") {
        return None;
    }
    let mut lengths = head.values(b"content-length");
    if !lengths.all(|value| value == b"0") || head.first(b"transfer-encoding").is_some() {
        return None;
    }
    origin(head)?;
    let method = only(head, b"access-control-request-method")?;
    (method.len() <= MAX_METHOD && is_token(method)).then_some(method)
}

/// The host of the page that asks, without its port, in the form of [`Host`]; `None`: there is no origin, or its connection was
/// less safe than the request's. A host that the policy's scope speaks for is the operator's own.
#[must_use]
pub fn own_origin_host<'a>(head: Head<'a>) -> Option<std::borrow::Cow<'a, [u8]>> {
    let (scheme, host) = origin(head)?.split_once("://")?;
    let safe = scheme == "https" || head.first(b":scheme") == Some(scheme.as_bytes());
    safe.then(|| Host::parse(host.as_bytes()).name)
}

/// What the answer depends on by its CORS headers.
pub(super) fn varies(occasion: &Occasion<'_>) -> bool {
    occasion.cors != Cors::Closed
}

/// Lets the page that asks read the answer, unless the operator's own headers say who may.
pub(super) fn allow(headers: &mut Headers, occasion: &Occasion<'_>, head: Head<'_>, grpc: bool) {
    if occasion.cors == Cors::Closed || headers.get(ALLOW_ORIGIN).is_some() {
        return;
    }
    let Some(origin) = origin(head) else { return };
    headers.set(ALLOW_ORIGIN, origin.to_owned());
    if trusts(occasion, origin) {
        headers.set("access-control-allow-credentials", "true");
    }
    headers.set("access-control-expose-headers", if grpc { EXPOSED_GRPC } else { EXPOSED });
}

/// A granted preflight; `None`: it is not one, or its origin is not trusted. The grant is not kept by the browser.
pub(super) fn consent(occasion: &Occasion<'_>, head: Head<'_>) -> Option<Reply> {
    let method = core::str::from_utf8(preflight(head)?).ok()?;
    let origin = origin(head).filter(|origin| trusts(occasion, origin))?;
    let mut headers = Headers::new(0);
    headers.set(ALLOW_ORIGIN, origin.to_owned());
    headers.set("access-control-allow-credentials", "true");
    headers.set("access-control-allow-methods", method.to_owned());
    if let Some(names) = only(head, b"access-control-request-headers").and_then(header_names) {
        headers.set("access-control-allow-headers", names.to_owned());
    }
    headers.set("access-control-max-age", "0");
    headers.vary(PREFLIGHT_VARY);
    headers.cache(false);
    headers.reference(occasion);
    Some(Reply {
        status: 204,
        headers: headers.into_fields(),
        body: Vec::new(),
        details: String::new(),
        grpc_status: None,
    })
}

fn trusts(occasion: &Occasion<'_>, origin: &str) -> bool {
    occasion.cors == Cors::Trusted && origin != "null"
}

/// The one origin of the request, if it has the form of one: `null`, or scheme, host and perhaps a port in ASCII.
fn origin<'a>(head: Head<'a>) -> Option<&'a str> {
    let origin = core::str::from_utf8(only(head, b"origin")?).ok().filter(|origin| origin.len() <= MAX_ORIGIN)?;
    if origin == "null" {
        return Some(origin);
    }
    let (scheme, rest) = origin.split_once("://")?;
    let scheme_fits = scheme.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
        && scheme.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte));
    let rest_fits =
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
    (scheme_fits && rest_fits).then_some(origin)
}

/// The header's value, if there is exactly one.
fn only<'a>(head: Head<'a>, name: &'a [u8]) -> Option<&'a [u8]> {
    let mut values = head.values(name);
    values.next().filter(|_| values.next().is_none())
}

/// The list, if it is one of header names.
fn header_names(list: &[u8]) -> Option<&str> {
    let names =
        list.len() <= MAX_REQUEST_HEADERS && list.split(|byte| *byte == b',').all(|name| is_token(trimmed(name)));
    core::str::from_utf8(list).ok().filter(|_| names)
}

/// Without the blanks that a list may have; not without line ends, which it may not.
fn trimmed(mut name: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = name {
        name = rest;
    }
    name
}

fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}
