//! The order of decision, on one screen.
//!
//! ```text
//!  no policy ─► what the bootstrap says          host ─► scope ─► client (address by its trust, key by what is proven)
//!  identity headers of strangers, no verified peer where one is asked for ─► refused
//!  more than one reading ─► refused, or every reading is judged and the strictest verdict wins
//!  rules in order: mandates, verdicts, rules, defaults ─► the first final one that is enforced decides; none ─► `otherwise`
//!  what was admitted is counted last, so that a request that one limit refuses is counted by no other
//! ```

pub(crate) mod answer;
mod case;
mod connection;
mod odd;
pub(crate) mod readings;
mod server_name;
mod settings;
mod trail;
pub(crate) mod unknown;
mod walk;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use gatehouse_policy::Policy;
use gatehouse_signals::host::Host;
use gatehouse_signals::path::Path;
use gatehouse_signals::{Head, Pair};
use gatehouse_verdict::Reason;

use crate::edits;
use crate::exchange::{Judged, Settings};
use crate::limits::SharedSlots;
use crate::request::Request;
use crate::state::State;
use crate::subject::Subject;
use crate::trace::Trace;

pub(crate) use case::cors;
pub(crate) use connection::admit;
pub use trail::action_of;
pub(crate) use trail::{Decision, Over, Trail};

use case::Case;
use odd::Odd;
use walk::Court;

/// Judges one request. What a client may not say (our own headers, those that a policy sets) is left out before anything is
/// looked at, so that no rule can be met by it.
pub(crate) fn judge(
    policy: Option<&Policy>,
    settings: &Settings,
    request: Request<'_>,
    state: &mut State,
    slots: &dyn SharedSlots,
    mut trace: Option<&mut Trace>,
) -> Judged {
    let odd = Odd::of(request.head);
    let kept = edits::without_ours(policy, request.head, odd.ours);
    let request = &Request { head: with(request.head, kept.as_deref()), ..request };
    // What was left out makes nothing odd any more.
    let odd = if kept.is_some() { Odd::of(request.head) } else { odd };
    let path = Path::parse(request.head.first(b":path").unwrap_or_default());
    let mut case = Case::new(policy, request, &path, kept.is_some());
    let mut trail = Trail::default();
    let Some(policy) = policy else {
        return case.conclude(Decision::without_document(settings, Reason::NoPolicy), trail, state, slots);
    };
    state.adopt(policy, request.now.mono_ns);
    let mut scratch = state.take_scratch();
    let mut decision: Option<Decision<'_>> = None;
    let authority = authority(request.head);
    let mut known = state.hosts.find(policy, authority);
    let name = if known.is_some() { Cow::Borrowed(authority) } else { Host::parse(authority).name };
    for host in Hosts::beside(name, &path).iter() {
        let Some(scope) = known.take().unwrap_or_else(|| state.scope_of(policy, host)) else { continue };
        let subject = Subject::of(policy, scope, request, state);
        let preflight = case.preflight;
        let court = Court { policy, scope, host, path: &path, request, preflight, odd, subject: &subject };
        let next = court.judge(state, slots, &mut scratch, &mut trail, trace.as_deref_mut());
        case.met.get_or_insert((scope, subject));
        decision = Some(decision.map_or(next, |before| before.stricter(next)));
    }
    state.give_scratch(scratch);
    case.conclude(decision.unwrap_or(Decision::allowed(Reason::NotCovered)), trail, state, slots)
}

/// The head with these headers, if some were left out.
pub(crate) fn with<'a>(head: Head<'a>, kept: Option<&'a [Pair<'a>]>) -> Head<'a> {
    Head { headers: kept.unwrap_or(head.headers), ..head }
}

fn authority<'a>(head: Head<'a>) -> &'a [u8] {
    head.first(b":authority").or_else(|| head.first(b"host")).unwrap_or_default()
}

/// The host that is asked for; then another that an absolute-form target names, since either may be believed.
pub(crate) struct Hosts<'a> {
    first: Cow<'a, [u8]>,
    second: Option<Cow<'a, [u8]>>,
}

impl<'a> Hosts<'a> {
    pub(crate) fn of(head: Head<'a>, path: &Path<'a>) -> Self {
        Self::beside(Host::parse(authority(head)).name, path)
    }

    fn beside(first: Cow<'a, [u8]>, path: &Path<'a>) -> Self {
        let second = path.authority.map(|other| Host::parse(other).name).filter(|other| *other != first);
        Self { first, second }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        core::iter::once(&*self.first).chain(self.second.as_deref())
    }
}
