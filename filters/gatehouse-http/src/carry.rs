//! A verdict carried out: what Envoy is told to do with a request or a response, and what its access log is told.

use gatehouse_engine::{Judged, Pair, Step};

use gatehouse_filter::contexts::Flow;
use gatehouse_filter::host::{self, Map};
use gatehouse_filter::worker::Worker;

/// Hands the verdict to Envoy.
pub(crate) fn out(step: Step, worker: &mut Worker) -> Flow {
    match step {
        Step::Forward(None) => Flow::Continue,
        Step::Forward(Some(edited)) => {
            if let Err(refused) = host::set_headers(Map::Request, edited.iter()) {
                worker.complain(refused);
            }
            Flow::Continue
        }
        Step::Drop => match host::drop_request() {
            Ok(()) => Flow::Stop,
            Err(refused) => {
                worker.complain(refused);
                Flow::Continue
            }
        },
        Step::Reply(reply) => {
            match host::reply(reply.status, &reply.details, &reply.headers, &reply.body, reply.grpc_status) {
                Ok(()) => Flow::Stop,
                Err(refused) => {
                    // Stopping without an answer would hang the request for ever.
                    worker.complain(refused);
                    Flow::Continue
                }
            }
        }
    }
}

/// Writes the response's header map anew.
pub(crate) fn edit(pairs: &[Pair<'_>], remove: &[String], set: &[(String, String)], worker: &mut Worker) {
    let gone = |name: &[u8]| {
        remove.iter().any(|own| name.eq_ignore_ascii_case(own.as_bytes()))
            || set.iter().any(|(own, _)| name.eq_ignore_ascii_case(own.as_bytes()))
    };
    let kept = pairs.iter().copied().filter(|(name, _)| !gone(name));
    let set = set.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    if let Err(refused) = host::set_headers(Map::Response, kept.chain(set)) {
        worker.complain(refused);
    }
}

/// Filter state for Envoy's access log, where something happened: `%FILTER_STATE(wasm.gatehouse.reference:PLAIN)%`.
pub(crate) fn tell_filter_state(judged: &Judged) -> host::Result<()> {
    let verdict = &judged.verdict;
    if !verdict.mitigates() && verdict.would_have.is_empty() {
        return Ok(());
    }
    let would = verdict.would_have.first();
    let mode = if verdict.mitigates() { "enforce" } else { "monitor" };
    let rule = verdict.rule.as_deref().or(would.map(|would| would.rule.as_str())).unwrap_or_default();
    let action =
        if verdict.mitigates() { verdict.action() } else { would.map_or(verdict.action(), |would| would.action) };
    host::set_property("gatehouse.verdict", action.as_str().as_bytes())?;
    host::set_property("gatehouse.mode", mode.as_bytes())?;
    host::set_property("gatehouse.rule", rule.as_bytes())?;
    host::set_property("gatehouse.reason", verdict.reason.as_str().as_bytes())?;
    host::set_property("gatehouse.reference", verdict.reference.as_deref().unwrap_or_default().as_bytes())?;
    let revision = judged.policy.map_or(0, |stamp| stamp.revision);
    host::set_property("gatehouse.policy", revision.to_string().as_bytes())
}
