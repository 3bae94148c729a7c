//! The brakes in shared data, so that a new VM (after a trap, after a reload) brakes as the one before it did.
//!
//! ```text
//! gatehouse/brake/SCOPE            written: u64 | count: u8 | count × (until: u64 | length: u8 | scope)     little-endian
//! ```
//! One value, so that it is read whole. Times are nanoseconds of the monotonic clock, which all VMs of one Envoy share and
//! which lives at least as long as the shared data: steps of the wall clock change nothing. A reader whose clock stands before
//! `written` has another clock; for it remains what remained when it was written. So it never grows, whatever clocks do.

use gatehouse_proto::{MAX_BRAKES, MAX_SCOPE_BYTES};

use super::Store;
use crate::host;

/// A brake: its scope, and the monotonic nanosecond at which it ends.
pub(crate) type Entry = (Box<str>, u64);

impl Store {
    /// The brakes that were kept and still hold at `now_ns`.
    pub(crate) fn brakes(&self, now_ns: u64) -> Vec<Entry> {
        let kept = host::shared(&self.brakes_key()).ok().flatten();
        kept.and_then(|bytes| decode(&bytes, now_ns)).unwrap_or_default()
    }

    /// Keeps the brakes of this moment in place of those before.
    pub(crate) fn save_brakes(&self, entries: &[Entry], now_ns: u64) -> host::Result<()> {
        host::set_shared(&self.brakes_key(), &encode(entries, now_ns))
    }

    fn brakes_key(&self) -> String {
        format!("gatehouse/brake/{}", self.scope)
    }
}

fn encode(entries: &[Entry], now_ns: u64) -> Vec<u8> {
    let fitting = || entries.iter().take(MAX_BRAKES).filter(|(scope, _)| scope.len() <= MAX_SCOPE_BYTES);
    let mut out = now_ns.to_le_bytes().to_vec();
    out.push(u8::try_from(fitting().count()).unwrap_or(0));
    for (scope, until_ns) in fitting() {
        out.extend_from_slice(&until_ns.to_le_bytes());
        out.push(u8::try_from(scope.len()).unwrap_or(0));
        out.extend_from_slice(scope.as_bytes());
    }
    out
}

/// `None`: not what a gate wrote.
fn decode(bytes: &[u8], now_ns: u64) -> Option<Vec<Entry>> {
    let (written, rest) = bytes.split_first_chunk::<8>()?;
    let written_ns = u64::from_le_bytes(*written);
    let (count, mut rest) = rest.split_first()?;
    let mut entries = Vec::new();
    for _ in 0..*count {
        let (until, more) = rest.split_first_chunk::<8>()?;
        let (length, more) = more.split_first()?;
        let (scope, more) = more.split_at_checked(usize::from(*length))?;
        rest = more;
        let until_ns = u64::from_le_bytes(*until);
        let left = until_ns.saturating_sub(now_ns.max(written_ns));
        if left > 0 {
            entries.push((core::str::from_utf8(scope).ok()?.into(), now_ns.saturating_add(left)));
        }
    }
    (rest.is_empty() && entries.len() <= MAX_BRAKES).then_some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entries() -> Vec<Entry> {
        vec![("".into(), 1_000), ("acme/retail".into(), 500)]
    }

    #[test]
    fn what_was_kept_comes_back_and_what_is_over_does_not() {
        let bytes = encode(&entries(), 100);
        assert_eq!(decode(&bytes, 100), Some(entries()));
        assert_eq!(decode(&bytes, 500), Some(vec![("".into(), 1_000)]));
        assert_eq!(decode(&bytes, 1_000), Some(Vec::new()));
    }

    #[test]
    fn for_a_clock_that_stands_earlier_it_does_not_grow() {
        let bytes = encode(&entries(), 100);
        assert_eq!(decode(&bytes, 40), Some(vec![("".into(), 940), ("acme/retail".into(), 440)]));
    }

    #[test]
    fn none_is_kept_as_none() {
        assert_eq!(decode(&encode(&[], 7), 8), Some(Vec::new()));
        assert_eq!(decode(b"", 8), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_and_never_hold_longer_than_written(bytes: Vec<u8>, now: u64) {
            if let Some(entries) = decode(&bytes, now) {
                prop_assert!(entries.len() <= MAX_BRAKES);
                prop_assert!(entries.iter().all(|(_, until)| *until > now));
            }
        }
    }
}
