//! A TCP connection judged by the same court as requests: a request of which nothing but its connection is known.

use gatehouse_policy::{Fields, Policy};
use gatehouse_signals::path::Path;
use gatehouse_verdict::{Action, Reason};

use crate::connect::Opening;
use crate::exchange::{Judged, Settings, Step};
use crate::limits::NoSlots;
use crate::state::State;
use crate::subject::Subject;
use crate::trace::Trace;

use super::case::Case;
use super::odd::Odd;
use super::trail::{Decision, Trail};
use super::walk::Court;

/// Judges one connection, with the fields that can be known of it, by the documents that speak of connections: it goes on, or is closed
/// without a word.
pub(crate) fn admit(
    policy: Option<&Policy>,
    settings: &Settings,
    opening: (&Opening<'_>, Fields),
    state: &mut State,
    trace: Option<&mut Trace>,
) -> Judged {
    let mut judged = judge(policy, settings, opening, state, trace);
    if judged.verdict.mitigates() {
        (judged.verdict.action, judged.step) = (Some(Action::Drop), Step::Drop);
    }
    judged
}

fn judge(
    policy: Option<&Policy>,
    settings: &Settings,
    opening: (&Opening<'_>, Fields),
    state: &mut State,
    trace: Option<&mut Trace>,
) -> Judged {
    let (opening, known) = opening;
    let request = &opening.request(known);
    // One reading, in which nothing is ambiguous.
    let path = Path::parse(b"/");
    let mut case = Case::new(policy, request, &path, false);
    let mut trail = Trail::default();
    let Some(policy) = policy else {
        return case.conclude(Decision::without_document(settings, Reason::NoPolicy), trail, state, &NoSlots);
    };
    state.adopt(policy, request.now.mono_ns);
    let Some(scope) = policy.for_connection(opening.host) else {
        return case.conclude(Decision::without_document(settings, Reason::NotCovered), trail, state, &NoSlots);
    };
    let mut scratch = state.take_scratch();
    let subject = Subject::of(policy, scope, request, state);
    let (host, path, odd) = (opening.host, &path, Odd::default());
    let court = Court { policy, scope, host, path, request, preflight: None, odd, subject: &subject };
    let decision = court.judge(state, &NoSlots, &mut scratch, &mut trail, trace);
    case.met = Some((scope, subject));
    state.give_scratch(scratch);
    case.conclude(decision, trail, state, &NoSlots)
}
