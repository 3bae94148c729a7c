//! The phases of one request as types: a head is judged once, and what comes out says what the host must do.

use std::borrow::Cow;

use gatehouse_policy::Policy;
use gatehouse_verdict::Verdict;
use gatehouse_verdict::record::PolicyStamp;

use crate::edits::Pairs;
use crate::grounds::Grounds;
use crate::limits::{SharedSlots, Try};
use crate::request::Request;
use crate::state::State;
use crate::subject::Subject;
use crate::trace::Trace;

/// What a gate does while it has no policy at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenNoPolicy {
    /// Requests go on (and are counted).
    #[default]
    Allow,
    /// Requests are refused with 403.
    Block,
}

/// What holds besides the policy: the gate's bootstrap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// What happens while no policy is in force.
    pub when_no_policy: WhenNoPolicy,
}

/// What the host must do with the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send it on; with `Some`, replace the request's whole header map by these pairs first (one host call).
    Forward(Option<Pairs>),
    /// Answer it here; the application never sees it.
    Reply(Reply),
    /// Answer nothing: close the connection (HTTP/1) or reset the stream (HTTP/2 and 3).
    Drop,
}

/// An answer of the gate's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers besides those that Envoy adds: lower-case names, values of printable ASCII.
    pub headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// Body, already in the form that the client accepts. Not sent to HEAD, which still learns its length and type.
    pub body: Vec<u8>,
    /// Envoy's response code details: `gatehouse_block:POLICY/RULE:REFERENCE`, no spaces.
    pub details: String,
    /// gRPC status, for a gRPC request; also among the headers.
    pub grpc_status: Option<u32>,
}

/// A judged request: kept by the host until the transaction ends, then given to [`crate::record()`].
#[derive(Debug)]
pub struct Judged {
    /// What the host must do now.
    pub step: Step,
    /// The decision.
    pub verdict: Verdict,
    /// The policy that judged; `None`: none was in force.
    pub policy: Option<PolicyStamp>,
    /// Who the client is, as decided by the policy.
    pub subject: Subject,
    /// Nanoseconds to wait before the request goes on; 0: none.
    pub delay_ns: u64,
    /// What waits for the response.
    pub(crate) pending: Pending,
    /// What it rested on, for the record; empty where nothing is done to the request, nor would have been.
    pub(crate) grounds: Grounds,
}

/// What a judged request leaves to be done when its response is known.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// Tries that limits of failures let pass.
    pub(crate) tries: Vec<Try>,
    /// Rules of the request phase that edit the response's headers, each with the step of its limit.
    pub(crate) edits: Vec<(u32, u8)>,
    /// Rules may read the response, which was not shown yet.
    pub(crate) responds: bool,
    /// It went on to the application, is counted, and its answer was not told yet.
    pub(crate) open: bool,
}

impl Judged {
    /// A request that could not be judged.
    #[must_use]
    pub fn unjudged(verdict: Verdict, peer: Option<std::net::IpAddr>) -> Self {
        let subject = Subject::of_peer(peer);
        Self {
            step: Step::Forward(None),
            verdict,
            policy: None,
            subject,
            delay_ns: 0,
            pending: Pending::default(),
            grounds: Grounds::default(),
        }
    }

    /// The response's head must be shown to [`crate::respond`].
    #[must_use]
    pub fn responds(&self) -> bool {
        self.pending.responds || !self.pending.edits.is_empty()
    }

    /// Nobody told yet what became of it ([`answered`]), and somebody may want to know.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.pending.open
    }

    /// The response's status must be told at once ([`answered`]): a limit counts it. Otherwise it may wait for the end.
    #[must_use]
    pub fn awaits_status(&self) -> bool {
        !self.pending.tries.is_empty()
    }

    /// The limits that count the status, by their index in the policy.
    pub fn awaited_limits(&self) -> impl Iterator<Item = usize> {
        self.pending.tries.iter().map(Try::limit)
    }
}

/// Judges one request. Total: hostile bytes lead to a verdict, never to an error.
#[must_use]
pub fn judge(
    policy: Option<&Policy>,
    settings: &Settings,
    request: Request<'_>,
    state: &mut State,
    slots: &dyn SharedSlots,
) -> Judged {
    crate::decide::judge(policy, settings, request, state, slots, None)
}

/// The same, and the whole way to the verdict.
#[must_use]
pub fn explain(
    policy: Option<&Policy>,
    settings: &Settings,
    request: Request<'_>,
    state: &mut State,
    slots: &dyn SharedSlots,
) -> (Judged, Trace) {
    let mut trace = Trace::default();
    let judged = crate::decide::judge(policy, settings, request, state, slots, Some(&mut trace));
    (judged, trace)
}

/// Tells what became of a request that went on: the status of its response, or `None` where none came. The first word counts;
/// later ones do nothing. `policy`: the one that judged it.
pub fn answered(
    policy: Option<&Policy>,
    judged: &mut Judged,
    status: Option<u16>,
    state: &mut State,
    slots: &dyn SharedSlots,
    now_ns: u64,
) {
    if !core::mem::take(&mut judged.pending.open) {
        return;
    }
    let tries = core::mem::take(&mut judged.pending.tries);
    if let Some(policy) = policy {
        state.limits.answer(policy, tries, status, slots, now_ns);
    }
    if let (Some(tag), Some(200..=399)) = (judged.subject.tag, status) {
        state.changes.succeeded(tag, now_ns);
    }
}
