//! How often each rule decided, and how often it would have, since the policy in force came into force here: from the records
//! as they are taken in, each once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use gatehouse_proto::v1::{self, record::Part};
use prost::Message;
use serde::Serialize;
use tokio::sync::watch;

use crate::ocsf::time::Rfc3339;
use crate::policies::Snapshot;

/// Names that are counted beside those of the policy's rules (`policy/otherwise`, …), at most; further ones are summed up.
const MAX_OTHERS: usize = 1024;
/// Rules that metrics have by name, at most: the first that did anything; the others together.
const MAX_NAMED: usize = 512;
/// What the others together are called; no rule is.
const OTHERS: &str = "(others)";
/// Longest name that is counted.
const MAX_NAME: usize = 200;

/// The counts of the policy in force. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Counts {
    policy: watch::Receiver<Option<Snapshot>>,
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    digest: Option<[u8; 32]>,
    since: Option<SystemTime>,
    /// In the order of decision, then others.
    rules: BTreeMap<String, Rule>,
    known: usize,
    /// Rules that metrics have by name.
    named: usize,
    /// Decisions by names for which there is no room.
    unnamed: u64,
    records: u64,
    /// Records judged by another policy, or by none.
    elsewhere: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Rule {
    /// Rank in the order of decision; `None`: no rule of the policy.
    rank: Option<usize>,
    enforced: u64,
    would_have: u64,
    last_ms: u64,
    /// Metrics have it by name.
    named: bool,
}

/// The counts, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    /// Since when they are counted, RFC 3339; `None`: no policy is in force.
    pub since: Option<String>,
    /// Records judged by this policy.
    pub records: u64,
    /// Records judged by another policy since then, or by none.
    pub elsewhere: u64,
    /// Decisions by rules whose name found no room here.
    pub unnamed: u64,
    /// In the order of decision; then what else decides (`policy/otherwise`, `policy/ambiguous`).
    pub rules: Vec<RuleView>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleView {
    /// `policy/rule`.
    pub rule: String,
    /// How often it decided.
    pub enforced: u64,
    /// How often it would have.
    pub would_have: u64,
    /// When it last did either, RFC 3339.
    pub last: Option<String>,
}

/// The sums of [`View`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// Records judged by this policy.
    pub records: u64,
    /// Decisions of its rules.
    pub enforced: u64,
    /// Decisions that its rules would have made.
    pub would_have: u64,
    /// Rules that did neither.
    pub silent_rules: usize,
}

/// The few fields of a record that are counted; the rest is passed over without being made.
#[derive(Clone, PartialEq, Message)]
struct Slim {
    #[prost(int32, tag = "3")]
    part: i32,
    #[prost(fixed64, tag = "4")]
    start_unix_ns: u64,
    #[prost(message, optional, tag = "11")]
    judgement: Option<SlimJudgement>,
}

#[derive(Clone, PartialEq, Message)]
struct SlimJudgement {
    #[prost(string, tag = "2")]
    rule: String,
    #[prost(message, repeated, tag = "5")]
    would_have: Vec<v1::WouldHave>,
    #[prost(bytes = "vec", tag = "8")]
    policy_digest: Vec<u8>,
}

impl Counts {
    /// Counts for whichever policy is in force.
    #[must_use]
    pub fn new(policy: watch::Receiver<Option<Snapshot>>) -> Self {
        Self { policy, table: Arc::default() }
    }

    /// Counts the records of a batch that was taken in. What cannot be read is told by the sinks, which keep it.
    pub fn observe(&self, batch: &v1::Batch) {
        if batch.records.is_empty() {
            return;
        }
        let mut table = self.current();
        for record in batch.records.iter().filter_map(|bytes| Slim::decode(bytes.as_slice()).ok()) {
            // An interim record says again what the final one will say.
            if record.part != Part::Interim as i32 {
                table.count(record);
            }
        }
    }

    /// Every rule of the policy in force.
    #[must_use]
    pub fn view(&self) -> View {
        let table = self.current();
        let mut rules: Vec<(&String, &Rule)> = table.rules.iter().collect();
        rules.sort_by_key(|(_, rule)| rule.rank.unwrap_or(usize::MAX));
        let shown = rules.into_iter().map(|(name, rule)| RuleView {
            rule: name.clone(),
            enforced: rule.enforced,
            would_have: rule.would_have,
            last: (rule.last_ms > 0).then(|| Rfc3339(rule.last_ms).to_string()),
        });
        View {
            since: table.since(),
            records: table.records,
            elsewhere: table.elsewhere,
            unnamed: table.unnamed,
            rules: shown.collect(),
        }
    }

    /// What rules did and would have done, for metrics: by name, as long as the policy is in force under the same ones.
    #[must_use]
    pub fn by_rule(&self) -> Vec<(String, u64, u64)> {
        let table = self.current();
        let mut by_rule = Vec::with_capacity(table.named + 1);
        let mut others = (0u64, 0u64);
        for (name, rule) in table.rules.iter().filter(|(_, rule)| rule.last_ms > 0 || rule.named) {
            if rule.named {
                by_rule.push((name.clone(), rule.enforced, rule.would_have));
            } else {
                others = (others.0.saturating_add(rule.enforced), others.1.saturating_add(rule.would_have));
            }
        }
        if others != (0, 0) {
            by_rule.push((OTHERS.into(), others.0, others.1));
        }
        by_rule
    }

    /// The sums.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let table = self.current();
        let sum = |count: fn(&Rule) -> u64| table.rules.values().map(count).fold(0, u64::saturating_add);
        let silent = |rule: &&Rule| rule.rank.is_some() && rule.enforced == 0 && rule.would_have == 0;
        Summary {
            since: table.since(),
            records: table.records,
            enforced: sum(|rule| rule.enforced),
            would_have: sum(|rule| rule.would_have),
            silent_rules: table.rules.values().filter(silent).count(),
        }
    }

    /// The table of the policy in force, begun anew where that is another one than before.
    fn current(&self) -> MutexGuard<'_, Table> {
        let policy = self.policy.borrow();
        // A count that a panic left out is no reason to stop counting.
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = policy.as_ref().map(Snapshot::digest);
        if table.digest != digest {
            *table = policy.as_ref().map(Table::begin).unwrap_or_default();
        }
        table
    }
}

impl Table {
    fn begin(snapshot: &Snapshot) -> Self {
        let names = snapshot.load().map(|policy| policy.rule_names().collect::<Vec<_>>()).unwrap_or_default();
        let rules: BTreeMap<String, Rule> = names
            .into_iter()
            .enumerate()
            .map(|(rank, name)| (name, Rule { rank: Some(rank), ..Rule::default() }))
            .collect();
        Self {
            digest: Some(snapshot.digest()),
            since: Some(SystemTime::now()),
            known: rules.len(),
            rules,
            ..Self::default()
        }
    }

    fn count(&mut self, record: Slim) {
        let judgement = record.judgement.unwrap_or_default();
        if self.digest.is_none_or(|digest| judgement.policy_digest != digest) {
            self.elsewhere += 1;
            return;
        }
        self.records += 1;
        let at_ms = record.start_unix_ns / 1_000_000;
        if !judgement.rule.is_empty() {
            self.add(&judgement.rule, at_ms, |rule| &mut rule.enforced);
        }
        for would in &judgement.would_have {
            self.add(&would.rule, at_ms, |rule| &mut rule.would_have);
        }
    }

    fn add(&mut self, name: &str, at_ms: u64, counter: fn(&mut Rule) -> &mut u64) {
        if !self.rules.contains_key(name) {
            if name.len() > MAX_NAME || self.rules.len() >= self.known + MAX_OTHERS {
                self.unnamed += 1;
                return;
            }
            self.rules.insert(name.to_owned(), Rule::default());
        }
        if let Some(rule) = self.rules.get_mut(name) {
            *counter(rule) += 1;
            rule.last_ms = rule.last_ms.max(at_ms);
            if !rule.named && self.named < MAX_NAMED {
                rule.named = true;
                self.named += 1;
            }
        }
    }

    fn since(&self) -> Option<String> {
        let since = self.since?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Some(Rfc3339(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)).to_string())
    }
}
