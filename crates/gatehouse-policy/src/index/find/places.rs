//! Tables over hosts, paths and addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gatehouse_signals::address::fold;

use super::{Keys, Search, Table, long};
use crate::image::{Section, node};
use crate::index::hash::{self, Running};
use crate::index::terms::{ANY, MAX_ENDING, network_hash};
use crate::index::values::domain;
use crate::matcher;

impl Search<'_, '_> {
    pub(super) fn domain(&mut self, table: Table) {
        let Some(name) = domain(table.field, self.facts) else { return };
        let mut hash = Running::new();
        for (at, byte) in name.iter().enumerate().rev() {
            hash.push(byte.to_ascii_lowercase());
            if *byte == b'.' && at > 0 {
                self.look_up(table.keys, hash.finish());
            }
        }
        self.look_up(table.keys, hash.finish());
    }

    pub(super) fn ending(&mut self, table: Table) {
        // Bit n: ends of n bytes are looked up.
        let mut lengths = long(table.filter(self.view), 0) >> 1;
        let mut hash = Running::new();
        for byte in self.facts.path.iter().rev().take(MAX_ENDING) {
            if lengths == 0 {
                return;
            }
            hash.push(byte.to_ascii_lowercase());
            if lengths & 1 != 0 {
                self.look_up(table.keys, hash.finish());
            }
            lengths >>= 1;
        }
    }

    pub(super) fn network(&mut self, table: Table) {
        let Some(address) = self.facts.address else { return };
        let lengths = table.filter(self.view);
        match fold(address) {
            IpAddr::V4(v4) => {
                for prefix in bits(long(lengths, 0)) {
                    let masked = u32::from(v4) & u32::MAX.checked_shl(32 - prefix.min(32)).unwrap_or(0);
                    self.look_up(table.keys, network_hash(Ipv4Addr::from(masked).into(), prefix as u8));
                }
            }
            IpAddr::V6(v6) => {
                for word in 0..3 {
                    for bit in bits(long(lengths, 8 + 8 * word)) {
                        let prefix = bit + 64 * word as u32;
                        let masked = u128::from(v6) & u128::MAX.checked_shl(128 - prefix.min(128)).unwrap_or(0);
                        self.look_up(table.keys, network_hash(Ipv6Addr::from(masked).into(), prefix as u8));
                    }
                }
            }
        }
    }

    pub(super) fn segments(&mut self, table: Table) {
        let of_path = table.field == node::PATH;
        let text = if of_path { Some(self.facts.path) } else { matcher::peer(self.facts) };
        if let Some(text) = text {
            self.into.segments(of_path).fill(text);
            self.walk(of_path, 0, table.extra);
        }
    }

    /// Walks a trie from a node that the first `depth` segments led to.
    fn walk(&mut self, of_path: bool, depth: usize, at: usize) {
        self.into.step();
        let [first, count, bucket, bits, here, from_here, below] = self.view.words(Section::Trie, at);
        self.follow(from_here);
        let segments = self.into.segments(of_path);
        let Some((segment, meets_star)) = segments.get(depth) else {
            // Longer than what is told apart, or at its end.
            let leads = if segments.go_on(depth) { below } else { here };
            self.follow(leads);
            return;
        };
        self.follow(below);
        if count == 0 {
            return;
        }
        let keys = Keys::new(first, count, bucket, bits);
        let any = (bits >> 8 & 1 != 0 && meets_star).then(|| hash::number(ANY));
        for hash in [Some(segment), any].into_iter().flatten() {
            self.into.step();
            for child in keys.leads(self.view, hash) {
                // Children stand behind their parents: the walk ends.
                if child as usize > at {
                    self.walk(of_path, depth + 1, child as usize);
                }
            }
        }
    }
}

/// The places of the bits that are set.
fn bits(mut word: u64) -> impl Iterator<Item = u32> {
    core::iter::from_fn(move || {
        let bit = word.trailing_zeros();
        (bit < 64).then(|| {
            word &= word - 1;
            bit
        })
    })
}
