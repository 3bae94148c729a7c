//! Which rules could not be judged, and for want of what: for people who judge requests that nobody saw whole. Never in the gate.

use core::cell::OnceCell;

use gatehouse_policy::{Count, Facts, Fields, Policy, ResponseFacts, Rule, Truth};
use gatehouse_signals::host::Host;
use gatehouse_signals::path::Path;

use crate::exchange::Judged;
use crate::lazy::Lazy;
use crate::limits::Asker;
use crate::request::Request;
use crate::state::State;

/// Those of `rules` whose match is unknown, and those that hold while the key of their limit is not known, each with the fields
/// that are missing. On the canonical reading alone: what is not known of a request is not known of any of its readings.
///
/// `rules`: of the scope of the request's host, each of the phase that `response` stands for.
pub fn unjudged<'p>(
    policy: &'p Policy,
    request: Request<'_>,
    response: Option<ResponseFacts<'_>>,
    judged: &Judged,
    state: &State,
    rules: impl IntoIterator<Item = Rule<'p>>,
) -> Vec<(Rule<'p>, Fields)> {
    let head = request.head;
    let path = Path::parse(head.first(b":path").unwrap_or_default());
    let host = Host::parse(head.first(b":authority").or_else(|| head.first(b"host")).unwrap_or_default()).name;
    let Some(scope) = policy.for_host(&host) else { return Vec::new() };
    let lazy = Lazy::new(head, &judged.subject, &state.knowledge, request.now.mono_ns);
    let facts = Facts {
        host: &host,
        path: &path.canonical,
        case_insensitive: scope.backend().case_insensitive,
        query: path.query,
        method: head.first(b":method").unwrap_or_default(),
        address: judged.subject.client.address,
        head,
        claims: request.claims,
        wall_s: request.now.wall_s,
        known: request.known,
        signals: &lazy,
        response,
    };
    let class = OnceCell::new();
    let asker = Asker { facts: &facts, lazy: &lazy, subject: &judged.subject, claims: policy.claims(), class: &class };
    let missing = |rule: Rule<'p>| match rule.holds(&facts) {
        Truth::False => Fields::NONE,
        Truth::True => key_missing(policy, rule, &asker, state),
        Truth::Unknown => rule.unknown_fields(&facts),
    };
    rules.into_iter().map(|rule| (rule, missing(rule))).filter(|(_, fields)| !fields.is_empty()).collect()
}

/// Fields of the key of a rule's limit that are not known.
fn key_missing(policy: &Policy, rule: Rule<'_>, asker: &Asker<'_, '_>, state: &State) -> Fields {
    let Some(spec) = rule.limit().and_then(|limit| policy.limits().get(limit)) else { return Fields::NONE };
    let item = match &spec.count {
        Count::Distinct(part) => Some(part),
        Count::Failures(_) | Count::Requests => None,
    };
    let knows = |part| asker.tag(state.keys().key(0), core::slice::from_ref(part)).is_some();
    let mut fields = Fields::NONE;
    for part in spec.by.iter().chain(item).filter(|part| !knows(part)) {
        fields |= Fields::of(part.field());
    }
    fields
}
