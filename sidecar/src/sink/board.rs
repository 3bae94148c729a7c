//! How a sink is doing, for `/status`, metrics and the books: one [`Board`] a sink, written by its pump, read by anyone.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::expiry::Expiry;
use crate::ocsf::time::{Rfc3339, now_ms};

/// What a sink is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing was delivered yet, nothing went wrong yet.
    Starting,
    /// The last attempt succeeded.
    Delivering,
    /// The last attempt failed; it is tried again, for ever.
    Retrying,
    /// Something that only people can bring is missing (a certificate file); looked for again, for ever.
    Waiting,
    /// The peer refuses the login, or the right to write; tried again, for ever.
    Denied,
    /// Shut down.
    Stopped,
}

/// What became of the records and losses that this process took from the spool. Each number only grows; after a restart
/// they begin at 0, with what the cursor had not passed still in the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tallies {
    /// Records that the peer acknowledged.
    pub delivered: u64,
    /// Records in the dead-letter file.
    pub dead_lettered: u64,
    /// Records passed over by rule (`behind: skip`).
    pub skipped: u64,
    /// Records that `where` keeps from the sink.
    pub filtered: u64,
    /// Records that `sample` keeps from the sink.
    pub sampled_out: u64,
    /// Of these, because too many bytes lay before it.
    pub skipped_for_size: u64,
    /// Of these, because what lay before it was too old.
    pub skipped_for_age: u64,
    /// Records handed over again after an attempt whose end is unknown: the peer may have them twice.
    pub duplicates: u64,
    /// Loss events that the peer acknowledged.
    pub losses: u64,
    /// Notices of the house that the peer acknowledged.
    pub notices: u64,
    /// Dead letters given up because the dead-letter file was full.
    pub letters_given_up: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Of these, how often the client of the peer was of no further use and was built anew.
    pub fatal_errors: u64,
}

/// A sink at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The operator's name for the sink.
    pub name: String,
    /// `file`, `kafka`.
    pub kind: &'static str,
    /// What it is doing.
    pub state: State,
    /// Since when, RFC 3339.
    pub since: String,
    /// What it waits for or why it tries again; `None`: all is well.
    pub problem: Option<String>,
    /// The last thing that went wrong, kept after recovery.
    pub last_error: Option<String>,
    /// When that was, RFC 3339.
    pub last_error_at: Option<String>,
    /// Spool sequence up to which everything is delivered, as committed; `None`: nothing was committed by this process.
    pub committed: Option<u64>,
    /// Until when the certificate files are good; those that cannot be read are left out.
    pub trust: Vec<Expiry>,
    /// The books.
    #[serde(flatten)]
    pub tallies: Tallies,
}

/// Why an attempt failed. Secrets never stand in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// May pass by itself.
    Retry(String),
    /// Passes when people bring what is named.
    Waiting(String),
    /// The peer knows us and says no: passes when people mend the login, or give the right.
    Denied(String),
}

impl Trouble {
    /// What went wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Retry(message) | Self::Waiting(message) | Self::Denied(message) => message,
        }
    }
}

/// The status of one sink, shared.
#[derive(Debug)]
pub struct Board(Mutex<Status>);

impl Board {
    /// A sink that has not begun.
    #[must_use]
    pub fn new(name: &str, kind: &'static str) -> Self {
        Self(Mutex::new(Status {
            name: name.into(),
            kind,
            state: State::Starting,
            since: Rfc3339(now_ms()).to_string(),
            problem: None,
            last_error: None,
            last_error_at: None,
            committed: None,
            trust: Vec::new(),
            tallies: Tallies::default(),
        }))
    }

    /// The sink now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.lock().clone()
    }

    /// The operator's name for the sink.
    #[must_use]
    pub fn name(&self) -> String {
        self.lock().name.clone()
    }

    /// An attempt failed. Logged when it is news.
    pub fn trouble(&self, trouble: &Trouble) {
        let mut status = self.lock();
        status.tallies.failures += 1;
        show(&mut status, trouble);
    }

    /// An attempt still runs, but its peer does not answer. Logged when it is news.
    pub fn hangs(&self, trouble: &Trouble) {
        show(&mut self.lock(), trouble);
    }

    /// The peer acknowledges again.
    pub fn well(&self) {
        let mut status = self.lock();
        if status.state != State::Delivering {
            if status.problem.is_some() {
                tracing::info!(sink = status.name, "sink delivers again");
            }
            change(&mut status, State::Delivering, &Rfc3339(now_ms()).to_string());
            status.problem = None;
        }
    }

    /// The pump has ended.
    pub fn stopped(&self) {
        let mut status = self.lock();
        change(&mut status, State::Stopped, &Rfc3339(now_ms()).to_string());
    }

    /// Adds to the books.
    pub fn tally(&self, add: impl FnOnce(&mut Tallies)) {
        add(&mut self.lock().tallies);
    }

    /// The cursor stands at `sequence`.
    pub fn committed(&self, sequence: u64) {
        self.lock().committed = Some(sequence);
    }

    /// The certificate files are good until then.
    pub(super) fn trust(&self, expiries: Vec<Expiry>) {
        self.lock().trust = expiries;
    }

    /// A panic elsewhere while the lock was held leaves numbers that are still the best there are.
    fn lock(&self) -> MutexGuard<'_, Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn show(status: &mut Status, trouble: &Trouble) {
    let state = match trouble {
        Trouble::Retry(_) => State::Retrying,
        Trouble::Waiting(_) => State::Waiting,
        Trouble::Denied(_) => State::Denied,
    };
    let now = Rfc3339(now_ms()).to_string();
    if status.state != state || status.problem.as_deref() != Some(trouble.message()) {
        tracing::warn!(sink = status.name, problem = trouble.message(), "sink cannot deliver, trying again");
    }
    change(status, state, &now);
    status.problem = Some(trouble.message().into());
    status.last_error = Some(trouble.message().into());
    status.last_error_at = Some(now);
}

fn change(status: &mut Status, state: State, now: &str) {
    if status.state != state {
        status.state = state;
        now.clone_into(&mut status.since);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_shown_and_kept_after_recovery() {
        let board = Board::new("events", "kafka");
        board.trouble(&Trouble::Waiting("trust material (/etc/ca.pem)".into()));
        let waiting = board.status();
        assert_eq!((waiting.state, waiting.problem.as_deref()), (State::Waiting, Some("trust material (/etc/ca.pem)")));
        board.well();
        let well = board.status();
        assert_eq!((well.state, well.problem), (State::Delivering, None));
        assert_eq!(well.last_error.as_deref(), Some("trust material (/etc/ca.pem)"));
        assert_eq!(well.tallies.failures, 1);
    }

    #[test]
    fn the_status_is_flat_json() {
        let json = serde_json::to_value(Board::new("events", "file").status()).unwrap();
        assert_eq!((json["state"].as_str(), json["delivered"].as_u64()), (Some("starting"), Some(0)));
    }
}
