//! A refusal: the status, the body in the client's form, and what a limit adds.

use gatehouse_signals::Head;

use super::accept::{Form, form};
use super::body;
use super::cors;
use super::escape::Context;
use super::grpc::{self, Protocol};
use super::headers::Headers;
use super::input::{Limited, Occasion, Own, Quota, Refuse};
use super::language;
use super::page;
use super::placeholder::{Values, expand};
use super::problem::Problem;
use super::ratelimit;
use super::words::Words;
use crate::exchange::Reply;

const PLAIN: &str = "text/plain; charset=utf-8";

/// What every form of a refusal tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal<'a> {
    pub(super) status: u16,
    pub(super) problem: Problem,
    /// Whole seconds; `None`: it does not end by itself.
    pub(super) wait_s: Option<u32>,
    pub(super) quota: Option<Quota<'a>>,
    pub(super) own: Own<'a>,
}

impl<'a> Refusal<'a> {
    pub(super) fn refused(refuse: &Refuse<'a>) -> Self {
        let status = error_or(refuse.status, 403);
        Self { status, problem: refuse.problem, wait_s: None, quota: None, own: refuse.own }
    }

    pub(super) fn limited(limited: &Limited<'a>) -> Self {
        Self {
            status: error_or(limited.status, 429),
            problem: Problem::RateLimited,
            wait_s: Some(ratelimit::seconds(limited.wait_ns)),
            quota: limited.quota,
            own: limited.own,
        }
    }

    fn values(&self, occasion: &Occasion<'a>) -> Values<'a> {
        Values { reference: occasion.reference, wait_s: self.wait_s, support: occasion.support }
    }

    /// Headers that the operator may not write here: what caches are told is a setting, and what a limit says is measured.
    fn keeps_back(&self, name: &str) -> bool {
        let limits = matches!(name, "retry-after" | "ratelimit" | "ratelimit-policy");
        (name == "cache-control" && !self.own.cache) || (limits && self.wait_s.is_some())
    }
}

fn error_or(status: u16, usual: u16) -> u16 {
    if matches!(status, 400..=599) { status } else { usual }
}

pub(super) fn reply(refusal: &Refusal<'_>, occasion: &Occasion<'_>, head: Head<'_>) -> Reply {
    let values = refusal.values(occasion);
    let words = language::words(head);
    let protocol = grpc::protocol(head);
    let mut headers = Headers::new(refusal.own.headers.len());
    headers.own(refusal.own.headers, Some(&values), |name| {
        refusal.keeps_back(name) || (protocol.is_some() && grpc::keeps_back(name))
    });
    let (status, body, grpc_status) = match protocol {
        Some(protocol) => grpc(protocol, refusal, occasion, words, &mut headers),
        None => (refusal.status, content(refusal, occasion, head, words, &mut headers), None),
    };
    if let Some(wait_s) = refusal.wait_s {
        ratelimit::tell(&mut headers, wait_s, refusal.quota.as_ref());
    }
    headers.cache(refusal.own.cache);
    cors::allow(&mut headers, occasion, head, protocol.is_some());
    headers.reference(occasion);
    Reply { status, headers: headers.into_fields(), body, details: String::new(), grpc_status }
}

/// The body for a client that does not speak gRPC, and the headers that describe it.
fn content(
    refusal: &Refusal<'_>,
    occasion: &Occasion<'_>,
    head: Head<'_>,
    words: &Words,
    headers: &mut Headers,
) -> Vec<u8> {
    let origin = cors::varies(occasion);
    if let Some(own) = refusal.own.body {
        headers.vary(if origin { "origin" } else { "" });
        if own.is_empty() {
            return Vec::new();
        }
        headers.set("content-type", PLAIN);
        headers.set("x-content-type-options", "nosniff");
        let context = Context::of(headers.get("content-type").unwrap_or(PLAIN));
        return expand(own, context, &refusal.values(occasion)).into_bytes();
    }
    headers.vary(if origin { "accept, accept-language, origin" } else { "accept, accept-language" });
    let form = form(head);
    headers.replace("content-type", form.content_type());
    headers.replace("content-language", words.tag);
    headers.set("x-content-type-options", "nosniff");
    if form == Form::Html {
        headers.set("content-security-policy", page::CONTENT_SECURITY_POLICY);
        return page::page(refusal, occasion, words).into_bytes();
    }
    let text = if form == Form::Problem { body::problem } else { body::text };
    text(refusal, occasion, words).into_bytes()
}

fn grpc(
    protocol: Protocol,
    refusal: &Refusal<'_>,
    occasion: &Occasion<'_>,
    words: &Words,
    headers: &mut Headers,
) -> (u16, Vec<u8>, Option<u32>) {
    let origin = cors::varies(occasion);
    headers.vary(if origin { "accept-language, origin" } else { "accept-language" });
    let own = refusal.own.body.filter(|_| own_is_text(&refusal.own));
    let own = own.map(|body| expand(body, Context::Text, &refusal.values(occasion)));
    let error = grpc::error(refusal, own, occasion, words);
    let body = grpc::answer(protocol, &error, headers);
    (200, body, protocol.told_by_host().then_some(error.status))
}

/// A body of another type than plain text is no message for a gRPC client.
fn own_is_text(own: &Own<'_>) -> bool {
    let mut types = own.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    types.all(|(_, value)| Context::of(value) == Context::Text)
}
