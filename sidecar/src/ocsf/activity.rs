//! The HTTP Activity (class 4002) of one record; of a connection's the Network Activity (class 4001).

use std::sync::LazyLock;

use gatehouse_proto::v1::{
    Connection, Downstream, Judgement, Origin, Record, Request, Response, Upstream, judgement, record::Part,
};
use serde::Serialize;

use super::endpoint::{Endpoint, Tls, present};
use super::grounds::FirewallRule;
use super::hex::Hex;
use super::http::{HttpRequest, HttpResponse};
use super::own::Own;
use super::verdict::Control;
use super::{CONNECTION_CLASS, RECORD_CODE, SCHEMA_VERSION};

/// Id and name of the class of a request, and of a connection.
const HTTP: (u32, &str) = (4002, "HTTP Activity");
const NETWORK: (u32, &str) = (CONNECTION_CLASS, "Network Activity");

/// One event. `time` and `duration` are milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Activity<'a> {
    category_uid: u32,
    category_name: &'static str,
    class_uid: u32,
    class_name: &'static str,
    activity_id: u8,
    activity_name: &'a str,
    type_uid: u32,
    severity_id: u8,
    severity: &'static str,
    time: u64,
    duration: u64,
    status_id: u8,
    metadata: Metadata<'a>,
    action_id: u8,
    action: &'static str,
    disposition_id: u8,
    disposition: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    firewall_rule: Option<FirewallRule<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_request: Option<HttpRequest<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_response: Option<HttpResponse<'a>>,
    src_endpoint: Endpoint<'a>,
    dst_endpoint: Endpoint<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<Tls<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<Actor<'a>>,
    traffic: Traffic,
    unmapped: Unmapped<'a>,
}

impl<'a> Activity<'a> {
    pub(super) fn of(record: &'a Record) -> Self {
        let parts = Parts::of(record);
        let Parts { downstream, request, response, upstream, judgement, .. } = parts;
        let connection = record.connection.as_ref();
        let (class_uid, class_name) = if connection.is_some() { NETWORK } else { HTTP };
        let (activity_id, activity_name) = match connection {
            Some(_) => carried(record, judgement),
            None => activity(&request.method),
        };
        let control = Control::of(judgement);
        let actor = present(&downstream.peer_uri).map(|uid| Actor { user: User { uid } });
        Self {
            category_uid: 4,
            category_name: "Network Activity",
            class_uid,
            class_name,
            activity_id,
            activity_name,
            type_uid: class_uid * 100 + u32::from(activity_id),
            severity_id: control.severity_id,
            severity: control.severity,
            time: milliseconds(record.start_unix_ns),
            duration: milliseconds(record.duration_ns),
            status_id: connection
                .map_or_else(|| status_id(response.status), |_| if activity_id == REFUSE { 2 } else { 1 }),
            metadata: Metadata::of(record, parts.origin, actor.is_some()),
            action_id: control.action_id,
            action: control.action,
            disposition_id: control.disposition_id,
            disposition: control.disposition,
            firewall_rule: FirewallRule::of(judgement),
            http_request: connection.is_none().then(|| HttpRequest::of(request)),
            http_response: HttpResponse::of(response, upstream),
            src_endpoint: Endpoint::client(downstream),
            dst_endpoint: connection.map_or_else(|| Endpoint::server(upstream, request), Endpoint::destination),
            tls: Tls::of(downstream),
            actor,
            traffic: connection.map_or_else(|| Traffic::of(request, response), Traffic::carried),
            unmapped: Unmapped { gatehouse: Own::of(record, parts) },
        }
    }
}

/// The record's messages, each the empty one where the gate sent none.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a> {
    pub(super) origin: &'a Origin,
    pub(super) downstream: &'a Downstream,
    pub(super) request: &'a Request,
    pub(super) response: &'a Response,
    pub(super) upstream: &'a Upstream,
    pub(super) judgement: &'a Judgement,
}

impl<'a> Parts<'a> {
    pub(super) fn of(record: &'a Record) -> Self {
        static ORIGIN: LazyLock<Origin> = LazyLock::new(Origin::default);
        static DOWNSTREAM: LazyLock<Downstream> = LazyLock::new(Downstream::default);
        static REQUEST: LazyLock<Request> = LazyLock::new(Request::default);
        static RESPONSE: LazyLock<Response> = LazyLock::new(Response::default);
        static UPSTREAM: LazyLock<Upstream> = LazyLock::new(Upstream::default);
        static JUDGEMENT: LazyLock<Judgement> = LazyLock::new(Judgement::default);
        Self {
            origin: record.origin.as_ref().unwrap_or_else(|| &*ORIGIN),
            downstream: record.downstream.as_ref().unwrap_or_else(|| &*DOWNSTREAM),
            request: record.request.as_ref().unwrap_or_else(|| &*REQUEST),
            response: record.response.as_ref().unwrap_or_else(|| &*RESPONSE),
            upstream: record.upstream.as_ref().unwrap_or_else(|| &*UPSTREAM),
            judgement: record.judgement.as_ref().unwrap_or_else(|| &*JUDGEMENT),
        }
    }
}

#[derive(Debug, Serialize)]
struct Unmapped<'a> {
    gatehouse: Own<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct Metadata<'a> {
    version: &'static str,
    uid: Hex<&'a [u8]>,
    event_code: &'static str,
    product: Product<'a>,
    profiles: &'static [&'static str],
}

impl<'a> Metadata<'a> {
    /// `actor` comes with the host profile.
    fn of(record: &'a Record, origin: &'a Origin, actor: bool) -> Self {
        Self {
            version: SCHEMA_VERSION,
            uid: Hex(&record.id),
            event_code: RECORD_CODE,
            product: Product::of(&origin.gate_version),
            profiles: if actor { &["security_control", "host"] } else { &["security_control"] },
        }
    }
}

/// The product that made the event.
#[derive(Debug, Serialize)]
pub(super) struct Product<'a> {
    name: &'static str,
    vendor_name: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'a str,
}

impl<'a> Product<'a> {
    pub(super) fn of(version: &'a str) -> Self {
        Self { name: "Gatehouse", vendor_name: "Gatehouse", version }
    }
}

#[derive(Debug, Serialize)]
struct Actor<'a> {
    user: User<'a>,
}

#[derive(Debug, Serialize)]
struct User<'a> {
    uid: &'a str,
}

/// Octets of headers and body, as the client (source) sent and received them.
#[derive(Debug, Serialize)]
struct Traffic {
    bytes_in: u64,
    bytes_out: u64,
    bytes: u64,
}

impl Traffic {
    fn of(request: &Request, response: &Response) -> Self {
        let bytes_out = request.header_bytes.saturating_add(request.body_bytes);
        let bytes_in = response.header_bytes.saturating_add(response.body_bytes);
        Self { bytes_in, bytes_out, bytes: bytes_in.saturating_add(bytes_out) }
    }

    fn carried(connection: &Connection) -> Self {
        let (bytes_in, bytes_out) = (connection.sent_bytes, connection.received_bytes);
        Self { bytes_in, bytes_out, bytes: bytes_in.saturating_add(bytes_out) }
    }
}

/// `activity_id` of a connection that was turned away.
const REFUSE: u8 = 5;

/// Id and name of what became of a connection.
fn carried(record: &Record, judgement: &Judgement) -> (u8, &'static str) {
    match judgement.action() {
        judgement::Action::Allow | judgement::Action::Unspecified if record.part == Part::Interim as i32 => {
            (6, "Traffic")
        }
        judgement::Action::Allow | judgement::Action::Unspecified => (2, "Close"),
        _ => (REFUSE, "Refuse"),
    }
}

/// Id and name of a method; the name of any other method is the method itself.
fn activity(method: &str) -> (u8, &str) {
    match method {
        "CONNECT" => (1, "Connect"),
        "DELETE" => (2, "Delete"),
        "GET" => (3, "Get"),
        "HEAD" => (4, "Head"),
        "OPTIONS" => (5, "Options"),
        "POST" => (6, "Post"),
        "PUT" => (7, "Put"),
        "TRACE" => (8, "Trace"),
        "PATCH" => (9, "Patch"),
        "" => (0, "Unknown"),
        other => (99, other),
    }
}

/// 1 Success, 2 Failure (4xx, 5xx), 0 Unknown: no response was sent.
fn status_id(status: u32) -> u8 {
    match status {
        0 => 0,
        1..400 => 1,
        _ => 2,
    }
}

pub(super) fn milliseconds(nanoseconds: u64) -> u64 {
    nanoseconds / 1_000_000
}
