//! Buffers that one judgement after another uses, so that none of them allocates.

use gatehouse_policy::{Candidates, Fields};

use crate::limits::Key;

/// Most limits, by different keys, that one request may be counted by; further ones are not counted, and the state's counter
/// tells.
const MAX_MET: usize = 512;

/// Buffers of one worker.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Rules that may hold.
    pub(crate) candidates: Candidates,
    pub(crate) notes: Notes,
}

/// What is noted on the way.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Limits whose rules held: each counts this request once it is admitted.
    pub(crate) met: Vec<Met>,
    /// Fields that some rule of the scope reads and that could not be known.
    pub(crate) unknown: Fields,
    /// A limit's key held something unknown.
    pub(crate) unkeyed: bool,
    /// There were more limits than are counted.
    pub(crate) uncounted: bool,
    /// Which reading of the request is judged, from 1.
    pub(crate) reading: u16,
}

/// How a limit stands to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stand {
    /// It is not over.
    Below,
    /// It is over, and what follows lets the request through.
    Passes,
    /// It is over, and its rule refuses the request (would refuse it, where it only watches).
    Refuses,
}

/// A limit that a request met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Met {
    /// Index in the policy.
    pub(crate) limit: usize,
    pub(crate) key: Key,
    /// Index of its rule.
    pub(crate) rule: u32,
    pub(crate) stand: Stand,
    /// All workers of this Envoy share it.
    pub(crate) shared: bool,
    /// Its rule is enforced on this request.
    pub(crate) enforced: bool,
}

impl Notes {
    /// Ready for the next request.
    pub(crate) fn clear(&mut self) {
        self.met.clear();
        self.unknown = Fields::NONE;
        (self.unkeyed, self.uncounted) = (false, false);
        self.reading = 0;
    }

    /// Notes a limit, once whatever number of readings meet it; so too the address that is counted beside its key.
    pub(crate) fn meet(&mut self, mut met: Met) {
        // On the first reading no limit is met twice.
        if self.reading > 1 {
            let mut same = self.met.iter().filter(|other| other.limit == met.limit);
            if same.clone().any(|other| other.key.tag == met.key.tag && other.key.item == met.key.item) {
                return;
            }
            if same.any(|other| other.key.beside == met.key.beside && other.key.item == met.key.item) {
                met.key.beside = None;
            }
        }
        match self.met.len() < MAX_MET {
            true => self.met.push(met),
            false => self.uncounted = true,
        }
    }
}
