//! Which texts may stand as a name, a header or a location: asked when a document is read, and again when an image is loaded.

/// Longest name of a policy, a rule, a list or a scope's segment.
pub(crate) const MAX_NAME: usize = 63;
/// Longest header name or value, and longest location.
pub(crate) const MAX_VALUE: usize = 4096;
/// Largest body of a refusal, in bytes.
pub(crate) const MAX_BODY: usize = 64 << 10;

/// Headers that a policy may not set on a request: connection management, framing, and those whose removal from every
/// incoming request would break what others rely on.
const RESERVED: [&str; 21] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "traceparent",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-request-id",
];
/// Headers that no answer may carry by a policy's word: framing is the gateway's business.
const RESERVED_IN_REPLY: [&str; 9] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-gatehouse-reference",
];

/// `[a-z0-9-]{1,63}`.
pub(crate) fn is_name(text: &str) -> bool {
    let character = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.len() <= MAX_NAME && text.bytes().all(character)
}

/// A name or namespace of Kubernetes: `[a-z0-9.-]{1,253}`.
pub(crate) fn is_account(text: &str) -> bool {
    let character = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    !text.is_empty() && text.len() <= 253 && text.bytes().all(character)
}

/// Name of a query parameter, a claim or an agent: 1 to 128 bytes without control characters.
pub(crate) fn is_parameter(text: &str) -> bool {
    !text.is_empty() && text.len() <= 128 && !text.chars().any(char::is_control)
}

/// A token (RFC 9110, 5.6.2), at most [`MAX_NAME`] × 4 bytes.
pub(crate) fn is_token(text: &str) -> bool {
    let characters = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    !text.is_empty() && text.len() <= MAX_NAME * 4 && characters
}

/// A lower-case header name.
pub(crate) fn is_header_name(text: &str) -> bool {
    is_token(text) && !text.bytes().any(|b| b.is_ascii_uppercase())
}

/// Printable ASCII without blanks at either end; may be empty.
pub(crate) fn is_header_value(text: &str) -> bool {
    let characters = text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    text.len() <= MAX_VALUE && characters && text.trim_ascii().len() == text.len()
}

/// A policy may set this (valid, lower-case) header on requests. `x-envoy-*` steers Envoy, `x-forwarded-*` names the client, and
/// `_` is read as `-` by many applications, so that one header would have two names.
pub(crate) fn may_be_tagged(name: &str) -> bool {
    is_header_name(name)
        && !name.contains('_')
        && !RESERVED.contains(&name)
        && !name.starts_with("x-envoy-")
        && !name.starts_with("x-forwarded-")
}

/// A policy may remove this (valid, lower-case) header before forwarding: all but those that frame the message or name its
/// target, without which the application could not answer.
pub(crate) fn may_be_removed(name: &str) -> bool {
    const NEEDED: [&str; 7] = ["connection", "content-length", "expect", "host", "te", "transfer-encoding", "upgrade"];
    is_header_name(name) && !NEEDED.contains(&name)
}

/// A policy may set this (valid, lower-case) header on its answers.
pub(crate) fn may_be_answered(name: &str) -> bool {
    is_header_name(name) && !RESERVED_IN_REPLY.contains(&name) && !name.starts_with("x-envoy-")
}

/// Where a redirect may lead: an absolute https URL with a host, or an absolute path on the same host; `{reference}` may stand
/// in its query.
pub(crate) fn is_redirect(text: &str) -> bool {
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    match rest.split_once('?') {
        Some((path, query)) if text.len() <= MAX_VALUE => {
            is_location(&[path, "?", &query.replace("{reference}", ""), "#", fragment].concat())
        }
        _ => is_location(text),
    }
}

/// An absolute https URL with a host, or an absolute path on the same host.
pub(crate) fn is_location(text: &str) -> bool {
    let characters = text.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b));
    let rooted = text.starts_with('/') && !text.starts_with("//");
    let absolute = text.strip_prefix("https://").is_some_and(|rest| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        !authority.is_empty() && !authority.contains('@') && !authority.starts_with(':')
    });
    text.len() <= MAX_VALUE && characters && (rooted || absolute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_lead_to_https_or_to_a_path_of_the_same_host() {
        for good in ["/", "/login?from=x", "https://example.com", "https://example.com:8443/a#b"] {
            assert!(is_location(good), "{good}");
        }
        for bad in [
            "",
            "//evil.example",
            "/\\evil.example",
            "http://a.example",
            "https://",
            "https:///x",
            "https://u@h/",
            "/a b",
            "/a\r\nb",
        ] {
            assert!(!is_location(bad), "{bad}");
        }
    }

    #[test]
    fn only_the_query_of_a_redirect_may_hold_the_reference_and_nothing_else_in_braces() {
        for good in ["/", "/blocked?ref={reference}", "https://a.example/x?a=b&ref={reference}#c"] {
            assert!(is_redirect(good), "{good}");
        }
        let bad =
            ["/{reference}", "/a#{reference}", "/a?b={support}", "https://{reference}/?a", "/a?{{reference}}", "//a?x"];
        for bad in bad {
            assert!(!is_redirect(bad), "{bad}");
        }
        assert!(!is_location("/blocked?ref={reference}"));
    }

    #[test]
    fn tags_stay_off_headers_that_others_rely_on() {
        for good in ["x-gatehouse-crawler", "x-bot"] {
            assert!(may_be_tagged(good), "{good}");
        }
        for bad in [":path", "host", "x-envoy-retry-on", "X-Bot", "cookie", "te", "x-forwarded-for", "x_bot", "a b", ""]
        {
            assert!(!may_be_tagged(bad), "{bad}");
        }
    }
}
