//! One case, run: each step judged by the case's clock, and compared with what is expected of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use gatehouse_engine::Policy;

use super::case::{Case, File};
use super::step::{Answer, Asked, Exchange};
use super::{CaseReport, Failure, Which, seconds};
use crate::judge::{Answered, Explained, Judge, Options};

/// Runs one case on fresh counters.
pub(super) fn run(case: &Case, file: &File, policy: &Arc<Policy>, reached: &mut BTreeSet<String>) -> CaseReport {
    let started = Instant::now();
    let mut judge = Judge::new(Arc::clone(policy), options(file));
    case.lists.put(&mut judge);
    let mut report = CaseReport {
        name: case.name.clone(),
        place: case.place.to_string(),
        ok: true,
        requests: 0,
        connections: 0,
        seconds: 0.0,
        failures: Vec::new(),
    };
    for (exchange, number) in case.exchanges.iter().zip(1..) {
        for repetition in 0..exchange.repeat {
            let now = exchange.at.saturating_add(exchange.every.saturating_mul(repetition));
            let explained = judge_one(&mut judge, exchange, repetition, now);
            let (which, count) = match &exchange.asked {
                Asked::Request(..) => (Which::Request(number), &mut report.requests),
                Asked::Connection(_) => (Which::Connection(number), &mut report.connections),
            };
            *count += 1;
            let met = explained.trace.iter().filter(|step| step.holds == Some("true"));
            reached.extend(met.filter_map(|step| step.rule.clone()));
            let mismatches = exchange.expect.compare(&explained);
            if !mismatches.is_empty() {
                report.failures.push(Failure {
                    which,
                    repetition: repetition + 1,
                    place: exchange.place.to_string(),
                    shown: exchange.shown(),
                    mismatches,
                    trace: explained.trace,
                });
                // The other repetitions would most often say the same.
                break;
            }
        }
    }
    report.ok = report.failures.is_empty();
    report.seconds = seconds(started);
    report
}

/// In a test everything is known: the lists that the house fills hold what the case puts on them, and the clock is the case's.
fn options(file: &File) -> Options {
    Options { trace: true, lists_known: true, wall_clock: true, geo: file.geo.clone(), ..Options::default() }
}

fn judge_one(judge: &mut Judge, exchange: &Exchange, repetition: u64, now: u64) -> Explained {
    let (request, answer) = match &exchange.asked {
        Asked::Connection(opening) => return judge.admit(&exchange.opening_of(opening, repetition), now),
        Asked::Request(request, answer) => (exchange.request_of(request, repetition), answer),
    };
    let mut explained = judge.judge(&request, now);
    let answered = match answer {
        Answer::Never => Answered::Never,
        Answer::With(response) => Answered::With(response),
    };
    judge.answer(&request, &mut explained, answered, now);
    explained
}
