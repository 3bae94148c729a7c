//! How far one stream has been told of one list, and what it is to be told next.

use std::collections::BTreeSet;
use std::ops::Bound;

use gatehouse_proto::{MAX_DELTA_ENTRIES, v1};

use super::{Entry, List, Verdicts};
use crate::deadline::Now;

/// How far a stream has been told of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cursor {
    /// The list is sent anew, as of a version; `after`: the last key that was sent.
    Anew {
        /// The version; `None`: nothing was sent yet.
        version: Option<u64>,
        /// The last key that was sent.
        after: Option<Vec<u8>>,
    },
    /// Everything up to this version was sent.
    At(u64),
    /// The gate was told that there is no such list.
    Gone,
}

impl Default for Cursor {
    fn default() -> Self {
        Self::Anew { version: None, after: None }
    }
}

impl Verdicts {
    /// The next change to send, and moves the cursor past it; `None`: there is nothing new. What remains of each entry is
    /// counted from this call.
    #[must_use]
    pub fn delta(&self, list: &str, cursor: &mut Cursor) -> Option<v1::ListDelta> {
        let (now, state) = (Now::read(), self.shared.lock());
        let Some(known) = state.lists.get(list) else {
            if *cursor == Cursor::Gone {
                return None;
            }
            *cursor = Cursor::Gone;
            let name = list.to_owned();
            return Some(v1::ListDelta { list: name, version: now.wall_ms, reset: true, ..v1::ListDelta::default() });
        };
        if *cursor == Cursor::Gone {
            *cursor = Cursor::default();
        }
        if let Cursor::At(version) = *cursor {
            if version == known.version {
                return None;
            }
            if let Some(delta) = known.since(version, list, now) {
                *cursor = Cursor::At(known.version);
                return Some(delta);
            }
            *cursor = Cursor::default();
        }
        Some(known.anew(list, cursor, now))
    }
}

impl List {
    /// What changed since a version; `None`: more than is remembered, or than one message carries.
    fn since(&self, version: u64, list: &str, now: Now) -> Option<v1::ListDelta> {
        if version < self.forgotten {
            return None;
        }
        let newer = self.log.iter().rev().take_while(|(changed, _)| *changed > version);
        let keys: BTreeSet<&Vec<u8>> = newer.map(|(_, key)| key).collect();
        if keys.len() > MAX_DELTA_ENTRIES {
            return None;
        }
        let mut delta =
            v1::ListDelta { list: list.to_owned(), base: version, version: self.version, ..Default::default() };
        for key in keys {
            match self.entries.get(key).and_then(|entry| sent(key, entry, now)) {
                Some(entry) => delta.add.push(entry),
                None => delta.remove.push(key.clone()),
            }
        }
        Some(delta)
    }

    /// The next part of the whole list. What changes behind the cursor meanwhile is told afterwards, since the version that is
    /// told is that of the beginning.
    fn anew(&self, list: &str, cursor: &mut Cursor, now: Now) -> v1::ListDelta {
        let (begun, after) = match cursor {
            Cursor::Anew { version, after } => (*version, after.take()),
            Cursor::At(_) | Cursor::Gone => (None, None),
        };
        let version = begun.unwrap_or(self.version);
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.entries.range::<Vec<u8>, _>((from, Bound::Unbounded)).peekable();
        let mut add = Vec::new();
        let mut last = None;
        while add.len() < MAX_DELTA_ENTRIES
            && let Some((key, entry)) = rest.next()
        {
            last = Some(key);
            add.extend(sent(key, entry, now));
        }
        let partial = rest.peek().is_some();
        let reset = begun.is_none();
        *cursor =
            if partial { Cursor::Anew { version: Some(version), after: last.cloned() } } else { Cursor::At(version) };
        v1::ListDelta { list: list.to_owned(), version, reset, add, partial, ..v1::ListDelta::default() }
    }
}

fn sent(key: &[u8], entry: &Entry, now: Now) -> Option<v1::ListEntry> {
    let ttl_ms = now.left_ms(entry.end_ms);
    (ttl_ms > 0).then(|| v1::ListEntry { key: key.to_vec(), ttl_ms })
}
