//! Entries found by hash: sorted by it, with buckets by its leading bits, so that a look-up reads one short run.

use crate::image::{Builder, Section, View, narrow};

use super::hash::Running;

/// So few entries are searched without buckets.
const FEW: usize = 8;
/// Most entries of a bucket in an image that is accepted; hashes that spread make a handful.
pub(crate) const MAX_RUN: usize = 64;

/// Most domains of a name whose hashes are kept until it is known that nobody names the name itself.
const DOTS: usize = 8;

/// Leading bits that buckets of so many entries are made by: about one entry a bucket. 0: there are none.
pub(crate) fn bits(count: usize) -> u32 {
    if count <= FEW { 0 } else { usize::BITS - (count - 1).leading_zeros() }
}

/// The bucket of a hash.
#[inline]
pub(crate) fn bucket(hash: u64, bits: u32) -> usize {
    hash.checked_shr(64 - bits).unwrap_or(0) as usize
}

/// For each bucket where it begins, then where the last one ends, of entries that are sorted by hash.
pub(crate) fn starts(hashes: &[u64], bits: u32) -> Vec<u32> {
    let mut at = 0;
    let mut starts = Vec::with_capacity((1 << bits) + 1);
    for number in 0..=1usize << bits {
        at += hashes.iter().skip(at).take_while(|hash| bucket(**hash, bits) < number).count();
        starts.push(narrow(at));
    }
    starts
}

/// Hash of bytes from the last to the first, so that the hash of every suffix is found on the way.
pub(crate) fn reversed(text: &[u8]) -> u64 {
    let mut hash = Running::new();
    text.iter().rev().for_each(|byte| hash.push(*byte));
    hash.finish()
}

/// The same in any letter case (ASCII).
#[cfg(feature = "yaml")]
pub(crate) fn reversed_folded(text: &[u8]) -> u64 {
    let mut hash = Running::new();
    text.iter().rev().for_each(|byte| hash.push(byte.to_ascii_lowercase()));
    hash.finish()
}

/// Writes hosts (with their scopes), by [`reversed`] hash.
pub(crate) fn write_hosts(mut hosts: Vec<(u64, (&str, u32))>, builder: &mut Builder) {
    hosts.sort_unstable();
    let hashes: Vec<u64> = hosts.iter().map(|(hash, _)| *hash).collect();
    for start in starts(&hashes, bits(hosts.len())) {
        builder.push(Section::HostBuckets, &[start]);
    }
    for (hash, (host, scope)) in hosts {
        let [offset, length] = builder.text(host);
        builder.push(Section::Hosts, &[hash as u32, (hash >> 32) as u32, offset, length, scope]);
    }
}

/// The scope of `host` if it is named itself, or else of the longest domain (held as `.example.com`) above it.
pub(crate) fn find_host(view: &View, host: &[u8]) -> Option<usize> {
    let mut hash = Running::new();
    let mut dots = [(0, hash); DOTS];
    let mut count = 0;
    for (at, byte) in host.iter().enumerate().rev() {
        hash.push(*byte);
        if *byte == b'.' && at > 0 {
            if let Some(dot) = dots.get_mut(count) {
                *dot = (at, hash);
            }
            count += 1;
        }
    }
    let own = if host.first() == Some(&b'.') { None } else { named(view, hash.finish(), host) };
    let domain = |(at, hash): &(usize, Running)| named(view, hash.finish(), host.get(*at..)?);
    own.or_else(|| match dots.get(..count) {
        Some(dots) => dots.iter().rev().find_map(domain),
        None => find_domain(view, host),
    })
}

/// The same for a name of many labels.
fn find_domain(view: &View, host: &[u8]) -> Option<usize> {
    let mut hash = Running::new();
    let mut found = None;
    for (at, byte) in host.iter().enumerate().rev() {
        hash.push(*byte);
        if *byte == b'.' && at > 0 {
            found = named(view, hash.finish(), host.get(at..)?).or(found);
        }
    }
    found
}

fn named(view: &View, hash: u64, host: &[u8]) -> Option<usize> {
    let bucket = bucket(hash, bits(view.count(Section::Hosts)));
    let [start] = view.words(Section::HostBuckets, bucket);
    let [end] = view.words(Section::HostBuckets, bucket + 1);
    (start..end).find_map(|at| {
        let [low, high, offset, length, scope] = view.words(Section::Hosts, at as usize);
        let same = u64::from(low) | u64::from(high) << 32 == hash && view.string(offset, length) == host;
        same.then_some(scope as usize)
    })
}
