//! `gatehouse replay`: what a policy would have done to recorded traffic, counted exactly, and what changes against another.
//!
//! ```text
//!  logs ─parse (a thread of its own)─► judge (in the order read, by the log's clock) ─► counts, examples, one line a request
//!                                        └─► the other policy ─► what changes
//! ```

mod change;
mod example;
mod feed;
mod line;
mod print;
mod tally;
#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::sync::Arc;

use gatehouse_engine::Policy;
use gatehouse_policy::{Field, Fields};
use gatehouse_signals::geo;
use serde::Serialize;

use crate::judge::{Answered, Explained, Judge, Options as Judging};
use crate::logs::{Entry, Found};
use crate::request::{Known, Request};
use change::Changes;
use tally::Tally;

pub use change::Kind;
pub use example::Example;
pub use feed::{Failure, feed};
pub use line::Line;

/// Examples of each rule, and of each kind of change.
pub const EXAMPLES: usize = 3;

/// A replay under way.
#[derive(Debug)]
pub struct Replay {
    judge: Judge,
    against: Option<(Judge, Changes)>,
    /// The authority of requests whose log has none.
    host: Option<String>,
    clock: Clock,
    tally: Tally,
    /// What was last given a host, and what it became.
    named: Option<(Arc<Known>, Arc<Known>)>,
}

/// What is known beside the logs.
#[derive(Debug, Clone, Default)]
pub struct Around {
    /// The authority of requests whose log has none.
    pub host: Option<String>,
    /// Country and autonomous system by address.
    pub geo: Option<Rc<geo::Table>>,
}

/// The clock that the log drives. It never runs backwards: logs are written when requests end, and their moments are when they
/// began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
struct Clock {
    #[serde(skip)]
    now: u64,
    #[serde(skip)]
    first: Option<u64>,
    /// Requests whose moment is not known; they are judged at the moment before.
    without_time: u64,
    /// Requests that lie before one read earlier; likewise.
    out_of_order: u64,
}

/// What one request came to.
#[derive(Debug)]
pub struct Outcome {
    /// By the policy.
    pub explained: Explained,
    /// By the policy that it is compared with.
    pub before: Option<Explained>,
    /// How they differ.
    pub change: Option<Kind>,
}

/// The whole answer.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Every log was read to its end.
    pub complete: bool,
    /// Requests judged.
    pub requests: u64,
    logs: Vec<Found>,
    period: Option<Period>,
    clock: Clock,
    #[serde(flatten)]
    tally: tally::Told,
    /// What changes, if it was compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<change::Told>,
    seconds: f64,
    requests_per_second: u64,
}

#[derive(Debug, Serialize)]
struct Period {
    first: String,
    last: String,
}

impl Replay {
    /// A replay through `policy`, compared with `against` if given.
    #[must_use]
    pub fn new(policy: Arc<Policy>, against: Option<Arc<Policy>>, around: Around) -> Self {
        let Around { host, geo } = around;
        let tally = Tally::new(policy.rule_names());
        let judge = |policy| Judge::new(policy, Judging { geo: geo.clone(), ..Judging::default() });
        Self {
            judge: judge(policy),
            against: against.map(|against| (judge(against), Changes::default())),
            host,
            clock: Clock::default(),
            tally,
            named: None,
        }
    }

    /// Judges one request and counts it.
    pub fn take(&mut self, entry: &mut Entry) -> Outcome {
        self.name_host(&mut entry.request);
        let request = &entry.request;
        let now = self.clock.tick(request.time);
        let explained = judge(&mut self.judge, request, now);
        self.tally.count(entry, &explained);
        let Some((judge_before, changes)) = &mut self.against else {
            return Outcome { explained, before: None, change: None };
        };
        let before = judge(judge_before, request, now);
        let change = changes.count(entry, &before, &explained);
        Outcome { explained, before: Some(before), change }
    }

    /// The report on all that was taken. `elapsed`: seconds that it took.
    #[must_use]
    pub fn report(self, logs: Vec<Found>, interrupted: bool, elapsed: f64) -> Report {
        let requests = self.tally.requests();
        let shown = |moment: u64| crate::when::shown(moment);
        let period = self.clock.first.map(|first| Period { first: shown(first), last: shown(self.clock.now) });
        Report {
            complete: !interrupted && logs.iter().all(|log| log.cut_short.is_none()),
            requests,
            logs,
            period,
            clock: self.clock,
            tally: self.tally.told(),
            against: self.against.map(|(_, changes)| changes.told()),
            seconds: (elapsed * 1000.0).round() / 1000.0,
            requests_per_second: (requests as f64 / elapsed.max(1.0e-6)) as u64,
        }
    }

    /// Gives a request the host that its log does not have.
    fn name_host(&mut self, request: &mut Request) {
        let (Some(host), Some(known)) = (&self.host, &request.known) else { return };
        if known.has(Field::Host) {
            return;
        }
        request.authority = Some(host.as_bytes().to_vec());
        if self.named.as_ref().is_none_or(|(before, _)| !Arc::ptr_eq(before, known)) {
            let named = Known { fields: known.fields.with(Fields::of(Field::Host)), headers: known.headers.clone() };
            self.named = Some((Arc::clone(known), Arc::new(named)));
        }
        request.known = self.named.as_ref().map(|(_, named)| Arc::clone(named));
    }
}

impl Report {
    /// A policy was compared with, and some requests would fare otherwise.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.against.as_ref().is_some_and(change::Told::has_changes)
    }

    /// Nothing could be read, although there was something.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.requests == 0 && self.logs.iter().any(|log| log.malformed > 0 || log.cut_short.is_some())
    }
}

impl Clock {
    fn tick(&mut self, time: Option<u64>) -> u64 {
        match time {
            None => self.without_time += 1,
            Some(time) => {
                self.out_of_order += u64::from(self.first.is_some() && time < self.now);
                self.first.get_or_insert(time);
                self.now = self.now.max(time);
            }
        }
        self.now
    }
}

/// Judges a request and tells the judge its answer as it was recorded, where the request goes on. The log does not say
/// how requests overlapped, so each is answered before the next arrives.
fn judge(judge: &mut Judge, request: &Request, now: u64) -> Explained {
    let mut explained = judge.judge(request, now);
    let answered = request.response.as_ref().map_or(Answered::Unknown, Answered::With);
    judge.answer(request, &mut explained, answered, now);
    explained
}
