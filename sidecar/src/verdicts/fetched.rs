//! Lists that are fetched from outside: what they are to hold is said whole, gates are told what changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gatehouse_proto::MAX_LIST_ENTRIES;

use super::{Entry, Full, List, Verdicts, Why};
use crate::audit::Who;
use crate::deadline::Now;

/// An end that is told anew is another only when it is that much earlier: sources tell what remains, by the second.
const JITTER_MS: u64 = 2000;

/// What [`Verdicts::fill`] changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Filled {
    /// Subjects that were not on the list.
    pub added: usize,
    /// Subjects that are on it no more.
    pub removed: usize,
    /// Subjects that stay, and now for another time.
    pub renewed: usize,
}

impl Verdicts {
    /// Says which lists are fetched: those that no longer are go. A list of that name which was filled by hand is held until it
    /// is filled. Blocks.
    pub fn own(&self, names: BTreeSet<String>) {
        {
            let mut state = self.shared.lock();
            if state.fetched == names {
                return;
            }
            let gone: Vec<String> = state.fetched.difference(&names).cloned().collect();
            gone.iter().for_each(|name| drop(state.lists.remove(name)));
            state.fetched = names;
        }
        self.shared.publish();
        self.keep(None);
    }

    /// Whether the list is fetched from outside.
    #[must_use]
    pub fn is_fetched(&self, list: &str) -> bool {
        self.shared.lock().fetched.contains(list)
    }

    /// Lets a list hold exactly these keys, each until its end by the clock since boot. An entry that ends less than `slack_ms`
    /// before the end that is wanted stays as it is: a list that is fetched again and again would otherwise be sent whole each
    /// time. It is not written down here.
    ///
    /// # Errors
    /// There is no room for the list, or for so many.
    pub fn fill(&self, name: &str, wanted: &BTreeMap<Vec<u8>, u64>, slack_ms: u64, from: &str) -> Result<Filled, Full> {
        if wanted.len() > MAX_LIST_ENTRIES {
            return Err(Full::Entries(name.to_owned()));
        }
        let now = Now::read();
        let filled = {
            let mut state = self.shared.lock();
            if wanted.is_empty() && !state.lists.contains_key(name) {
                return Ok(Filled::default());
            }
            state.list(name, now)?.fill(wanted, slack_ms, from, now)
        };
        if filled != Filled::default() {
            self.shared.publish();
        }
        Ok(filled)
    }
}

impl List {
    fn fill(&mut self, wanted: &BTreeMap<Vec<u8>, u64>, slack_ms: u64, from: &str, now: Now) -> Filled {
        let mut filled = Filled::default();
        let stays = |entry: &Entry, end: u64| {
            let slack = if entry.end_ms < end { slack_ms } else { JITTER_MS };
            entry.end_ms.abs_diff(end) <= slack
        };
        let holds = |key: &Vec<u8>| wanted.get(key).is_some_and(|end| now.left_ms(*end) > 0);
        let gone: Vec<Vec<u8>> = self.entries.keys().filter(|key| !holds(key)).cloned().collect();
        let new: Vec<(&Vec<u8>, u64)> = wanted
            .iter()
            .map(|(key, end)| (key, *end))
            .filter(|(key, end)| holds(key) && !self.entries.get(*key).is_some_and(|e| stays(e, *end)))
            .collect();
        if gone.is_empty() && new.is_empty() {
            return filled;
        }
        self.version += 1;
        filled.removed = gone.len();
        for key in gone {
            self.entries.remove(&key);
            self.changed(key);
        }
        // Entries of one end share what is said of them.
        let mut said: BTreeMap<u64, Arc<Why>> = BTreeMap::new();
        for (key, end_ms) in new {
            let why = said.entry(end_ms).or_insert_with(|| {
                let (hold_ms, by) = (now.left_ms(end_ms), Who::Source(from.to_owned()));
                Arc::new(Why { hold_ms, since_wall_ms: now.wall_ms, reason: "fetched".to_owned(), by })
            });
            let entry = Entry { end_ms, why: Arc::clone(why) };
            let before = self.entries.insert(key.clone(), entry);
            *(if before.is_some() { &mut filled.renewed } else { &mut filled.added }) += 1;
            self.changed(key.clone());
        }
        filled
    }
}
