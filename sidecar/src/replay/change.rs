//! What changes between two policies, request by request.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::Serialize;

use super::{EXAMPLES, Example};
use crate::judge::Explained;
use crate::logs;

/// Pairs of rules that are told apart, for each kind; more are counted together.
const MAX_PAIRS: usize = 1_000;

/// How a request would fare otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It went on, and is mitigated now.
    NewlyMitigated,
    /// It was mitigated, and goes on now.
    NoLongerMitigated,
    /// It is mitigated now as before, but otherwise: another action or status.
    OtherAction,
    /// The same happens to it, but another rule decides.
    OtherRule,
    /// The same happens to it; rules in monitor mode would do otherwise.
    OtherWouldHave,
}

#[derive(Debug, Default)]
pub(super) struct Changes {
    unchanged: u64,
    kinds: BTreeMap<Kind, Group>,
}

#[derive(Debug, Default)]
struct Group {
    requests: u64,
    pairs: BTreeMap<(String, String), u64>,
    others: u64,
    examples: Vec<Example>,
}

impl Changes {
    pub(super) fn count(&mut self, entry: &logs::Entry, before: &Explained, after: &Explained) -> Option<Kind> {
        let Some(kind) = kind(before, after) else {
            self.unchanged += 1;
            return None;
        };
        let group = self.kinds.entry(kind).or_default();
        group.requests += 1;
        let pair = (by(kind, before), by(kind, after));
        let has_room = group.pairs.len() < MAX_PAIRS;
        match group.pairs.entry(pair) {
            Entry::Occupied(mut known) => *known.get_mut() += 1,
            Entry::Vacant(new) if has_room => {
                new.insert(1);
            }
            Entry::Vacant(_) => group.others += 1,
        }
        if group.examples.len() < EXAMPLES {
            group.examples.push(Example::of(entry));
        }
        Some(kind)
    }

    pub(super) fn told(self) -> Told {
        let kinds = self.kinds.into_iter().map(|(kind, group)| {
            let pair = |((before, after), requests)| Pair { before, after, requests };
            let mut pairs: Vec<Pair> = group.pairs.into_iter().map(pair).collect();
            pairs.sort_by_key(|pair| std::cmp::Reverse(pair.requests));
            (kind, GroupTold { requests: group.requests, pairs, others: group.others, examples: group.examples })
        });
        Told { unchanged: self.unchanged, changes: kinds.collect() }
    }
}

fn kind(before: &Explained, after: &Explained) -> Option<Kind> {
    match (before.mitigates(), after.mitigates()) {
        (false, true) => Some(Kind::NewlyMitigated),
        (true, false) => Some(Kind::NoLongerMitigated),
        _ if (before.action, before.status) != (after.action, after.status) => Some(Kind::OtherAction),
        _ if before.rule != after.rule => Some(Kind::OtherRule),
        _ if before.would_have != after.would_have => Some(Kind::OtherWouldHave),
        _ => None,
    }
}

/// Who decided, in words.
fn by(kind: Kind, explained: &Explained) -> String {
    if kind == Kind::OtherWouldHave {
        let all: Vec<String> =
            explained.would_have.iter().map(|would| format!("{} {}", would.action, would.rule)).collect();
        return if all.is_empty() { "nothing".to_owned() } else { all.join(", ") };
    }
    let status = explained.status.map(|status| format!(" {status}")).unwrap_or_default();
    let rule = explained.rule.as_deref().unwrap_or(explained.reason);
    format!("{}{status} by {rule}", explained.action)
}

/// The changes as they are told.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    pub(super) unchanged: u64,
    #[serde(flatten)]
    pub(super) changes: BTreeMap<Kind, GroupTold>,
}

#[derive(Debug, Serialize)]
pub(super) struct GroupTold {
    pub(super) requests: u64,
    /// Who decided before and who does now, the most frequent first.
    pub(super) pairs: Vec<Pair>,
    /// Requests of further pairs.
    pub(super) others: u64,
    pub(super) examples: Vec<Example>,
}

#[derive(Debug, Serialize)]
pub(super) struct Pair {
    pub(super) before: String,
    pub(super) after: String,
    pub(super) requests: u64,
}

impl Told {
    pub(super) fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }
}

impl Kind {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::NewlyMitigated => "newly mitigated",
            Self::NoLongerMitigated => "no longer mitigated",
            Self::OtherAction => "mitigated otherwise",
            Self::OtherRule => "decided by another rule",
            Self::OtherWouldHave => "would have been judged otherwise",
        }
    }
}
