//! The brake: for a time, the rules at or below a scope (or all) act as in monitor mode, in every worker.
//!
//! ```text
//!  gatehouse mode ─► admin ─┐                       ┌─► every stream, at once
//!  a file `brake` ─► look ──┴─► Brakes ─► kept file ┴─► audit, log, /status, metric
//! ```
//! It ends by itself here and in each gate. What holds is kept in `brakes.json`, with ends that no restart moves away
//! ([`crate::deadline`]). A disk that takes nothing any more keeps no brake from the gates; it is told.

mod file;
mod kept;
mod order;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatehouse_proto::{MAX_BRAKES, v1};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::audit::{Audit, Who};
use crate::data::DataFolder;
use crate::deadline::Now;
use crate::ocsf::time::Rfc3339;
use file::Seen;

pub use file::FILE;
pub(crate) use order::is_scope;
pub use order::{MAX_HOLD, Order};

/// How often the files are looked at, and ends are looked for.
const EVERY: Duration = Duration::from_millis(250);
/// How often what remains is written down while something holds: after a reboot with a wrong clock, this much more may remain.
const KEEP_EVERY_MS: u64 = 60_000;

/// The brakes of this house. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Brakes {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    data: Arc<DataFolder>,
    audit: Audit,
    /// Where a file may stand that brakes.
    places: Vec<PathBuf>,
    state: Mutex<State>,
    news: watch::Sender<u64>,
    /// Held while the kept file is written, so that the newest state is written last.
    keeping: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// Grows with every change, over restarts.
    version: u64,
    /// At most [`MAX_BRAKES`]: one a scope by hand, one a file.
    entries: Vec<Entry>,
    files: Vec<Seen>,
    kept_ms: u64,
}

/// One brake.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    order: Order,
    by: Who,
    since_wall_ms: u64,
    /// By the clock since boot.
    end_ms: u64,
}

/// As many brakes hold as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// One brake, for people and for `/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holding {
    /// Empty: every document.
    pub scope: String,
    /// When it ends, RFC 3339.
    pub until: String,
    /// What remains, seconds, rounded up.
    pub left_seconds: u64,
    /// How long it was set for, seconds.
    pub for_seconds: u64,
    /// Why.
    pub reason: String,
    /// Who set it.
    pub by: Who,
    /// When, RFC 3339.
    pub since: String,
}

/// The brakes as `/status` shows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    /// Some brake holds.
    pub active: bool,
    /// Grows with every change.
    pub version: u64,
    /// Those that hold.
    pub holding: Vec<Holding>,
    /// The files that stand there, whether or not they still hold.
    pub files: Vec<file::View>,
}

impl Brakes {
    /// What held before a restart and still does. `places`: files that brake while they stand there.
    #[must_use]
    pub fn open(data: Arc<DataFolder>, audit: Audit, places: Vec<PathBuf>) -> Self {
        let now = Now::read();
        let (state, over) = kept::read(&data, now);
        for entry in &state.entries {
            let (scope, left_seconds) = (&entry.order.scope, now.left_ms(entry.end_ms) / 1000);
            tracing::warn!(scope, left_seconds, reason = entry.order.reason, "the brake holds on after a restart");
        }
        for entry in over {
            audit.write("brake.ended", &Who::Clock, &entry.details());
        }
        let news = watch::Sender::new(state.version);
        Self {
            shared: Arc::new(Shared { data, audit, places, state: Mutex::new(state), news, keeping: Mutex::default() }),
        }
    }

    /// Brakes at once, in place of what was set by hand for the same scope before. Blocks while it is written down; the gates
    /// do not wait for that. Returns whether it is kept over a restart.
    ///
    /// # Errors
    /// As many hold as may.
    pub fn set(&self, order: Order, by: Who) -> Result<bool, Full> {
        let entry = Entry::begin(order, by, Now::read());
        self.shared.enter(entry.clone())?;
        self.told_set(&entry);
        Ok(self.shared.keep())
    }

    /// Releases at once what holds for exactly this scope, or everything. A file that still stands there brakes no more until
    /// it changes. Returns the scopes released. Blocks as [`set`](Self::set) does.
    pub fn release(&self, scope: Option<&str>, by: &Who) -> Vec<String> {
        let wanted = |entry: &Entry| scope.is_none_or(|scope| entry.order.scope == scope);
        let released = self.shared.leave(wanted);
        if released.is_empty() {
            return Vec::new();
        }
        self.shared.keep();
        for entry in &released {
            tracing::warn!(scope = entry.order.scope, ?by, "the brake is released");
            self.shared.audit.write("brake.released", by, &entry.details());
        }
        released.into_iter().map(|entry| entry.order.scope).collect()
    }

    /// The version now, and every one that follows.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.shared.news.subscribe()
    }

    /// What gates are told at this moment.
    #[must_use]
    pub fn message(&self) -> v1::Brake {
        let (now, state) = (Now::read(), self.shared.lock());
        let mut entries: Vec<v1::BrakeEntry> = Vec::new();
        for entry in &state.entries {
            let ttl_ms = now.left_ms(entry.end_ms);
            match entries.iter_mut().find(|known| known.scope == entry.order.scope) {
                Some(known) => known.ttl_ms = known.ttl_ms.max(ttl_ms),
                None => entries.push(v1::BrakeEntry { scope: entry.order.scope.clone(), ttl_ms }),
            }
        }
        v1::Brake { version: state.version, entries }
    }

    /// Everything, for people.
    #[must_use]
    pub fn view(&self) -> View {
        let (now, state) = (Now::read(), self.shared.lock());
        let holding: Vec<Holding> = state.holding(now).map(|entry| entry.holding(now)).collect();
        let files = state.files.iter().map(|seen| seen.view(&state, now)).collect();
        View { active: !holding.is_empty(), version: state.version, holding, files }
    }

    /// Some brake holds.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.shared.lock().holding(Now::read()).next().is_some()
    }

    /// Looks at the files and for ends, over and over, until the token is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let brakes = self.clone();
            if let Err(error) = tokio::task::spawn_blocking(move || brakes.look()).await {
                tracing::error!(%error, "brake files were not looked at");
            }
        }
    }

    /// Looks once. Blocks.
    pub fn look(&self) {
        for place in &self.shared.places {
            self.look_at(place);
        }
        let now = Now::read();
        let over = self.shared.leave(|entry| now.left_ms(entry.end_ms) == 0);
        for entry in &over {
            tracing::warn!(scope = entry.order.scope, "the brake is over, rules act as they say");
            self.shared.audit.write("brake.ended", &Who::Clock, &entry.details());
        }
        let due = {
            let state = self.shared.lock();
            !state.entries.is_empty() && now.boot_ms.saturating_sub(state.kept_ms) >= KEEP_EVERY_MS
        };
        if due || !over.is_empty() {
            self.shared.keep();
        }
    }

    fn look_at(&self, place: &Path) {
        let found = file::read(place);
        let by = Who::File(place.to_owned());
        let Some(change) = self.shared.lock().meet(place, &found) else { return };
        match change {
            file::Change::Gone => {
                let released = self.shared.leave(|entry| entry.by == by);
                for entry in &released {
                    tracing::warn!(scope = entry.order.scope, path = %place.display(), "the brake is released, its file is gone");
                    self.shared.audit.write("brake.released", &by, &entry.details());
                }
            }
            file::Change::Ordered(order) => {
                let entry = Entry::begin(order, by, Now::read());
                match self.shared.enter(entry.clone()) {
                    Ok(()) => self.told_set(&entry),
                    Err(Full) => tracing::error!(path = %place.display(), problem = %Full, "the file does not brake"),
                }
            }
            file::Change::Refused(problem) => {
                tracing::error!(path = %place.display(), problem, "the file does not brake");
            }
        }
        self.shared.keep();
    }

    fn told_set(&self, entry: &Entry) {
        let Order { scope, hold, reason } = &entry.order;
        tracing::warn!(scope, for_seconds = hold.as_secs(), reason, by = ?entry.by, "the brake holds");
        self.shared.audit.write("brake.set", &entry.by, &entry.details());
    }
}

// --- Shared ---

impl Shared {
    fn enter(&self, entry: Entry) -> Result<(), Full> {
        let mut state = self.lock();
        let same = |known: &Entry| match (&known.by, &entry.by) {
            (Who::File(known), Who::File(new)) => known == new,
            (Who::File(_), _) | (_, Who::File(_)) => false,
            _ => known.order.scope == entry.order.scope,
        };
        match state.entries.iter().position(same) {
            Some(place) => drop(state.entries.remove(place)),
            None if state.entries.len() >= MAX_BRAKES => return Err(Full),
            None => {}
        }
        state.entries.push(entry);
        self.publish(&mut state);
        Ok(())
    }

    fn leave(&self, leaves: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let mut state = self.lock();
        let (left, stay) = core::mem::take(&mut state.entries).into_iter().partition(leaves);
        state.entries = stay;
        let left: Vec<Entry> = left;
        if !left.is_empty() {
            self.publish(&mut state);
        }
        left
    }

    fn publish(&self, state: &mut State) {
        // A house whose data folder was lost must not say a version that a gate has answered before.
        state.version = state.version.saturating_add(1).max(Now::read().wall_ms);
        self.news.send_replace(state.version);
    }

    /// Writes down what holds; says whether the disk took it.
    fn keep(&self) -> bool {
        let _turn = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Now::read();
        let text = {
            let mut state = self.lock();
            state.kept_ms = now.boot_ms;
            kept::text(&state, now)
        };
        kept::write(&self.data, &text)
            .inspect_err(
                |error| tracing::error!(%error, "brakes are not kept, a restart of the house would release them"),
            )
            .is_ok()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is complete before anything in it could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// --- State, Entry ---

impl State {
    fn holding(&self, now: Now) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| now.left_ms(entry.end_ms) > 0)
    }
}

impl Entry {
    fn begin(order: Order, by: Who, now: Now) -> Self {
        let end_ms = now.end_of(order.hold);
        Self { order, by, since_wall_ms: now.wall_ms, end_ms }
    }

    fn details(&self) -> impl Serialize + use<> {
        #[derive(Serialize)]
        struct Details {
            scope: String,
            for_seconds: u64,
            reason: String,
            set_by: Who,
        }
        let Order { scope, hold, reason } = self.order.clone();
        Details { scope, for_seconds: hold.as_secs(), reason, set_by: self.by.clone() }
    }

    fn holding(&self, now: Now) -> Holding {
        Holding {
            scope: self.order.scope.clone(),
            until: Rfc3339(now.wall_of(self.end_ms)).to_string(),
            left_seconds: now.left_ms(self.end_ms).div_ceil(1000),
            for_seconds: self.order.hold.as_secs(),
            reason: self.order.reason.clone(),
            by: self.by.clone(),
            since: Rfc3339(self.since_wall_ms).to_string(),
        }
    }
}

impl std::fmt::Display for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{MAX_BRAKES} brakes hold already; release some, or brake a scope above them")
    }
}

impl std::error::Error for Full {}
