//! Documents and what was settled about them, written as an image.

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
    write_document(None, &everywhere, settled.everywhere.is_some(), 0, documents, &mut builder);
    for (index, document) in documents.iter().enumerate() {
        let settings = settled.own.get(index).copied().unwrap_or_default();
        // Rules of a document without hosts are reached through `shared`; they stand here all the same.
        write_document(Some(document), &settings, true, document.rules.len(), documents, &mut builder);
        let mut rules: Vec<(usize, &Rule)> = document.rules.iter().enumerate().collect();
        rules.sort_by_key(|(position, rule)| (std::cmp::Reverse(rule.priority), *position));
        for (position, rule) in rules {
            let number = write_rule(document, index, position, rule, &mut builder, problems);
            if document.hosts.is_empty() {
                shared.push(((std::cmp::Reverse((document.layer, rule.priority)), position, index), number));
            }
        }
    }
    shared.sort_unstable();
    for (_, number) in shared {
        builder.push(Section::Shared, &[number]);
    }
    write_hosts(documents, &mut builder);
    write_set_headers(documents, &mut builder);
    if builder.count(Section::Regexes) as usize > MAX_REGEXES {
        let place = documents.first().map_or_else(|| Place::pointer("policy"), |d| d.place.clone());
        let message = format!("more than {MAX_REGEXES} different regexes");
        problems.push(&place, message, "use `prefix`, `suffix`, `contains` or `*` where they do");
    }
    builder.finish()
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

fn write_document(
    document: Option<&Document>,
    settings: &Settings,
    covered: bool,
    rules: usize,
    all: &[Document],
    builder: &mut Builder,
) {
    let owner = |index: Option<usize>| index.and_then(|index| all.get(index));
    let mode_of = |index: Option<usize>| owner(index).map_or(r::ENFORCE, |d| mode_word(d.mode));
    let name = builder.text(document.map_or("", |d| &d.name)).words();
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
    let first_rule = builder.count(Section::Rules);
    // A document without hosts owns its rules in the table; hosts that nobody claims reach them through `shared`.
    let rules = u32::try_from(rules).unwrap_or(u32::MAX);
    let mut words = [0; 15];
    let fields = [
        (d::NAME, name[0]),
        (d::NAME + 1, name[1]),
        (d::FIRST_RULE, first_rule),
        (d::RULES, rules),
        (d::TRUST, trust[0]),
        (d::TRUST_A, trust[1]),
        (d::TRUST_B, trust[2]),
        (d::OTHERWISE, otherwise),
        (d::OTHERWISE_MODE, mode_of(settings.otherwise)),
        (d::OTHERWISE_OWNER, settings.otherwise.map_or(0, number)),
        (d::AMBIGUOUS, ambiguous),
        (d::AMBIGUOUS_MODE, mode_of(settings.ambiguous_owner)),
        (d::AMBIGUOUS_OWNER, settings.ambiguous_owner.map_or(0, number)),
        (d::FLAGS, u32::from(covered) * d::COVERED),
    ];
    for (at, value) in fields {
        if let Some(word) = words.get_mut(at) {
            *word = value;
        }
    }
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
    let words = match written {
        Action::Allow => [action::ALLOW, 0, 0, 0, 0, 0, 0, 0],
        Action::Record => [action::RECORD, 0, 0, 0, 0, 0, 0, 0],
        Action::Redirect { location, status } => {
            let [offset, length] = builder.text(location).words();
            [action::REDIRECT, u32::from(*status), offset, length, 0, 0, 0, 0]
        }
        Action::Tag { header, value } => {
            let [header, header_length] = builder.text(header).words();
            let [value, value_length] = builder.text(value).words();
            [action::TAG, 0, header, header_length, value, value_length, 0, 0]
        }
        Action::Block(refusal) => {
            let kind = if refusal.body.is_some() { action::BLOCK_WITH } else { action::BLOCK };
            let [body, length] = builder.text(refusal.body.as_deref().unwrap_or_default()).words();
            let first = builder.count(Section::Pairs);
            for (name, value) in &refusal.headers {
                let [name, name_length] = builder.text(name).words();
                let [value, value_length] = builder.text(value).words();
                builder.push(Section::Pairs, &[name, name_length, value, value_length]);
            }
            let count = builder.count(Section::Pairs) - first;
            [kind, u32::from(refusal.status), body, length, 0, 0, first, count]
        }
    };
    builder.push(Section::Actions, &words)
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
