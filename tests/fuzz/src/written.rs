//! REQUEST.json of `gatehouse explain`: any text is refused, with every problem in words and at a place, or is a request; written
//! out whole it reads as the same one, and the engine judges it.

use std::net::SocketAddr;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatehouse_engine::{Head, Policy};
use gatehouse_policy::{Format, Source, compile};
use serde_json::{Map, Value, json};

use crate::asked::Worker;
use crate::request::Request;
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
    let request = match Request::parse("request", text) {
        Ok(request) => request,
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a problem");
            for problem in &problems.0 {
                assert!(!problem.message.is_empty() && problem.place.to_string().starts_with("request"), "{problem:?}");
            }
            return;
        }
    };
    let written = written(&request).to_string();
    let again = Request::parse("again", &written).unwrap_or_else(|problems| panic!("{written}: {problems:?}"));
    assert_eq!(again, request, "{written}");
    judged(&request);
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
    let tls = &request.tls;
    let texts = [("version", &tls.version), ("sni", &tls.sni), ("ja4", &tls.ja4)];
    let mut parts: Map<String, Value> =
        texts.into_iter().filter_map(|(key, text)| Some((key.into(), text.clone()?.into()))).collect();
    parts.extend(tls.mutual.map(|mutual| ("mutual".to_owned(), mutual.into())));
    put("tls", (!parts.is_empty()).then(|| parts.into()));
    put("time", request.time.map(|nanos| moment(nanos).into()));
    put("claims", request.claims.clone().map(Value::from));
    put("status", request.response.as_ref().map(|response| response.status.into()));
    put("response_headers", request.response.as_ref().map(|response| pairs(&response.headers)));
    fields.into()
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
