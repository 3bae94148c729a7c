//! A made-up answer: what the operator wrote, and nothing that tells of the gate: no reference, no problem, no CORS headers, no
//! header of ours but those that any answer has.

use gatehouse_signals::Head;

use super::grpc;
use super::headers::Headers;
use super::input::Deceive;
use super::is_bodiless;
use crate::exchange::Reply;

/// The answer; its `details` are the caller's to write. A gRPC client cannot be sent a body by Envoy: it gets a status (OK for 2xx)
/// and the headers.
pub(super) fn reply(deceive: &Deceive<'_>, head: Head<'_>) -> Reply {
    let status = if matches!(deceive.status, 200..=599) { deceive.status } else { 200 };
    let protocol = grpc::protocol(head);
    let bodiless = is_bodiless(status) || deceive.body.is_empty();
    let mut headers = Headers::new(deceive.headers.len());
    headers.own(deceive.headers, None, |name| {
        (name == "cache-control" && !deceive.cache)
            || (name == "content-type" && bodiless)
            || (protocol.is_some() && grpc::keeps_back(name))
    });
    headers.cache(deceive.cache);
    let mut reply = Reply { status, headers: Vec::new(), body: Vec::new(), details: String::new(), grpc_status: None };
    if let Some(protocol) = protocol {
        let error = grpc::plain(status);
        reply.status = 200;
        reply.grpc_status = protocol.told_by_host().then_some(error.status);
        reply.body = grpc::answer(protocol, &error, &mut headers);
    } else if !bodiless {
        headers.set("content-type", guessed(deceive.body));
        reply.body = deceive.body.as_bytes().to_vec();
    }
    reply.headers = headers.into_fields();
    reply
}

/// The type that a server would have given it.
fn guessed(body: &str) -> &'static str {
    let start = body.trim_start();
    let begins = |with: &str| start.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with));
    if begins("{") || begins("[") {
        "application/json"
    } else if begins("<?xml") {
        "application/xml"
    } else if begins("<") {
        "text/html; charset=utf-8"
    } else {
        "text/plain; charset=utf-8"
    }
}
