//! The answer to a mitigated request, in the client's own form and language; the header edits of a forwarded one.
//!
//! ```text
//!  Mitigation ─► Drop                                  the host ends the stream without a byte
//!             └► Answer ─ reply(answer, occasion, head) ─► Reply
//!                  Refuse · Limit   gRPC status · gRPC-Web status · operator's body · HTML · problem details · text
//!                  Redirect         location (a gRPC client is refused instead)
//!                  Deceive          the operator's answer, and nothing of ours
//! ```
//!
//! What is sent is told to operators and clients in `docs/responses.md`. Nothing here reads the policy: the decision hands over
//! plain borrowed words ([`Answer`], [`Occasion`]). Client bytes reach an answer in three places only, each checked before (the
//! origin; a preflight's method and header names); the operator's words are escaped for where they stand.

mod accept;
mod base64;
mod body;
mod cors;
mod deceive;
mod escape;
mod grpc;
mod headers;
mod input;
mod language;
mod page;
mod placeholder;
mod problem;
mod protobuf;
mod ratelimit;
mod redirect;
mod refuse;
mod weighted;
mod words;

#[cfg(test)]
mod tests;

use gatehouse_signals::Head;

use crate::exchange::Reply;

pub use cors::{Cors, own_origin_host, preflight};
pub use input::{Answer, Deceive, Limited, Mitigation, Occasion, Own, Quota, Redirect, Refuse, Support};
pub use problem::{PROBLEMS, Problem};

use refuse::Refusal;

/// What Envoy's access log calls an answer of its own; a deceiving one must not be told apart, even where operators show the
/// details to clients.
const NEUTRAL_DETAILS: &str = "direct_response";
/// Longest name of who decided, in the details.
const MAX_BY: usize = 256;

/// The answer to a mitigated request. Total: there is an answer to any request and any words.
///
/// The body is what a GET would get, also for HEAD: Envoy takes it off such an answer and keeps its length and type, as RFC 9110,
/// 9.3.2 asks (an empty one would make Envoy remove both).
#[must_use]
pub fn reply(answer: &Answer<'_>, occasion: &Occasion<'_>, head: Head<'_>) -> Reply {
    let (word, mut reply) = match *answer {
        Answer::Deceive(deceive) => return Reply { details: NEUTRAL_DETAILS.into(), ..deceive::reply(&deceive, head) },
        Answer::Limit(limited) => ("limit", open(&Refusal::limited(&limited), occasion, head)),
        Answer::Refuse(refuse) => ("block", open(&Refusal::refused(&refuse), occasion, head)),
        Answer::Redirect(redirect) => match cors::consent(occasion, head) {
            Some(reply) => ("redirect", reply),
            None => ("redirect", redirect::reply(&redirect, occasion, head)),
        },
    };
    reply.details = details(word, occasion);
    reply
}

fn open(refusal: &Refusal<'_>, occasion: &Occasion<'_>, head: Head<'_>) -> Reply {
    cors::consent(occasion, head).unwrap_or_else(|| refuse::reply(refusal, occasion, head))
}

/// `gatehouse_block:POLICY/RULE:REFERENCE`: Envoy writes a blank as `_`, so there is none.
fn details(word: &str, occasion: &Occasion<'_>) -> String {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/');
    let by = match occasion.by.char_indices().nth(MAX_BY) {
        Some((end, _)) => occasion.by.get(..end).unwrap_or_default(),
        None => occasion.by,
    };
    let mut details = String::with_capacity(16 + word.len() + occasion.by.len() + occasion.reference.len());
    details.push_str("gatehouse_");
    details.push_str(word);
    details.push(':');
    escape::by_runs(&mut details, by, fits, |details, _| details.push('_'));
    details.push(':');
    escape::by_runs(&mut details, occasion.reference, fits, |details, _| details.push('_'));
    details
}

/// A status that has no content (RFC 9110, 6.4.1, and 205 of 15.3.6): a body would be taken for the next answer.
const fn is_bodiless(status: u16) -> bool {
    matches!(status, 100..=199 | 204 | 205 | 304)
}
