//! A decision in the words of [`mitigate`]: what the policy says, borrowed, for the answer.

use gatehouse_policy::{Action as Act, LimitSpec, Refusal, Support};
use gatehouse_signals::Head;
use gatehouse_verdict::Reason;

use crate::exchange::Reply;
use crate::mitigate::{self, Answer, Cors, Deceive, Limited, Occasion, Own, Problem, Quota, Redirect, Refuse};

use super::trail::{Decision, Over};

/// What an answer needs besides the decision.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    /// Who decided.
    pub(crate) by: &'a str,
    pub(crate) reference: &'a str,
    pub(crate) support: Option<Support<'a>>,
    /// Limits of the policy.
    pub(crate) limits: &'a [LimitSpec],
    pub(crate) cors: Cors,
    /// The workload is the client: a plain refusal looks as Istio's.
    pub(crate) egress: bool,
}

/// The body of a refusal of Envoy's RBAC filter, which Istio's users know, and the type that it has.
const RBAC_BODY: &str = "RBAC: access denied";
const RBAC_HEADERS: &[(&str, &str)] = &[("content-type", "text/plain")];
/// Longest name of a rule in the details.
const MAX_RULE: usize = 256;

/// The answer to a mitigated request that is not dropped.
pub(crate) fn reply(decision: &Decision<'_>, scene: &Scene<'_>, head: Head<'_>) -> Reply {
    if scene.egress && is_plain_refusal(decision) {
        return rbac(decision, scene, head);
    }
    answer(decision, scene, head)
}

/// A refusal with 403 for which the operator has no words.
fn is_plain_refusal(decision: &Decision<'_>) -> bool {
    match decision.act() {
        Some(Act::Block(refusal)) => refusal.status() == 403 && refusal.body().is_none(),
        Some(_) => false,
        None => decision.status == 403,
    }
}

/// As Envoy's RBAC filter answers: the same status, body and details, so that queries of access logs find it. The rule is named
/// where one decided, else `none`, as that filter does where no policy of its own matched.
fn rbac(decision: &Decision<'_>, scene: &Scene<'_>, head: Head<'_>) -> Reply {
    let own_headers: Vec<(&str, &str)> = match decision.act() {
        Some(Act::Block(refusal)) => refusal.headers().iter().collect(),
        _ => Vec::new(),
    };
    let headers: Vec<(&str, &str)> = RBAC_HEADERS.iter().copied().chain(own_headers).collect();
    let own = Own { body: Some(RBAC_BODY), headers: &headers, cache: false };
    let refuse = Refuse { status: 403, problem: Problem::Blocked, own };
    let reply = mitigate::reply(&Answer::Refuse(refuse), &scene.occasion(), head);
    let by = if decision.reason == Reason::Otherwise || scene.by.len() > MAX_RULE { "none" } else { scene.by };
    Reply { details: format!("rbac_access_denied_matched_policy[{by}]"), ..reply }
}

fn answer(decision: &Decision<'_>, scene: &Scene<'_>, head: Head<'_>) -> Reply {
    let problem = match decision.reason {
        Reason::Ambiguous => Problem::AmbiguousRequest,
        Reason::NoPolicy => Problem::NoPolicy,
        _ => Problem::Blocked,
    };
    match decision.act() {
        Some(act) => reply_to(&act, decision.over, scene, head),
        None => {
            let refuse = Refuse { status: decision.status, problem, own: Own::default() };
            mitigate::reply(&Answer::Refuse(refuse), &scene.occasion(), head)
        }
    }
}

/// The answer of one action.
fn reply_to(act: &Act<'_>, over: Option<Over>, scene: &Scene<'_>, head: Head<'_>) -> Reply {
    let headers: Vec<(&str, &str)> = match act {
        Act::Block(refusal) | Act::Limit(refusal) => refusal.headers().iter().collect(),
        Act::Deceive { headers, .. } => headers.iter().collect(),
        Act::Allow | Act::Drop | Act::Redirect { .. } => Vec::new(),
    };
    let answer = match act {
        Act::Limit(refusal) => Answer::Limit(Limited {
            status: refusal.status(),
            wait_ns: over.map_or(0, |over| over.retry_after_ns),
            quota: over.and_then(|over| quota(scene.limits.get(over.limit)?, over.step)),
            own: own(refusal, &headers),
        }),
        Act::Deceive { status, body, .. } => {
            Answer::Deceive(Deceive { status: *status, body, headers: &headers, cache: false })
        }
        Act::Redirect { location, status } => Answer::Redirect(Redirect { location, status: *status, cache: false }),
        Act::Block(refusal) => {
            Answer::Refuse(Refuse { status: refusal.status(), problem: Problem::Blocked, own: own(refusal, &headers) })
        }
        // Neither is answered; who asks all the same gets the plain refusal.
        Act::Allow | Act::Drop => {
            Answer::Refuse(Refuse { status: 403, problem: Problem::Blocked, own: Own::default() })
        }
    };
    mitigate::reply(&answer, &scene.occasion(), head)
}

fn own<'a>(refusal: &Refusal<'a>, headers: &'a [(&'a str, &'a str)]) -> Own<'a> {
    Own { body: refusal.body(), headers, cache: refusal.may_be_cached() }
}

/// What a client may be told of a limit of requests; counts of failures and of different values are nobody's business.
fn quota(spec: &LimitSpec, step: u8) -> Option<Quota<'static>> {
    let step = spec.steps.get(usize::from(step))?;
    let told = matches!(spec.count, gatehouse_policy::Count::Requests);
    told.then_some(Quota { name: "", quota: u64::from(step.rate), window_ns: step.per_ns })
}

impl<'a> Scene<'a> {
    fn occasion(&self) -> Occasion<'a> {
        let support = self.support.map_or_else(mitigate::Support::default, |support| mitigate::Support {
            text: support.text,
            link: support.link,
        });
        Occasion { by: self.by, reference: self.reference, support, cors: self.cors }
    }
}
