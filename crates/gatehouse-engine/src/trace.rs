//! The whole way to a verdict, for people: made only when somebody asks (`gatehouse explain`, `test`), never in the gate.

use gatehouse_policy::{Facts, Rule, Truth};
use gatehouse_verdict::Mode;

use crate::decide::Over;

/// Most steps that are kept.
const MAX_STEPS: usize = 4096;

/// Every rule that was asked, in order, on every reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// One for each rule and reading; the first 4,096.
    pub steps: Vec<Step>,
    /// There were more.
    pub cut: bool,
}

/// What came of one rule on one reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The reading: its path.
    pub path: String,
    /// The reading: its method.
    pub method: String,
    /// `policy/rule`.
    pub rule: String,
    /// Whether the rule's match held.
    pub truth: Truth,
    /// Fields of the match that could not be known, by the words of the language.
    pub unknown: Vec<&'static str>,
    /// Whether it decides for this client at this moment (canary, brake and rollback counted in).
    pub mode: Mode,
    /// Its limit, if it has one and its match held.
    pub limit: Option<Sum>,
    /// The client's score when it was asked, if the policy keeps one.
    pub score: Option<u32>,
}

/// How a limit stands, before the request is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// How many more requests of the same key would pass at this moment after this one (of failures: how many more may fail; of
    /// different values: how many more there may be); 0 where it is over.
    pub remaining: u32,
    /// It is over: which of its steps, from 0, and seconds, rounded up, until it is worth trying again.
    pub over: Option<(u8, u64)>,
}

impl Trace {
    pub(crate) fn note(&mut self, rule: Rule<'_>, facts: &Facts<'_>, truth: Truth, mode: Mode, limit: Option<Sum>) {
        if self.steps.len() >= MAX_STEPS {
            self.cut = true;
            return;
        }
        let unknown = if truth == Truth::Unknown {
            rule.unknown_fields(facts).iter().map(gatehouse_policy::Field::as_str).collect()
        } else {
            Vec::new()
        };
        self.steps.push(Step {
            path: String::from_utf8_lossy(facts.path).into_owned(),
            method: String::from_utf8_lossy(facts.method).into_owned(),
            rule: rule.id(),
            truth,
            unknown,
            mode,
            limit,
            score: facts.signals.score(None),
        });
    }
}

impl Sum {
    pub(crate) fn new(remaining: u32, over: Option<Over>) -> Self {
        Self { remaining, over: over.map(|over| (over.step, over.retry_after_ns.div_ceil(1_000_000_000))) }
    }
}
