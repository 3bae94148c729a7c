//! The order of decision, on one screen.
//!
//! ```text
//!  no policy ─► what the bootstrap says          host ─► documents ─► client address by their trust
//!  more than one reading ─► refused, or every reading is judged and the strictest verdict wins
//!  rules in order: monitor ─► would have · tag, record ─► add up · allow, block, redirect ─► decides;  none ─► `otherwise`
//! ```

mod trail;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use gatehouse_policy::{Action as Act, Ambiguous, Facts, Policy, Scope, Truth};
use gatehouse_signals::Head;
use gatehouse_signals::address::{Client, Source};
use gatehouse_signals::host::Host;
use gatehouse_signals::path::{Ambiguity, Path};
use gatehouse_verdict::record::PolicyStamp;
use gatehouse_verdict::{Action, Mode, Reason, Verdict};

use crate::exchange::{Judged, Settings, Step, WhenNoPolicy};
use crate::mitigate;
use crate::reference::References;

use trail::{Decision, Trail};

/// Judges one request. What a client may not say (our own headers, those that a policy sets) is left out before anything is
/// looked at, so that no rule can be met by it.
pub(crate) fn judge(
    policy: Option<&Policy>,
    settings: &Settings,
    head: Head<'_>,
    references: &mut References,
) -> Judged {
    let kept = mitigate::without_ours(policy, head);
    let stripped = kept.is_some();
    let head = Head { headers: kept.as_deref().unwrap_or(head.headers), connection: head.connection };
    let client = Client::from_peer(head.connection.peer);
    let mut case = Case { policy: policy.map(Policy::stamp), head, stripped, client, ambiguity: None };
    let mut trail = Trail::default();
    let Some(policy) = policy else {
        let decision = match settings.when_no_policy {
            WhenNoPolicy::Allow => Decision::allowed(Reason::NoPolicy),
            WhenNoPolicy::Block => Decision::blocked_without_policy(),
        };
        return case.conclude(decision, trail, references);
    };
    let path = Path::parse(head.first(b":path").unwrap_or_default());
    case.ambiguity = path.ambiguity;
    let mut decision: Option<Decision<'_>> = None;
    for host in hosts(head, &path) {
        let Some(scope) = policy.for_host(&host) else {
            continue;
        };
        let client = Client::resolve(&head, &Source::XForwardedFor, scope.trust());
        if decision.is_none() {
            case.client = client;
        }
        let next = on_every_reading(scope, &host, &path, client, head, &mut trail);
        decision = Some(decision.map_or(next, |before| before.stricter(next)));
    }
    case.conclude(decision.unwrap_or(Decision::allowed(Reason::NotCovered)), trail, references)
}

/// The host that is asked for; then another that an absolute-form target names, since either may be believed.
fn hosts<'a>(head: Head<'a>, path: &Path<'a>) -> impl Iterator<Item = Cow<'a, [u8]>> + use<'a> {
    let authority = head.first(b":authority").or_else(|| head.first(b"host")).unwrap_or_default();
    let first = Host::parse(authority).name;
    let second = path.authority.map(|other| Host::parse(other).name).filter(|other| *other != first);
    core::iter::once(first).chain(second)
}

/// Judges every reading of the path for one host.
fn on_every_reading<'p>(
    scope: Scope<'p>,
    host: &[u8],
    path: &Path<'_>,
    client: Client,
    head: Head<'_>,
    trail: &mut Trail<'p>,
) -> Decision<'p> {
    if path.ambiguity.is_some_and(|ambiguity| is_refused(scope, ambiguity)) {
        match scope.ambiguous_mode() {
            (Mode::Enforce, document) => return Decision::ambiguous(document),
            (Mode::Monitor, document) => trail.would_have(Action::Block, || [document, "/ambiguous"].concat()),
        }
    }
    let method = head.first(b":method").unwrap_or_default();
    let judged = path.all().map(|reading| {
        let facts = Facts { host, path: reading, method, address: client.address, head };
        walk(scope, &facts, trail)
    });
    judged.reduce(Decision::stricter).unwrap_or(Decision::allowed(Reason::Otherwise))
}

/// A path with more readings than are kept cannot be judged on all of them, whatever the policy says.
fn is_refused(scope: Scope<'_>, ambiguity: Ambiguity) -> bool {
    match scope.ambiguous() {
        Some(Ambiguous::Reject) => true,
        Some(Ambiguous::Strictest) => ambiguity == Ambiguity::ManyReadings,
        None => ambiguity.reject_by_default(),
    }
}

/// Walks the rules on one reading: the first final enforced rule decides. An unknown match holds for nobody.
fn walk<'p>(scope: Scope<'p>, facts: &Facts<'_>, trail: &mut Trail<'p>) -> Decision<'p> {
    for rule in scope.rules().filter(|rule| rule.holds(facts) == Truth::True) {
        match (rule.mode(), rule.action()) {
            (Mode::Enforce, Act::Record) => trail.record = true,
            (Mode::Enforce, Act::Tag { header, value }) => trail.tag(header, value),
            (Mode::Enforce, decided) => return Decision::by_rule(rule, decided),
            (Mode::Monitor, Act::Record | Act::Tag { .. }) => {}
            (Mode::Monitor, decided) => trail.would_have(trail::action_of(&decided), || rule.id()),
        }
    }
    match scope.otherwise() {
        Some((decided, Mode::Enforce, document)) => Decision::otherwise(document, decided),
        Some((Act::Block(_), Mode::Monitor, document)) => {
            trail.would_have(Action::Block, || [document, "/otherwise"].concat());
            Decision::allowed(Reason::Otherwise)
        }
        _ => Decision::allowed(Reason::Otherwise),
    }
}

/// What is known of the request by the time it is decided.
struct Case<'a> {
    policy: Option<PolicyStamp>,
    /// Without the headers that a client may not send.
    head: Head<'a>,
    /// There were such headers.
    stripped: bool,
    client: Client,
    ambiguity: Option<Ambiguity>,
}

impl Case<'_> {
    /// The verdict, and what the host must do.
    fn conclude(self, decision: Decision<'_>, trail: Trail<'_>, references: &mut References) -> Judged {
        let rule = decision.rule();
        let concerned = decision.answer.is_some() || !trail.would_have.is_empty();
        let reference = concerned.then(|| references.next_reference());
        let (step, tags) = match (&decision.answer, &reference) {
            (Some(answer), Some(reference)) => {
                let by = rule.as_deref().unwrap_or(decision.reason.as_str());
                (Step::Reply(mitigate::reply(answer, by, reference, self.head)), Vec::new())
            }
            _ => {
                let names = trail.tags.iter().map(|(header, _)| (*header).to_owned()).collect();
                (Step::Forward(mitigate::edits(self.head, self.stripped, &trail.tags)), names)
            }
        };
        let verdict = Verdict {
            action: Some(decision.action()),
            rule,
            reason: decision.reason,
            would_have: trail.would_have,
            tags,
            record: trail.record,
            reference,
            ambiguity: self.ambiguity.map(Ambiguity::as_str),
        };
        Judged { step, verdict, policy: self.policy, client: self.client }
    }
}
