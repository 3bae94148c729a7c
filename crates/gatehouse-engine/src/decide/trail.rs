//! What is gathered on the way to a verdict, and the decision that ends it.

use gatehouse_policy::{Action as Act, Effect, Names, Rule, Then};
use gatehouse_verdict::{Action, Reason, WouldHave};

use crate::changes::Seen;
use crate::exchange::{Settings, WhenNoPolicy};
use crate::grounds::Grounds;

/// Most would-have entries that a verdict keeps; the first ones.
const MAX_WOULD_HAVE: usize = 16;
/// Most tags that one request can get, and most of each other effect; the first ones.
const MAX_EFFECTS: usize = 32;

/// What adds up, over all readings; nothing stands in it twice.
#[derive(Debug, Default)]
pub(crate) struct Trail<'p> {
    /// What rules in monitor mode would have done.
    pub(crate) would_have: Vec<WouldHave>,
    /// What those rules rested on, and those that decided a reading.
    pub(crate) grounds: Grounds,
    /// Headers to set.
    pub(crate) tags: Vec<(&'p str, &'p str)>,
    /// Headers and query parameters to remove before forwarding.
    pub(crate) sanitize: Vec<(Names<'p>, Names<'p>)>,
    /// Rules that edit the response's headers, by index, each with the step of its limit that is over.
    pub(crate) response: Vec<(u32, u8)>,
    /// What is added to the client's scores: (weight, label).
    pub(crate) weights: Vec<(i32, Option<u8>)>,
    /// The longest delay, nanoseconds.
    pub(crate) delay_ns: u64,
    /// The transaction is to be kept.
    pub(crate) record: bool,
    /// What changes in canary or baking did to the request.
    pub(crate) seen: Seen,
    /// Rules that stand in here already, each with the step of its limit.
    added: Vec<(u32, u8)>,
}

impl<'p> Trail<'p> {
    /// True: it did not stand there yet.
    pub(crate) fn would_have(&mut self, action: Action, rule: impl FnOnce() -> String) -> bool {
        if self.would_have.len() >= MAX_WOULD_HAVE {
            return false;
        }
        let entry = WouldHave { action, rule: rule() };
        let is_new = !self.would_have.contains(&entry);
        if is_new {
            self.would_have.push(entry);
        }
        is_new
    }

    /// Adds what `then` of `rule`, at that step of its limit, adds up; once, whatever number of readings meet it.
    pub(crate) fn add(&mut self, rule: u32, step: u8, then: Then<'p>) {
        let mut effects = then.effects().peekable();
        if effects.peek().is_some() && !self.added.contains(&(rule, step)) {
            self.added.push((rule, step));
            effects.for_each(|effect| self.add_one(rule, step, effect));
        }
    }

    fn add_one(&mut self, rule: u32, step: u8, effect: Effect<'p>) {
        match effect {
            Effect::Delay(nanos) => self.delay_ns = self.delay_ns.max(nanos),
            Effect::Record => self.record = true,
            Effect::RemoveResponseHeaders(_) | Effect::SetResponseHeaders(_) => {
                if !self.response.contains(&(rule, step)) {
                    push(&mut self.response, (rule, step));
                }
            }
            Effect::Route { header, value } => {
                // One value steers: that of the rule that is asked first.
                if !self.tags.iter().any(|(known, _)| *known == header) {
                    push(&mut self.tags, (header, value));
                }
            }
            Effect::Sanitize { headers, query } => push(&mut self.sanitize, (headers, query)),
            Effect::Tag { header, value } => {
                if !self.tags.contains(&(header, value)) {
                    push(&mut self.tags, (header, value));
                }
            }
            Effect::Weigh { weight, label } => push(&mut self.weights, (weight, label)),
        }
    }
}

fn push<T>(list: &mut Vec<T>, entry: T) {
    if list.len() < MAX_EFFECTS {
        list.push(entry);
    }
}

/// What a policy's action is to a verdict.
pub fn action_of(decided: &Act<'_>) -> Action {
    match decided {
        Act::Allow => Action::Allow,
        Act::Block(_) => Action::Block,
        Act::Deceive { .. } => Action::Deceive,
        Act::Drop => Action::Drop,
        Act::Limit(_) => Action::Limit,
        Act::Redirect { .. } => Action::Redirect,
    }
}

/// What was decided, why and by whom. Small, since it is handed on a lot: what an action says is read from the policy when it is
/// carried out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decision<'p> {
    pub(crate) reason: Reason,
    action: Action,
    /// Status of a refusal that no rule words.
    pub(crate) status: u16,
    /// What mitigates the request; `None`: it goes on, or is refused without a rule's words.
    then: Option<Then<'p>>,
    /// Of a limit that is over: nanoseconds until it is worth trying again, and what the limit is.
    pub(crate) over: Option<Over>,
    by: By<'p>,
}

/// A limit that refuses.
///
/// Ordered by how strict it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Over {
    /// Which of its steps.
    pub(crate) step: u8,
    /// Until it is worth trying again.
    pub(crate) retry_after_ns: u64,
    /// Its index in the policy.
    pub(crate) limit: usize,
    /// What was counted when it was asked; it stands in records only.
    pub(crate) count: u32,
    /// A block time runs.
    pub(crate) blocked: bool,
    /// Too many tries are unanswered.
    pub(crate) busy: bool,
}

impl Over {
    pub(crate) fn of(limit: usize, over: gatehouse_meter::limit::Over) -> Self {
        let gatehouse_meter::limit::Over { step, retry_after_ns, busy, count, blocked } = over;
        Self { step, retry_after_ns, limit, count, blocked, busy }
    }
}

#[derive(Debug, Clone, Copy)]
enum By<'p> {
    Nobody,
    Rule(Rule<'p>),
    /// A document's own word: its name, and which word.
    Setting(&'p str, Word),
}

/// A word that stands for a setting where a rule's name is shown; no rule may be called so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Ambiguous,
    IdentityHeaders,
    MutualTls,
    OneUri,
    Otherwise,
    ServerName,
}

impl Word {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ambiguous => "ambiguous",
            Self::IdentityHeaders => "identity-headers",
            Self::MutualTls => "mutual-tls",
            Self::OneUri => "one-uri",
            Self::Otherwise => "otherwise",
            Self::ServerName => "server-name",
        }
    }

    /// `policy/word`.
    pub(crate) fn of(self, document: &str) -> String {
        [document, "/", self.as_str()].concat()
    }
}

impl<'p> Decision<'p> {
    pub(crate) const fn allowed(reason: Reason) -> Self {
        Self { reason, action: Action::Allow, status: 0, then: None, over: None, by: By::Nobody }
    }

    /// What holds where no document speaks, for this reason.
    pub(crate) const fn without_document(settings: &Settings, reason: Reason) -> Self {
        match settings.when_no_policy {
            WhenNoPolicy::Allow => Self::allowed(reason),
            WhenNoPolicy::Block => Self::refused(reason, 403),
        }
    }

    /// Refused by nobody's rule.
    pub(crate) const fn refused(reason: Reason, status: u16) -> Self {
        Self { status, action: Action::Block, ..Self::allowed(reason) }
    }

    /// Refused by a setting of a document.
    pub(crate) const fn by_setting(reason: Reason, status: u16, document: &'p str, word: Word) -> Self {
        Self { by: By::Setting(document, word), ..Self::refused(reason, status) }
    }

    /// `then`: what the rule does; `action`: its final word.
    pub(crate) fn by_rule(rule: Rule<'p>, then: Then<'p>, action: Action, over: Option<Over>) -> Self {
        Self { over, by: By::Rule(rule), ..Self::carried_out(Reason::Rule, then, action) }
    }

    pub(crate) fn otherwise(document: impl FnOnce() -> &'p str, then: Then<'p>, action: Action) -> Self {
        // The usual way of most requests: nobody is named.
        let by = if action == Action::Allow { By::Nobody } else { By::Setting(document(), Word::Otherwise) };
        Self { by, ..Self::carried_out(Reason::Otherwise, then, action) }
    }

    fn carried_out(reason: Reason, then: Then<'p>, action: Action) -> Self {
        Self { action, then: (action != Action::Allow).then_some(then), ..Self::allowed(reason) }
    }

    /// What is done to the request; `None`: it goes on, or is refused without a rule's words.
    pub(crate) fn act(&self) -> Option<Act<'p>> {
        self.then.and_then(Then::decides)
    }

    /// The limit that refuses lasts this long after the request was counted.
    pub(crate) fn wait_for(&mut self, now: Option<Over>) {
        if let (Some(over), Some(now)) = (&mut self.over, now) {
            over.retry_after_ns = over.retry_after_ns.max(now.retry_after_ns);
            over.blocked |= now.blocked;
        }
    }

    /// The stricter of two; of equals the first.
    pub(crate) fn stricter(self, other: Self) -> Self {
        if other.strictness() > self.strictness() { other } else { self }
    }

    /// How strict: an answer that leads elsewhere, later, nowhere, and none at all.
    fn strictness(&self) -> u8 {
        match self.action() {
            Action::Allow => 0,
            Action::Redirect => 1,
            Action::Limit => 2,
            Action::Deceive => 3,
            Action::Drop => 4,
            Action::Block => 5,
        }
    }

    pub(crate) const fn action(&self) -> Action {
        self.action
    }

    /// The request does not go on.
    pub(crate) fn mitigates(&self) -> bool {
        self.action() != Action::Allow
    }

    /// The rule that decided.
    pub(crate) fn decider(&self) -> Option<Rule<'p>> {
        match self.by {
            By::Rule(rule) => Some(rule),
            _ => None,
        }
    }

    /// The document whose word it is.
    pub(crate) fn document(&self) -> Option<&'p str> {
        match self.by {
            By::Nobody => None,
            By::Rule(rule) => Some(rule.document()),
            By::Setting(document, _) => Some(document),
        }
    }

    /// `policy/rule`, `policy/otherwise`, `policy/ambiguous` …; `None`: nobody decided by name.
    pub(crate) fn rule(&self) -> Option<String> {
        match self.by {
            By::Nobody => None,
            By::Rule(rule) => Some(rule.id()),
            By::Setting(document, word) => Some(word.of(document)),
        }
    }
}
