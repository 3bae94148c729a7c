//! The event of what a house itself has to tell: a change that a worker took back, or one that somebody made by hand.

use gatehouse_proto::v1::{Audit, Notice, RolledBack, notice::What};
use serde::Serialize;
use serde_json::Value;

use super::base::{BaseEvent, Severity, Told};
use super::hex::Hex;
use super::{AUDIT_CODE, ROLLBACK_CODE};

/// The details stand under `unmapped.gatehouse`. `None`: it tells of something that this version does not know.
pub(super) fn event(notice: &Notice) -> Option<BaseEvent<'static, &[u8], Own<'_>>> {
    let (code, activity, severity, message, rollback, audit) = match notice.what.as_ref()? {
        What::RolledBack(back) => {
            let RolledBack { clients, clients_hit, document, .. } = back;
            let message = format!(
                "a worker took back the change of `{document}`: it hit {clients_hit} of {clients} known-good clients"
            );
            (ROLLBACK_CODE, "Rollback", Severity::High, message, Some(Rollback::of(back)), None)
        }
        What::Audit(Audit { action, line }) => {
            let line = serde_json::from_str(line).unwrap_or_else(|_| Value::String(line.clone()));
            (AUDIT_CODE, "Audit", Severity::Medium, format!("changed by hand: {action}"), None, Some(line))
        }
    };
    Some(BaseEvent::of(Told {
        activity,
        severity,
        time_ms: notice.time_unix_ns / 1_000_000,
        count: None,
        message: message.into(),
        id: &notice.id,
        code,
        details: Own { gateway: &notice.gateway, rollback, audit },
    }))
}

#[derive(Debug, Serialize)]
pub(super) struct Own<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    gateway: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollback: Option<Rollback<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<Value>,
}

/// Under the names of `stream.proto`.
#[derive(Debug, Serialize)]
struct Rollback<'a> {
    document: &'a str,
    rules: &'a [String],
    policy_revision: u64,
    policy_digest: Hex<&'a [u8]>,
    canary: u32,
    canary_hit: u32,
    control: u32,
    control_hit: u32,
    clients: u32,
    clients_hit: u32,
    by_canary: bool,
    at_least: f64,
    allowed: f64,
}

impl<'a> Rollback<'a> {
    fn of(back: &'a RolledBack) -> Self {
        Self {
            document: &back.document,
            rules: &back.rules,
            policy_revision: back.policy_revision,
            policy_digest: Hex(&back.policy_digest),
            canary: back.canary,
            canary_hit: back.canary_hit,
            control: back.control,
            control_hit: back.control_hit,
            clients: back.clients,
            clients_hit: back.clients_hit,
            by_canary: back.by_canary,
            at_least: back.at_least,
            allowed: back.allowed,
        }
    }
}
