//! The request and the response of an HTTP Activity.

use gatehouse_proto::v1::{Header, Request, Response, Upstream};
use serde::Serialize;

use super::activity::milliseconds;
use super::endpoint::{Names, Url};

/// `length` is the octets of the body; `args` the names of the query parameters.
#[derive(Debug, Serialize)]
pub(super) struct HttpRequest<'a> {
    http_method: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'a str,
    url: Url<'a>,
    #[serde(skip_serializing_if = "no_names")]
    args: Names<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    user_agent: &'a str,
    #[serde(skip_serializing_if = "no_headers")]
    http_headers: Headers<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    uid: &'a str,
    length: u64,
}

impl<'a> HttpRequest<'a> {
    pub(super) fn of(request: &'a Request) -> Self {
        Self {
            http_method: &request.method,
            version: request.protocol.strip_prefix("HTTP/").unwrap_or(&request.protocol),
            url: Url::of(request),
            args: Names(&request.query),
            user_agent: &request.user_agent,
            http_headers: Headers(&request.headers),
            uid: &request.request_id,
            length: request.body_bytes,
        }
    }
}

fn no_names(names: &Names<'_>) -> bool {
    names.0.is_empty()
}

fn no_headers(headers: &Headers<'_>) -> bool {
    headers.0.is_empty()
}

/// Headers as OCSF has them, a list of name and value.
#[derive(Debug)]
struct Headers<'a>(&'a [Header]);

impl Serialize for Headers<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Pair<'a> {
            name: &'a str,
            value: &'a str,
        }
        serializer.collect_seq(self.0.iter().map(|header| Pair { name: &header.name, value: &header.value }))
    }
}

/// `length` is the octets of the body, `latency` the milliseconds to its first byte from the upstream.
#[derive(Debug, Serialize)]
pub(super) struct HttpResponse<'a> {
    code: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    length: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency: Option<u64>,
    #[serde(skip_serializing_if = "str::is_empty")]
    content_type: &'a str,
}

impl<'a> HttpResponse<'a> {
    /// `None`: no response was sent.
    pub(super) fn of(response: &'a Response, upstream: &Upstream) -> Option<Self> {
        (response.status != 0).then(|| Self {
            code: response.status,
            status: phrase(response.status),
            length: response.body_bytes,
            latency: (upstream.first_byte_ns != 0).then(|| milliseconds(upstream.first_byte_ns)),
            content_type: &response.content_type,
        })
    }
}

/// Reason phrases of RFC 9110, 15, RFC 6585 and RFC 8297.
fn phrase(status: u32) -> Option<&'static str> {
    Some(match status {
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => return None,
    })
}
