//! What `gatehouse explain` reads: any text is refused, with every problem in words and at a place, or is a request or a connection;
//! written out whole it reads as the same one, and the engine judges it.

use std::net::SocketAddr;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatehouse_engine::{Head, Policy, Settings, State, connect};
use gatehouse_policy::{Format, Source, compile};
use serde_json::{Map, Value, json};

use crate::asked::Worker;
use crate::request::{Asked, Opening, Request};
use crate::when;

/// Asks for whatever a request can tell.
const POLICY: &str = include_str!("written/policy.yaml");

static JUDGED_BY: LazyLock<Policy> = LazyLock::new(|| {
    let source = Source { name: "policy.yaml", text: POLICY, format: Format::Yaml };
    Policy::load(compile(&[source]).expect("the policy of this target").image, 1).expect("what is compiled loads")
});

/// The text.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let request = match Asked::parse(text) {
        Ok(Asked::Request(request)) => request,
        Ok(Asked::Connection(opening)) => return admitted(&opening),
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a problem");
            for problem in &problems.0 {
                let place = problem.place.to_string();
                let is_placed = place.starts_with("request") || place.starts_with("document");
                assert!(!problem.message.is_empty() && is_placed, "{problem:?}");
            }
            return;
        }
    };
    let written = written(&request).to_string();
    let again = Request::parse("again", &written).unwrap_or_else(|problems| panic!("{written}: {problems:?}"));
    assert_eq!(again, *request, "{written}");
    judged(&request);
}

/// Written out whole it reads as the same one; the engine judges it, and has a line for it.
fn admitted(opening: &Opening) {
    let written = json!({ "connection": whole(opening) }).to_string();
    match Asked::parse(&written) {
        Ok(Asked::Connection(again)) => assert_eq!(*again, *opening, "{written}"),
        other => panic!("{written}: {other:?}"),
    }
    let Opening { connection, host, .. } = opening;
    let asked = connect::Opening { connection, host, now: gatehouse_engine::Now { mono_ns: 1, wall_s: None } };
    let judged = connect::admit(Some(&JUDGED_BY), &Settings::default(), &asked, &mut State::new([0; 16], &[0; 16]));
    assert!(!connect::log_line(&judged, connection, host).contains(char::is_control));
}

/// Every field of a connection, in its longest form.
fn whole(opening: &Opening) -> Value {
    let Opening { connection, host, time } = opening;
    let address = connection.peer.map(|peer| match connection.peer_port {
        Some(port) => SocketAddr::new(peer, port).to_string(),
        None => peer.to_string(),
    });
    // Of the others only the number is kept.
    let others = (1..connection.peer_uris.unwrap_or_default()).map(|_| "spiffe://other/one".to_owned());
    let uris: Option<Vec<String>> =
        connection.peer_uris.map(|_| connection.peer_uri.iter().cloned().chain(others).collect());
    json!({
        "address": address, "peer_uris": uris, "destination": connection.local.map(|local| local.to_string()),
        "port": connection.local_port,
        // Left out it is what the server name says, which need not be a host that may be written.
        "host": (*host != connect::destination(connection)).then(|| String::from_utf8_lossy(host)),
        "tls": tls(connection.mutual_tls, [&connection.tls_version, &connection.sni, &connection.ja4]),
        "time": time.map(moment),
    })
}

/// The engine takes it as it takes what Envoy gives; and its answer.
pub(crate) fn judged(request: &Request) {
    let (pairs, connection) = (request.pairs(), request.connection());
    let head = Head::new(&pairs, &connection);
    let mut worker = Worker::default();
    let (mut judged, _) = worker.explain(&JUDGED_BY, head);
    if let Some(response) = &request.response {
        worker.answer(&JUDGED_BY, head, &mut judged, response.status, &response.pairs());
    }
}

/// Every field, in its longest form.
fn written(request: &Request) -> Value {
    let mut fields = Map::new();
    let mut put = |key: &str, value: Option<Value>| drop(value.map(|value| fields.insert(key.into(), value)));
    put("method", Some(bytes(&request.method)));
    put("path", Some(bytes(&request.path)));
    put("scheme", request.scheme.as_deref().map(bytes));
    put("authority", request.authority.as_deref().map(bytes));
    put("protocol", request.protocol.clone().map(Value::from));
    put("headers", Some(pairs(&request.headers)));
    put(
        "address",
        request.peer.map(|peer| match request.peer_port {
            Some(port) => SocketAddr::new(peer, port).to_string().into(),
            None => peer.to_string().into(),
        }),
    );
    put("peer_uris", request.peer_uris.clone().map(Value::from));
    let own = &request.tls;
    put("tls", tls(own.mutual, [&own.version, &own.sni, &own.ja4]));
    put("time", request.time.map(|nanos| moment(nanos).into()));
    put("claims", request.claims.clone().map(Value::from));
    put("status", request.response.as_ref().map(|response| response.status.into()));
    put("response_headers", request.response.as_ref().map(|response| pairs(&response.headers)));
    fields.into()
}

/// `texts`: version, server name, JA4.
fn tls(mutual: Option<bool>, texts: [&Option<String>; 3]) -> Option<Value> {
    let texts = ["version", "sni", "ja4"].into_iter().zip(texts);
    let mut parts: Map<String, Value> =
        texts.filter_map(|(key, text)| Some((key.into(), text.clone()?.into()))).collect();
    parts.extend(mutual.map(|mutual| ("mutual".to_owned(), mutual.into())));
    (!parts.is_empty()).then(|| parts.into())
}

fn pairs(headers: &[(Vec<u8>, Vec<u8>)]) -> Value {
    headers.iter().map(|(name, value)| json!([String::from_utf8_lossy(name), bytes(value)])).collect()
}

fn bytes(bytes: &[u8]) -> Value {
    json!({ "base64": STANDARD.encode(bytes) })
}

/// RFC 3339 to the nanosecond.
fn moment(nanos: u64) -> String {
    let whole = when::shown(nanos);
    let seconds = whole.split('.').next().unwrap_or_default();
    format!("{seconds}.{:09}Z", nanos % 1_000_000_000)
}
