//! Limits as descriptors of the local rate limit: which limit, and whose count.

use serde_json::{Value, json};

use super::TYPES;
use super::principal::{escaped, matcher};
use crate::rivals::rules::{Rate, Rule, Rules, Text, Then, When};

/// Counts that one limit keeps: more than there are clients.
const KEYS: u32 = 8192;

/// The configuration for these rules; of none it lets everything pass.
pub(super) fn limiting(rules: &Rules) -> Value {
    let kind = format!("{TYPES}/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit");
    if of(rules).next().is_none() {
        return json!({ "@type": kind, "stat_prefix": "limits" });
    }
    let always = json!({ "default_value": { "numerator": 100, "denominator": "HUNDRED" } });
    json!({
        "@type": kind,
        "stat_prefix": "limits",
        "filter_enabled": always,
        "filter_enforced": always,
        "max_dynamic_descriptors": KEYS,
        "always_consume_default_token_bucket": false,
        "token_bucket": bucket(4_000_000_000, 1),
        "rate_limits": of(rules).map(|(rule, rate)| actions(rule, rate)).collect::<Vec<_>>(),
        "descriptors": of(rules).map(|(rule, rate)| descriptor(rule, rate)).collect::<Vec<_>>(),
    })
}

/// What makes the descriptor from a request.
fn actions(rule: &Rule, rate: &Rate) -> Value {
    let mut actions = vec![which(&rule.name, &rule.when)];
    actions.extend(rate.by.iter().map(|by| whose(by)));
    json!({ "actions": actions })
}

fn of(rules: &Rules) -> impl Iterator<Item = (&Rule, &Rate)> {
    rules.mandates.iter().chain(&rules.rules).filter_map(|rule| match &rule.then {
        Then::Limit(rate) => Some((rule, rate)),
        _ => None,
    })
}

fn descriptor(rule: &Rule, rate: &Rate) -> Value {
    // Without a value: a bucket for each that is seen.
    let keys = rate.by.iter().map(|by| json!({ "key": key(by) }));
    let entries: Vec<Value> = [json!({ "key": "limit", "value": rule.name })].into_iter().chain(keys).collect();
    json!({ "entries": entries, "token_bucket": bucket(rate.requests, rate.seconds) })
}

fn bucket(requests: u32, seconds: u32) -> Value {
    json!({ "max_tokens": requests, "tokens_per_fill": requests, "fill_interval": format!("{seconds}s") })
}

fn key(by: &str) -> &str {
    match by {
        "client" => "remote_address",
        "address.prefix" => "masked_remote_address",
        other => other.strip_prefix("headers.").unwrap_or(other),
    }
}

fn whose(by: &str) -> Value {
    let header = |name: &str| json!({ "request_headers": { "header_name": name, "descriptor_key": key(by) } });
    match by {
        "client" => json!({ "remote_address": {} }),
        "address.prefix" => json!({ "masked_remote_address": { "v4_prefix_mask_len": 24, "v6_prefix_mask_len": 56 } }),
        "host" => header(":authority"),
        other => match other.strip_prefix("headers.") {
            Some(name) => header(name),
            None => panic!("`by: {other}` has no translation"),
        },
    }
}

fn which(name: &str, when: &When) -> Value {
    let mut headers = Vec::new();
    asked(when, &mut headers);
    if headers.is_empty() {
        return json!({ "generic_key": { "descriptor_key": "limit", "descriptor_value": name } });
    }
    json!({ "header_value_match": { "descriptor_key": "limit", "descriptor_value": name, "headers": headers } })
}

fn asked(when: &When, headers: &mut Vec<Value>) {
    match when {
        When::Always => {}
        When::All(all) => all.iter().for_each(|when| asked(when, headers)),
        When::Header(name, texts) if texts.len() == 1 => headers.extend(texts.iter().map(|text| matcher(name, text))),
        When::Method(methods) => headers.push(matcher(":method", &one_of(methods.iter().map(escaped)))),
        When::Path(texts) => headers.push(matcher(":path", &one_of(texts.iter().map(path)))),
        other => panic!("`{other:?}` before a limit has no translation"),
    }
}

fn one_of(expressions: impl Iterator<Item = String>) -> Text {
    Text::Regex(format!("^(?:{})$", expressions.collect::<Vec<_>>().join("|")))
}

/// A path with whatever query.
fn path(text: &Text) -> String {
    match text {
        Text::Is(path) => format!(r"{}(?:\?.*)?", escaped(path)),
        Text::Prefix(prefix) => format!("{}.*", escaped(prefix)),
        other => panic!("path `{other:?}` before a limit has no translation"),
    }
}
