//! Rules whose match nothing can meet, and final ones whose match everything meets.

use crate::compile::{asked, list_of};
use crate::document::{Problems, quoted};
use crate::spec::types::{Action, Condition, Document, Entries, List, Rollout, Rule};
use crate::spec::{PathPattern, TextPattern, moment::text::moment_text};

use super::implies::{Of, excludes, implies, overlap};
use super::{Whole, rollout, unknown_label};

/// Parts of one `all` that are compared with each other, at most.
const MOST_PARTS: usize = 64;
/// Comparisons for one rule.
const BUDGET: u64 = 10_000;
/// Regexes that are found in every path.
const ANY_PATH: [&str; 8] = ["", "^", "^/", "/", ".*", "^.*", "^.*$", "^/.*$"];

pub(super) fn check(rule: &Rule, document: &Document, whole: &Whole<'_>, warnings: &mut Problems) {
    if let Some(why) = never(&rule.condition, document, whole) {
        warnings.push(&rule.place, format!("the rule {} can never fire: {why}", quoted(&rule.name)), "");
        return;
    }
    // Where the rule waits in monitor mode too, it is promoted with those that weigh.
    if rollout(rule, document) != Rollout::Monitor && waits_for_monitored(&rule.condition, whole) {
        let why = "every rule that adds to that score is in monitor mode, where nothing is weighed";
        warnings.push(&rule.place, format!("the rule {} can never fire: {why}", quoted(&rule.name)), "");
        return;
    }
    let decides = matches!(&rule.then.decides, Some(action) if !matches!(action, Action::Limit(_)));
    let first = rollout(rule, document) != Rollout::Monitor;
    if decides && first && rule.limit.is_none() && !rule.on_response && everything(&rule.condition, document, whole) {
        let help = match &rule.then.decides {
            Some(Action::Allow) => "write `otherwise: allow`, or match less",
            Some(Action::Block(_)) => "write `otherwise: block`, or match less",
            _ => "match less",
        };
        let message = format!("the rule {} matches every request: no rule after it is asked", quoted(&rule.name));
        warnings.push(&rule.place, message, help);
    }
}

/// Why nothing meets it; `None`: something may.
fn never(condition: &Condition, document: &Document, whole: &Whole<'_>) -> Option<String> {
    match condition {
        Condition::All(parts) => {
            let dead = parts.iter().find_map(|part| never(part, document, whole));
            dead.or_else(|| contradiction(parts, document))
        }
        Condition::Any(parts) => {
            let mut why = None;
            for part in parts {
                let dead = never(part, document, whole)?;
                why.get_or_insert(dead);
            }
            why
        }
        Condition::Not(inner) => {
            everything(inner, document, whole).then(|| "its `not` excludes every request".to_owned())
        }
        leaf => never_leaf(leaf, document, whole),
    }
}

/// Two parts of an `all` that nothing meets together.
fn contradiction(parts: &[Condition], document: &Document) -> Option<String> {
    let parts = parts.get(..MOST_PARTS).unwrap_or(parts);
    let mut budget = BUDGET;
    for (index, a) in parts.iter().enumerate() {
        for b in parts.iter().skip(index + 1) {
            if excludes(a, b) {
                return Some(format!("nothing meets both conditions on {}", about(a)));
            }
            if let Condition::Not(inner) = b
                && negates(a, inner, document, &mut budget)
            {
                return Some(format!("its `not` excludes what it asks for on {}", about(a)));
            }
        }
    }
    None
}

/// Whatever meets `a` meets something that is excluded.
fn negates(a: &Condition, excluded: &Condition, document: &Document, budget: &mut u64) -> bool {
    implies(Of::new(a, document), Of::new(excluded, document), budget)
}

/// The field of a condition, as operators write it.
fn about(condition: &Condition) -> String {
    const WORDS: [&str; 29] = [
        "host",
        "path",
        "method",
        "headers",
        "query",
        "cookies",
        "address",
        "identity",
        "jwt",
        "sni",
        "port",
        "destination",
        "tls.mutual",
        "tls.version",
        "fingerprint",
        "agent.class",
        "agent.name",
        "agent.verified",
        "country",
        "asn",
        "size",
        "time",
        "verdict",
        "label",
        "score",
        "response.status",
        "response.headers",
        "response.type",
        "response.size",
    ];
    match condition.field() {
        Some((rank, Some(name))) => {
            quoted(&format!("{}.{name}", WORDS.get(usize::from(rank)).copied().unwrap_or_default()))
        }
        Some((rank, None)) => quoted(WORDS.get(usize::from(rank)).copied().unwrap_or_default()),
        None => "it".to_owned(),
    }
}

fn never_leaf(leaf: &Condition, document: &Document, whole: &Whole<'_>) -> Option<String> {
    if let Some(label) = unknown_label(leaf, whole) {
        return Some(format!("no rule gives the label {}", quoted(label)));
    }
    if let Some((named, _)) = list_of(leaf) {
        return never_listed(document.list(&named.name)?, whole.now);
    }
    match leaf {
        Condition::Host(host) if !document.hosts.is_empty() => {
            let none = !document.hosts.iter().any(|(own, _)| overlap(own, host));
            none.then(|| format!("{} is no host of the document", quoted(&host.to_string())))
        }
        Condition::Score { .. } | Condition::Label(_) => never_weighed(asked(leaf), whole),
        Condition::Header(name, pattern) if *pattern != TextPattern::Present(false) && is_taken(name, whole) => {
            Some(format!("{} is taken from every request, because a policy may set it", quoted(name)))
        }
        Condition::Time(window) => {
            let over = window.before.zip(whole.now).is_some_and(|(before, now)| before <= now);
            over.then(|| format!("its time ended at {}", moment_text(window.before.unwrap_or_default())))
        }
        _ => None,
    }
}

/// Why no client has a score, of this label or at all.
fn never_weighed(label: Option<&str>, whole: &Whole<'_>) -> Option<String> {
    let mut found = whole.weights.iter().filter(|weight| label.is_none() || weight.label == label).peekable();
    if found.peek().is_none() {
        return Some("no rule weighs".to_owned());
    }
    let adds = found.any(|weight| weight.weight > 0);
    (!adds).then(|| "no rule adds to that score".to_owned())
}

/// It asks for a score that only rules in monitor mode would add to.
fn waits_for_monitored(condition: &Condition, whole: &Whole<'_>) -> bool {
    match condition {
        Condition::All(parts) => parts.iter().any(|part| waits_for_monitored(part, whole)),
        Condition::Score { .. } | Condition::Label(_) => {
            let label = asked(condition);
            let mut own = whole.weights.iter().filter(|weight| label.is_none() || weight.label == label);
            own.all(|weight| !weight.acts || weight.weight < 0)
        }
        _ => false,
    }
}

/// Rules see requests without the headers that are ours and those that a policy sets.
fn is_taken(name: &str, whole: &Whole<'_>) -> bool {
    name.starts_with("x-gatehouse-") || whole.set.contains(name)
}

fn never_listed(list: &List, now: Option<u64>) -> Option<String> {
    if let Some((expires, _)) = list.expires.as_ref().filter(|(expires, _)| now.is_some_and(|now| *expires <= now)) {
        return Some(format!("the list {} expired at {}", quoted(&list.name), moment_text(*expires)));
    }
    let empty = match &list.entries {
        Entries::Asns(entries) => entries.is_empty(),
        Entries::Countries(entries) => entries.is_empty(),
        Entries::Fingerprints(entries) | Entries::Identities(entries) => entries.is_empty(),
        Entries::Networks(entries) => entries.is_empty(),
        Entries::Verdicts(_) => false,
    };
    empty.then(|| format!("the list {} is empty", quoted(&list.name)))
}

/// Every request meets it.
fn everything(condition: &Condition, document: &Document, whole: &Whole<'_>) -> bool {
    match condition {
        Condition::Always => true,
        Condition::All(parts) => parts.iter().all(|part| everything(part, document, whole)),
        Condition::Any(parts) => {
            parts.iter().any(|part| everything(part, document, whole)) || holds_either_way(parts, document)
        }
        Condition::Not(inner) => never(inner, document, whole).is_some(),
        Condition::Path(PathPattern::Prefix(prefix)) => prefix == "/",
        Condition::Path(PathPattern::Segments(segments)) => segments == "/**",
        Condition::Path(PathPattern::Regex(regex)) => ANY_PATH.contains(&regex.as_str()),
        Condition::Host(host) => {
            !document.hosts.is_empty() && document.hosts.iter().all(|(own, _)| crate::compile::covers(host, own))
        }
        _ => false,
    }
}

/// `any` of a condition and its opposite.
fn holds_either_way(parts: &[Condition], document: &Document) -> bool {
    let parts = parts.get(..MOST_PARTS).unwrap_or(parts);
    let mut budget = BUDGET;
    parts.iter().any(|part| match part {
        Condition::Not(inner) => parts.iter().any(|other| negates(inner, other, document, &mut budget)),
        Condition::Header(name, TextPattern::Present(false)) => parts
            .iter()
            .any(|other| matches!(other, Condition::Header(known, TextPattern::Present(true)) if known == name)),
        _ => false,
    })
}
