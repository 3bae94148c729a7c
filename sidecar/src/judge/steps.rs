//! The way to a decision, told step by step from the engine's trace: who speaks for the host, what the path may be taken for, each
//! rule that was asked, what came of it.

use std::collections::BTreeMap;

use gatehouse_engine::{Judged, Policy, Request, Sum, Trace, TraceStep};
use gatehouse_policy::{Action, Effect, Field, Phase, Rollout, Rule, Scope, Then, Truth};
use gatehouse_signals::{Host, Path};
use gatehouse_verdict::{Mode, Reason};
use serde::Serialize;

use super::explained::shown;

/// Most steps that a trace tells; the rest is summed up.
const MAX_STEPS: usize = 1_000;

/// One step on the way to a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Step {
    /// `policy`, `reading`, `rule`, `otherwise`, `response`, and last `decision`.
    pub stage: &'static str,
    /// `policy/rule`, for a rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Whether its match holds: `true`, `false`, `unknown`.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub holds: Option<&'static str>,
    /// Fields of the match that are not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<&'static str>,
    /// What the rule does, its final action last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub does: Vec<&'static str>,
    /// `monitor` or `enforce`: for this client, at this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<&'static str>,
    /// How far the rule is rolled out, where it is a canary: percent of clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<u8>,
    /// How its limit stands, if its match holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// The client's score, for a rule that reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<u32>,
    /// The step in words.
    pub said: String,
}

/// How a limit stands before the request is counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// How many more of the same key would pass at this moment, once this one did.
    pub remaining: u32,
    /// It is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over: Option<Over>,
}

/// How far a limit is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Over {
    /// Which of its steps, from 1.
    pub step: u8,
    /// Seconds until it is worth trying again.
    pub retry_after: u64,
}

/// Tells the engine's traces of one policy.
#[derive(Debug, Default)]
pub(super) struct Teller {
    ranks: BTreeMap<String, u32>,
}

impl Teller {
    pub(super) fn new(policy: &Policy) -> Self {
        Self { ranks: policy.rule_names().zip(0..).collect() }
    }

    /// Every step. `judged` decided; this only tells how.
    pub(super) fn steps(&self, policy: &Policy, request: Request<'_>, judged: &Judged, trace: &Trace) -> Vec<Step> {
        let mut steps = hosts(policy, request);
        let mut reading = None;
        let several = trace.steps.iter().any(|step| !is_same(step, trace.steps.first()));
        for step in &trace.steps {
            if steps.len() >= MAX_STEPS {
                steps.push(Step::new("rule", format!("more than {MAX_STEPS} steps; the rest is not told")));
                break;
            }
            if several && !is_same(step, reading) {
                steps.push(Step::new("reading", format!("read as {} `{}`", step.method, step.path)));
            }
            reading = Some(step);
            steps.extend(self.rule(policy, step));
        }
        steps.extend(beside_rules(policy, request, judged));
        steps.push(decision(judged));
        steps
    }

    /// What came of the response.
    pub(super) fn response(&self, judged: &Judged, replaced: bool) -> Vec<Step> {
        let said = if replaced { "the application's answer is replaced" } else { "the application's answer goes back" };
        vec![Step::new("response", said.to_owned()), decision(judged)]
    }

    fn rule(&self, policy: &Policy, told: &TraceStep) -> Option<Step> {
        let rule = policy.rule(*self.ranks.get(&told.rule)?);
        let then = match told.limit.and_then(|limit| limit.over) {
            Some((step, _)) => rule.step_then(step),
            None => rule.then(),
        };
        let holds = match told.truth {
            Truth::True => "true",
            Truth::False => "false",
            Truth::Unknown => "unknown",
        };
        let canary = match rule.rollout() {
            Rollout::Canary(percent) => Some(percent),
            Rollout::Enforce | Rollout::Monitor => None,
        };
        Some(Step {
            stage: "rule",
            rule: Some(told.rule.clone()),
            holds: Some(holds),
            unknown: told.unknown.clone(),
            does: words(then),
            mode: Some(told.mode.as_str()),
            canary,
            limit: told.limit.map(Limit::from),
            score: told.score.filter(|_| rule.reads().has(Field::Score)),
            said: said(rule, then, told),
        })
    }
}

impl Step {
    fn new(stage: &'static str, said: String) -> Self {
        Self { stage, said, ..Self::default() }
    }
}

impl From<Sum> for Limit {
    fn from(sum: Sum) -> Self {
        let over = |(step, retry_after): (u8, u64)| Over { step: step.saturating_add(1), retry_after };
        Self { remaining: sum.remaining, over: sum.over.map(over) }
    }
}

/// Who speaks for the host that is asked for, and for another that an absolute-form target names.
fn hosts(policy: &Policy, request: Request<'_>) -> Vec<Step> {
    let head = request.head;
    let path = Path::parse(head.first(b":path").unwrap_or_default());
    let authority = head.first(b":authority").or_else(|| head.first(b"host")).unwrap_or_default();
    let first = Host::parse(authority).name;
    let second = path.authority.map(|other| Host::parse(other).name).filter(|other| *other != first);
    let said = |host: &[u8]| match policy.for_host(host) {
        None => format!("no document speaks for the host `{}`", shown(host)),
        Some(scope) if scope.name().is_empty() => format!("the policy speaks for the host `{}`", shown(host)),
        Some(scope) => format!("the policy speaks for the host `{}`, in scope `{}`", shown(host), scope.name()),
    };
    core::iter::once(first).chain(second).map(|host| Step::new("policy", said(&host))).collect()
}

/// What no rule decided.
fn beside_rules(policy: &Policy, request: Request<'_>, judged: &Judged) -> Option<Step> {
    let verdict = &judged.verdict;
    let scope = || {
        let head = request.head;
        let authority = head.first(b":authority").or_else(|| head.first(b"host")).unwrap_or_default();
        policy.for_host(&Host::parse(authority).name)
    };
    let (stage, said) = match verdict.reason {
        Reason::Ambiguous => {
            let why = verdict.ambiguity.unwrap_or("a header that some read as its length");
            ("reading", format!("the request has more than one reading ({why}) and is refused for it"))
        }
        Reason::IdentityHeader => {
            ("policy", "it carries a header that only a trusted proxy may set, and is refused for it".to_owned())
        }
        Reason::NoPeer => ("policy", "it comes from no verified peer, and is refused for it".to_owned()),
        Reason::ManyUris => {
            ("policy", "its peer's certificate has several URIs, and one is asked for: it is refused for it".to_owned())
        }
        Reason::ServerName => {
            ("policy", "its connection names another server than its host, and it is refused for it".to_owned())
        }
        Reason::Unproven => ("policy", "nobody had proven who opens it in time".to_owned()),
        Reason::Otherwise => ("otherwise", otherwise(scope()?)),
        Reason::NoPolicy | Reason::NotCovered | Reason::Rule | Reason::Unreadable => return None,
    };
    Some(Step::new(stage, said))
}

fn otherwise(scope: Scope<'_>) -> String {
    let Some((then, mode)) = scope.otherwise() else { return "no rule decided; allowed".to_owned() };
    let (document, words) = (scope.otherwise_document(), words(then).join(" and "));
    format!("no rule decided; `otherwise` of `{document}` ({}): {words}", mode.as_str())
}

/// What came of it: of several readings the strictest.
fn decision(judged: &Judged) -> Step {
    let verdict = &judged.verdict;
    let by = verdict.rule.as_deref().map(|rule| format!(" by {rule}")).unwrap_or_default();
    Step::new("decision", format!("{}{by} ({})", verdict.action().as_str(), verdict.reason.as_str()))
}

fn is_same(step: &TraceStep, other: Option<&TraceStep>) -> bool {
    other.is_some_and(|other| step.path == other.path && step.method == other.method)
}

fn said(rule: Rule<'_>, then: Then<'_>, told: &TraceStep) -> String {
    let does = words(then).join(" and ");
    let is_final = then.decides().is_some();
    let counted = match (rule.limit(), told.limit) {
        (Some(_), None) => return unmet(rule, told, "matches; not counted, since its key is not known"),
        (Some(_), Some(Sum { remaining, over: None })) => {
            return unmet(rule, told, &format!("matches; below its limit, {remaining} left after it"));
        }
        (Some(_), Some(Sum { over: Some((_, seconds)), .. })) => format!(" over its limit for {seconds} s;"),
        (None, _) => String::new(),
    };
    match (told.truth, told.mode) {
        (Truth::True, Mode::Monitor) if is_final => format!("matches;{counted} would {does}"),
        (Truth::True, Mode::Monitor) => format!("matches;{counted} does nothing in monitor mode"),
        (Truth::True, Mode::Enforce) if is_final => format!("matches;{counted} decides: {does}"),
        (Truth::True, Mode::Enforce) => format!("matches;{counted} does {does}"),
        (Truth::False | Truth::Unknown, _) => unmet(rule, told, ""),
    }
}

/// A rule that does nothing; `counted`: how it is counted if it matches.
fn unmet(rule: Rule<'_>, told: &TraceStep, counted: &str) -> String {
    match told.truth {
        Truth::True => counted.to_owned(),
        Truth::False if rule.phase() == Phase::Response => "is judged with the response".to_owned(),
        Truth::False => "does not match".to_owned(),
        Truth::Unknown => format!("not judged: {} not known", told.unknown.join(", ")),
    }
}

/// What adds up, then the final action.
fn words(then: Then<'_>) -> Vec<&'static str> {
    let effect = |effect| match effect {
        Effect::Delay(_) => "delay",
        Effect::Record => "record",
        Effect::RemoveResponseHeaders(_) => "removeResponseHeaders",
        Effect::Route { .. } => "route",
        Effect::Sanitize { .. } => "sanitize",
        Effect::SetResponseHeaders(_) => "setResponseHeaders",
        Effect::Tag { .. } => "tag",
        Effect::Weigh { .. } => "weigh",
    };
    let action = then.decides().map(|action| match action {
        Action::Allow => "allow",
        Action::Block(_) => "block",
        Action::Deceive { .. } => "deceive",
        Action::Drop => "drop",
        Action::Limit(_) => "limit",
        Action::Redirect { .. } => "redirect",
    });
    then.effects().map(effect).chain(action).collect()
}
