//! The phases of one request as types: a head is judged once, and what comes out says what the host must do.

use std::borrow::Cow;

use gatehouse_policy::Policy;
use gatehouse_signals::Head;
use gatehouse_verdict::Verdict;
use gatehouse_verdict::record::PolicyStamp;

use crate::reference::References;

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
    Forward(Option<Vec<(Vec<u8>, Vec<u8>)>>),
    /// Answer it here; the application never sees it.
    Reply(Reply),
}

/// An answer of the gate's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers besides those that Envoy adds.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// Body, already in the form that the client accepts.
    pub body: Vec<u8>,
    /// Envoy's response code details: `gatehouse_block:POLICY/RULE:REFERENCE`, no spaces.
    pub details: String,
    /// gRPC status, for a gRPC request.
    pub grpc_status: Option<u32>,
}

/// A judged request: kept by the host until the transaction ends, then given to [`crate::record()`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What the host must do now.
    pub step: Step,
    /// The decision.
    pub verdict: Verdict,
    /// The policy that judged; `None`: none was in force.
    pub policy: Option<PolicyStamp>,
    /// The client's address as decided by the policy's trust, for the record.
    pub client: gatehouse_signals::address::Client,
}

/// Judges one request. Total: hostile bytes lead to a verdict, never to an error.
#[must_use]
pub fn judge(policy: Option<&Policy>, settings: &Settings, head: Head<'_>, references: &mut References) -> Judged {
    crate::decide::judge(policy, settings, head, references)
}
