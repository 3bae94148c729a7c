//! A redirect: to where the operator said and nowhere else. Nothing of the request is in the location; `{reference}` may stand in
//! its query.

use gatehouse_signals::Head;

use super::cors;
use super::escape::Context;
use super::grpc;
use super::headers::Headers;
use super::input::{Occasion, Own, Redirect, Refuse, Support};
use super::placeholder::{Values, expand};
use super::problem::Problem;
use super::refuse::{self, Refusal};
use crate::exchange::Reply;

/// The redirect. A client that speaks gRPC follows none, and a location that could lead anywhere is none: both are refused.
pub(super) fn reply(redirect: &Redirect<'_>, occasion: &Occasion<'_>, head: Head<'_>) -> Reply {
    let location = if grpc::protocol(head).is_none() { location(redirect.location, occasion.reference) } else { None };
    let Some(location) = location else {
        let refused = Refuse { status: 403, problem: Problem::Blocked, own: Own::default() };
        return refuse::reply(&Refusal::refused(&refused), occasion, head);
    };
    let status = if matches!(redirect.status, 301 | 302 | 303 | 307 | 308) { redirect.status } else { 302 };
    let mut headers = Headers::new(0);
    headers.set("location", location);
    headers.vary(if cors::varies(occasion) { "origin" } else { "" });
    headers.cache(redirect.cache);
    cors::allow(&mut headers, occasion, head, false);
    headers.reference(occasion);
    Reply { status, headers: headers.into_fields(), body: Vec::new(), details: String::new(), grpc_status: None }
}

/// What is sent as the location; `None`: the operator's does not say where to by itself.
fn location(written: &str, reference: &str) -> Option<String> {
    if !leads_where_it_says(written) {
        return None;
    }
    let (rest, fragment) = written.split_once('#').map_or((written, None), |(rest, fragment)| (rest, Some(fragment)));
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    let mut out = String::with_capacity(written.len() + 32);
    Context::Query.literal(&mut out, path);
    if let Some(query) = query {
        out.push('?');
        let values = Values { reference, wait_s: None, support: Support::default() };
        out.push_str(&expand(query, Context::Query, &values));
    }
    if let Some(fragment) = fragment {
        out.push('#');
        Context::Query.literal(&mut out, fragment);
    }
    Some(out)
}

/// A path on the same host (`//` and `/\` are read as the beginning of another), or `https://` with a host and no user name, which
/// could be taken for one.
fn leads_where_it_says(location: &str) -> bool {
    if let Some(rest) = location.strip_prefix("https://") {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        return !authority.is_empty() && !authority.starts_with(':') && authority.bytes().all(fits);
    }
    matches!(location.as_bytes(), [b'/'] | [b'/', b' '..=b'.' | b'0'..=b'[' | b']'..=b'~', ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_leads_where_the_operator_said() {
        for (written, sent) in [
            ("/", "/"),
            ("/login?from=gate#top", "/login?from=gate#top"),
            ("https://help.example/why?ref={reference}&a={b}", "https://help.example/why?ref=7Q2K&a=%7Bb%7D"),
            ("/a b?c=\"d\r\nx: y", "/a%20b?c=%22d%0D%0Ax:%20y"),
            ("/{reference}#{reference}", "/%7Breference%7D#%7Breference%7D"),
            ("/?a?b={reference}", "/?a?b=7Q2K"),
        ] {
            assert_eq!(location(written, "7Q2K").as_deref(), Some(sent), "{written}");
        }
        assert_eq!(location("/x?r={reference}", "a&b=c").as_deref(), Some("/x?r=a%26b%3Dc"));
    }

    #[test]
    fn a_location_that_could_lead_anywhere_is_none() {
        for written in [
            "",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "https://",
            "https:///x",
            "https://shop.example@evil.example/",
            "https://{reference}.example/",
            "https://evil.example\\.shop.example/",
            "https://:443/",
            "http://shop.example/",
            "javascript:alert(1)",
            "evil.example",
            "/é",
        ] {
            assert_eq!(location(written, "7Q2K"), None, "{written:?}");
        }
    }
}
