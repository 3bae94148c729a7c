//! What every event of our own has, whatever it tells: a base event of OCSF (class 0) with the details under
//! `unmapped.gatehouse`.

use std::borrow::Cow;

use serde::Serialize;

use super::SCHEMA_VERSION;
use super::activity::Product;
use super::hex::Hex;

/// A base event with an id of bytes `I` and details `D`.
#[derive(Debug, Serialize)]
pub(super) struct BaseEvent<'a, I: AsRef<[u8]>, D> {
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
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    message: Cow<'a, str>,
    metadata: Metadata<I>,
    unmapped: Unmapped<D>,
}

/// What one kind of them says.
pub(super) struct Told<'a, I, D> {
    /// What happened, in a word; the activity is "other".
    pub(super) activity: &'static str,
    pub(super) severity: Severity,
    /// Milliseconds since the Unix epoch.
    pub(super) time_ms: u64,
    /// Records that it is about.
    pub(super) count: Option<u64>,
    pub(super) message: Cow<'a, str>,
    pub(super) id: I,
    pub(super) code: &'static str,
    pub(super) details: D,
}

/// How bad it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Severity {
    Medium,
    High,
}

#[derive(Debug, Serialize)]
struct Metadata<I: AsRef<[u8]>> {
    version: &'static str,
    uid: Hex<I>,
    event_code: &'static str,
    product: Product<'static>,
}

#[derive(Debug, Serialize)]
struct Unmapped<D> {
    gatehouse: D,
}

impl<'a, I: AsRef<[u8]>, D> BaseEvent<'a, I, D> {
    pub(super) fn of(told: Told<'a, I, D>) -> Self {
        let (severity_id, severity) = match told.severity {
            Severity::Medium => (3, "Medium"),
            Severity::High => (4, "High"),
        };
        Self {
            category_uid: 0,
            category_name: "Uncategorized",
            class_uid: 0,
            class_name: "Base Event",
            activity_id: 99,
            activity_name: told.activity,
            type_uid: 99,
            severity_id,
            severity,
            time: told.time_ms,
            count: told.count,
            message: told.message,
            metadata: Metadata {
                version: SCHEMA_VERSION,
                uid: Hex(told.id),
                event_code: told.code,
                product: Product::of(env!("CARGO_PKG_VERSION")),
            },
            unmapped: Unmapped { gatehouse: told.details },
        }
    }
}
