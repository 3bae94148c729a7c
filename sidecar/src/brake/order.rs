//! What is asked for: a scope, how long, and why. The same words from the command line, the admin listener and a file.

use std::time::Duration;

use gatehouse_policy::document::{Fields, Node, Problems, quoted};
use gatehouse_proto::MAX_BRAKE_MS;

/// Longest time that a brake may be set for: 7 days. What is to last longer is a change of the policy.
pub const MAX_HOLD: Duration = Duration::from_millis(MAX_BRAKE_MS);

/// How long a file brakes that does not say.
const FILE_HOLD: Duration = Duration::from_secs(3600);
const MAX_REASON: usize = 500;

/// A brake to be set. Its fields are within bounds: see [`Order::read`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// `organisation/tenant/workspace/group` or the first of these; empty: every document.
    pub(super) scope: String,
    /// Up to [`MAX_HOLD`].
    pub(super) hold: Duration,
    /// Why; never empty.
    pub(super) reason: String,
}

impl Order {
    /// `organisation/tenant/workspace/group` or the first of these; empty: every document.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// Reads `{ scope, for, reason }`; `scope` may be left out for every document, the others may not.
    pub fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "a brake", problems)?;
        let scope = fields.take("scope");
        let (hold, why) = (fields.require("for"), fields.require("reason"));
        fields.finish(problems);
        let scope = scope.map_or(Some(String::new()), |node| read_scope(node, problems));
        let hold = hold.and_then(|node| read_hold(node, problems));
        let reason = why.and_then(|node| read_reason(node, problems));
        Some(Self { scope: scope?, hold: hold?, reason: reason? })
    }

    /// Reads what stands in a file: nothing (everything, for an hour), or the fields of [`read`](Self::read), of which each may
    /// be left out.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub(super) fn of_file(name: &str, text: &str) -> Result<Self, Problems> {
        let reason = || format!("the file `{name}` stands there");
        if text.trim().is_empty() {
            return Ok(Self { scope: String::new(), hold: FILE_HOLD, reason: reason() });
        }
        let mut problems = Problems::default();
        let documents = gatehouse_policy::document::yaml(name, text)?;
        let order = documents.first().and_then(|node| {
            let mut fields = Fields::new(node, "a brake", &mut problems)?;
            let (scope, hold, why) = (fields.take("scope"), fields.take("for"), fields.take("reason"));
            fields.finish(&mut problems);
            let scope = scope.map_or(Some(String::new()), |node| read_scope(node, &mut problems));
            let hold = hold.map_or(Some(FILE_HOLD), |node| read_hold(node, &mut problems));
            let reason = why.map_or_else(|| Some(reason()), |node| read_reason(node, &mut problems));
            Some(Self { scope: scope?, hold: hold?, reason: reason? })
        });
        if let Some(second) = documents.get(1) {
            problems.push(&second.place, "a second document begins here", "write one");
        }
        let whole = problems.or(order)?;
        whole.ok_or_else(|| {
            let mut problems = Problems::default();
            let place = gatehouse_policy::document::Place::pointer(name);
            problems.push(&place, "it holds no brake", "leave it empty to brake everything for an hour");
            problems
        })
    }
}

/// Whether a text names a scope as policy documents do.
pub(crate) fn is_scope(text: &str) -> bool {
    let name = |segment: &str| {
        (1..=63).contains(&segment.len())
            && segment.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    text.split('/').count() <= 4 && text.split('/').all(name)
}

fn read_scope(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.string(problems)?;
    if text.is_empty() || is_scope(text) {
        return Some(text.to_owned());
    }
    let help = "write organisation/tenant/workspace/group or the first of these, as `metadata.scope` of a policy does";
    problems.push(&node.place, format!("{} is no scope", quoted(text)), help);
    None
}

fn read_hold(node: &Node, problems: &mut Problems) -> Option<Duration> {
    let hold = node.duration(problems)?;
    if (Duration::from_secs(1)..=MAX_HOLD).contains(&hold) {
        return Some(hold);
    }
    let help = "write a duration from 1s to 7d; what is to last longer is a change of the policy: `mode: monitor`";
    problems.push(&node.place, "`for` is out of range", help);
    None
}

fn read_reason(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.string(problems)?.trim();
    if text.is_empty() {
        problems.push(&node.place, "the `reason` is empty", "say why, for those who find the brake");
        return None;
    }
    // One line of bounded length, whatever was pasted.
    Some(text.chars().take(MAX_REASON).map(|c| if c.is_control() { ' ' } else { c }).collect())
}
