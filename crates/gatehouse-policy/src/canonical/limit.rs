//! A limit, written back: what is counted in `count`, every rate in `steps`.

use crate::spec::types::{Count, Limit, Step};

use super::condition::status_list;
use super::written::{Map, Written, list};
use super::{span, then};

pub(super) fn limit(limit: &Limit) -> Written {
    Map::new()
        .list("by", limit.by.iter().map(|part| Written::Text(part.to_string())))
        .some("count", count(&limit.count))
        .list("steps", limit.steps.iter().map(step))
        .some("inFlight", limit.in_flight.map(|tries| Written::Number(i64::from(tries))))
        .some("shared", limit.shared.then_some(Written::Bool(true)))
        .done()
}

fn count(count: &Count) -> Option<Written> {
    let map = match count {
        Count::Requests => return None,
        Count::Distinct(of) => Map::new().text("distinct", &of.to_string()),
        Count::Failures(statuses) => Map::new().entry("status", status_list(statuses)),
    };
    Some(map.done())
}

fn step(step: &Step) -> Written {
    let block_for = (step.block_for_ns > 0).then(|| Written::Text(span(step.block_for_ns)));
    Map::new()
        .text("rate", &format!("{} per {}", step.rate, span(step.per_ns)))
        .some("burst", step.burst.map(|burst| Written::Number(i64::from(burst))))
        .some("blockFor", block_for)
        .some("then", step.then.as_ref().map(|then| list(then::words(then))))
        .done()
}
