//! A request or a connection that the house has seen, from its record: what the gate said then, of what the gate let leave the gateway.

use gatehouse_proto::v1::{Connection, Record, downstream::AddressSource, judgement::Action};
use serde_json::{Value, json};

use super::grounds;
use crate::ocsf;
use crate::ocsf::hex::Hex;
use crate::when;

/// What no record of a request holds, for whoever looks for it here.
const REDACTED: &str = "by the gate: values of query parameters, cookies and headers, and sensitive texts, which are classes or keyed hashes";
/// And none of a connection.
const REDACTED_CONNECTION: &str = "by the gate: addresses of clients, in the form that the house says, and sensitive texts, which are classes or keyed hashes";

/// The verdict of a record, in the form that `explain` prints; `policy` is the one that decided, if it is still kept.
#[must_use]
pub fn seen(record: &Record, policy: Option<Value>) -> Value {
    let judgement = record.judgement.clone().unwrap_or_default();
    let response = record.response.clone().unwrap_or_default();
    let word = |action| word(action, record);
    let action = word(judgement.action);
    let would: Vec<Value> =
        judgement.would_have.iter().map(|would| json!({ "action": word(would.action), "rule": would.rule })).collect();
    let mut event = Vec::new();
    // Writing to memory cannot fail; without its event the verdict is still one.
    let _ = ocsf::write_record(record, &mut event);
    json!({
        "action": action,
        "status": (action != "allow" && response.status != 0).then_some(response.status),
        "rule": present(&judgement.rule),
        "reason": judgement.reason,
        "reference": judgement.reference,
        "would_have": would,
        "tags": judgement.tags,
        "ambiguity": present(&judgement.ambiguity),
        "signals": record.connection.as_ref().map_or_else(|| of_request(record), |own| of_connection(record, own)),
        "grounds": grounds::of(&judgement),
        "trace": trace(record),
        "time": when::shown(record.start_unix_ns),
        "redacted": if record.connection.is_some() { REDACTED_CONNECTION } else { REDACTED },
        "gateway": record.origin.as_ref().and_then(|origin| present(&origin.gateway)),
        "policy": (!judgement.policy_digest.is_empty()).then(|| json!({
            "revision": judgement.policy_revision,
            "digest": Hex(&judgement.policy_digest).to_string(),
            "documents": policy.and_then(|mut policy| policy.get_mut("documents").map(Value::take)),
        })),
        "event": serde_json::from_slice::<Value>(&event).unwrap_or_default(),
    })
}

/// What the record tells of the request.
fn of_request(record: &Record) -> Value {
    let request = record.request.clone().unwrap_or_default();
    let mut signals = json!({
        "host": present(&request.authority),
        "method": present(&request.method),
        "path": present(&request.canonical_path),
        "received_path": (request.path != request.canonical_path).then_some(request.path),
        "user_agent": present(&request.user_agent),
    });
    arrived(record, &mut signals);
    signals
}

/// What it tells of a connection, and of what was carried on it.
fn of_connection(record: &Record, connection: &Connection) -> Value {
    let mut signals = json!({
        "host": present(&connection.host),
        "destination": present(&connection.destination_address),
        "port": Some(connection.destination_port).filter(|port| *port != 0),
        "received_bytes": connection.received_bytes,
        "sent_bytes": connection.sent_bytes,
        "ended": ocsf::ended(connection.ended()),
    });
    arrived(record, &mut signals);
    signals
}

/// From where and by whom it came.
fn arrived(record: &Record, signals: &mut Value) {
    let downstream = record.downstream.clone().unwrap_or_default();
    let source = match AddressSource::try_from(downstream.client_address_source) {
        Ok(AddressSource::Forwarded) => "forwarded",
        Ok(AddressSource::Peer) => "peer",
        Ok(AddressSource::Unknown | AddressSource::Unspecified) | Err(_) => "unknown",
    };
    let told = [
        ("client", json!(present(&downstream.client_address))),
        ("client_source", json!(source)),
        ("peer", json!(present(&downstream.peer_address))),
        ("identity", json!(present(&downstream.peer_uri))),
        ("mutual_tls", json!(downstream.mutual_tls)),
        ("sni", json!(present(&downstream.sni))),
        ("tls_version", json!(present(&downstream.tls_version))),
    ];
    if let Value::Object(signals) = signals {
        signals.extend(told.map(|(key, value)| (key.to_owned(), value)));
    }
}

/// The steps that a record still knows: rules in monitor mode that matched, then who decided.
fn trace(record: &Record) -> Vec<Value> {
    let judgement = record.judgement.clone().unwrap_or_default();
    let word = |action| word(action, record);
    let mut steps: Vec<Value> = Vec::new();
    if !judgement.ambiguity.is_empty() {
        let said = format!("the path has more than one reading ({})", judgement.ambiguity);
        steps.push(json!({ "stage": "reading", "said": said }));
    }
    for would in &judgement.would_have {
        let does = word(would.action);
        steps.push(json!({
            "stage": "rule", "rule": would.rule, "match": "true", "does": [does], "mode": "monitor",
            "said": format!("matches; would {does}"),
        }));
    }
    let does = word(judgement.action);
    steps.push(match present(&judgement.rule) {
        Some(rule) => json!({
            "stage": "rule", "rule": rule, "match": "true", "does": [does], "mode": "enforce",
            "said": format!("matches; decides: {does}"),
        }),
        None => json!({ "stage": judgement.reason, "said": format!("no rule decided: {does}") }),
    });
    steps
}

/// A reference as people type it, as it was made: Crockford's base 32 has no I, L and O, and knows no case.
#[must_use]
pub fn written(reference: &str) -> String {
    let fold = |c: char| match c.to_ascii_uppercase() {
        'I' | 'L' => '1',
        'O' => '0',
        other => other,
    };
    reference.trim().chars().filter(|c| *c != '-').map(fold).collect()
}

/// The word for an action; of a connection, that it was rejected.
fn word(action: i32, record: &Record) -> &'static str {
    match Action::try_from(action) {
        Ok(Action::Allow | Action::Unspecified) | Err(_) => "allow",
        Ok(_) if record.connection.is_some() => "reject",
        Ok(Action::Block) => "block",
        Ok(Action::Deceive) => "deceive",
        Ok(Action::Drop) => "drop",
        Ok(Action::Limit) => "limit",
        Ok(Action::Redirect) => "redirect",
    }
}

fn present(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
