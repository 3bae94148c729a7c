//! Lists that nobody uses, that have expired or hold the same, and trust in everybody.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use gatehouse_signals::address::Network;

use crate::compile::list_of;
use crate::document::{Place, Problems, quoted};
use crate::spec::moment::text::moment_text;
use crate::spec::types::{ClientAddress, ClientKey, Document, Entries, List, Settings, Trust};

use super::is_packed;

pub(super) fn check(document: &Document, now: Option<u64>, warnings: &mut Problems) {
    for settings in [&document.own, &document.defaults, &document.mandates] {
        trust(settings, warnings);
        key(settings, warnings);
    }
    let mut used = BTreeSet::new();
    for rule in &document.rules {
        rule.condition.each_leaf(&mut |leaf| used.extend(list_of(leaf).map(|(list, _)| list.name.as_str())));
    }
    let own: Vec<&List> = document.lists.iter().filter(|list| !is_packed(document, &list.place)).collect();
    for list in &own {
        if !used.contains(list.name.as_str()) {
            warnings.push(&list.place, format!("no rule uses the list {}", quoted(&list.name)), "");
        }
        if let Some((expires, place)) =
            list.expires.as_ref().filter(|(expires, _)| now.is_some_and(|now| *expires <= now))
        {
            let message =
                format!("the list {} expired at {}: it holds nothing", quoted(&list.name), moment_text(*expires));
            warnings.push(place, message, "take it out, or write a later `expires`");
        }
        if let Entries::Identities(patterns) = &list.entries
            && let Some(pattern) = patterns.iter().find(|pattern| pattern.starts_with("spiffe://*/"))
        {
            any_domain(&list.place, pattern, warnings);
        }
    }
    overlaps(&own, warnings);
}

/// A pattern that trusts whoever runs a mesh.
pub(super) fn any_domain(place: &Place, pattern: &str, warnings: &mut Problems) {
    let message =
        format!("{} trusts every trust domain: whoever runs one names its workloads as it likes", quoted(pattern));
    warnings.push(place, message, "name the trust domains");
}

fn trust(settings: &Settings, warnings: &mut Problems) {
    let Some((ClientAddress { trust: Trust::Networks(networks), .. }, place)) = &settings.client_address else {
        return;
    };
    if holds_everybody(networks) {
        let help = "name the proxies' networks only";
        warnings.push(place, "`trust` holds every address: any client can claim to be another", help);
    }
}

/// Every request has an address: what stands behind it in `client.key` is never asked for.
fn key(settings: &Settings, warnings: &mut Problems) {
    let Some((keys, place)) = &settings.client_key else { return };
    let after = keys.iter().skip_while(|key| **key != ClientKey::Address).nth(1);
    if after.is_some() {
        let help = "write `address` last, or leave out what follows it";
        warnings.push(place, "`key` goes on behind `address`, which every request has", help);
    }
}

/// Together the networks are all of IPv4, or all of IPv6.
fn holds_everybody(networks: &[Network]) -> bool {
    let number = |address: IpAddr| match address {
        IpAddr::V4(v4) => (false, u128::from(u32::from(v4))),
        IpAddr::V6(v6) => (true, u128::from(v6)),
    };
    let mut ranges: Vec<((bool, u128), u128)> =
        networks.iter().map(|network| (number(network.address()), number(network.last()).1)).collect();
    ranges.sort_unstable();
    [(false, u128::from(u32::MAX)), (true, u128::MAX)].into_iter().any(|(six, end)| {
        let mut next = Some(0);
        for ((_, first), last) in ranges.iter().filter(|((kind, _), _)| *kind == six) {
            match next {
                Some(due) if *first <= due => next = last.checked_add(1).map(|after| after.max(due)),
                _ => break,
            }
        }
        next.is_none_or(|due| due > end)
    })
}

/// Entries that two lists of one document hold both; each pair is told once.
fn overlaps(lists: &[&List], warnings: &mut Problems) {
    let mut told = BTreeSet::new();
    let mut tell = |a: usize, b: usize, shared: &str, warnings: &mut Problems| {
        let (first, second) = (a.min(b), a.max(b));
        if first != second
            && told.insert((first, second))
            && let (Some(first), Some(second)) = (lists.get(first), lists.get(second))
        {
            let message = format!(
                "the lists {} and {} (at {}) both hold {}",
                quoted(&second.name),
                quoted(&first.name),
                first.place,
                quoted(shared)
            );
            warnings.push(&second.place, message, "keep it in one of them");
        }
    };
    let mut networks: Vec<(IpAddr, u8, Network, usize)> = Vec::new();
    let mut texts: BTreeMap<(&'static str, String), usize> = BTreeMap::new();
    for (index, list) in lists.iter().enumerate() {
        let word = list.entries.word();
        let mut hold = |text: String, warnings: &mut Problems| match texts.get(&(word, text.clone())) {
            Some(other) => tell(*other, index, &text, warnings),
            None => {
                texts.insert((word, text), index);
            }
        };
        match &list.entries {
            Entries::Asns(entries) => entries.iter().for_each(|asn| hold(asn.to_string(), warnings)),
            Entries::Countries(entries) => {
                entries.iter().for_each(|code| hold(code.iter().copied().map(char::from).collect(), warnings));
            }
            Entries::Fingerprints(entries) | Entries::Identities(entries) => {
                entries.iter().for_each(|entry| hold(entry.clone(), warnings));
            }
            Entries::Networks(entries) => {
                networks.extend(entries.iter().map(|network| (network.address(), network.prefix(), *network, index)));
            }
            Entries::Verdicts(_) => {}
        }
    }
    // Networks nest or are apart: those that hold the next one are a stack.
    networks.sort_unstable();
    let mut open: Vec<(Network, usize)> = Vec::new();
    for (address, _, network, index) in networks {
        while open.last().is_some_and(|(wide, _)| !wide.contains(address)) {
            open.pop();
        }
        // The nearest of another list; one of the same list hides nothing that it would not hold too.
        if let Some((_, other)) = open.iter().rev().take(8).find(|(_, other)| *other != index) {
            tell(*other, index, &network.to_string(), warnings);
        }
        open.push((network, index));
    }
}
