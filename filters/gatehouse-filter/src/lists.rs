//! Verdict lists as the house sends them: changes in order, a millisecond of work at a time.
//!
//! A list that is sent anew is put together aside, and takes its place when its last part has come: nobody is forgiven, and
//! nobody is banned twice, because a stream was opened anew.

use std::collections::{BTreeMap, VecDeque};

use gatehouse_engine::Verdicts;
use gatehouse_proto::v1::{ListAck, ListDelta};
use gatehouse_proto::{MAX_DELTA_ENTRIES, MAX_DELTAS_UNANSWERED, MAX_LISTS};

use crate::host;

/// After this long in one callback the rest waits for the next tick.
const STEP_NS: u64 = 1_000_000;
/// Entries taken between two looks at the clock.
const TAKEN: usize = 256;
const MAX_NAME: usize = 64;

/// Changes that wait.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    waiting: VecDeque<Waiting>,
    /// The version that each list has, as far as this stream has told.
    versions: BTreeMap<String, u64>,
    /// The list that is put together aside.
    begun: Option<String>,
    stepped_at_ns: u64,
}

#[derive(Debug)]
struct Waiting {
    delta: ListDelta,
    /// What remains of an entry is counted from here.
    came_ns: u64,
    added: usize,
    refused: u64,
    started: bool,
}

impl Lists {
    /// Takes in a change; false: no house of ours sends this.
    pub(crate) fn push(&mut self, delta: ListDelta, now_ns: u64) -> bool {
        let entries = delta.add.len().saturating_add(delta.remove.len());
        if entries > MAX_DELTA_ENTRIES
            || self.waiting.len() >= MAX_DELTAS_UNANSWERED
            || delta.list.is_empty()
            || delta.list.len() > MAX_NAME
        {
            return false;
        }
        self.waiting.push_back(Waiting { delta, came_ns: now_ns, added: 0, refused: 0, started: false });
        true
    }

    /// Changes still wait.
    pub(crate) fn busy(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Forgets what waits: the stream that brought it is gone, and the next one sends every list anew. What is in force stays.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Works on what waits, for a short while; what is to be answered. `rested`: as for policies.
    pub(crate) fn step(&mut self, verdicts: &mut Verdicts, rested: bool) -> Vec<ListAck> {
        let began = host::now_ns();
        let tired = began.saturating_sub(self.stepped_at_ns) < STEP_NS.saturating_mul(8);
        if self.waiting.is_empty() || (tired && !rested) {
            return Vec::new();
        }
        let mut answers = Vec::new();
        while let Some(mut waiting) = self.waiting.pop_front() {
            match self.work(&mut waiting, verdicts) {
                Some(answer) => answers.push(answer),
                None => self.waiting.push_front(waiting),
            }
            if host::now_ns().saturating_sub(began) > STEP_NS {
                break;
            }
        }
        self.stepped_at_ns = host::now_ns();
        answers
    }

    /// Takes some entries; `Some`: the change is whole.
    fn work(&mut self, waiting: &mut Waiting, verdicts: &mut Verdicts) -> Option<ListAck> {
        let delta = &waiting.delta;
        if !waiting.started {
            waiting.started = true;
            if !self.start(delta, verdicts) {
                let version = self.versions.get(&delta.list).copied().unwrap_or(0);
                return Some(ListAck { list: delta.list.clone(), version, refused: delta.add.len() as u64 });
            }
        }
        let aside = self.begun.as_deref() == Some(delta.list.as_str());
        let now_ns = host::now_ns();
        let passed_ns = now_ns.saturating_sub(waiting.came_ns);
        let part = delta.add.iter().skip(waiting.added).take(TAKEN);
        for entry in part {
            let remaining_ns = match entry.ttl_ms {
                0 => u64::MAX,
                ttl_ms => ttl_ms.saturating_mul(1_000_000).saturating_sub(passed_ns),
            };
            let taken = remaining_ns == 0
                || if aside {
                    verdicts.put_aside(&entry.key, remaining_ns, now_ns)
                } else {
                    verdicts.put(&delta.list, &entry.key, remaining_ns, now_ns)
                };
            waiting.refused = waiting.refused.saturating_add(u64::from(!taken));
        }
        waiting.added = waiting.added.saturating_add(TAKEN);
        if waiting.added < delta.add.len() {
            return None;
        }
        for key in &delta.remove {
            verdicts.remove(&delta.list, key);
        }
        if !delta.partial {
            if aside {
                self.begun = None;
                verdicts.finish(now_ns);
            }
            if verdicts.names().any(|name| name == delta.list) || !delta.reset {
                self.versions.insert(delta.list.clone(), delta.version);
            } else {
                // Sent anew with nobody on it: there is no such list any more.
                self.versions.remove(&delta.list);
            }
        }
        Some(ListAck { list: delta.list.clone(), version: delta.version, refused: waiting.refused })
    }

    /// Whether the change fits what came before it.
    fn start(&mut self, delta: &ListDelta, verdicts: &mut Verdicts) -> bool {
        if delta.reset {
            let room = self.versions.len() < MAX_LISTS || self.versions.contains_key(&delta.list);
            let begun = room && verdicts.begin(&delta.list);
            self.begun = begun.then(|| delta.list.clone());
            return begun;
        }
        match &self.begun {
            // A further part of the list that is put together; anything else ends that.
            Some(begun) if *begun == delta.list => true,
            _ => {
                self.begun = None;
                self.versions.get(&delta.list) == Some(&delta.base)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_proto::v1::ListEntry;

    use super::*;

    fn entry(last: u8) -> ListEntry {
        ListEntry { key: vec![1, 192, 0, 2, last], ttl_ms: 60_000 }
    }

    fn delta(base: u64, version: u64, add: &[u8], remove: &[u8]) -> ListDelta {
        ListDelta {
            list: "banned".into(),
            base,
            version,
            reset: base == 0,
            add: add.iter().map(|last| entry(*last)).collect(),
            remove: remove.iter().map(|last| entry(*last).key).collect(),
            partial: false,
        }
    }

    fn take(lists: &mut Lists, verdicts: &mut Verdicts, delta: ListDelta) -> (u64, u64) {
        assert!(lists.push(delta, host::now_ns()));
        let mut answers = Vec::new();
        while lists.busy() {
            answers.extend(lists.step(verdicts, true));
        }
        assert_eq!(answers.len(), 1);
        (answers[0].version, answers[0].refused)
    }

    #[test]
    fn a_list_is_sent_whole_and_then_changes() {
        let (mut lists, mut verdicts) = (Lists::default(), Verdicts::new([1; 16]));
        assert_eq!(take(&mut lists, &mut verdicts, delta(0, 5, &[1, 2, 3], &[])), (5, 0));
        assert_eq!(verdicts.len("banned", host::now_ns()), 3);
        assert_eq!(take(&mut lists, &mut verdicts, delta(5, 6, &[4, 1], &[2, 9])), (6, 0));
        assert_eq!(verdicts.len("banned", host::now_ns()), 3);
        assert_eq!(take(&mut lists, &mut verdicts, delta(0, 9, &[], &[])), (9, 0));
        assert_eq!(verdicts.names().count(), 0, "sent anew with nobody on it");
    }

    #[test]
    fn a_change_of_another_version_is_answered_with_the_one_that_is_here() {
        let (mut lists, mut verdicts) = (Lists::default(), Verdicts::new([1; 16]));
        assert_eq!(take(&mut lists, &mut verdicts, delta(3, 4, &[1], &[])), (0, 1));
        take(&mut lists, &mut verdicts, delta(0, 5, &[1], &[]));
        assert_eq!(take(&mut lists, &mut verdicts, delta(7, 8, &[2], &[])), (5, 1));
        assert_eq!(verdicts.len("banned", host::now_ns()), 1);
    }

    #[test]
    fn a_list_in_parts_holds_what_it_held_until_the_last() {
        let (mut lists, mut verdicts) = (Lists::default(), Verdicts::new([1; 16]));
        take(&mut lists, &mut verdicts, delta(0, 5, &[1], &[]));
        let first = ListDelta { partial: true, ..delta(0, 6, &[2, 3], &[]) };
        assert_eq!(take(&mut lists, &mut verdicts, first), (6, 0));
        assert_eq!(verdicts.len("banned", host::now_ns()), 1);
        let last = ListDelta { reset: false, ..delta(0, 6, &[4], &[]) };
        assert_eq!(take(&mut lists, &mut verdicts, last), (6, 0));
        assert_eq!(verdicts.len("banned", host::now_ns()), 3);
        assert_eq!(take(&mut lists, &mut verdicts, delta(6, 7, &[5], &[])), (7, 0));
    }

    #[test]
    fn a_stream_that_ends_between_parts_leaves_the_list_as_it_was() {
        let (mut lists, mut verdicts) = (Lists::default(), Verdicts::new([1; 16]));
        take(&mut lists, &mut verdicts, delta(0, 5, &[1], &[]));
        take(&mut lists, &mut verdicts, ListDelta { partial: true, ..delta(0, 6, &[2, 3], &[]) });
        lists.clear();
        assert_eq!(verdicts.len("banned", host::now_ns()), 1);
        let late = ListDelta { reset: false, ..delta(0, 6, &[4], &[]) };
        assert_eq!(take(&mut lists, &mut verdicts, late), (0, 1), "the rest of it is nobody's");
        take(&mut lists, &mut verdicts, delta(0, 6, &[7, 8], &[]));
        assert_eq!(verdicts.len("banned", host::now_ns()), 2, "what was begun before is forgotten");
    }

    #[test]
    fn what_makes_no_sense_or_is_beyond_bounds_is_counted_or_refused() {
        let (mut lists, mut verdicts) = (Lists::default(), Verdicts::new([1; 16]));
        let mut odd = delta(0, 5, &[1], &[]);
        odd.add.push(ListEntry { key: vec![99], ttl_ms: 5 });
        odd.add.push(ListEntry { key: vec![1, 192, 0, 2, 9], ttl_ms: 0 });
        assert_eq!(take(&mut lists, &mut verdicts, odd), (5, 1));
        assert_eq!(verdicts.len("banned", host::now_ns()), 2);
        assert!(!lists.push(ListDelta { list: String::new(), ..delta(0, 1, &[], &[]) }, 0));
        assert!(!lists.push(ListDelta { add: vec![entry(1); MAX_DELTA_ENTRIES + 1], ..delta(0, 1, &[], &[]) }, 0));
        let taken = (0..100).filter(|_| lists.push(delta(0, 1, &[1], &[]), 0)).count();
        assert_eq!(taken, MAX_DELTAS_UNANSWERED);
        lists.clear();
        for number in 0..MAX_LISTS + 2 {
            let list = format!("list-{number}");
            let (_, refused) = take(&mut lists, &mut verdicts, ListDelta { list, ..delta(0, 1, &[1], &[]) });
            // The list of before is one of them.
            assert_eq!(refused == 1, number + 1 >= MAX_LISTS, "{number}");
        }
    }
}
