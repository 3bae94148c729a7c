//! Documents and what was settled about them, written as an image.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use gatehouse_verdict::Mode;

use crate::document::{Place, Problems};
use crate::image::{Builder, Section, action, document as d, rule as r};
use crate::regex::MAX_REGEXES;
use crate::spec::{Action, Ambiguous, Document, HostPattern, Rule, Trust};

use super::condition;
use super::settle::{Settings, Settled};

/// Writes the image. With problems the image is of no use.
pub(super) fn emit(documents: &[Document], settled: &Settled, problems: &mut Problems) -> Vec<u8> {
    let mut builder = Builder::default();
    let mut shared = Vec::new();
    let everywhere = settled.everywhere.unwrap_or_default();
    let covered = settled.everywhere.is_some();
    write_document(None, &everywhere, covered, documents, &mut builder);
    for (index, document) in documents.iter().enumerate() {
        let settings = settled.own.get(index).copied().unwrap_or_default();
        write_document(Some(document), &settings, true, documents, &mut builder);
        let mut rules: Vec<(usize, &Rule)> = document.rules.iter().enumerate().collect();
        rules.sort_by_key(|(position, rule)| (Reverse(rule.priority), *position));
        for (position, rule) in rules {
            let number = write_rule(document, index, position, rule, &mut builder, problems);
            if document.hosts.is_empty() {
                let layer_and_priority = Reverse((document.layer, rule.priority));
                shared.push((layer_and_priority, position, index, number));
            }
        }
    }
    shared.sort_unstable();
    for (_, _, _, number) in shared {
        builder.push(Section::Shared, &[number]);
    }
    write_hosts(documents, &mut builder);
    write_set_headers(documents, &mut builder);
    limit_regexes(documents, &builder, problems);
    builder.finish()
}

fn limit_regexes(documents: &[Document], builder: &Builder, problems: &mut Problems) {
    if builder.count(Section::Regexes) as usize > MAX_REGEXES {
        let first = documents.first().map(|document| document.place.clone());
        let message = format!("more than {MAX_REGEXES} different regexes");
        let help = "use `prefix`, `suffix`, `contains` or `*` where they do";
        problems.push(&first.unwrap_or_else(|| Place::pointer("policy")), message, help);
    }
}

/// An entry of `N` words: each part begins at its word, what nobody names is 0.
fn entry<const N: usize>(parts: &[(usize, &[u32])]) -> [u32; N] {
    let mut words = [0; N];
    for (at, part) in parts {
        for (word, value) in words.iter_mut().skip(*at).zip(*part) {
            *word = *value;
        }
    }
    words
}

fn mode_word(mode: Mode) -> u32 {
    match mode {
        Mode::Enforce => r::ENFORCE,
        Mode::Monitor => r::MONITOR,
    }
}

/// Documents stand one after the entry for unclaimed hosts.
fn number(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

/// The rules of a document without hosts stand in the table as all others do, but are reached through `shared`.
fn write_document(
    document: Option<&Document>,
    settings: &Settings,
    covered: bool,
    all: &[Document],
    builder: &mut Builder,
) {
    let owner = |index: Option<usize>| index.and_then(|index| all.get(index));
    let mode_of = |index: Option<usize>| owner(index).map_or(r::ENFORCE, |d| mode_word(d.mode));
    let name = builder.text(document.map_or("", |d| &d.name)).words();
    let rules = document.map_or(0, |d| u32::try_from(d.rules.len()).unwrap_or(u32::MAX));
    let trust = match owner(settings.trust).and_then(|d| d.trust.as_ref()) {
        Some((Trust::Networks(networks), _)) => {
            let (first, count) = builder.networks(networks);
            [d::TRUST_NETWORKS, first, count]
        }
        Some((Trust::Hops(hops), _)) => [d::TRUST_HOPS, u32::from(*hops), 0],
        None => [d::TRUST_NOBODY, 0, 0],
    };
    let otherwise = owner(settings.otherwise).and_then(|d| d.otherwise.as_ref());
    let otherwise = otherwise.map_or(0, |(action, _)| write_action(action, builder) + 1);
    let ambiguous = match settings.ambiguous(all) {
        Some(Ambiguous::Strictest) => d::AMBIGUOUS_STRICTEST,
        Some(Ambiguous::Reject) => d::AMBIGUOUS_REJECT,
        None => d::AMBIGUOUS_BY_KIND,
    };
    let words: [u32; 15] = entry(&[
        (d::NAME, &name),
        (d::FIRST_RULE, &[builder.count(Section::Rules)]),
        (d::RULES, &[rules]),
        (d::TRUST, &trust),
        (d::OTHERWISE, &[otherwise]),
        (d::OTHERWISE_MODE, &[mode_of(settings.otherwise)]),
        (d::OTHERWISE_OWNER, &[settings.otherwise.map_or(0, number)]),
        (d::AMBIGUOUS, &[ambiguous]),
        (d::AMBIGUOUS_MODE, &[mode_of(settings.ambiguous_owner)]),
        (d::AMBIGUOUS_OWNER, &[settings.ambiguous_owner.map_or(0, number)]),
        (d::FLAGS, &[u32::from(covered) * d::COVERED]),
    ]);
    builder.push(Section::Documents, &words);
}

fn write_rule(
    document: &Document,
    index: usize,
    position: usize,
    rule: &Rule,
    builder: &mut Builder,
    problems: &mut Problems,
) -> u32 {
    let node = builder.count(Section::Nodes);
    condition::write(&rule.condition, document, builder, problems);
    let action = write_action(&rule.action, builder);
    let [name, length] = builder.text(&rule.name).words();
    let mode = mode_word(rule.mode.unwrap_or(document.mode));
    let priority = u32::try_from(i32::from(rule.priority) + 1000).unwrap_or(0);
    let position = u32::try_from(position).unwrap_or(u32::MAX);
    let words = [name, length, number(index), mode, u32::from(document.layer), priority, position, node, action];
    builder.push(Section::Rules, &words)
}

fn write_action(written: &Action, builder: &mut Builder) -> u32 {
    use action as a;
    let mut text = |text: &str| builder.text(text).words();
    let words: [u32; 8] = match written {
        Action::Allow => entry(&[(a::KIND, &[a::ALLOW])]),
        Action::Record => entry(&[(a::KIND, &[a::RECORD])]),
        Action::Redirect { location, status } => {
            entry(&[(a::KIND, &[a::REDIRECT, u32::from(*status)]), (a::TEXT, &text(location))])
        }
        Action::Tag { header, value } => {
            entry(&[(a::KIND, &[a::TAG]), (a::TEXT, &text(header)), (a::TEXT2, &text(value))])
        }
        Action::Block(refusal) => {
            let kind = refusal.body.as_ref().map_or(a::BLOCK, |_| a::BLOCK_WITH);
            let body = text(refusal.body.as_deref().unwrap_or_default());
            let pairs = write_pairs(&refusal.headers, builder);
            entry(&[(a::KIND, &[kind, u32::from(refusal.status)]), (a::TEXT, &body), (a::FIRST_PAIR, &pairs)])
        }
    };
    builder.push(Section::Actions, &words)
}

/// The first and the number of the pairs.
fn write_pairs(headers: &[(String, String)], builder: &mut Builder) -> [u32; 2] {
    let first = builder.count(Section::Pairs);
    for (name, value) in headers {
        let (name, value) = (builder.text(name).words(), builder.text(value).words());
        builder.push(Section::Pairs, &entry::<4>(&[(0, &name), (2, &value)]));
    }
    [first, builder.count(Section::Pairs) - first]
}

fn write_hosts(documents: &[Document], builder: &mut Builder) {
    let mut exact = BTreeMap::new();
    let mut under = BTreeMap::new();
    for (index, document) in documents.iter().enumerate() {
        for (host, _) in &document.hosts {
            match host {
                HostPattern::Exact(host) => exact.insert(host, number(index)),
                HostPattern::Under(domain) => under.insert(domain, number(index)),
            };
        }
    }
    for (section, hosts) in [(Section::Hosts, exact), (Section::Suffixes, under)] {
        for (host, document) in hosts {
            let [offset, length] = builder.text(host).words();
            builder.push(section, &[offset, length, document]);
        }
    }
}

fn write_set_headers(documents: &[Document], builder: &mut Builder) {
    let rules = documents.iter().flat_map(|d| &d.rules);
    let headers: BTreeSet<&str> = rules
        .filter_map(|rule| match &rule.action {
            Action::Tag { header, .. } => Some(header.as_str()),
            _ => None,
        })
        .collect();
    for header in headers {
        let text = builder.text(header).words();
        builder.push(Section::SetHeaders, &text);
    }
}
