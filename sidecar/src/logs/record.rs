//! Our own records, as the file and Kafka sinks write them (OCSF HTTP Activity).
//!
//! They hold what leaves a gateway: values of query parameters and cookies are not known, as are headers that are not kept, and a
//! sensitive segment of a path reads `{class:hash}`. The client is the one that the gate decided on. Records of connections (OCSF Network
//! Activity) tell of no request.

use std::borrow::Cow;

use serde::Deserialize;

use super::Told;
use crate::request::{Known, Request, Response, Tls, parse_address, without};
use gatehouse_policy::{Field, Fields};
use std::sync::Arc;

/// Headers of which a record tells whether they were sent (as the engine's record keeps them).
const KEPT: [&str; 18] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "content-length",
    "content-type",
    "origin",
    "referer",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-user",
    "traceparent",
    "user-agent",
    "x-request-id",
    "x-requested-with",
];

/// What a record does not tell: values of query parameters and cookies, most headers, and their order.
const HIDDEN: [Field; 6] =
    [Field::Cookies, Field::Fingerprint, Field::Headers, Field::Query, Field::ResponseHeaders, Field::ResponseSize];

/// Reads the records of one log.
#[derive(Debug)]
pub(super) struct Reader {
    known: Arc<Known>,
}

impl Default for Reader {
    fn default() -> Self {
        let headers = KEPT.iter().map(|name| name.as_bytes().to_vec()).collect();
        Self { known: Arc::new(Known { fields: without(Fields::ALL, HIDDEN), headers }) }
    }
}

impl Reader {
    /// `None`: it is none of our events.
    pub(super) fn read(&self, line: &[u8]) -> Option<Told> {
        let event: Event<'_> = serde_json::from_slice(line).ok()?;
        match event.metadata.event_code.as_deref() {
            Some("gatehouse.loss") => return Some(Told::Nothing),
            Some(crate::ocsf::RECORD_CODE) => {}
            _ => return None,
        }
        let is_connection = event.class_uid == Some(crate::ocsf::CONNECTION_CLASS);
        if is_connection || event.unmapped.gatehouse.part.as_deref() == Some("interim") {
            return Some(Told::Nothing);
        }
        Some(self.request(event).map_or_else(
            || Told::Malformed("a record without `http_request`".to_owned()),
            |request| Told::Request(Box::new(request), "record"),
        ))
    }

    fn request(&self, event: Event<'_>) -> Option<Request> {
        let (told, own, tls) = (event.http_request?, event.unmapped.gatehouse, event.tls.unwrap_or_default());
        let named = [("user-agent", told.user_agent), ("x-request-id", told.uid), ("traceparent", own.traceparent)];
        let kept = told.http_headers.into_iter().map(|pair| (bytes(pair.name), bytes(pair.value)));
        let named = named.into_iter().filter_map(|(name, value)| Some((name.as_bytes().to_vec(), bytes(value?))));
        let address = event.src_endpoint.ip.as_deref().and_then(parse_address);
        let identity = event.actor.and_then(|actor| actor.user.uid).map(Cow::into_owned);
        let no_certificate = own.mutual_tls == Some(false);
        Some(Request {
            method: told.http_method.map(bytes).unwrap_or_default(),
            scheme: told.url.scheme.map(bytes),
            authority: told.url.hostname.map(|host| authority(&host, told.url.port)),
            path: told.url.path.map(bytes).unwrap_or_default(),
            protocol: told.version.map(|version| format!("HTTP/{version}")),
            headers: named.chain(kept).collect(),
            peer: address.map(|(address, _)| address),
            is_client: address.is_some(),
            peer_uris: identity.map(|uri| vec![uri]).or_else(|| no_certificate.then(Vec::new)),
            tls: Tls {
                mutual: own.mutual_tls,
                version: tls.version.map(Cow::into_owned),
                sni: tls.sni.map(Cow::into_owned),
                ja4: None,
            },
            time: event.time.map(|ms| ms.saturating_mul(1_000_000)),
            response: event.http_response.map(|response| Response { status: response.code, ..Response::default() }),
            known: Some(Arc::clone(&self.known)),
            ..Request::default()
        })
    }
}

fn bytes(text: Cow<'_, str>) -> Vec<u8> {
    text.into_owned().into_bytes()
}

/// The event has the host without the brackets of an IPv6 address.
fn authority(host: &str, port: Option<u16>) -> Vec<u8> {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    port.map_or(host.clone(), |port| format!("{host}:{port}")).into_bytes()
}

type Text<'a> = Option<Cow<'a, str>>;

#[derive(Debug, Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    #[serde(default)]
    class_uid: Option<u32>,
    #[serde(default)]
    time: Option<u64>,
    #[serde(borrow, default)]
    http_request: Option<HttpRequest<'a>>,
    #[serde(default)]
    http_response: Option<HttpResponse>,
    #[serde(borrow, default)]
    src_endpoint: Endpoint<'a>,
    #[serde(borrow, default)]
    tls: Option<OwnTls<'a>>,
    #[serde(borrow, default)]
    actor: Option<Actor<'a>>,
    #[serde(borrow, default)]
    unmapped: Unmapped<'a>,
}

#[derive(Debug, Deserialize)]
struct Metadata<'a> {
    #[serde(borrow, default)]
    event_code: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
struct HttpRequest<'a> {
    #[serde(borrow, default)]
    http_method: Text<'a>,
    #[serde(borrow, default)]
    version: Text<'a>,
    #[serde(borrow, default)]
    url: Url<'a>,
    #[serde(borrow, default)]
    user_agent: Text<'a>,
    #[serde(borrow, default)]
    http_headers: Vec<Pair<'a>>,
    #[serde(borrow, default)]
    uid: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
struct Url<'a> {
    #[serde(borrow, default)]
    scheme: Text<'a>,
    #[serde(borrow, default)]
    hostname: Text<'a>,
    #[serde(borrow, default)]
    path: Text<'a>,
    #[serde(default)]
    port: Option<u16>,
}

#[derive(Debug, Deserialize)]
struct Pair<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
struct HttpResponse {
    code: u16,
}

#[derive(Debug, Default, Deserialize)]
struct Endpoint<'a> {
    #[serde(borrow, default)]
    ip: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
struct OwnTls<'a> {
    #[serde(borrow, default)]
    version: Text<'a>,
    #[serde(borrow, default)]
    sni: Text<'a>,
}

#[derive(Debug, Deserialize)]
struct Actor<'a> {
    #[serde(borrow)]
    user: User<'a>,
}

#[derive(Debug, Deserialize)]
struct User<'a> {
    #[serde(borrow, default)]
    uid: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
struct Unmapped<'a> {
    #[serde(borrow, default)]
    gatehouse: Own<'a>,
}

#[derive(Debug, Default, Deserialize)]
struct Own<'a> {
    #[serde(borrow, default)]
    part: Text<'a>,
    #[serde(borrow, default)]
    traceparent: Text<'a>,
    #[serde(default)]
    mutual_tls: Option<bool>,
}
