//! A TCP connection judged by the same court as requests: a request of which nothing but its connection is known.

use gatehouse_policy::Policy;
use gatehouse_signals::path::Path;
use gatehouse_verdict::{Action, Reason};

use crate::connect::Opening;
use crate::exchange::{Judged, Settings, Step, WhenNoPolicy};
use crate::limits::NoSlots;
use crate::request::Request;
use crate::state::State;
use crate::subject::Subject;
use crate::trace::Trace;

use super::case::Case;
use super::odd::Odd;
use super::trail::{Decision, Trail};
use super::walk::Court;

/// Judges one connection by the documents that speak of connections: it goes on, or is closed without a word.
pub(crate) fn admit(
    policy: Option<&Policy>,
    settings: &Settings,
    opening: &Opening<'_>,
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
    opening: &Opening<'_>,
    state: &mut State,
    trace: Option<&mut Trace>,
) -> Judged {
    let request = &opening.request();
    // One reading, in which nothing is ambiguous.
    let path = Path::parse(b"/");
    let mut case = Case::new(policy, request, &path, false);
    let mut trail = Trail::default();
    let refused = |reason| Decision::refused(reason, 403);
    let Some(policy) = policy else {
        let decision = match settings.when_no_policy {
            WhenNoPolicy::Allow => Decision::allowed(Reason::NoPolicy),
            WhenNoPolicy::Block => refused(Reason::NoPolicy),
        };
        return case.conclude(decision, trail, state, &NoSlots);
    };
    state.adopt(policy, request.now.mono_ns);
    let Some(scope) = policy.for_connection(opening.host) else {
        let decision = match settings.when_no_policy {
            WhenNoPolicy::Allow => Decision::allowed(Reason::NotCovered),
            WhenNoPolicy::Block => refused(Reason::NotCovered),
        };
        return case.conclude(decision, trail, state, &NoSlots);
    };
    let mut scratch = state.take_scratch();
    let subject = Subject::of(policy, scope, request, state);
    let decision = court(opening, &Around { policy, scope, path: &path, request, subject: &subject }).judge(
        state,
        &NoSlots,
        &mut scratch,
        &mut trail,
        trace,
    );
    case.met = Some((scope, subject));
    state.give_scratch(scratch);
    case.conclude(decision, trail, state, &NoSlots)
}

/// What a court is made of.
struct Around<'a, 'p> {
    policy: &'p Policy,
    scope: gatehouse_policy::Scope<'p>,
    path: &'a Path<'a>,
    request: &'a Request<'a>,
    subject: &'a Subject,
}

fn court<'a, 'p>(opening: &Opening<'a>, around: &Around<'a, 'p>) -> Court<'a, 'p> {
    let Around { policy, scope, path, request, subject } = *around;
    Court { policy, scope, host: opening.host, path, request, preflight: None, odd: Odd::default(), subject }
}
