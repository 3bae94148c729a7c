//! Options that are passed through to the Kafka client, and those that are not: they would break the promise, have a field
//! of their own, or load foreign code. Values are never shown.

use std::collections::BTreeMap;

use gatehouse_policy::document::{Entry, Node, Problems, Value, quoted};
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

use crate::sink::trust::Secret;

/// At most this many options.
const MAX_OPTIONS: usize = 64;

/// Options that would break the promise, with the client's other name for each where it has one.
const FIXED: [(&str, &str); 22] = [
    ("acks", "request.required.acks"),
    ("api.version.request", ""),
    ("compression.codec", "compression.type"),
    ("compression.type", "compression.codec"),
    ("delivery.report.only.error", ""),
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("dr_cb", ""),
    ("dr_msg_cb", ""),
    ("enable.gapless.guarantee", ""),
    ("enable.idempotence", ""),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("max.in.flight.requests.per.connection", "max.in.flight"),
    ("message.send.max.retries", "retries"),
    ("message.timeout.ms", "delivery.timeout.ms"),
    ("produce.offset.report", ""),
    ("queue.buffering.max.kbytes", ""),
    ("queue.buffering.max.messages", ""),
    ("queuing.strategy", ""),
    ("request.required.acks", "acks"),
    ("retries", "message.send.max.retries"),
    ("transaction.timeout.ms", ""),
    ("transactional.id", ""),
];

/// Options that have a field of their own, by the beginning of their names.
const FIELDS: [(&str, &str); 8] = [
    ("bootstrap.servers", "brokers"),
    ("metadata.broker.list", "brokers"),
    ("security.protocol", "tls` and `sasl"),
    ("enable.ssl.certificate.verification", "tls"),
    ("ssl.endpoint.identification.algorithm", "tls"),
    ("ssl.", "tls"),
    ("ssl_", "tls"),
    ("sasl.", "sasl"),
];

/// Options that would load foreign code, or tell secrets to the log.
const REFUSED: [&str; 6] = ["plugin.library.paths", "debug", "interceptors", "opaque", "log_cb", "default_topic_conf"];

/// Reads `options:`; what is refused is named, with the reason.
pub(super) fn read(node: &Node, problems: &mut Problems) -> Option<BTreeMap<String, Secret>> {
    let entries = node.entries(problems)?;
    if entries.len() > MAX_OPTIONS {
        problems.push(
            &node.place,
            format!("{} options are written", entries.len()),
            format!("write at most {MAX_OPTIONS}"),
        );
    }
    Some(entries.iter().filter_map(|entry| option(entry, problems)).collect())
}

fn option(entry: &Entry, problems: &mut Problems) -> Option<(String, Secret)> {
    let name = entry.key.as_str();
    let shown = quoted(name);
    if let Some((message, help)) = refusal(name, &shown) {
        problems.push(&entry.key_place, message, help);
        return None;
    }
    let value = match &entry.value.value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Null | Value::List(_) | Value::Map(_) => {
            problems.push(
                &entry.value.place,
                format!("option {shown} has no plain value"),
                "write a text, a number or a truth value",
            );
            return None;
        }
    };
    match ClientConfig::new().set(name, value.as_str()).create_native_config() {
        Ok(_) => Some((name.into(), Secret::new(value))),
        Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)) => {
            problems.push(
                &entry.key_place,
                format!("the Kafka client has no option {shown}"),
                "see its configuration reference",
            );
            None
        }
        Err(_) => {
            let message = format!("the Kafka client does not take this value for its option {shown}");
            problems.push(&entry.value.place, message, "see its configuration reference");
            None
        }
    }
}

fn refusal(name: &str, shown: &str) -> Option<(String, String)> {
    if let Some((_, other)) = FIXED.iter().find(|(fixed, _)| *fixed == name) {
        let also = if other.is_empty() { String::new() } else { format!(" (also called `{other}`)") };
        return Some((
            format!("option {shown}{also} would break the promise of delivery"),
            "leave it out: it is fixed".into(),
        ));
    }
    if let Some((_, field)) = FIELDS.iter().find(|(beginning, _)| name.starts_with(beginning)) {
        return Some((
            format!("option {shown} has a field of its own, `{field}`"),
            format!("write `{field}` beside `options`"),
        ));
    }
    if REFUSED.contains(&name) {
        return Some((
            format!("option {shown} is refused"),
            "it would load foreign code or tell secrets to the log".into(),
        ));
    }
    None
}
