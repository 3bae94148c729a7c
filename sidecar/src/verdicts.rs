//! Verdicts: who is on which list, until when. Gates are sent every list, and every change of it at once.
//!
//! ```text
//!  gatehouse verdict ─► admin ─► Verdicts ─► kept file        (verdicts.jsonl, with ends that no restart moves away)
//!                                   └─► every stream: a list anew, then its changes by version
//! ```
//! Lists are made by the first verdict and go with the last; there are at most 8 of at most 65,536 subjects each. A disk that
//! takes nothing any more keeps no verdict from the gates; it is told.

mod cursor;
mod fetched;
mod kept;
mod order;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatehouse_proto::subject::Subject;
use gatehouse_proto::{MAX_LIST_ENTRIES, MAX_LISTS};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::audit::{Audit, Who};
use crate::data::DataFolder;
use crate::deadline::Now;
use crate::ocsf::time::Rfc3339;
use kept::{Change, File};

pub use cursor::Cursor;
pub use fetched::Filled;
pub use order::{MAX_HOLD, MAX_SUBJECTS, Order, Removal};
pub(crate) use order::{is_list, of_text};

/// How often what is over is cleared away; gates do that themselves.
const EVERY: Duration = Duration::from_secs(5);
/// How often what remains is written down anew: after a reboot with a wrong clock, this much more may remain.
const KEEP_EVERY_MS: u64 = 3_600_000;
/// Changes of one list that are remembered; a stream that is further behind is sent the list anew.
const MAX_LOG: usize = 8192;
/// Subjects that one audit line names.
const MAX_AUDITED: usize = 100;

/// The verdicts of this house. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Verdicts {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    audit: Audit,
    state: Mutex<State>,
    /// Counts changes.
    news: watch::Sender<u64>,
    /// Held while the kept file is written.
    file: Mutex<File>,
}

#[derive(Debug, Default)]
struct State {
    lists: BTreeMap<String, List>,
    /// Names of lists that are fetched from outside: nobody changes them by hand, and they are kept elsewhere.
    fetched: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct List {
    /// Grows with every change; begins anew in another house, which is why every stream begins with the whole list.
    version: u64,
    /// By key.
    entries: BTreeMap<Vec<u8>, Entry>,
    /// Versions and the keys that changed with them, oldest first.
    log: VecDeque<(u64, Vec<u8>)>,
    /// Changes up to this version are in the log no more.
    forgotten: u64,
}

#[derive(Debug, Clone)]
struct Entry {
    /// By the clock since boot.
    end_ms: u64,
    why: Arc<Why>,
}

/// What the entries of one order share.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Why {
    hold_ms: u64,
    since_wall_ms: u64,
    reason: String,
    by: Who,
}

/// There is no room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Full {
    /// For another list.
    Lists,
    /// For so many more on this list.
    Entries(String),
    /// The list is fetched from outside.
    Fetched(String),
}

/// One list, for `/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListView {
    /// Its name.
    pub name: String,
    /// Subjects on it.
    pub entries: usize,
    /// Grows with every change.
    pub version: u64,
}

/// One entry, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryView {
    /// Kind and value.
    pub subject: String,
    /// When it ends, RFC 3339.
    pub until: String,
    /// What remains, seconds, rounded up.
    pub left_seconds: u64,
    /// Why.
    pub reason: String,
    /// Who put it there.
    pub by: Who,
    /// When, RFC 3339.
    pub since: String,
}

impl Verdicts {
    /// What was kept before a restart and still holds.
    #[must_use]
    pub fn open(data: Arc<DataFolder>, audit: Audit) -> Self {
        let (file, lists) = File::open(data, Now::read());
        let shared = Shared {
            audit,
            state: Mutex::new(State { lists, ..State::default() }),
            news: watch::Sender::new(0),
            file: Mutex::new(file),
        };
        let verdicts = Self { shared: Arc::new(shared) };
        verdicts.keep(None);
        verdicts
    }

    /// Puts subjects on a list at once, all or none; one that is there already holds for as long as is said now. Blocks while it
    /// is written down; the gates do not wait for that. Returns whether it is kept over a restart.
    ///
    /// # Errors
    /// There is no room.
    pub fn add(&self, order: Order, by: Who) -> Result<bool, Full> {
        let now = Now::read();
        let why = Why { hold_ms: ms(order.hold), since_wall_ms: now.wall_ms, reason: order.reason, by };
        let entry = Entry { end_ms: now.end_of(order.hold), why: Arc::new(why) };
        let keys: Vec<Vec<u8>> = order.subjects.iter().map(Subject::key).collect();
        {
            let mut state = self.shared.lock();
            if state.fetched.contains(&order.list) {
                return Err(Full::Fetched(order.list));
            }
            state.list(&order.list, now)?.put(&order.list, &keys, &entry, now)?;
        }
        self.shared.publish();
        let (count, Why { reason, by, .. }) = (keys.len(), &*entry.why);
        tracing::info!(list = order.list, count, for_seconds = order.hold.as_secs(), reason, ?by, "verdicts added");
        self.shared.audited("verdict.add", &order.list, &order.subjects, Some(&entry.why), by);
        Ok(self.keep(Some(&Change::Put { list: &order.list, keys: &keys, entry: &entry })))
    }

    /// Takes subjects off a list at once. Returns how many were on it. Blocks as [`add`](Self::add) does.
    pub fn remove(&self, removal: &Removal, by: &Who) -> usize {
        let Removal { list, subjects } = removal;
        let keys: Option<Vec<Vec<u8>>> = subjects.as_ref().map(|subjects| subjects.iter().map(Subject::key).collect());
        let removed = match self.shared.lock().lists.get_mut(list) {
            Some(known) => known.take(keys.as_deref()),
            None => 0,
        };
        if removed == 0 {
            return 0;
        }
        self.shared.publish();
        tracing::info!(list, count = removed, ?by, "verdicts removed");
        self.shared.audited("verdict.remove", list, subjects.as_deref().unwrap_or_default(), None, by);
        self.keep(Some(&Change::Removed { list, keys: keys.as_deref() }));
        removed
    }

    /// Tells of changes.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.shared.news.subscribe()
    }

    /// Every list.
    #[must_use]
    pub fn lists(&self) -> Vec<ListView> {
        let (now, state) = (Now::read(), self.shared.lock());
        let view = |(name, list): (&String, &List)| ListView {
            name: name.clone(),
            entries: list.holding(now).count(),
            version: list.version,
        };
        state.lists.iter().map(view).collect()
    }

    /// The names of the lists.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.shared.lock().lists.keys().cloned().collect()
    }

    /// The version of a list; `None`: there is none of that name.
    #[must_use]
    pub fn version(&self, list: &str) -> Option<u64> {
        self.shared.lock().lists.get(list).map(|list| list.version)
    }

    /// Up to `most` entries of a list, and how many it has; `None`: there is none of that name.
    #[must_use]
    pub fn entries(&self, list: &str, most: usize) -> Option<(Vec<EntryView>, usize)> {
        let (now, state) = (Now::read(), self.shared.lock());
        let list = state.lists.get(list)?;
        let shown = list.holding(now).take(most).filter_map(|(key, entry)| {
            Some(EntryView {
                subject: Subject::read(key)?.to_string(),
                until: Rfc3339(now.wall_of(entry.end_ms)).to_string(),
                left_seconds: now.left_ms(entry.end_ms).div_ceil(1000),
                reason: entry.why.reason.clone(),
                by: entry.why.by.clone(),
                since: Rfc3339(entry.why.since_wall_ms).to_string(),
            })
        });
        Some((shown.collect(), list.holding(now).count()))
    }

    /// Clears away what is over, now and then, until the token is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let verdicts = self.clone();
            if let Err(error) = tokio::task::spawn_blocking(move || verdicts.clear()).await {
                tracing::error!(%error, "verdicts that are over were not cleared away");
            }
        }
    }

    /// Clears away once. Blocks.
    pub fn clear(&self) {
        let now = Now::read();
        let gone = {
            let mut state = self.shared.lock();
            state.lists.values_mut().for_each(|list| list.expire(now));
            let before = state.lists.len();
            state.lists.retain(|_, list| !list.entries.is_empty());
            before > state.lists.len()
        };
        if gone {
            // Gates give the place of the list back.
            self.shared.publish();
        }
        let due = self.shared.file().is_due(now);
        if due {
            self.keep(None);
        }
    }

    /// Writes down a change, or everything anew.
    fn keep(&self, change: Option<&Change<'_>>) -> bool {
        let now = Now::read();
        let mut file = self.shared.file();
        let kept = match change {
            Some(change) => file.append(change, now),
            None => Ok(()),
        };
        let kept = kept.and_then(|()| {
            if change.is_none() || file.is_long() {
                let text = {
                    let state = self.shared.lock();
                    kept::text(state.lists.iter().filter(|(name, _)| !state.fetched.contains(*name)), now)
                };
                file.rewrite(&text, now)
            } else {
                Ok(())
            }
        });
        kept.inspect_err(
            |error| tracing::error!(%error, "verdicts are not kept, a restart of the house would forget them"),
        )
        .is_ok()
    }
}

// --- Shared, State ---

impl Shared {
    fn publish(&self) {
        self.news.send_modify(|changes| *changes = changes.wrapping_add(1));
    }

    fn audited(&self, action: &str, list: &str, subjects: &[Subject], why: Option<&Why>, by: &Who) {
        #[derive(Serialize)]
        struct Details<'a> {
            list: &'a str,
            /// The first of them; none: all that were on the list.
            subjects: Vec<String>,
            count: usize,
            #[serde(skip_serializing_if = "Option::is_none")]
            for_seconds: Option<u64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            reason: Option<&'a str>,
        }
        let details = Details {
            list,
            subjects: subjects.iter().take(MAX_AUDITED).map(Subject::to_string).collect(),
            count: subjects.len(),
            for_seconds: why.map(|why| why.hold_ms / 1000),
            reason: why.map(|why| why.reason.as_str()),
        };
        self.audit.write(action, by, &details);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is complete before anything in it could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn list(&mut self, name: &str, now: Now) -> Result<&mut List, Full> {
        if !self.lists.contains_key(name) {
            if self.lists.len() >= MAX_LISTS {
                self.lists.values_mut().for_each(|list| list.expire(now));
                self.lists.retain(|_, list| !list.entries.is_empty());
            }
            if self.lists.len() >= MAX_LISTS {
                return Err(Full::Lists);
            }
        }
        Ok(self.lists.entry(name.to_owned()).or_insert_with(|| List::begin(now)))
    }
}

// --- List ---

impl List {
    /// A list that was there before under this name, in this house or the one before, had a lower version.
    fn begin(now: Now) -> Self {
        Self { version: now.wall_ms, forgotten: now.wall_ms, ..Self::default() }
    }

    /// A change from before a restart is made again: the version counts it too, so that a list which changes and is taken up
    /// again within a millisecond does not go back.
    fn again(&mut self) {
        self.version += 1;
        self.forgotten = self.version;
    }

    fn holding(&self, now: Now) -> impl Iterator<Item = (&Vec<u8>, &Entry)> {
        self.entries.iter().filter(move |(_, entry)| now.left_ms(entry.end_ms) > 0)
    }

    fn put(&mut self, name: &str, keys: &[Vec<u8>], entry: &Entry, now: Now) -> Result<(), Full> {
        let fits = |list: &Self| {
            let new = keys.iter().filter(|key| !list.entries.contains_key(*key)).count();
            list.entries.len() + new <= MAX_LIST_ENTRIES
        };
        if !fits(self) {
            self.expire(now);
        }
        if !fits(self) {
            return Err(Full::Entries(name.to_owned()));
        }
        self.version += 1;
        for key in keys {
            self.entries.insert(key.clone(), entry.clone());
            self.changed(key.clone());
        }
        Ok(())
    }

    /// Takes these keys off, or all; how many were there.
    fn take(&mut self, keys: Option<&[Vec<u8>]>) -> usize {
        let gone: Vec<Vec<u8>> = match keys {
            Some(keys) => keys.iter().filter(|key| self.entries.remove(*key).is_some()).cloned().collect(),
            None => core::mem::take(&mut self.entries).into_keys().collect(),
        };
        if !gone.is_empty() {
            self.version += 1;
        }
        let count = gone.len();
        gone.into_iter().for_each(|key| self.changed(key));
        count
    }

    fn changed(&mut self, key: Vec<u8>) {
        if self.log.len() >= MAX_LOG
            && let Some((version, _)) = self.log.pop_front()
        {
            self.forgotten = version;
        }
        self.log.push_back((self.version, key));
    }

    /// What is over goes by itself in every gate: that is no change.
    fn expire(&mut self, now: Now) {
        self.entries.retain(|_, entry| now.left_ms(entry.end_ms) > 0);
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl std::fmt::Display for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fetched(list) => {
                write!(f, "the list `{list}` is fetched from outside; use a list of its own that says `from: verdicts`")
            }
            Self::Lists => write!(f, "there are {MAX_LISTS} lists already; remove all that is on one of them"),
            Self::Entries(list) => {
                write!(
                    f,
                    "the list `{list}` holds {MAX_LIST_ENTRIES} at most; remove some, or list a prefix that holds them"
                )
            }
        }
    }
}

impl std::error::Error for Full {}
