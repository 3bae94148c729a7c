//! Events as one request.

use std::io::{self, Write as _};

use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use prost::Message as _;
use serde_json::Value;

use super::messages::{AnyValue, ExportRequest, KeyValue, LogRecord, Resource, ResourceLogs, Scalar, Scope, ScopeLogs};
use crate::ocsf::hex::Hex;
use crate::ocsf::time::now_ms;
use crate::sink::parcel::{Event, Parcel};

/// Attributes, by where their values stand in an OCSF event. Semantic conventions of OpenTelemetry first, then our own.
const ATTRIBUTES: [(&str, &str); 24] = [
    ("http.request.method", "/http_request/http_method"),
    ("url.scheme", "/http_request/url/scheme"),
    ("url.path", "/http_request/url/path"),
    ("server.address", "/http_request/url/hostname"),
    ("server.port", "/http_request/url/port"),
    ("network.protocol.version", "/http_request/version"),
    ("user_agent.original", "/http_request/user_agent"),
    ("http.request.body.size", "/http_request/length"),
    ("http.response.status_code", "/http_response/code"),
    ("http.response.body.size", "/http_response/length"),
    ("client.address", "/src_endpoint/ip"),
    ("client.address", "/src_endpoint/name"),
    ("client.port", "/src_endpoint/port"),
    ("tls.client.server_name", "/tls/sni"),
    ("gatehouse.gateway", "/unmapped/gatehouse/gateway"),
    ("gatehouse.action", "/unmapped/gatehouse/action"),
    ("gatehouse.rule", "/unmapped/gatehouse/rule"),
    ("gatehouse.reason", "/unmapped/gatehouse/reason"),
    ("gatehouse.reference", "/unmapped/gatehouse/reference"),
    ("gatehouse.canonical_path", "/unmapped/gatehouse/canonical_path"),
    ("gatehouse.client.key", "/src_endpoint/uid"),
    ("gatehouse.duration", "/unmapped/gatehouse/duration_ns"),
    ("gatehouse.loss.count", "/unmapped/gatehouse/loss/count"),
    ("gatehouse.loss.reason", "/unmapped/gatehouse/loss/reason"),
];

/// The headers that say what the body is.
pub(super) fn headers(gzip: bool) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"))];
    headers.extend(gzip.then(|| (CONTENT_ENCODING, HeaderValue::from_static("gzip"))));
    headers
}

/// The events at `indices` as the body of one request over HTTP, compressed if asked for.
pub(super) fn body(gzip: bool, parcel: &Parcel, indices: &[usize]) -> io::Result<Vec<u8>> {
    let plain = request(parcel, indices)?.encode_to_vec();
    if !gzip {
        return Ok(plain);
    }
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&plain)?;
    encoder.finish()
}

/// The events at `indices` as one request.
pub(super) fn request(parcel: &Parcel, indices: &[usize]) -> io::Result<ExportRequest> {
    let observed = now_ms().saturating_mul(1_000_000);
    let events = indices.iter().filter_map(|index| parcel.events().get(*index));
    let log_records = events.map(|event| log_record(parcel, event, observed)).collect::<Result<_, _>>()?;
    let service = KeyValue { key: "service.name".into(), value: Some(text("gatehouse")) };
    let scope = Scope { name: "gatehouse".into(), version: env!("CARGO_PKG_VERSION").into() };
    Ok(ExportRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(Resource { attributes: vec![service] }),
            scope_logs: vec![ScopeLogs { scope: Some(scope), log_records }],
        }],
    })
}

fn log_record(parcel: &Parcel, event: &Event, observed: u64) -> io::Result<LogRecord> {
    let json = parcel.value(event);
    let ocsf: Value = serde_json::from_slice(json)?;
    let (severity_number, severity_text) = severity(ocsf.pointer("/severity_id").and_then(Value::as_u64));
    let attribute = |(key, place): &(&str, &str)| {
        let value = scalar(ocsf.pointer(place)?)?;
        Some(KeyValue { key: (*key).into(), value: Some(AnyValue { value: Some(value) }) })
    };
    let uid = KeyValue { key: "log.record.uid".into(), value: Some(text(Hex(event.id).to_string())) };
    let name = ocsf.pointer("/metadata/event_code").and_then(Value::as_str).unwrap_or_default();
    Ok(LogRecord {
        time: event.time_ms.saturating_mul(1_000_000),
        observed,
        severity_number,
        severity_text: severity_text.into(),
        body: Some(text(String::from_utf8_lossy(json))),
        attributes: core::iter::once(uid).chain(ATTRIBUTES.iter().filter_map(attribute)).collect(),
        event_name: name.into(),
    })
}

/// Severities of OCSF as those of OpenTelemetry logs.
fn severity(ocsf: Option<u64>) -> (i32, &'static str) {
    match ocsf {
        Some(1) => (9, "INFO"),
        Some(2) => (10, "INFO2"),
        Some(3) => (13, "WARN"),
        Some(4) => (17, "ERROR"),
        Some(5) => (18, "ERROR2"),
        Some(6) => (21, "FATAL"),
        _ => (0, ""),
    }
}

fn scalar(value: &Value) -> Option<Scalar> {
    match value {
        Value::String(text) => Some(Scalar::Text(text.clone())),
        Value::Bool(truth) => Some(Scalar::Truth(*truth)),
        Value::Number(number) => number.as_i64().map(Scalar::Number),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn text(text: impl Into<String>) -> AnyValue {
    AnyValue { value: Some(Scalar::Text(text.into())) }
}
