//! The verdict in the words of the `security_control` profile, and the severity that follows from it.
//!
//! | verdict | action | disposition | severity |
//! |---|---|---|---|
//! | allow | 1 Allowed | 1 Allowed | 1 Informational |
//! | allow, a monitored rule would have mitigated | 1 Allowed | 15 Detected | 2 Low |
//! | allow with tags | 1 Allowed | 18 Tagged | 1 Informational |
//! | block | 2 Denied | 2 Blocked | 3 Medium |
//! | redirect | 2 Denied | 99 Redirected | 3 Medium |

use gatehouse_proto::v1::{Judgement, judgement::Action};

/// Ids and captions of one verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Control {
    pub(super) action_id: u8,
    pub(super) action: &'static str,
    pub(super) disposition_id: u8,
    pub(super) disposition: &'static str,
    pub(super) severity_id: u8,
    pub(super) severity: &'static str,
}

impl Control {
    pub(super) fn of(judgement: &Judgement) -> Self {
        match action(judgement.action) {
            Action::Block => denied(2, "Blocked"),
            Action::Redirect => denied(99, "Redirected"),
            Action::Limit => denied(99, "Limited"),
            Action::Deceive => denied(99, "Deceived"),
            Action::Drop => denied(6, "Dropped"),
            Action::Allow | Action::Unspecified if would_mitigate(judgement) => {
                Self { severity_id: 2, severity: "Low", ..allowed(15, "Detected") }
            }
            Action::Allow | Action::Unspecified if !judgement.tags.is_empty() => allowed(18, "Tagged"),
            Action::Allow | Action::Unspecified => allowed(1, "Allowed"),
        }
    }
}

/// The action's word as operators write it.
pub(super) fn word(number: i32) -> &'static str {
    match action(number) {
        Action::Allow | Action::Unspecified => "allow",
        Action::Block => "block",
        Action::Redirect => "redirect",
        Action::Limit => "limit",
        Action::Deceive => "deceive",
        Action::Drop => "drop",
    }
}

fn would_mitigate(judgement: &Judgement) -> bool {
    judgement.would_have.iter().any(|would| !matches!(action(would.action), Action::Unspecified | Action::Allow))
}

/// An action that this build does not know (a newer gate's) reads as unspecified.
fn action(number: i32) -> Action {
    Action::try_from(number).unwrap_or(Action::Unspecified)
}

const fn allowed(disposition_id: u8, disposition: &'static str) -> Control {
    Control { action_id: 1, action: "Allowed", disposition_id, disposition, severity_id: 1, severity: "Informational" }
}

const fn denied(disposition_id: u8, disposition: &'static str) -> Control {
    Control { action_id: 2, action: "Denied", disposition_id, disposition, severity_id: 3, severity: "Medium" }
}
