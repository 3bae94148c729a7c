//! What a test expects of a verdict, and how a verdict differs from it.

use gatehouse_policy::document::{Fields, Node, Problems, Value};
use gatehouse_verdict::Reason;
use serde::Serialize;

use crate::judge::Explained;

/// The words for final actions.
const ACTIONS: [&str; 7] = ["allow", "block", "challenge", "deceive", "drop", "limit", "redirect"];
/// Those for connections.
const OF_CONNECTIONS: [&str; 2] = ["allow", "reject"];

/// What must be said. What is not written may be anything.
#[derive(Debug, Default)]
pub(super) struct Expect {
    action: Option<&'static str>,
    /// `Some(None)`: the request goes to the application.
    status: Option<Option<u16>>,
    /// `Some(None)`: no rule decides.
    rule: Option<Option<String>>,
    reason: Option<&'static str>,
    would_have: Option<Vec<Would>>,
    tags: Option<Vec<String>>,
    /// Name, and value; `None`: not there.
    headers: Vec<(String, Option<String>)>,
    /// What the body of the gate's own answer holds somewhere.
    body: Option<String>,
    /// Milliseconds that the request waits; 0: none.
    delay_ms: Option<u64>,
    record: Option<bool>,
    /// Headers that are taken out of a request that goes on.
    removed: Option<Vec<String>>,
}

#[derive(Debug)]
struct Would {
    action: Option<&'static str>,
    rule: String,
}

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// `action`, `status`, `rule` …
    pub field: String,
    /// What the test says.
    pub expected: String,
    /// What the policy says.
    pub got: String,
}

impl Expect {
    /// What is expected of a request: an action, or a map.
    pub(super) fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if let Value::String(_) = &node.value {
            return Self::word(node, &ACTIONS, problems);
        }
        let mut fields = Fields::new(node, "the expectation", problems)?;
        let mut expect = Self::common(&mut fields, &ACTIONS, problems);
        expect.status = fields.take("status").map(|node| match nothing(node) {
            true => None,
            false => node.integer(100..=599, problems).and_then(|status| u16::try_from(status).ok()),
        });
        let tags = fields.take("tags").and_then(|node| node.strings(problems));
        expect.tags = tags.map(|tags| tags.into_iter().map(str::to_ascii_lowercase).collect());
        for entry in fields.take("headers").and_then(|node| node.entries(problems)).unwrap_or_default() {
            let value = if nothing(&entry.value) { None } else { entry.value.string(problems).map(str::to_owned) };
            expect.headers.push((entry.key.to_ascii_lowercase(), value));
        }
        expect.body = fields.take("body").and_then(|node| node.string(problems)).map(str::to_owned);
        expect.delay_ms = fields.take("delay").and_then(|node| match nothing(node) {
            true => Some(0),
            false => node.duration(problems).and_then(|delay| u64::try_from(delay.as_millis()).ok()),
        });
        let removed = fields.take("removed").and_then(|node| node.strings(problems));
        expect.removed = removed.map(|names| names.into_iter().map(str::to_ascii_lowercase).collect());
        fields.finish(problems);
        Some(expect)
    }

    /// Of a connection: likewise, of what can become of one.
    pub(super) fn of_connection(node: &Node, problems: &mut Problems) -> Option<Self> {
        if let Value::String(_) = &node.value {
            return Self::word(node, &OF_CONNECTIONS, problems);
        }
        let mut fields = Fields::new(node, "the expectation of a connection", problems)?;
        let expect = Self::common(&mut fields, &OF_CONNECTIONS, problems);
        fields.finish(problems);
        Some(expect)
    }

    /// An action, and nothing else.
    fn word(node: &Node, actions: &[&'static str], problems: &mut Problems) -> Option<Self> {
        node.one_of(actions, problems).map(|action| Self { action: Some(action), ..Self::default() })
    }

    /// What is asked of both.
    fn common(fields: &mut Fields<'_>, actions: &[&'static str], problems: &mut Problems) -> Self {
        let reasons = Reason::ALL.map(Reason::as_str);
        Self {
            action: fields.take("action").and_then(|node| node.one_of(actions, problems)),
            reason: fields.take("reason").and_then(|node| node.one_of(&reasons, problems)),
            rule: fields.take("rule").map(|node| match nothing(node) {
                true => None,
                false => node.string(problems).map(str::to_owned),
            }),
            would_have: fields.take("would_have").map(|node| would_have(node, actions, problems)),
            record: fields.take("record").and_then(|node| node.boolean(problems)),
            ..Self::default()
        }
    }

    /// What differs; empty: nothing.
    pub(super) fn compare(&self, got: &Explained) -> Vec<Mismatch> {
        let mut all = Vec::new();
        let mut differs = |field: &str, expected: String, got: String| {
            all.push(Mismatch { field: field.to_owned(), expected, got });
        };
        if let Some(action) = self.action.filter(|action| *action != got.action) {
            differs("action", action.to_owned(), got.action.to_owned());
        }
        if let Some(status) = self.status.filter(|status| *status != got.status) {
            differs("status", status_word(status), status_word(got.status));
        }
        if let Some(rule) = &self.rule {
            let same = match (rule, &got.rule) {
                (Some(rule), Some(got)) => is_rule(rule, got),
                (rule, got) => rule.is_none() && got.is_none(),
            };
            if !same {
                differs("rule", or_none(rule.as_deref()), or_none(got.rule.as_deref()));
            }
        }
        if let Some(reason) = self.reason.filter(|reason| *reason != got.reason) {
            differs("reason", reason.to_owned(), got.reason.to_owned());
        }
        if let Some(would) = &self.would_have
            && !same_would(would, got)
        {
            let expected: Vec<String> = would.iter().map(Would::shown).collect();
            let found = got.would_have.iter().map(|would| format!("{} {}", would.action, would.rule));
            differs("would_have", list(&expected), list(&found.collect::<Vec<_>>()));
        }
        if let Some(tags) = &self.tags
            && !same_set(tags, &got.tags)
        {
            differs("tags", list(tags), list(&got.tags));
        }
        for (name, expected) in &self.headers {
            let values = got.headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
            let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
            let same = match expected {
                None => values.is_empty(),
                Some(expected) => values.contains(&expected.as_str()),
            };
            if !same {
                let found = (!values.is_empty()).then(|| values.join(", "));
                differs(&format!("header {name}"), or_none(expected.as_deref()), or_none(found.as_deref()));
            }
        }
        self.compare_rest(got, &mut all);
        all
    }

    /// What is seldom asked for.
    fn compare_rest(&self, got: &Explained, all: &mut Vec<Mismatch>) {
        let mut differs = |field: &str, expected: String, got: String| {
            all.push(Mismatch { field: field.to_owned(), expected, got });
        };
        let body = got.body.as_deref().unwrap_or_default();
        if let Some(part) = self.body.as_ref().filter(|part| !body.contains(part.as_str())) {
            differs("body", part.clone(), or_none(got.body.as_deref()));
        }
        if let Some(delay) = self.delay_ms.filter(|delay| *delay != got.delay_ms) {
            differs("delay", format!("{delay} ms"), format!("{} ms", got.delay_ms));
        }
        if let Some(record) = self.record.filter(|record| *record != got.record) {
            differs("record", record.to_string(), got.record.to_string());
        }
        if let Some(removed) = &self.removed
            && !same_set(removed, &got.removed)
        {
            differs("removed", list(removed), list(&got.removed));
        }
    }
}

impl Would {
    fn shown(&self) -> String {
        self.action.map_or_else(|| self.rule.clone(), |action| format!("{action} {}", self.rule))
    }
}

/// A list of rules, each by name or with its action.
fn would_have(node: &Node, actions: &[&'static str], problems: &mut Problems) -> Vec<Would> {
    let mut all = Vec::new();
    for item in node.one_or_many() {
        let Value::Map(_) = &item.value else {
            all.extend(item.string(problems).map(|rule| Would { action: None, rule: rule.to_owned() }));
            continue;
        };
        let Some(mut fields) = Fields::new(item, "what a rule would have done", problems) else { continue };
        let action = fields.take("action").and_then(|node| node.one_of(actions, problems));
        let rule = fields.require("rule").and_then(|node| node.string(problems)).unwrap_or_default();
        fields.finish(problems);
        all.push(Would { action, rule: rule.to_owned() });
    }
    all
}

/// A rule is named in full (`policy/rule`), or without its policy.
fn is_rule(expected: &str, got: &str) -> bool {
    expected == got || got.split_once('/').is_some_and(|(_, name)| name == expected)
}

/// In any order.
fn same_would(expected: &[Would], got: &Explained) -> bool {
    let is = |would: &Would, got: &crate::judge::Would| {
        is_rule(&would.rule, &got.rule) && would.action.is_none_or(|action| action == got.action)
    };
    let met = |would: &Would| got.would_have.iter().any(|got| is(would, got));
    let asked = |got: &crate::judge::Would| expected.iter().any(|would| is(would, got));
    expected.iter().all(met) && got.would_have.iter().all(asked)
}

fn same_set(a: &[String], b: &[String]) -> bool {
    a.iter().all(|one| b.contains(one)) && b.iter().all(|one| a.contains(one))
}

fn status_word(status: Option<u16>) -> String {
    status.map_or_else(|| "the application's".to_owned(), |status| status.to_string())
}

/// `null`: there shall be none.
fn nothing(node: &Node) -> bool {
    node.value == Value::Null
}

fn or_none(text: Option<&str>) -> String {
    text.unwrap_or("none").to_owned()
}

fn list(all: &[String]) -> String {
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}
