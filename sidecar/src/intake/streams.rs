//! The open streams: who is at the other end, which policy is in force there, and how much each may send.
//!
//! Windows: the spool's budget is split evenly, at least [`MIN_WINDOW_BYTES`] and at most [`MAX_WINDOW_BYTES`] each. Where
//! the budget is too small for everyone the streams take turns; with none, nobody may send. The sum of the windows handed
//! out at one time never passes the budget.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use gatehouse_proto::{MIN_WINDOW_BYTES, v1};
use gatehouse_stream::receiver::Ticket;
use tokio::sync::Notify;

use crate::geo::NAME;

/// Streams that one house serves, at most.
pub const MAX_STREAMS: usize = 1024;

/// Largest window, bytes: rides out a second of a busy worker.
pub const MAX_WINDOW_BYTES: u32 = 4 * 1024 * 1024;

/// Characters kept of a text that a gate says of itself.
const MAX_TEXT: usize = 256;

/// The table of open streams, at most [`MAX_STREAMS`], one an epoch: a newer stream of an epoch takes the entry over.
#[derive(Debug, Default)]
pub struct Streams {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    open: BTreeMap<u64, Entry>,
    budget: u64,
    turn: usize,
}

#[derive(Debug)]
struct Entry {
    view: View,
    line: Arc<Line>,
}

/// What one stream's task is told from outside.
#[derive(Debug, Default)]
pub struct Line {
    wake: Notify,
    window: AtomicU32,
}

/// One open stream as `/status` shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The worker.
    pub epoch: u64,
    /// Counts the streams of the worker.
    pub stream_no: u32,
    /// Envoy's node id.
    pub node: String,
    /// Envoy's node cluster.
    pub node_cluster: String,
    /// Version of the gate.
    pub gate_version: String,
    /// When it opened.
    pub since: SystemTime,
    /// Revision and digest of the policy in force there; `None`: none is.
    pub policy: Option<(u64, Vec<u8>)>,
    /// The last image that it refused, and why.
    pub refusal: Option<(u64, String)>,
    /// Version of the brakes in force there; `None`: it has not said so, or does not know of brakes.
    pub brake: Option<u64>,
    /// Digest of the table of countries and systems that is in force there; empty: none.
    pub table: Vec<u8>,
    /// Longest time that taking it in held the worker at once, nanoseconds.
    pub table_longest_step_ns: u64,
    /// Why it refused the last one.
    pub table_refusal: Option<String>,
    /// Version of each verdict list that is in force there, and entries that it had no room for.
    pub lists: BTreeMap<String, (u64, u64)>,
    /// How much it may have outstanding, bytes.
    pub window: u32,
}

/// As many streams are open as are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl Line {
    /// Waits until something is new: a sequence is durable, the window changed, or the stream was fenced.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// How much the stream may have outstanding now, bytes.
    #[must_use]
    pub fn window(&self) -> u32 {
        self.window.load(Ordering::Relaxed)
    }

    fn set_window(&self, window: u32) {
        if self.window.swap(window, Ordering::Relaxed) != window {
            self.wake.notify_one();
        }
    }
}

impl Streams {
    /// Whether one more could be opened.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.lock().open.len() < MAX_STREAMS
    }

    /// Enters a stream that was let in; an older one of its epoch is woken, to find itself fenced.
    ///
    /// # Errors
    /// The table is full.
    pub fn enter(&self, hello: &v1::Hello) -> Result<Arc<Line>, Full> {
        let mut table = self.lock();
        if table.open.len() >= MAX_STREAMS && !table.open.contains_key(&hello.epoch) {
            return Err(Full);
        }
        let line = Arc::new(Line::default());
        let entry = Entry { view: View::of(hello), line: Arc::clone(&line) };
        if let Some(older) = table.open.insert(hello.epoch, entry) {
            older.line.wake.notify_one();
        }
        table.share();
        Ok(line)
    }

    /// A stream ended; nothing happens where a newer one has taken over.
    pub fn leave(&self, ticket: &Ticket) {
        let mut table = self.lock();
        let ours = table.open.get(&ticket.epoch()).is_some_and(|entry| entry.view.stream_no == ticket.stream_no());
        if ours {
            table.open.remove(&ticket.epoch());
            table.share();
        }
    }

    /// Tells a stream that something is durable, or that it is to close.
    pub fn wake(&self, ticket: &Ticket) {
        if let Some(entry) = self.lock().open.get(&ticket.epoch()) {
            entry.line.wake.notify_one();
        }
    }

    /// Splits what the spool can take, bytes, among the streams; called as that changes.
    pub fn share(&self, budget: u64) {
        let mut table = self.lock();
        table.budget = budget;
        table.turn = table.turn.wrapping_add(1);
        table.share();
    }

    /// A worker said what became of an image.
    pub fn acknowledged(&self, ticket: &Ticket, ack: &v1::PolicyAck) {
        let mut table = self.lock();
        let Some(entry) = table.open.get_mut(&ticket.epoch()) else {
            return;
        };
        if ack.result() == v1::policy_ack::Result::Accepted {
            entry.view.policy = Some((ack.revision, digest(&ack.digest)));
            entry.view.refusal = None;
        } else {
            entry.view.refusal = Some((ack.revision, bounded(&ack.problem)));
        }
    }

    /// A worker said that the brakes of this version are in force.
    pub fn braked(&self, ticket: &Ticket, version: u64) {
        if let Some(entry) = self.lock().open.get_mut(&ticket.epoch()) {
            entry.view.brake = Some(version);
        }
    }

    /// A worker said what became of a table.
    pub fn tabled(&self, ticket: &Ticket, ack: &v1::TableAck) {
        let mut table = self.lock();
        let Some(entry) = table.open.get_mut(&ticket.epoch()).filter(|_| ack.name == NAME) else {
            return;
        };
        if ack.result() == v1::table_ack::Result::Accepted {
            entry.view.table = digest(&ack.digest);
            entry.view.table_longest_step_ns = ack.longest_step_ns;
            entry.view.table_refusal = None;
        } else {
            entry.view.table_refusal = Some(bounded(&ack.problem));
        }
    }

    /// A worker has taken a version of a list; `None`: it has no such list any more.
    pub fn listed(&self, ticket: &Ticket, list: &str, taken: Option<(u64, u64)>) {
        let mut table = self.lock();
        let Some(entry) = table.open.get_mut(&ticket.epoch()) else { return };
        match taken {
            Some(taken) => drop(entry.view.lists.insert(list.to_owned(), taken)),
            None => drop(entry.view.lists.remove(list)),
        }
    }

    /// Open streams, and those among them in which this version of a list is in force; version 0: in which there is none.
    #[must_use]
    pub fn listed_workers(&self, list: &str, version: u64) -> (usize, usize) {
        let table = self.lock();
        let has = |entry: &&Entry| entry.view.lists.get(list).map_or(0, |(version, _)| *version) == version;
        (table.open.len(), table.open.values().filter(has).count())
    }

    /// Entries of lists that attached workers had no room for.
    #[must_use]
    pub fn refused_entries(&self) -> u64 {
        let table = self.lock();
        table.open.values().flat_map(|entry| entry.view.lists.values()).map(|(_, refused)| refused).sum()
    }

    /// Open streams, and those among them in which the brakes of this version are in force.
    #[must_use]
    pub fn braked_workers(&self, version: u64) -> (usize, usize) {
        let table = self.lock();
        (table.open.len(), table.open.values().filter(|entry| entry.view.brake == Some(version)).count())
    }

    /// Every open stream, by epoch.
    #[must_use]
    pub fn views(&self) -> Vec<View> {
        let table = self.lock();
        table.open.values().map(|entry| View { window: entry.line.window(), ..entry.view.clone() }).collect()
    }

    /// Number of open streams.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().open.len()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Every change is complete before anything in it could panic.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn share(&self) {
        let count = self.open.len();
        let even = self.budget / (count.max(1) as u64);
        let minimum = u64::from(MIN_WINDOW_BYTES);
        if even >= minimum {
            // Powers of two, so that a credit is sent for a change that matters and not for every synced batch.
            let window = u32::try_from(even).unwrap_or(u32::MAX).min(MAX_WINDOW_BYTES);
            let window = 1 << window.ilog2();
            self.open.values().for_each(|entry| entry.line.set_window(window));
            return;
        }
        let served = usize::try_from(self.budget / minimum).unwrap_or(count);
        for (place, entry) in self.open.values().enumerate() {
            let first = self.turn % count;
            let distance = (place + count - first) % count;
            entry.line.set_window(if distance < served { MIN_WINDOW_BYTES } else { 0 });
        }
    }
}

impl View {
    fn of(hello: &v1::Hello) -> Self {
        let in_force = (!hello.policy_digest.is_empty()).then(|| (hello.policy_revision, digest(&hello.policy_digest)));
        Self {
            epoch: hello.epoch,
            stream_no: hello.stream_no,
            node: bounded(&hello.node),
            node_cluster: bounded(&hello.node_cluster),
            gate_version: bounded(&hello.gate_version),
            since: SystemTime::now(),
            policy: in_force,
            refusal: None,
            brake: None,
            table: hello
                .tables
                .iter()
                .find(|table| table.name == NAME)
                .map_or_else(Vec::new, |table| digest(&table.digest)),
            table_longest_step_ns: 0,
            table_refusal: None,
            lists: BTreeMap::new(),
            window: 0,
        }
    }
}

/// A digest as a gate told it, cut to the size of one.
fn digest(told: &[u8]) -> Vec<u8> {
    told.iter().copied().take(32).collect()
}

/// A gate's own text, cut to what is kept, control characters replaced.
pub(super) fn bounded(text: &str) -> String {
    text.chars().take(MAX_TEXT).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hello(epoch: u64) -> v1::Hello {
        v1::Hello { epoch, stream_no: 1, ..v1::Hello::default() }
    }

    proptest! {
        #[test]
        fn windows_never_pass_the_budget_and_are_never_too_small(
            budget in 0u64..100_000_000, streams in 1u64..200, turns in 0u8..5
        ) {
            let table = Streams::default();
            for epoch in 1..=streams {
                table.enter(&hello(epoch)).unwrap();
            }
            for _ in 0..=turns {
                table.share(budget);
                let windows: Vec<u64> = table.views().iter().map(|view| u64::from(view.window)).collect();
                prop_assert!(windows.iter().sum::<u64>() <= budget);
                prop_assert!(windows.iter().all(|&w| w == 0 || w >= u64::from(MIN_WINDOW_BYTES)));
                prop_assert_eq!(windows.iter().all(|&w| w == 0), budget < u64::from(MIN_WINDOW_BYTES));
            }
        }
    }

    #[test]
    fn where_the_budget_is_too_small_every_stream_has_its_turn() {
        let table = Streams::default();
        let lines: Vec<_> = (1..=5).map(|epoch| table.enter(&hello(epoch)).unwrap()).collect();
        let mut served = [0; 5];
        for _ in 0..5 {
            table.share(u64::from(MIN_WINDOW_BYTES) * 2);
            for (count, line) in served.iter_mut().zip(&lines) {
                *count += u32::from(line.window() > 0);
            }
        }
        assert_eq!(served, [2; 5]);
    }

    #[test]
    fn the_table_is_bounded_and_a_newer_stream_takes_the_entry_of_its_epoch() {
        let table = Streams::default();
        for epoch in 1..=MAX_STREAMS as u64 {
            table.enter(&hello(epoch)).unwrap();
        }
        assert_eq!(table.enter(&hello(u64::MAX)).unwrap_err(), Full);
        table.enter(&v1::Hello { stream_no: 2, ..hello(1) }).unwrap();
        assert_eq!(table.count(), MAX_STREAMS);
    }

    #[test]
    fn what_a_gate_says_of_itself_is_cut_and_cannot_break_a_line() {
        let hello = v1::Hello { node: format!("a\n\u{1b}[31m{}", "x".repeat(1000)), ..hello(1) };
        let view = View::of(&hello);
        assert!(view.node.starts_with("a  [31mx"));
        assert_eq!(view.node.chars().count(), MAX_TEXT);
    }
}
