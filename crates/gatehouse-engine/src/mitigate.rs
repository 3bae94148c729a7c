//! The reply to a mitigated request; the header edits of a forwarded one.

mod accept;
mod body;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use gatehouse_policy::{Policy, Refusal};
use gatehouse_signals::{Head, Pair};

use crate::exchange::Reply;

/// Headers of ours: a client never gets one through, in any letter case, with `-` or with the `_` that many applications read
/// as `-`.
const OURS: &[u8] = b"x-gatehouse-";

/// What the gate answers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer<'p> {
    /// A refusal, in the operator's words or in our own.
    Refuse {
        /// From 400 to 499.
        status: u16,
        /// The operator's.
        own: Option<Refusal<'p>>,
    },
    /// The client is sent elsewhere.
    Redirect {
        /// Fit for a header.
        location: &'p str,
        /// 301, 302, 303, 307 or 308.
        status: u16,
    },
}

/// The headers without those that a client may not send: ours, and every one that a policy sets. `None`: there are none such,
/// and nothing was allocated.
pub(crate) fn without_ours<'a>(policy: Option<&Policy>, head: Head<'a>) -> Option<Vec<Pair<'a>>> {
    let foreign = |(name, _): &&Pair<'a>| !is_ours(name) && !policy.is_some_and(|policy| policy.sets_header(name));
    let all = head.headers.iter().all(|pair| foreign(&pair));
    (!all).then(|| head.headers.iter().filter(foreign).copied().collect())
}

fn is_ours(name: &[u8]) -> bool {
    let fold = |byte: &u8| {
        if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }
    };
    name.get(..OURS.len()).is_some_and(|start| start.iter().zip(OURS).all(|(byte, own)| fold(byte) == *own))
}

/// The whole header map to send on; `None`: as it came. Tags come last and are never one that Envoy routes by of itself
/// (pseudo-headers, `host`, `x-envoy-*`): the policy refuses such names.
pub(crate) fn edits(head: Head<'_>, stripped: bool, tags: &[(&str, &str)]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    if !stripped && tags.is_empty() {
        return None;
    }
    let kept = head.headers.iter().map(|(name, value)| (name.to_vec(), value.to_vec()));
    let set = tags.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
    Some(kept.chain(set).collect())
}

/// The answer to a mitigated request. `by`: who decided, of `[a-z0-9_/-]`; `reference`: letters and digits.
pub(crate) fn reply(answer: &Answer<'_>, by: &str, reference: &str, head: Head<'_>) -> Reply {
    let word = if matches!(answer, Answer::Redirect { .. }) { "redirect" } else { "block" };
    let mut reply = match *answer {
        Answer::Refuse { status, own } => refuse(status, own.as_ref(), reference, head),
        Answer::Redirect { location, status } => redirect(location, status, reference, head),
    };
    reply.headers.push((Cow::Borrowed("cache-control"), "no-store".into()));
    reply.headers.push((Cow::Borrowed("x-gatehouse-reference"), reference.to_owned()));
    reply.details = format!("gatehouse_{word}:{by}:{reference}");
    reply
}

fn refuse(status: u16, own: Option<&Refusal<'_>>, reference: &str, head: Head<'_>) -> Reply {
    let own_body = own.and_then(Refusal::body);
    if is_grpc(head) {
        return grpc(status, own_body, reference);
    }
    let form = accept::form(head);
    let (body, content_type) = match own_body {
        Some(body) => (body.to_owned(), "text/plain; charset=utf-8"),
        None => (body::refusal(form, status, reference), form.content_type()),
    };
    let mut headers: Vec<(Cow<'static, str>, String)> = Vec::new();
    for (name, value) in own.into_iter().flat_map(Refusal::headers) {
        // Ours is written once, below.
        if name != "cache-control" {
            headers.push((Cow::Owned(name.to_owned()), value.to_owned()));
        }
    }
    if !headers.iter().any(|(name, _)| name == "content-type") {
        headers.push((Cow::Borrowed("content-type"), content_type.into()));
    }
    Reply { status, headers, body: body.into_bytes(), details: String::new(), grpc_status: None }
}

fn redirect(location: &str, status: u16, reference: &str, head: Head<'_>) -> Reply {
    if is_grpc(head) {
        return grpc(403, None, reference);
    }
    let headers = vec![(Cow::Borrowed("location"), location.to_owned())];
    Reply { status, headers, body: Vec::new(), details: String::new(), grpc_status: None }
}

/// A gRPC refusal is an HTTP success whose trailers tell it; the body becomes the status message.
fn grpc(status: u16, own_body: Option<&str>, reference: &str) -> Reply {
    let message = own_body.map_or_else(|| body::message(status, reference), str::to_owned);
    Reply {
        status: 200,
        headers: vec![(Cow::Borrowed("content-type"), "application/grpc".into())],
        body: message.into_bytes(),
        details: String::new(),
        grpc_status: Some(grpc_status(status)),
    }
}

/// The test that Envoy itself makes; another would let the two answer in different forms.
fn is_grpc(head: Head<'_>) -> bool {
    let rest = head.first(b"content-type").and_then(|value| value.strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+')))
}

/// gRPC status of a refusal (`google.rpc.Code`).
const fn grpc_status(status: u16) -> u32 {
    match status {
        400 | 413 | 414 | 415 | 422 => 3,
        401 => 16,
        404 | 410 => 5,
        408 => 4,
        409 => 10,
        412 | 428 => 9,
        429 => 8,
        _ => 7,
    }
}
