//! The account of one run. The client's own count is the truth from outside; the books and the ids in every sink are held
//! against it.
//!
//! ```text
//!  told    requests that were answered, and others that a sink tells of (they reached the gate, their answer was lost)
//!  told = stored + dropped + tail      tail = 0, but where an Envoy or its VM was killed: then at most a bound
//!  stored = distinct ids in each sink  and every one of them tells of a request that was sent
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gatehouse_support::load::Report;
use serde_json::Value;

use crate::collector::Seen;

/// Beginning of the id of every request that the load sends.
pub const OURS: &str = "fault-";

/// What a fault may bring about.
#[derive(Debug, Clone, Copy, Default)]
pub struct Allowed {
    /// Requests may go unanswered, or be answered 5xx: what serves them was struck.
    pub failures: bool,
    /// Requests may take longer than a second.
    pub slow: bool,
    /// Most records that may be gone with a gate.
    pub tail: u64,
    /// Records may be given up by the gates, counted.
    pub dropped: bool,
}

/// What one sink has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sink {
    /// Its name.
    pub name: &'static str,
    /// Distinct ids.
    pub distinct: u64,
    /// Events whose id was there already.
    pub duplicates: u64,
}

/// The account of one run.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// Requests that the gate must have seen.
    pub told: u64,
    /// Records on the house's disk.
    pub stored: u64,
    /// Given up and counted, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Neither stored nor counted: gone with a gate.
    pub tail: i128,
    /// What each sink has.
    pub sinks: Vec<Sink>,
    /// Requests without an answer, or answered 5xx.
    pub failed: u64,
    /// The slowest answer.
    pub slowest: Duration,
    /// What else is worth telling.
    pub notes: Vec<String>,
    /// What is not as it must be.
    pub wrong: Vec<String>,
}

impl Account {
    /// Closes the account: `status` is the house's, `seen` what each sink has.
    pub fn close(report: &Report, status: &Value, seen: &[(&'static str, Vec<Seen>)], allowed: Allowed) -> Self {
        let total = &status["books"]["total"];
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        let dropped = total["dropped"].as_object().into_iter().flatten();
        let told = told(report, seen);
        let mut account = Self {
            told: told.len() as u64,
            stored: number(&total["stored"]),
            dropped: dropped
                .map(|(reason, count)| (reason.clone(), number(count)))
                .filter(|(_, count)| *count > 0)
                .collect(),
            failed: report.failures().len() as u64,
            slowest: report.slowest(),
            ..Self::default()
        };
        let booked = account.stored + account.dropped.values().sum::<u64>();
        account.tail = i128::from(account.told) - i128::from(booked);
        account.judge(allowed, status);
        let sent: BTreeSet<String> = report.outcomes.iter().map(|outcome| id(outcome.number)).collect();
        for (name, events) in seen {
            account.sink(name, events, &sent);
        }
        account
    }

    /// The fault was to make gates give records up.
    pub fn expect_dropped(&mut self) {
        if self.dropped.is_empty() {
            self.wrong.push("nothing was given up: the fault did not reach its aim".to_owned());
        }
    }

    fn judge(&mut self, allowed: Allowed, status: &Value) {
        let mut wrong = Vec::new();
        let tail = self.tail;
        if tail < 0 || tail > i128::from(allowed.tail) {
            wrong.push(format!("{tail} records are neither stored nor counted (at most {} may be)", allowed.tail));
        }
        if self.failed > 0 && !allowed.failures {
            wrong.push(format!("{} requests failed", self.failed));
        }
        if self.slowest > Duration::from_secs(1) && !allowed.slow {
            wrong.push(format!("a request took {:.1?}", self.slowest));
        }
        if !self.dropped.is_empty() && !allowed.dropped {
            wrong.push(format!("records were given up: {:?}", self.dropped));
        }
        let total = &status["books"]["total"];
        if total["difference"] != 0 || total["in_flight"] != 0 {
            wrong.push(format!("the house's books do not close: {total}"));
        }
        if total["unknown_tail"].as_i64().is_none_or(|own| i128::from(own) > tail) {
            wrong.push(format!("the house tells of a tail of {}", total["unknown_tail"]));
        }
        for sink in status["sinks"].as_array().into_iter().flatten() {
            if ["difference", "skipped", "dead_lettered"].iter().any(|term| sink[term] != 0) {
                wrong.push(format!("the account of a sink does not close: {sink}"));
            }
        }
        self.wrong = wrong;
    }

    fn sink(&mut self, name: &'static str, events: &[Seen], sent: &BTreeSet<String>) {
        let ids: BTreeSet<&str> = events.iter().map(|event| event.id.as_str()).collect();
        let distinct = ids.len() as u64;
        if distinct != self.stored {
            self.wrong.push(format!("{name} has {distinct} of {} stored records", self.stored));
        }
        let strange = events.iter().find(|event| event.request.starts_with(OURS) && !sent.contains(&event.request));
        if let Some(strange) = strange {
            self.wrong.push(format!("{name} tells of `{}`, which was never sent", strange.request));
        }
        self.sinks.push(Sink { name, distinct, duplicates: events.len() as u64 - distinct });
    }
}

/// The id of the load's n-th request.
pub fn id(number: u64) -> String {
    format!("{OURS}{number}")
}

/// The requests that the gate must have seen.
fn told(report: &Report, seen: &[(&'static str, Vec<Seen>)]) -> BTreeSet<String> {
    let answered = report.outcomes.iter().filter(|outcome| outcome.result.is_ok()).map(|outcome| id(outcome.number));
    let others = seen.iter().flat_map(|(_, events)| events).map(|event| event.request.clone());
    answered.chain(others).collect()
}
