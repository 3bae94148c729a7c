//! Exact counts: by action, reason, status and rule, and what could not be judged. Memory is bounded by the policy's rules and
//! the fields that they read, never by the traffic.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::Serialize;

use super::{EXAMPLES, Example};
use crate::judge::Explained;
use crate::logs::Entry;

type Counts = BTreeMap<&'static str, u64>;

#[derive(Debug, Default)]
pub(super) struct Tally {
    requests: u64,
    mitigated: u64,
    would_have: u64,
    actions: Counts,
    reasons: Counts,
    ambiguities: Counts,
    statuses: BTreeMap<Got, u64>,
    rules: HashMap<String, Rule>,
    named: Vec<String>,
    fields: BTreeMap<Arc<str>, Hidden>,
}

#[derive(Debug, Default)]
struct Rule {
    decided: Counts,
    would_have: Counts,
    not_judged: u64,
    examples: Vec<Example>,
    would_have_examples: Vec<Example>,
}

#[derive(Debug, Default)]
struct Hidden {
    requests: u64,
    rules: BTreeSet<Arc<str>>,
}

impl Tally {
    /// `rules`: all that the policy has, so that those without a request can be told.
    pub(super) fn new(rules: impl Iterator<Item = String>) -> Self {
        Self { named: rules.collect(), ..Self::default() }
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    pub(super) fn count(&mut self, entry: &Entry, explained: &Explained) {
        self.requests += 1;
        self.mitigated += u64::from(explained.mitigates());
        self.would_have += u64::from(!explained.would_have.is_empty());
        *self.actions.entry(explained.action).or_default() += 1;
        *self.reasons.entry(explained.reason).or_default() += 1;
        if let Some(ambiguity) = explained.ambiguity {
            *self.ambiguities.entry(ambiguity).or_default() += 1;
        }
        *self.statuses.entry(Got::of(entry, explained)).or_default() += 1;
        if let Some(name) = &explained.rule {
            let rule = rule(&mut self.rules, name);
            *rule.decided.entry(explained.action).or_default() += 1;
            keep(&mut rule.examples, entry);
        }
        for would in &explained.would_have {
            let rule = rule(&mut self.rules, &would.rule);
            *rule.would_have.entry(would.action).or_default() += 1;
            keep(&mut rule.would_have_examples, entry);
        }
        self.not_judged(explained);
    }

    fn not_judged(&mut self, explained: &Explained) {
        for (at, one) in explained.not_judged.iter().enumerate() {
            let earlier = explained.not_judged.get(..at).unwrap_or_default();
            let hidden = self.fields.entry(Arc::clone(&one.field)).or_default();
            hidden.requests += u64::from(earlier.iter().all(|other| other.field != one.field));
            let Some(name) = &one.rule else { continue };
            if !hidden.rules.contains(name) {
                hidden.rules.insert(Arc::clone(name));
            }
            if earlier.iter().all(|other| other.rule != one.rule) {
                rule(&mut self.rules, name).not_judged += 1;
            }
        }
    }

    pub(super) fn told(self) -> Told {
        let unused = self.named.into_iter().filter(|name| !self.rules.contains_key(name)).collect();
        let mut rules: Vec<RuleTold> = self.rules.into_iter().map(RuleTold::from).collect();
        rules.sort_by(|a, b| (b.total(), &a.rule).cmp(&(a.total(), &b.rule)));
        let hidden = |(field, hidden): (Arc<str>, Hidden)| NotJudged {
            field,
            requests: hidden.requests,
            rules: hidden.rules.into_iter().collect(),
        };
        Told {
            mitigated: self.mitigated,
            would_have: self.would_have,
            actions: self.actions,
            reasons: self.reasons,
            ambiguities: self.ambiguities,
            status: self.statuses.into_iter().map(|(got, count)| (got.word(), count)).collect(),
            rules,
            unused,
            not_judged: self.fields.into_iter().map(hidden).collect(),
        }
    }
}

/// What a client would have got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Got {
    /// The gate's status, or the recorded one.
    Status(u16),
    /// Nothing: the connection or the stream ends.
    Dropped,
    /// The log does not tell.
    Unknown,
}

impl Got {
    fn of(entry: &Entry, explained: &Explained) -> Self {
        let recorded = entry.request.response.as_ref().map(|response| response.status);
        match explained.status {
            Some(own) => Self::Status(own),
            None if explained.mitigates() => Self::Dropped,
            None => recorded.map_or(Self::Unknown, Self::Status),
        }
    }

    fn word(self) -> String {
        match self {
            Self::Status(status) => status.to_string(),
            Self::Dropped => "dropped".to_owned(),
            Self::Unknown => "unknown".to_owned(),
        }
    }
}

fn rule<'r>(rules: &'r mut HashMap<String, Rule>, name: &str) -> &'r mut Rule {
    if !rules.contains_key(name) {
        rules.insert(name.to_owned(), Rule::default());
    }
    // It is there now; the entry's default is never made.
    rules.entry(name.to_owned()).or_default()
}

fn keep(examples: &mut Vec<Example>, entry: &Entry) {
    if examples.len() < EXAMPLES {
        examples.push(Example::of(entry));
    }
}

/// The counts as they are told.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    /// Requests that the gate would have answered itself.
    pub(super) mitigated: u64,
    /// Requests of which some rule in monitor mode would have decided otherwise.
    pub(super) would_have: u64,
    pub(super) actions: Counts,
    pub(super) reasons: Counts,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) ambiguities: Counts,
    /// What clients would have got: the gate's status, the recorded one, or nothing (`dropped`).
    pub(super) status: BTreeMap<String, u64>,
    /// Those with a request, the busiest first.
    pub(super) rules: Vec<RuleTold>,
    /// Rules that no request met.
    pub(super) unused: Vec<String>,
    pub(super) not_judged: Vec<NotJudged>,
}

#[derive(Debug, Serialize)]
pub(super) struct RuleTold {
    pub(super) rule: String,
    pub(super) decided: Counts,
    pub(super) would_have: Counts,
    /// Requests of which it is not known whether they match.
    pub(super) not_judged: u64,
    pub(super) examples: Vec<Example>,
    pub(super) would_have_examples: Vec<Example>,
}

/// A field that is not known, and what hung on it.
#[derive(Debug, Serialize)]
pub(super) struct NotJudged {
    pub(super) field: Arc<str>,
    pub(super) requests: u64,
    pub(super) rules: Vec<Arc<str>>,
}

impl RuleTold {
    pub(super) fn total(&self) -> u64 {
        self.decided.values().chain(self.would_have.values()).sum()
    }
}

impl From<(String, Rule)> for RuleTold {
    fn from((rule, counted): (String, Rule)) -> Self {
        Self {
            rule,
            decided: counted.decided,
            would_have: counted.would_have,
            not_judged: counted.not_judged,
            examples: counted.examples,
            would_have_examples: counted.would_have_examples,
        }
    }
}
