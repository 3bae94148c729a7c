//! Writing sets; equal ones are stored once.

use std::collections::BTreeSet;
use std::net::IpAddr;

use gatehouse_signals::address::Network;

use super::{FEW, STRIDE};
use crate::image::{Builder, Section, narrow, set};
use crate::index::hash;

/// The networks sorted, IPv4 first, without those that lie within others, and joined where two halves make a whole.
pub(crate) fn disjoint(networks: &[Network]) -> Vec<Network> {
    let mut sorted = networks.to_vec();
    sorted.sort_by_key(|n| (n.address().is_ipv6(), n.address(), n.prefix()));
    let mut out: Vec<Network> = Vec::with_capacity(sorted.len());
    for network in sorted {
        if out.last().is_some_and(|last| last.contains(network.address())) {
            continue;
        }
        out.push(network);
        while let [.., left, right] = out.as_slice() {
            let whole = Network::new(left.address(), left.prefix().saturating_sub(1));
            let halves = left.prefix() == right.prefix()
                && left.prefix() > 0
                && whole.address() == left.address()
                && whole.contains(right.address());
            if !halves {
                break;
            }
            out.truncate(out.len() - 2);
            out.push(whole);
        }
    }
    out
}

/// Stores a set of networks; gives its index.
pub(crate) fn write_networks(networks: &[Network], builder: &mut Builder) -> u32 {
    let networks = disjoint(networks);
    let mut key = Vec::with_capacity(1 + networks.len() * 8);
    key.push(set::NETWORKS as u8);
    for network in &networks {
        match network.address() {
            IpAddr::V4(v4) => key.extend(v4.octets()),
            IpAddr::V6(v6) => key.extend(v6.octets()),
        }
        key.extend([network.prefix(), u8::from(network.address().is_ipv6())]);
    }
    builder.once(Section::Sets, key, |builder| push_networks(&networks, builder))
}

fn push_networks(networks: &[Network], builder: &mut Builder) -> u32 {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for network in networks {
        match network.address() {
            IpAddr::V4(address) => v4.push((u32::from(address), network.prefix())),
            IpAddr::V6(address) => v6.push((u128::from(address), network.prefix())),
        }
    }
    let (first4, first6) = (builder.count(Section::V4), builder.count(Section::V6));
    for (start, prefix) in &v4 {
        builder.push(Section::V4, &[*start]);
        builder.bytes(Section::V4Prefixes, &[*prefix]);
    }
    for (start, prefix) in &v6 {
        builder.bytes(Section::V6, &start.to_le_bytes());
        builder.bytes(Section::V6Prefixes, &[*prefix]);
    }
    let buckets = builder.count(Section::Buckets);
    let bits = bits(v4.len());
    if bits > 0 {
        let mut at = 0;
        for bucket in 0..=1u64 << bits {
            at += v4.iter().skip(at).take_while(|(start, _)| u64::from(*start) >> (32 - bits) < bucket).count();
            builder.push(Section::Buckets, &[narrow(at)]);
        }
    }
    let samples = builder.count(Section::Buckets);
    if v6.len() > FEW {
        for (start, _) in v6.iter().step_by(STRIDE) {
            builder.push(Section::Buckets, &[(start >> 96) as u32]);
            builder.push(Section::Buckets, &[(start >> 64) as u32]);
        }
    }
    let words = [set::NETWORKS, first4, narrow(v4.len()), first6, narrow(v6.len()), buckets, bits, samples];
    builder.push(Section::Sets, &words)
}

/// Leading bits that buckets of so many IPv4 networks are made by.
fn bits(count: usize) -> u32 {
    match count {
        0..64 => 0,
        64..4096 => 8,
        _ => 16,
    }
}

/// Stores a set of numbers; gives its index.
pub(crate) fn write_numbers(kind: u32, numbers: impl Iterator<Item = u32>, builder: &mut Builder) -> u32 {
    let numbers: BTreeSet<u32> = numbers.collect();
    let mut key = vec![kind as u8];
    key.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    builder.once(Section::Sets, key, |builder| {
        let first = builder.count(Section::Numbers);
        for number in &numbers {
            builder.push(Section::Numbers, &[*number]);
        }
        builder.push(Section::Sets, &[kind, first, narrow(numbers.len()), 0, 0, 0, 0, 0])
    })
}

/// Stores a set of fingerprints, and which kinds it holds; gives its index.
pub(crate) fn write_texts<'t>(texts: impl Iterator<Item = &'t str>, kinds: u32, builder: &mut Builder) -> u32 {
    write_both(set::FINGERPRINTS, texts.collect(), BTreeSet::new(), kinds, builder)
}

/// Stores a set of SPIFFE ids and patterns of them; gives its index.
pub(crate) fn write_identities<'t>(ids: impl Iterator<Item = &'t str>, builder: &mut Builder) -> u32 {
    let (patterns, literals) = ids.partition(|id| id.contains('*'));
    write_both(set::IDENTITIES, literals, patterns, 0, builder)
}

fn write_both(kind: u32, literals: BTreeSet<&str>, patterns: BTreeSet<&str>, kinds: u32, builder: &mut Builder) -> u32 {
    let mut key = vec![kind as u8];
    for text in literals.iter().chain(&patterns) {
        key.extend_from_slice(text.as_bytes());
        key.push(0);
    }
    builder.once(Section::Sets, key, |builder| {
        let mut hashed: Vec<(u64, &str)> = literals.iter().map(|text| (hash::bytes(text.as_bytes()), *text)).collect();
        hashed.sort_unstable();
        let first = builder.count(Section::SetTexts);
        let mut push = |hash: u64, text: &str| {
            let [offset, length] = builder.text(text);
            builder.push(Section::SetTexts, &[hash as u32, (hash >> 32) as u32, offset, length]);
        };
        hashed.iter().for_each(|(hash, text)| push(*hash, text));
        patterns.iter().for_each(|text| push(0, text));
        let (number, other) = (narrow(hashed.len()), narrow(patterns.len()));
        let patterns_at = if kind == set::FINGERPRINTS { kinds } else { first + number };
        builder.push(Section::Sets, &[kind, first, number, patterns_at, other, 0, 0, 0])
    })
}
