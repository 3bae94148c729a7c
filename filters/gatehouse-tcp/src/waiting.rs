//! Connections whose clients have not proven yet who they are: looked at again after 10 ms, then after twice as long each time, until
//! the deadline. So a thousand silent ones cost ten looks each, and one that is quick waits for a tick.

use std::collections::{BTreeMap, BTreeSet};

/// Most connections of one worker that wait; the one that has waited longest goes when there are more.
pub(crate) const MOST: usize = 4096;
/// Until the first look.
const FIRST_NS: u64 = 10_000_000;
/// Looks in one tick.
pub(crate) const LOOKS: usize = 256;

/// Who waits, by when to look.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    looks: BTreeSet<(u64, u32)>,
    of: BTreeMap<u32, Place>,
}

/// One that waits.
#[derive(Debug, Clone, Copy)]
struct Place {
    look_ns: u64,
    pause_ns: u64,
    ends_ns: u64,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// To be looked at again.
    Look(u32),
    /// Its time is over.
    Over(u32),
}

impl Waiting {
    /// `context` waits, from now until its deadline. `Some`: this one has to go for it.
    pub(crate) fn add(&mut self, context: u32, now_ns: u64, ends_ns: u64) -> Option<u32> {
        let crowded = if self.of.len() >= MOST { self.oldest() } else { None };
        if let Some(out) = crowded {
            self.forget(out);
        }
        self.put(context, Place { look_ns: now_ns.saturating_add(FIRST_NS), pause_ns: FIRST_NS, ends_ns });
        crowded
    }

    /// The next that is due. One to look at is put back, until it is forgotten.
    pub(crate) fn due(&mut self, now_ns: u64) -> Option<Due> {
        let (look_ns, context) = *self.looks.first()?;
        if look_ns > now_ns {
            return None;
        }
        self.looks.remove(&(look_ns, context));
        let Some(place) = self.of.remove(&context) else { return Some(Due::Over(context)) };
        if now_ns >= place.ends_ns {
            return Some(Due::Over(context));
        }
        let pause_ns = place.pause_ns.saturating_mul(2);
        let look_ns = now_ns.saturating_add(place.pause_ns).min(place.ends_ns);
        self.put(context, Place { look_ns, pause_ns, ..place });
        Some(Due::Look(context))
    }

    /// `context` is decided, or gone; true: it waited.
    pub(crate) fn forget(&mut self, context: u32) -> bool {
        let place = self.of.remove(&context);
        place.is_some_and(|place| self.looks.remove(&(place.look_ns, context)))
    }

    pub(crate) fn is_busy(&self) -> bool {
        !self.of.is_empty()
    }

    fn put(&mut self, context: u32, place: Place) {
        self.forget(context);
        self.of.insert(context, place);
        self.looks.insert((place.look_ns, context));
    }

    /// Contexts are numbered as they come.
    fn oldest(&self) -> Option<u32> {
        self.of.first_key_value().map(|(context, _)| *context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn looks_come_later_and_later_and_end_at_the_deadline() {
        let mut waiting = Waiting::default();
        assert_eq!(waiting.add(7, 0, 5000 * MS), None);
        let mut seen = Vec::new();
        for now in (0..6000).map(|ms| ms * MS) {
            while let Some(due) = waiting.due(now) {
                seen.push((now / MS, due));
            }
        }
        let looks: Vec<u64> = seen.iter().map(|(ms, _)| *ms).collect();
        assert_eq!(looks, [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5000]);
        assert_eq!(seen.last().map(|(_, due)| *due), Some(Due::Over(7)));
        assert!(!waiting.is_busy());
    }

    #[test]
    fn one_that_is_forgotten_is_never_due() {
        let mut waiting = Waiting::default();
        waiting.add(1, 0, 100 * MS);
        assert!(waiting.forget(1) && !waiting.forget(1));
        assert_eq!(waiting.due(u64::MAX), None);
    }

    #[test]
    fn the_one_that_has_waited_longest_goes_when_there_are_too_many() {
        let mut waiting = Waiting::default();
        let out: Vec<u32> = (0..10_000).filter_map(|context| waiting.add(context, 0, 5 * MS)).collect();
        assert_eq!((out.len(), out[0], waiting.of.len(), waiting.looks.len()), (10_000 - MOST, 0, MOST, MOST));
    }
}
