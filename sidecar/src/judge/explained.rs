//! A verdict as the command line tells it.

use std::sync::Arc;

use gatehouse_engine::{Answer, Head, Judged, Pairs, Reply, Step as EngineStep};
use gatehouse_verdict::{Action, Verdict};
use serde::Serialize;

use super::{Signals, Step};

/// Most bytes of a body that are told.
const MAX_BODY: usize = 4 << 10;

/// What was decided about one request or connection, and why.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Explained {
    /// The word for it: `allow`, `block` …; of a connection `allow` or `reject`.
    pub action: &'static str,
    /// Status of the gate's own answer; `None`: there is none.
    pub status: Option<u16>,
    /// The rule that decided, as `policy/rule`.
    pub rule: Option<String>,
    /// Why, one of a fixed set of words.
    pub reason: &'static str,
    /// Reference id, as an openly mitigated response would carry one. Made from a fixed key: the same input gives the same.
    pub reference: Option<String>,
    /// What rules in monitor mode would have done.
    pub would_have: Vec<Would>,
    /// Names of the headers that tags set on the request.
    pub tags: Vec<String>,
    /// A rule asked that the transaction be kept.
    pub record: bool,
    /// Of a connection: the line that the network filter and a guard log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Why the request has more than one reading.
    pub ambiguity: Option<&'static str>,
    /// Headers of the gate's own answer; for a request that goes on, those that tags set on it.
    pub headers: Vec<(String, String)>,
    /// Body of the gate's own answer, its first 4 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Milliseconds that the request waits before it goes on; 0: none.
    #[serde(skip_serializing_if = "is_zero")]
    pub delay_ms: u64,
    /// What is removed from the request before it goes on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// The path that goes on, where it is not the one received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded_path: Option<String>,
    /// What is done to the headers of the application's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Edited>,
    /// Rules that could not be judged, because a field is not known.
    pub not_judged: Vec<NotJudged>,
    /// What was read from the request, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signals: Option<Signals>,
    /// The way to the decision, if asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trace: Vec<Step>,
}

/// What a rule in monitor mode would have done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Would {
    /// The word for it.
    pub action: &'static str,
    /// `policy/rule`.
    pub rule: String,
}

/// A rule that could not be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotJudged {
    /// `policy/rule`; `None`: the choice of the documents that hold for the host.
    pub rule: Option<Arc<str>>,
    /// The field that is not known: `headers`, `address`, `host` …
    pub field: Arc<str>,
}

/// Edits of the headers of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Edited {
    /// Names that are removed.
    pub remove: Vec<String>,
    /// Names and values that are set.
    pub set: Vec<(String, String)>,
}

impl Explained {
    /// The request does not go on to the application, or its answer does not come back.
    #[must_use]
    pub fn mitigates(&self) -> bool {
        self.action != Action::Allow.as_str()
    }

    /// What the gate decided when the request's headers arrived.
    pub(super) fn of(judged: &Judged, head: Head<'_>) -> Self {
        let mut explained = Self { delay_ms: judged.delay_ns / 1_000_000, ..Self::default() };
        explained.take(&judged.verdict);
        match &judged.step {
            EngineStep::Drop | EngineStep::Forward(None) => {}
            EngineStep::Forward(Some(edited)) => explained.forwarded(edited, head),
            EngineStep::Reply(reply) => explained.replied(reply),
        }
        explained
    }

    /// What it decided when the response's headers arrived.
    pub(super) fn respond(&mut self, answer: Answer, verdict: &Verdict) {
        self.take(verdict);
        match answer {
            Answer::Pass => {}
            Answer::Edit { remove, set } => self.response = Some(Edited { remove, set }),
            Answer::Replace(reply) => self.replied(&reply),
        }
    }

    fn take(&mut self, verdict: &Verdict) {
        self.action = verdict.action().as_str();
        self.rule.clone_from(&verdict.rule);
        self.reason = verdict.reason.as_str();
        self.reference.clone_from(&verdict.reference);
        let would =
            |would: &gatehouse_verdict::WouldHave| Would { action: would.action.as_str(), rule: would.rule.clone() };
        self.would_have = verdict.would_have.iter().map(would).collect();
        self.tags.clone_from(&verdict.tags);
        self.record = verdict.record;
        self.ambiguity = verdict.ambiguity;
    }

    fn replied(&mut self, reply: &Reply) {
        self.status = Some(reply.status);
        let headers = reply.headers.iter();
        self.headers = headers.map(|(name, value)| (name.clone().into_owned(), value.clone().into_owned())).collect();
        let body = reply.body.get(..MAX_BODY).unwrap_or(&reply.body);
        self.body = (!body.is_empty()).then(|| shown(body));
    }

    /// What the new header map says more, less and otherwise. Headers that tags set are its last ones, since what a client sent
    /// under their names was removed.
    fn forwarded(&mut self, edited: &Pairs, head: Head<'_>) {
        let is_tag = |name: &[u8]| self.tags.iter().any(|tag| tag.as_bytes() == name);
        let set = edited.iter().filter(|(name, _)| is_tag(name));
        self.headers = set.map(|(name, value)| (shown(name), shown(value))).collect();
        for (name, _) in head.headers {
            let kept = edited.iter().any(|(own, _)| own == *name);
            let name = shown(name);
            if !kept && !self.removed.contains(&name) {
                self.removed.push(name);
            }
        }
        let path = edited.iter().find(|(name, _)| *name == b":path").map(|(_, path)| path);
        self.forwarded_path = path.filter(|path| head.first(b":path") != Some(path)).map(shown);
    }
}

/// Bytes as text.
pub(super) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
