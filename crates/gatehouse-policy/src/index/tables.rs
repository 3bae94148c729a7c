//! Writing the tables of a shelf: one for each kind of test, field, and where it matters name.

use std::collections::{BTreeMap, BTreeSet};

use gatehouse_signals::address::Network;
use gatehouse_signals::head::name_bit;

use crate::image::{Builder, Section, narrow, table, target};

use super::access::Atom;
use super::terms::{META_NAMES, filter_bit, network_hash};
use super::tries::Tries;
use super::{hash, keys};

/// Bits of a filter for each of its entries: one in twenty of others passes.
const FILTER_BITS: usize = 16;

/// The words of a table but for its kind and name.
#[derive(Default)]
struct Body {
    /// First and number of keys, first bucket, bits.
    keys: [u32; 4],
    extra: [u32; 2],
}

/// Kind of table and field, length of runs, name.
type Slot<'d> = (u8, u8, u8, &'d str);

/// Writes the tables of these tests and where they lead; gives the first table and the number.
pub(super) fn write(entries: Vec<(Atom<'_>, u32)>, tries: &mut Tries, builder: &mut Builder) -> [u32; 2] {
    let mut slots: BTreeMap<Slot<'_>, Vec<(Atom<'_>, u32)>> = BTreeMap::new();
    for (atom, leads) in entries {
        slots.entry(slot(&atom)).or_default().push((atom, leads));
    }
    let mut tables: Vec<[u32; 9]> = Vec::new();
    for ((kind, field, length, name), entries) in slots {
        for body in bodies(kind, &entries, tries, builder) {
            let head = u32::from(kind) | u32::from(field) << 8 | u32::from(length) << 16;
            let [offset, size] = builder.text(name);
            let ([first, count, bucket, bits], [extra, extras]) = (body.keys, body.extra);
            tables.push([head, offset, size, first, count, bucket, bits, extra, extras]);
        }
    }
    let first = builder.count(Section::Tables);
    for words in &tables {
        builder.push(Section::Tables, words);
    }
    [first, narrow(tables.len())]
}

fn slot<'d>(atom: &Atom<'d>) -> Slot<'d> {
    let (kind, field) = atom.slot();
    match atom {
        Atom::Gram(_, name, length, _) => (kind, field, *length, name),
        Atom::Automaton(_, name, _) => (kind, field, 0, name),
        _ => (kind, field, 0, ""),
    }
}

fn bodies(kind: u8, entries: &[(Atom<'_>, u32)], tries: &mut Tries, builder: &mut Builder) -> Vec<Body> {
    match kind {
        table::SEGMENTS => {
            let root = tries.add(entries);
            vec![Body { keys: [builder.count(Section::Keys), 0, 0, 0], extra: [root, 0] }]
        }
        table::AUTOMATON => automata(entries, builder),
        table::SETS | table::VERDICTS | table::SCORES => {
            vec![Body { keys: numbers(entries, builder), ..Body::default() }]
        }
        _ => {
            let (hashed, filter) = hashed(kind, entries);
            if kind == table::NAMED {
                for (word, names) in (META_NAMES..).zip(&filter) {
                    builder.set(Section::Meta, 0, word, builder.get(Section::Meta, 0, word) | names);
                }
            }
            let keys = write_keys(hashed, builder);
            let extra = [builder.count(Section::Filters), narrow(filter.len())];
            for word in filter {
                builder.push(Section::Filters, &[word]);
            }
            vec![Body { keys, extra }]
        }
    }
}

/// Writes entries that are found by hash; gives the first and the number, the first bucket and the bits of buckets.
pub(super) fn write_keys(mut hashed: Vec<(u64, u32)>, builder: &mut Builder) -> [u32; 4] {
    hashed.sort_unstable();
    let hashes: Vec<u64> = hashed.iter().map(|(hash, _)| *hash).collect();
    let bits = keys::bits(hashed.len());
    let bucket = builder.count(Section::Buckets);
    if bits > 0 {
        for start in keys::starts(&hashes, bits) {
            builder.push(Section::Buckets, &[start]);
        }
    }
    let first = builder.count(Section::Keys);
    for (hash, leads) in &hashed {
        builder.push(Section::Keys, &[*hash as u32, *leads]);
    }
    [first, narrow(hashed.len()), bucket, bits]
}

/// The hash of each test, and the filter that stands before them.
fn hashed(kind: u8, entries: &[(Atom<'_>, u32)]) -> (Vec<(u64, u32)>, Vec<u32>) {
    let mut keys = Vec::with_capacity(entries.len());
    let mut lengths = [0u32; 7];
    let mut names = BTreeSet::new();
    let mut set = |bit: usize| {
        if let Some(word) = lengths.get_mut(bit / 32) {
            *word |= 1 << (bit % 32);
        }
    };
    for (atom, leads) in entries {
        match atom {
            Atom::Value(_, hash) | Atom::Domain(_, hash) => keys.push((*hash, *leads)),
            Atom::Gram(.., run) => keys.push((hash::number(*run), *leads)),
            Atom::Ending(length, hash) => {
                set(*length);
                keys.push((*hash, *leads));
            }
            Atom::Network(network) => {
                set(prefix_bit(*network));
                keys.push((network_hash(network.address(), network.prefix()), *leads));
            }
            Atom::Named(_, name, value) => {
                let name = name.as_bytes();
                set(name_bit(name) as usize);
                names.insert(name);
                keys.push((hash::pair(hash::folded(name), *value), *leads));
            }
            _ => {}
        }
    }
    keys.extend(names.iter().map(|name| (hash::folded(name), target::NONE)));
    let filter = match kind {
        table::ENDING | table::NAMED => lengths.iter().take(2).copied().collect(),
        table::NETWORK => lengths.to_vec(),
        table::GRAMS => filter(&keys),
        _ => Vec::new(),
    };
    (keys, filter)
}

/// A bit for each hash, among so many that few others pass.
fn filter(keys: &[(u64, u32)]) -> Vec<u32> {
    let words = (keys.len() * FILTER_BITS).next_power_of_two().div_ceil(32).max(2);
    let mut filter = vec![0; words];
    for (hash, _) in keys {
        let (word, bit) = filter_bit(*hash, words);
        if let Some(word) = filter.get_mut(word) {
            *word |= 1 << bit;
        }
    }
    filter
}

/// The bit of a prefix length: IPv4 from 0, IPv6 from 64.
fn prefix_bit(network: Network) -> usize {
    usize::from(network.prefix()) + if network.address().is_ipv4() { 0 } else { 64 }
}

/// Keys that are numbers, in ascending order.
fn numbers(entries: &[(Atom<'_>, u32)], builder: &mut Builder) -> [u32; 4] {
    let first = builder.count(Section::Keys);
    let mut keys: Vec<(u32, u32)> = Vec::with_capacity(entries.len());
    for (atom, leads) in entries {
        match atom {
            Atom::InSet(_, number) | Atom::Verdict(number) => keys.push((*number, *leads)),
            Atom::Score(label, least) => keys.push((label << 28 | (*least).min((1 << 28) - 1), *leads)),
            _ => {}
        }
    }
    keys.sort_unstable();
    for (number, leads) in &keys {
        builder.push(Section::Keys, &[*number, *leads]);
    }
    [first, narrow(keys.len()), builder.count(Section::Buckets), 0]
}

/// Automata of these regexes, as few as their sizes allow.
fn automata(entries: &[(Atom<'_>, u32)], builder: &mut Builder) -> Vec<Body> {
    let mut patterns = Vec::new();
    for (atom, leads) in entries {
        if let Atom::Automaton(_, _, pattern) = atom {
            patterns.push((&**pattern, *leads));
        }
    }
    let texts: Vec<&str> = patterns.iter().map(|(pattern, _)| *pattern).collect();
    let mut bodies = Vec::new();
    for (automaton, range) in crate::automata::combine(&texts) {
        let first = builder.count(Section::Keys);
        for (_, leads) in patterns.get(range.clone()).unwrap_or_default() {
            builder.push(Section::Keys, &[0, *leads]);
        }
        let bytes: Vec<u8> = automaton.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        let extra = [builder.bytes(Section::Automata, &bytes), narrow(automaton.len())];
        bodies.push(Body { keys: [first, narrow(range.len()), builder.count(Section::Buckets), 0], extra });
    }
    bodies
}
