//! Rules that an earlier, final, enforced rule of the same documents takes every request from.
//!
//! Comparing every pair would take seconds at ten thousand rules, so earlier rules are filed under the keys that a narrower
//! match must have (its path and every path above it, its networks and every network around them, and so on), and only
//! those under one of a rule's keys are compared. What cannot be filed so is compared within a budget; where it ends is told.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;

use gatehouse_signals::address::Network;

use crate::canonical::condition_key;
use crate::document::{Problems, quoted};
use crate::spec::types::{Action, Condition, Document, Rollout, Rule, Tier, Traffic};
use crate::spec::{HostPattern, PathPattern, TextPattern};

use super::implies::{Of, implies, literal_part, networks};
use super::{is_packed, rollout};

/// Comparisons of two leaves, in all.
pub(super) const BUDGET: u64 = 2_000_000;
/// Networks of one condition that are filed one by one.
const MOST_NETWORKS: usize = 256;

/// A rule in the order of decision.
#[derive(Clone, Copy)]
struct Ranked<'d> {
    /// Its place among the rules of its document.
    position: usize,
    rule: &'d Rule,
    document: &'d Document,
}

/// Rules of documents whose order among each other is one: those of one scope.
struct Group<'d> {
    rules: Vec<Ranked<'d>>,
}

pub(super) fn check(documents: &[Document], warnings: &mut Problems) {
    let mut groups: BTreeMap<(Traffic, &[String], bool), Group<'_>> = BTreeMap::new();
    for document in documents {
        let key = (document.traffic, document.scope.as_slice(), document.hosts.is_empty());
        let group = groups.entry(key).or_insert_with(|| Group { rules: Vec::new() });
        let ranked = |(position, rule)| Ranked { position, rule, document };
        group.rules.extend(document.rules.iter().enumerate().map(ranked));
    }
    let mut budget = BUDGET;
    for group in groups.values_mut() {
        // Stable: documents stand in the order of their names.
        group.rules.sort_by_key(|ranked| (ranked.rule.tier, Reverse(ranked.rule.priority), ranked.position));
        if let Some(stopped) = group.check(&mut budget, warnings) {
            let message = format!(
                "looking for hidden rules ended after {BUDGET} comparisons: rules from {} on were not compared",
                quoted(&stopped.name)
            );
            warnings.push(&stopped.place, message, "");
            return;
        }
    }
}

impl<'d> Group<'d> {
    /// Tells of every hidden rule; the rule at which the budget ended.
    fn check(&self, budget: &mut u64, warnings: &mut Problems) -> Option<&'d Rule> {
        let mut filed: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut same: BTreeMap<String, usize> = BTreeMap::new();
        for (index, later) in self.rules.iter().enumerate() {
            if *budget == 0 {
                return Some(later.rule);
            }
            let told = !is_packed(later.document, &later.rule.place)
                && self.check_one(*later, index, &filed, &mut same, budget, warnings);
            if !told && later.decides_alone() {
                for key in filing_keys(Of::new(&later.rule.condition, later.document)) {
                    filed.entry(key).or_default().push(index);
                }
            }
        }
        None
    }

    /// Something was told of `later`, which stands at `index`.
    fn check_one(
        &self,
        later: Ranked<'d>,
        index: usize,
        filed: &BTreeMap<String, Vec<usize>>,
        same: &mut BTreeMap<String, usize>,
        budget: &mut u64,
        warnings: &mut Problems,
    ) -> bool {
        let earlier = |number: &usize| self.rules.get(*number).copied();
        let twin = later.key().and_then(|key| match same.get(&key) {
            Some(first) => earlier(first),
            None => {
                same.insert(key, index);
                None
            }
        });
        if let Some(first) = twin.filter(|first| first.contradicts(later)) {
            let (a, b) = (word(first.rule), word(later.rule));
            let message = format!(
                "the rule {} has the match of {} at {} and does `{b}`, not `{a}`",
                quoted(&later.rule.name),
                quoted(&first.rule.name),
                first.rule.place
            );
            warnings.push(&later.rule.place, message, "the first of them decides: keep one");
            return true;
        }
        let narrow = Of::new(&later.rule.condition, later.document);
        for key in asking_keys(narrow) {
            let candidates = filed.get(&key).into_iter().flatten().filter_map(earlier);
            for first in candidates.filter(|first| first.comes_before(later)) {
                *budget = budget.saturating_sub(1);
                if implies(narrow, Of::new(&first.rule.condition, first.document), budget) {
                    let message = format!(
                        "the rule {} is never asked: {} at {} decides whatever it matches",
                        quoted(&later.rule.name),
                        quoted(&first.rule.name),
                        first.rule.place
                    );
                    warnings.push(&later.rule.place, message, "give it a higher `priority`, or take it out");
                    return true;
                }
            }
        }
        false
    }
}

impl Ranked<'_> {
    /// It ends the evaluation of every request that it matches.
    fn decides_alone(self) -> bool {
        let decides = matches!(&self.rule.then.decides, Some(action) if !matches!(action, Action::Limit(_)));
        decides && self.rule.limit.is_none() && rollout(self.rule, self.document) == Rollout::Enforce
    }

    /// Where `later` is asked, this one was asked before and could have decided.
    fn comes_before(self, later: Self) -> bool {
        let allows = matches!(self.rule.then.decides, Some(Action::Allow));
        let ends = !(allows && self.rule.tier == Tier::Mandate && later.rule.tier == Tier::Mandate);
        ends && self.rule.on_response == later.rule.on_response && self.holds_where(later)
    }

    /// Its document holds wherever the other's does.
    fn holds_where(self, other: Self) -> bool {
        if std::ptr::eq(self.document, other.document) {
            return true;
        }
        let covered = |host: &HostPattern| self.document.hosts.iter().any(|(own, _)| own == host);
        other.document.hosts.iter().all(|(host, _)| covered(host))
    }

    /// The same match as a later rule, and another end.
    fn contradicts(self, later: Self) -> bool {
        let ends = self.rule.then.decides.is_some() && later.rule.then.decides.is_some();
        let twins = self.rule.limit.is_none() && later.rule.limit.is_none() && self.rule.tier == later.rule.tier;
        ends && twins && self.rule.then.decides != later.rule.then.decides && self.holds_where(later)
    }

    /// What two rules of one match share.
    fn key(self) -> Option<String> {
        let name = &self.document.name;
        let listed = self.rule.condition.some_leaf(|leaf| crate::compile::list_of(leaf).is_some());
        let owner = if listed { name.as_str() } else { "" };
        serde_json::to_string(&condition_key(&self.rule.condition)).ok().map(|json| format!("{owner} {json}"))
    }
}

fn word(rule: &Rule) -> &'static str {
    rule.then.decides.as_ref().map_or("", Action::word)
}

/// The keys under which a rule is filed that may cover others: those of the part that tells most.
fn filing_keys(of: Of<'_>) -> Vec<String> {
    let parts = match of.condition {
        Condition::All(parts) => parts.as_slice(),
        other => std::slice::from_ref(other),
    };
    let filed = parts.iter().map(|part| {
        let leaves = match part {
            Condition::Any(parts) => parts.as_slice(),
            leaf => std::slice::from_ref(leaf),
        };
        let keys: Vec<(u8, String)> = leaves.iter().flat_map(|leaf| filed_under(leaf, of.document)).collect();
        let least = keys.iter().map(|(tells, _)| *tells).min().unwrap_or(0);
        (least, keys)
    });
    let best = filed.max_by_key(|(tells, keys)| (*tells, Reverse(keys.len())));
    best.map(|(_, keys)| keys.into_iter().map(|(_, key)| key).collect()).unwrap_or_default()
}

/// The keys of one leaf that covers others, with how much each tells.
fn filed_under(leaf: &Condition, document: &Document) -> Vec<(u8, String)> {
    match leaf {
        Condition::Path(PathPattern::Exact(path)) => vec![(9, format!("path ={path}"))],
        Condition::Path(PathPattern::Regex(regex)) => vec![(9, format!("path ~{regex}"))],
        Condition::Path(PathPattern::Prefix(path)) => vec![(8, format!("path /{}", path.trim_end_matches('/')))],
        Condition::Path(PathPattern::Segments(segments)) => {
            vec![(7, format!("path /{}", literal_part(segments).trim_end_matches('/')))]
        }
        Condition::Path(PathPattern::Suffix(_)) => vec![(3, "path $".to_owned())],
        Condition::Host(HostPattern::Exact(host)) => vec![(5, format!("host ={host}"))],
        Condition::Host(HostPattern::Under(domain)) => vec![(4, format!("host {domain}"))],
        Condition::Address(addresses) => match networks(addresses, document) {
            Some(networks) if (1..=MOST_NETWORKS).contains(&networks.len()) => {
                networks.iter().map(|network| (6, format!("network {network}"))).collect()
            }
            _ => vec![(2, "address".to_owned())],
        },
        Condition::Identity(pattern) if !pattern.contains('*') => vec![(6, format!("identity {pattern}"))],
        Condition::Header(name, TextPattern::Equals(value)) => vec![(6, format!("header {name}={value}"))],
        Condition::Method(method) => vec![(1, format!("method {method}"))],
        // Kept apart by their field only.
        leaf => match leaf.field() {
            Some((rank, Some(name))) => vec![(3, format!("field {rank} {name}"))],
            Some((rank, None)) => vec![(2, format!("field {rank}"))],
            None => vec![(0, String::new())],
        },
    }
}

/// Every key under which a rule that covers `of` may be filed.
fn asking_keys(of: Of<'_>) -> Vec<String> {
    let mut keys = vec![String::new()];
    // Whatever covers an `any` covers its first.
    let first = match of.condition {
        Condition::Any(parts) => parts.first().unwrap_or(of.condition),
        other => other,
    };
    let parts = match first {
        Condition::All(parts) => parts.as_slice(),
        other => std::slice::from_ref(other),
    };
    for part in parts {
        let mut leaf = part;
        while let Condition::Any(parts) | Condition::All(parts) = leaf {
            match parts.first() {
                Some(first) => leaf = first,
                None => break,
            }
        }
        ask(leaf, of.document, &mut keys);
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn ask(leaf: &Condition, document: &Document, keys: &mut Vec<String>) {
    match leaf {
        Condition::Path(pattern) => ask_path(pattern, keys),
        Condition::Host(HostPattern::Exact(host)) => {
            keys.push(format!("host ={host}"));
            above(host, keys);
        }
        Condition::Host(HostPattern::Under(domain)) => {
            keys.push(format!("host {domain}"));
            above(domain.trim_start_matches('.'), keys);
        }
        Condition::Address(addresses) => {
            keys.push("address".to_owned());
            if let Some(network) = networks(addresses, document).and_then(<[Network]>::first) {
                keys.extend(around(*network).map(|network| format!("network {network}")));
            }
        }
        Condition::Identity(pattern) => {
            keys.push(format!("identity {pattern}"));
            keys.push(format!("field {}", leaf.field().map_or(0, |(rank, _)| rank)));
        }
        Condition::Header(name, test) => {
            if let TextPattern::Equals(value) = test {
                keys.push(format!("header {name}={value}"));
            }
            keys.push(format!("field {} {name}", leaf.field().map_or(0, |(rank, _)| rank)));
        }
        Condition::Method(method) => keys.push(format!("method {method}")),
        leaf => match leaf.field() {
            Some((rank, Some(name))) => keys.push(format!("field {rank} {name}")),
            Some((rank, None)) => keys.push(format!("field {rank}")),
            None => {}
        },
    }
}

fn ask_path(pattern: &PathPattern, keys: &mut Vec<String>) {
    keys.push("path $".to_owned());
    let literal = match pattern {
        PathPattern::Exact(path) => {
            keys.push(format!("path ={path}"));
            path
        }
        PathPattern::Regex(regex) => {
            keys.push(format!("path ~{regex}"));
            return;
        }
        PathPattern::Suffix(_) => return,
        PathPattern::Prefix(path) => path.as_str(),
        PathPattern::Segments(segments) => literal_part(segments),
    };
    let literal = literal.trim_end_matches('/');
    keys.push(format!("path /{literal}"));
    for (at, _) in literal.match_indices('/') {
        keys.push(format!("path /{}", literal.get(..at).unwrap_or_default()));
    }
}

/// Every domain above a host.
fn above(host: &str, keys: &mut Vec<String>) {
    for (at, _) in host.match_indices('.') {
        keys.push(format!("host {}", host.get(at..).unwrap_or_default()));
    }
}

/// A network and every network that holds it.
fn around(network: Network) -> impl Iterator<Item = Network> {
    let address: IpAddr = network.address();
    (0..=network.prefix()).map(move |prefix| Network::new(address, prefix))
}
