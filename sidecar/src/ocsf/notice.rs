//! The event of what a house itself has to tell: a change that a worker took back, or one that somebody made by hand.

use gatehouse_proto::v1::{Audit, Notice, RolledBack, notice::What};
use serde::Serialize;
use serde_json::Value;

use super::activity::Product;
use super::hex::Hex;
use super::{AUDIT_CODE, ROLLBACK_CODE, SCHEMA_VERSION};

/// A base event (class 0) with the details under `unmapped.gatehouse`.
#[derive(Debug, Serialize)]
pub(super) struct NoticeEvent<'a> {
    category_uid: u8,
    category_name: &'static str,
    class_uid: u8,
    class_name: &'static str,
    activity_id: u8,
    activity_name: &'static str,
    type_uid: u8,
    severity_id: u8,
    severity: &'static str,
    time: u64,
    message: String,
    metadata: Metadata<'a>,
    unmapped: Unmapped<'a>,
}

#[derive(Debug, Serialize)]
struct Metadata<'a> {
    version: &'static str,
    uid: Hex<&'a [u8]>,
    event_code: &'static str,
    product: Product<'static>,
}

#[derive(Debug, Serialize)]
struct Unmapped<'a> {
    gatehouse: Own<'a>,
}

#[derive(Debug, Serialize)]
struct Own<'a> {
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

impl<'a> NoticeEvent<'a> {
    /// `None`: it tells of something that this version does not know.
    pub(super) fn of(notice: &'a Notice) -> Option<Self> {
        let (code, name, severity_id, severity) = match notice.what.as_ref()? {
            What::RolledBack(_) => (ROLLBACK_CODE, "Rollback", 4, "High"),
            What::Audit(_) => (AUDIT_CODE, "Audit", 3, "Medium"),
        };
        let (message, rollback, audit) = match notice.what.as_ref()? {
            What::RolledBack(back) => {
                let RolledBack { clients, clients_hit, document, .. } = back;
                let message = format!(
                    "a worker took back the change of `{document}`: it hit {clients_hit} of {clients} known-good clients"
                );
                (message, Some(Rollback::of(back)), None)
            }
            What::Audit(Audit { action, line }) => {
                let line = serde_json::from_str(line).unwrap_or_else(|_| Value::String(line.clone()));
                (format!("changed by hand: {action}"), None, Some(line))
            }
        };
        Some(Self {
            category_uid: 0,
            category_name: "Uncategorized",
            class_uid: 0,
            class_name: "Base Event",
            activity_id: 99,
            activity_name: name,
            type_uid: 99,
            severity_id,
            severity,
            time: notice.time_unix_ns / 1_000_000,
            message,
            metadata: Metadata {
                version: SCHEMA_VERSION,
                uid: Hex(&notice.id),
                event_code: code,
                product: Product::of(env!("CARGO_PKG_VERSION")),
            },
            unmapped: Unmapped { gatehouse: Own { gateway: &notice.gateway, rollback, audit } },
        })
    }
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
