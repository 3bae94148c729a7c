//! One JSON line a request.

use serde::Serialize;

use super::example::Example;
use super::{Kind, Outcome};
use crate::judge::{NotJudged, Would};
use crate::logs::Entry;

/// What one request came to.
#[derive(Debug, Serialize)]
pub struct Line<'o> {
    #[serde(flatten)]
    request: Example,
    action: &'static str,
    status: Option<u16>,
    rule: Option<&'o str>,
    reason: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    would_have: &'o [Would],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tags: &'o [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    ambiguity: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    not_judged: &'o [NotJudged],
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Before<'o>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<Kind>,
}

/// The same by the policy that it is compared with.
#[derive(Debug, Serialize)]
struct Before<'o> {
    action: &'static str,
    status: Option<u16>,
    rule: Option<&'o str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    would_have: &'o [Would],
}

impl<'o> Line<'o> {
    /// The line of one request.
    #[must_use]
    pub fn of(entry: &Entry, outcome: &'o Outcome) -> Self {
        let explained = &outcome.explained;
        let before = outcome.before.as_ref().map(|before| Before {
            action: before.action,
            status: before.status,
            rule: before.rule.as_deref(),
            would_have: &before.would_have,
        });
        Self {
            request: Example::of(entry),
            action: explained.action,
            status: explained.status,
            rule: explained.rule.as_deref(),
            reason: explained.reason,
            would_have: &explained.would_have,
            tags: &explained.tags,
            ambiguity: explained.ambiguity,
            not_judged: &explained.not_judged,
            before,
            change: outcome.change,
        }
    }
}
