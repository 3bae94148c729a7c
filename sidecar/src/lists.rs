//! Lists from outside: `lists: { NAME: { from: { file | url | crowdsec } } }` of a policy, fetched by the house.
//!
//! ```text
//!  policies ─(what is to be fetched)─► Lists ─► one task a list: fetch ─► read ─► Verdicts ─► every stream, by deltas
//!                     configuration ─(who may be asked, by which login)─┘   └─► list-NAME.json, for after a restart
//! ```
//! **Where what is written.** A policy says which list comes from where, since it says what follows from it. Whom the house may
//! ask, by which login and which authorities, stands in its own configuration (`lists`): who may write a policy must not thereby
//! make the house ask the cloud's metadata service or a neighbour's admin page, nor see a key. Without a word there nothing is
//! asked over the network, and files are read below the folder of the policies only. A source that is not allowed is a problem
//! of its list, told as any other; the policy stands.
//!
//! **Beside the policy, not in it.** What is fetched becomes a list of verdicts: gates get what changed, at once, within their
//! budget of work, and the policy's digest stays that of what people wrote. So such a list has the bounds of a list of verdicts:
//! 65,536 entries after networks within others are left out, eight lists in all. A list that is larger is refused whole. Hundreds
//! of thousands of networks are for `cidrs` with `files`: they are compiled into the policy, in chunks, as a new revision.
//!
//! **The last good one stays, but not for ever.** A fetch that fails, a text with more than one wrong line in a hundred, another
//! digest, a signature that is wrong: the list stays what it was. Its entries end `expires` after the last fetch that succeeded (a
//! file is as old as it was last written), in the gates also without the house: a list that nobody refreshes bans whoever has such
//! an address today. Half of that time before, it counts as stale, which is an alert. Ends are moved on in steps of an eighth of
//! `expires`, so that an unchanged list is not sent again each time.

mod crowdsec;
mod fetch;
mod kept;
mod place;
mod proof;
mod text;
mod worker;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatehouse_policy::Outside;
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::config;
use crate::data::DataFolder;
use crate::deadline::Now;
use crate::ocsf::time::Rfc3339;
use crate::verdicts::Verdicts;
use worker::Worker;

/// What policies want fetched; `None`: it is not known yet, since the policy in force was kept from before a restart.
pub type Wanted = Option<Arc<[Outside]>>;

/// The lists of this house that are fetched. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Lists {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    data: Arc<DataFolder>,
    verdicts: Verdicts,
    config: config::Lists,
    boards: Mutex<BTreeMap<String, Arc<Board>>>,
}

/// What is known of one list.
#[derive(Debug)]
struct Board {
    outside: Outside,
    /// When it began to be fetched, by the clock since boot.
    begun_ms: u64,
    state: Mutex<Known>,
}

#[derive(Debug, Clone, Default)]
struct Known {
    /// The moment that what is held was right, by the clock since boot (a file may be older than that), and by the wall clock.
    good_ms: Option<i64>,
    good_wall_ms: u64,
    fetches: u64,
    failures: u64,
    refused: u64,
    problem: Option<String>,
}

impl Known {
    /// What is in force while nothing new comes.
    fn stands(&self, expires: Duration, now: Now) -> &'static str {
        match self.good_ms {
            None => "there was no good one yet: it is empty",
            Some(good_ms) if since(good_ms, now) >= expires => "the last good one has expired: it is empty",
            Some(_) => "the last good one stays",
        }
    }
}

/// One list as `/status` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    /// Its name.
    pub name: String,
    /// `file`, `url` or `crowdsec`.
    pub kind: &'static str,
    /// Where that is.
    pub from: String,
    /// Seconds between two fetches.
    pub every_seconds: u64,
    /// Seconds that entries hold after the last fetch that succeeded.
    pub expires_seconds: u64,
    /// Entries that hold.
    pub entries: usize,
    /// The moment that the list was last known to be right, RFC 3339; `None`: never.
    pub good: Option<String>,
    /// Seconds since then; where there is none, since the house began to try.
    pub age_seconds: u64,
    /// More than half of `expires` has passed since.
    pub stale: bool,
    /// All of it has: the list is empty.
    pub expired: bool,
    /// Fetches that succeeded, since the house began.
    pub fetches: u64,
    /// Fetches that failed, since the house began.
    pub failures: u64,
    /// Entries that were left out because they are none, since the house began.
    pub refused_entries: u64,
    /// What was wrong with the last fetch.
    pub problem: Option<String>,
}

impl Lists {
    /// No lists yet.
    #[must_use]
    pub fn new(data: Arc<DataFolder>, verdicts: Verdicts, config: config::Lists) -> Self {
        Self { shared: Arc::new(Shared { data, verdicts, config, boards: Mutex::default() }) }
    }

    /// Every list, by name.
    #[must_use]
    pub fn views(&self) -> Vec<View> {
        let boards: Vec<Arc<Board>> = self.shared.boards().values().cloned().collect();
        let held = self.shared.verdicts.lists();
        let count = |name: &str| held.iter().find(|list| list.name == name).map_or(0, |list| list.entries);
        boards.iter().map(|board| board.view(count(&board.outside.list), Now::read())).collect()
    }

    /// Lets gates have what was kept from before a restart. Of lists that are not wanted any more, or from elsewhere now,
    /// nothing is kept. Blocks; before gates are let in, so that none is told that a list is empty.
    pub fn take_kept(&self, wanted: &Wanted) {
        let now = Now::read();
        let mut names: BTreeSet<String> = BTreeSet::new();
        let mut kept = Vec::new();
        for (name, list) in kept::all(&self.shared.data, now) {
            match wanted.as_ref().map(|all| all.iter().find(|outside| outside.list == name)) {
                // What the policy wants is not known: what it wanted before holds on.
                None => {
                    names.insert(name.clone());
                    kept.push((name, list));
                }
                Some(Some(outside)) if list.is_of(outside) => kept.push((name, list)),
                Some(_) => kept::forget(&self.shared.data, &name),
            }
        }
        names.extend(wanted.iter().flat_map(|all| all.iter()).map(|outside| outside.list.clone()));
        self.shared.verdicts.own(names);
        for (name, list) in kept {
            if let Err(full) = self.shared.verdicts.fill(&name, &list.entries, 0, list.from()) {
                tracing::error!(list = name, problem = %full, "kept list does not hold");
            }
        }
    }

    /// Fetches what policies want until the token is cancelled.
    pub async fn run(self, mut wanted: watch::Receiver<Wanted>, stop: CancellationToken) {
        let mut running: BTreeMap<String, (Outside, AbortOnDropHandle<()>)> = BTreeMap::new();
        loop {
            let now = wanted.borrow_and_update().clone();
            if let Some(now) = now {
                self.follow(&now, &mut running).await;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = wanted.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Ends what is not wanted any more, and begins what is new.
    async fn follow(&self, wanted: &[Outside], running: &mut BTreeMap<String, (Outside, AbortOnDropHandle<()>)>) {
        let before: Vec<String> = running.keys().cloned().collect();
        running.retain(|_, (outside, _)| wanted.contains(outside));
        let gone: Vec<String> =
            before.into_iter().filter(|name| !wanted.iter().any(|outside| outside.list == *name)).collect();
        let (shared, names) = (Arc::clone(&self.shared), wanted.iter().map(|outside| outside.list.clone()).collect());
        let told = tokio::task::spawn_blocking(move || {
            shared.verdicts.own(names);
            gone.iter().for_each(|name| kept::forget(&shared.data, name));
        });
        // Ends early only with the whole house.
        let _ = told.await;
        self.shared.boards().retain(|name, board| running.contains_key(name) && wanted.contains(&board.outside));
        for outside in wanted {
            if running.contains_key(&outside.list) {
                continue;
            }
            let board = Arc::new(Board::new(outside.clone()));
            self.shared.boards().insert(outside.list.clone(), Arc::clone(&board));
            let worker = Worker::new(Arc::clone(&self.shared), board);
            let task = AbortOnDropHandle::new(tokio::spawn(worker.run()));
            running.insert(outside.list.clone(), (outside.clone(), task));
        }
    }
}

impl Shared {
    fn boards(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Board>>> {
        // Every change is complete before anything in it could panic.
        self.boards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Board {
    fn new(outside: Outside) -> Self {
        Self { outside, begun_ms: Now::read().boot_ms, state: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self, entries: usize, now: Now) -> View {
        let (known, outside) = (self.known().clone(), &self.outside);
        let (kind, from) = outside.origin.words();
        let age = since(known.good_ms.unwrap_or_else(|| signed(self.begun_ms)), now);
        View {
            name: outside.list.clone(),
            kind,
            from: from.to_owned(),
            every_seconds: outside.every.as_secs(),
            expires_seconds: outside.expires.as_secs(),
            entries,
            good: known.good_ms.map(|_| Rfc3339(known.good_wall_ms).to_string()),
            age_seconds: age.as_secs(),
            stale: age > outside.expires / 2,
            expired: age >= outside.expires,
            fetches: known.fetches,
            failures: known.failures,
            refused_entries: known.refused,
            problem: known.problem,
        }
    }
}

/// How long ago that was, by the clock since boot.
fn since(ms: i64, now: Now) -> Duration {
    Duration::from_millis(u64::try_from(signed(now.boot_ms).saturating_sub(ms)).unwrap_or_default())
}

/// Milliseconds that may lie before the machine was started.
fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
