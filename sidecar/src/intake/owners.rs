//! Whose each worker is: what an identity began, no other may go on with, or it could fence a stream that is not its own.
//!
//! Kept for a day after the last greeting, as the receiver keeps its high-water marks. After a restart of the house the first that comes
//! with an epoch has it: an epoch is 64 random bits that travel inside the stream only.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const KEEP: Duration = Duration::from_secs(86_400);
/// Beyond this the longest silent are forgotten.
const MAX_OWNERS: usize = 65_536;

/// The owner of each epoch; `None`: whoever may use the socket.
#[derive(Debug, Default)]
pub(super) struct Owners(Mutex<BTreeMap<u64, (Option<String>, Instant)>>);

/// Whether a worker may be greeted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// Nobody had it.
    New,
    /// It is the claimant's own.
    Own,
    /// It is another's.
    Foreign,
}

impl Owners {
    /// Whose this epoch is for one who claims it.
    pub(super) fn look(&self, epoch: u64, claimant: Option<&str>) -> Claim {
        let owners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match owners.get(&epoch) {
            None => Claim::New,
            Some((owner, _)) if owner.as_deref() == claimant => Claim::Own,
            Some(_) => Claim::Foreign,
        }
    }

    /// Books it.
    pub(super) fn keep(&self, epoch: u64, claimant: Option<&str>, now: Instant) {
        let mut owners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if owners.len() >= MAX_OWNERS && !owners.contains_key(&epoch) {
            owners.retain(|_, (_, last)| now.saturating_duration_since(*last) < KEEP);
            if owners.len() >= MAX_OWNERS {
                let oldest = owners.iter().min_by_key(|(_, (_, last))| *last).map(|(epoch, _)| *epoch);
                oldest.map(|epoch| owners.remove(&epoch));
            }
        }
        owners.insert(epoch, (claimant.map(str::to_owned), now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_stays_with_who_began_it() {
        let (owners, now) = (Owners::default(), Instant::now());
        assert_eq!(owners.look(7, Some("a")), Claim::New);
        owners.keep(7, Some("a"), now);
        assert_eq!(owners.look(7, Some("a")), Claim::Own);
        assert_eq!(owners.look(7, Some("b")), Claim::Foreign);
        assert_eq!(owners.look(7, None), Claim::Foreign);
        owners.keep(8, None, now);
        assert_eq!((owners.look(8, None), owners.look(8, Some("a"))), (Claim::Own, Claim::Foreign));
    }

    #[test]
    fn a_full_table_forgets_the_longest_silent() {
        let (owners, now) = (Owners::default(), Instant::now());
        for epoch in 0..MAX_OWNERS as u64 {
            owners.keep(epoch, Some("a"), now + Duration::from_millis(epoch));
        }
        owners.keep(u64::MAX, Some("b"), now + Duration::from_secs(3600));
        assert_eq!((owners.look(0, Some("a")), owners.look(1, Some("a"))), (Claim::New, Claim::Own));
    }
}
