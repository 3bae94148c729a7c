//! The snapshot in Envoy's shared data, so that a new VM (after a trap, after a reload) judges its first request by it.
//!
//! ```text
//! gatehouse/policy/SCOPE/head      slot: u8 | revision: u64 | size: u64 | digest: 32 bytes     little-endian, written last
//! gatehouse/policy/SCOPE/a/N       chunk N of slot a, at most 256 KiB
//! gatehouse/policy/SCOPE/b/N       chunk N of slot b
//! ```
//! SCOPE is a hash of the plugin's name and the node, because plugins share the name space. Keys cannot be removed, so they are
//! a fixed set: two slots of at most 64 chunks. A writer fills the slot that the head does not name and then writes the head;
//! readers check the SHA-256, so that whatever workers write at the same time is read whole or not at all. Brakes stand beside it
//! under a key of their own: [`brakes`].

pub(crate) mod brakes;

use std::hash::Hasher as _;

use gatehouse_policy::Policy;
use gatehouse_verdict::record::PolicyStamp;

use crate::host;

const CHUNK: usize = 256 * 1024;
const MAX_CHUNKS: usize = 64;
const HEAD: usize = 1 + 8 + 8 + 32;

/// Largest image that is kept, bytes.
pub(crate) const MAX_IMAGE: usize = CHUNK * MAX_CHUNKS;

/// Where one plugin of one node keeps its snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Store {
    scope: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    slot: u8,
    size: usize,
    stamp: PolicyStamp,
}

impl Store {
    pub(crate) fn new(plugin: &str, node: &str) -> Self {
        let mut hasher = Fnv::default();
        for part in [plugin, node] {
            hasher.write(part.as_bytes());
            hasher.write(&[0]);
        }
        Self { scope: format!("{:016x}", hasher.finish()) }
    }

    /// The snapshot that was kept; `None`: there is none that is whole.
    pub(crate) fn load(&self) -> Option<Policy> {
        let head = self.head()?;
        let mut image = Vec::new();
        image.try_reserve_exact(head.size).ok()?;
        for number in 0..head.size.div_ceil(CHUNK) {
            let chunk = host::shared(&self.chunk_key(head.slot, number)).ok().flatten()?;
            if chunk.len() > head.size.checked_sub(image.len())? {
                return None;
            }
            image.extend_from_slice(&chunk);
        }
        if image.len() != head.size {
            return None;
        }
        Policy::load(image, head.stamp.revision).ok().filter(|policy| policy.stamp() == head.stamp)
    }

    /// Keeps a snapshot, unless the same one is kept already.
    pub(crate) fn save(&self, stamp: PolicyStamp, image: &[u8]) -> host::Result<()> {
        let before = self.head();
        if image.len() > MAX_IMAGE || before.is_some_and(|head| head.stamp == stamp) {
            return Ok(());
        }
        let slot = before.map_or(0, |head| head.slot ^ 1) & 1;
        for (number, chunk) in image.chunks(CHUNK).enumerate() {
            host::set_shared(&self.chunk_key(slot, number), chunk)?;
        }
        host::set_shared(&self.head_key(), &Head { slot, size: image.len(), stamp }.to_bytes())
    }

    fn head(&self) -> Option<Head> {
        Head::from_bytes(&host::shared(&self.head_key()).ok().flatten()?)
    }

    fn head_key(&self) -> String {
        format!("gatehouse/policy/{}/head", self.scope)
    }

    fn chunk_key(&self, slot: u8, number: usize) -> String {
        format!("gatehouse/policy/{}/{}/{number}", self.scope, if slot == 0 { 'a' } else { 'b' })
    }
}

impl Head {
    fn to_bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD);
        out.push(self.slot);
        out.extend_from_slice(&self.stamp.revision.to_le_bytes());
        out.extend_from_slice(&(self.size as u64).to_le_bytes());
        out.extend_from_slice(&self.stamp.digest);
        out
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (slot, rest) = bytes.split_first()?;
        let (revision, rest) = rest.split_at_checked(8)?;
        let (size, digest) = rest.split_at_checked(8)?;
        let size = usize::try_from(u64::from_le_bytes(size.try_into().ok()?)).ok()?;
        let stamp =
            PolicyStamp { revision: u64::from_le_bytes(revision.try_into().ok()?), digest: digest.try_into().ok()? };
        (*slot <= 1 && size <= MAX_IMAGE).then_some(Self { slot: *slot, size, stamp })
    }
}

/// FNV-1a, 64 bits: names keys, protects nothing.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl core::hash::Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plugins_and_nodes_do_not_mix() {
        let keys: std::collections::BTreeSet<String> = [("", ""), ("a", ""), ("", "a"), ("ab", "c"), ("a", "bc")]
            .into_iter()
            .map(|(p, n)| Store::new(p, n).head_key())
            .collect();
        assert_eq!(keys.len(), 5);
        assert!(keys.iter().all(|key| key.starts_with("gatehouse/")));
    }

    #[test]
    fn a_head_with_an_impossible_slot_or_size_is_no_head() {
        let head = Head { slot: 1, size: 9, stamp: PolicyStamp { revision: 7, digest: [3; 32] } };
        assert_eq!(Head::from_bytes(&head.to_bytes()), Some(head));
        assert_eq!(Head::from_bytes(&Head { slot: 2, ..head }.to_bytes()), None);
        assert_eq!(Head::from_bytes(&Head { size: MAX_IMAGE + 1, ..head }.to_bytes()), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_head_or_none(bytes: Vec<u8>) {
            if let Some(head) = Head::from_bytes(&bytes) {
                prop_assert_eq!(head.to_bytes(), bytes);
            }
        }
    }
}
