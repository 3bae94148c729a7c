//! What is gathered on the way to a verdict, and the decision that ends it.

use gatehouse_policy::{Action as Act, Rule};
use gatehouse_verdict::{Action, Reason, WouldHave};

use crate::mitigate::Answer;

/// Most would-have entries that a verdict keeps; the first ones.
const MAX_WOULD_HAVE: usize = 16;
/// Most tags that one request can get; the first ones.
const MAX_TAGS: usize = 32;

/// What adds up, over all readings; nothing stands in it twice.
#[derive(Debug, Default)]
pub(super) struct Trail<'p> {
    /// What rules in monitor mode would have done.
    pub(super) would_have: Vec<WouldHave>,
    /// Headers to set.
    pub(super) tags: Vec<(&'p str, &'p str)>,
    /// The transaction is to be kept.
    pub(super) record: bool,
}

impl<'p> Trail<'p> {
    pub(super) fn would_have(&mut self, action: Action, rule: impl FnOnce() -> String) {
        if self.would_have.len() < MAX_WOULD_HAVE {
            let entry = WouldHave { action, rule: rule() };
            if !self.would_have.contains(&entry) {
                self.would_have.push(entry);
            }
        }
    }

    pub(super) fn tag(&mut self, header: &'p str, value: &'p str) {
        if self.tags.len() < MAX_TAGS && !self.tags.contains(&(header, value)) {
            self.tags.push((header, value));
        }
    }
}

/// What a policy's action is to a verdict.
pub(super) fn action_of(decided: &Act<'_>) -> Action {
    match decided {
        Act::Block(_) => Action::Block,
        Act::Redirect { .. } => Action::Redirect,
        Act::Allow | Act::Record | Act::Tag { .. } => Action::Allow,
    }
}

/// What was decided, why and by whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decision<'p> {
    pub(super) reason: Reason,
    /// `None`: the request goes on.
    pub(super) answer: Option<Answer<'p>>,
    by: By<'p>,
}

#[derive(Debug, Clone, Copy)]
enum By<'p> {
    Nobody,
    Rule(Rule<'p>),
    /// A document's own word: its name, and which word.
    Setting(&'p str, &'static str),
}

impl<'p> Decision<'p> {
    pub(super) const fn allowed(reason: Reason) -> Self {
        Self { reason, answer: None, by: By::Nobody }
    }

    pub(super) const fn blocked_without_policy() -> Self {
        Self { reason: Reason::NoPolicy, answer: Some(Answer::Refuse { status: 403, own: None }), by: By::Nobody }
    }

    pub(super) fn ambiguous(document: &'p str) -> Self {
        let answer = Some(Answer::Refuse { status: 400, own: None });
        Self { reason: Reason::Ambiguous, answer, by: By::Setting(document, "ambiguous") }
    }

    pub(super) fn by_rule(rule: Rule<'p>, decided: Act<'p>) -> Self {
        Self { reason: Reason::Rule, answer: answer(decided), by: By::Rule(rule) }
    }

    pub(super) fn otherwise(document: &'p str, decided: Act<'p>) -> Self {
        let answer = answer(decided);
        // The usual way of most requests: nobody is named, so nothing is allocated.
        let by = if answer.is_some() { By::Setting(document, "otherwise") } else { By::Nobody };
        Self { reason: Reason::Otherwise, answer, by }
    }

    /// The stricter of two; of equals the first.
    pub(super) fn stricter(self, other: Self) -> Self {
        if other.strictness() > self.strictness() { other } else { self }
    }

    fn strictness(&self) -> u8 {
        match self.answer {
            None => 0,
            Some(Answer::Redirect { .. }) => 1,
            Some(Answer::Refuse { .. }) => 2,
        }
    }

    pub(super) fn action(&self) -> Action {
        match self.answer {
            None => Action::Allow,
            Some(Answer::Redirect { .. }) => Action::Redirect,
            Some(Answer::Refuse { .. }) => Action::Block,
        }
    }

    /// `policy/rule`, `policy/otherwise`, `policy/ambiguous`; `None`: nobody decided by name.
    pub(super) fn rule(&self) -> Option<String> {
        match self.by {
            By::Nobody => None,
            By::Rule(rule) => Some(rule.id()),
            By::Setting(document, word) => Some([document, "/", word].concat()),
        }
    }
}

fn answer(decided: Act<'_>) -> Option<Answer<'_>> {
    match decided {
        Act::Allow | Act::Record | Act::Tag { .. } => None,
        Act::Block(refusal) => Some(Answer::Refuse { status: refusal.status(), own: Some(refusal) }),
        Act::Redirect { location, status } => Some(Answer::Redirect { location, status }),
    }
}
