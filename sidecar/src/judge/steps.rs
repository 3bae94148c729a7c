//! The way to a decision, told step by step from the engine's trace: who speaks for the host, what the path may be taken for, each
//! rule that was asked, what came of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use gatehouse_engine::{Judged, Policy, Request, Sum, Trace, TraceStep};
use gatehouse_policy::{Field, Phase, Rollout, Rule, Scope, Truth};
use gatehouse_signals::{Host, Path};
use gatehouse_verdict::{Mode, Reason};
use serde::Serialize;

use super::traffic::Traffic;

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
        let host = host(request);
        let mut steps = hosts(policy, request, &host);
        self.walked(policy, Traffic::Requests, trace, &mut steps);
        steps.extend(beside_rules(policy.for_host(&host), Traffic::Requests, judged));
        steps.push(decision(judged, Traffic::Requests));
        steps
    }

    /// Every step of a connection to `host`.
    pub(super) fn steps_of_connection(
        &self,
        policy: &Policy,
        host: &[u8],
        judged: &Judged,
        trace: &Trace,
    ) -> Vec<Step> {
        let mut steps = vec![speaks(policy, host, Traffic::Connections)];
        self.walked(policy, Traffic::Connections, trace, &mut steps);
        steps.extend(beside_rules(policy.for_connection(host), Traffic::Connections, judged));
        steps.push(decision(judged, Traffic::Connections));
        steps
    }

    /// Each rule that was asked, on each reading.
    fn walked(&self, policy: &Policy, traffic: Traffic, trace: &Trace, steps: &mut Vec<Step>) {
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
            steps.extend(self.rule(policy, traffic, step));
        }
    }

    /// What came of the response.
    pub(super) fn response(&self, judged: &Judged, replaced: bool) -> Vec<Step> {
        let said = if replaced { "the application's answer is replaced" } else { "the application's answer goes back" };
        vec![Step::new("response", said.to_owned()), decision(judged, Traffic::Requests)]
    }

    fn rule(&self, policy: &Policy, traffic: Traffic, told: &TraceStep) -> Option<Step> {
        let rule = policy.rule(*self.ranks.get(&told.rule)?);
        let then = match told.limit.and_then(|limit| limit.over) {
            Some((step, _)) => rule.step_then(step),
            None => rule.then(),
        };
        let does = traffic.words(then);
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
            mode: Some(told.mode.as_str()),
            canary,
            limit: told.limit.map(Limit::from),
            score: told.score.filter(|_| rule.reads().has(Field::Score)),
            said: said(rule, &does, then.decides().is_some(), told),
            does,
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

/// The host that is asked for.
fn host<'a>(request: Request<'a>) -> Cow<'a, [u8]> {
    let head = request.head;
    Host::parse(head.first(b":authority").or_else(|| head.first(b"host")).unwrap_or_default()).name
}

/// Who speaks for the host that is asked for, and for another that an absolute-form target names.
fn hosts(policy: &Policy, request: Request<'_>, first: &[u8]) -> Vec<Step> {
    let path = Path::parse(request.head.first(b":path").unwrap_or_default());
    let second = path.authority.map(|other| Host::parse(other).name).filter(|other| **other != *first);
    core::iter::once(first).chain(second.as_deref()).map(|host| speaks(policy, host, Traffic::Requests)).collect()
}

/// Who speaks for a host.
fn speaks(policy: &Policy, host: &[u8], traffic: Traffic) -> Step {
    let name = traffic.host(host);
    let said = match traffic.scope(policy, host) {
        None => format!("no document speaks for {name}{}", traffic.instead(policy, host)),
        Some(scope) if scope.name().is_empty() => format!("the policy speaks for {name}"),
        Some(scope) => format!("the policy speaks for {name}, in scope `{}`", scope.name()),
    };
    Step::new("policy", said)
}

/// What no rule decided.
fn beside_rules(scope: Option<Scope<'_>>, traffic: Traffic, judged: &Judged) -> Option<Step> {
    let verdict = &judged.verdict;
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
        Reason::Otherwise => ("otherwise", otherwise(scope?, traffic)),
        Reason::NoPolicy | Reason::NotCovered | Reason::Rule | Reason::Unreadable => return None,
    };
    Some(Step::new(stage, said))
}

fn otherwise(scope: Scope<'_>, traffic: Traffic) -> String {
    let Some((then, mode)) = scope.otherwise() else { return "no rule decided; allowed".to_owned() };
    let (document, words) = (scope.otherwise_document(), traffic.words(then).join(" and "));
    format!("no rule decided; `otherwise` of `{document}` ({}): {words}", mode.as_str())
}

/// What came of it: of several readings the strictest.
fn decision(judged: &Judged, traffic: Traffic) -> Step {
    let verdict = &judged.verdict;
    let by = verdict.rule.as_deref().map(|rule| format!(" by {rule}")).unwrap_or_default();
    Step::new("decision", format!("{}{by} ({})", traffic.word(verdict.action()), verdict.reason.as_str()))
}

fn is_same(step: &TraceStep, other: Option<&TraceStep>) -> bool {
    other.is_some_and(|other| step.path == other.path && step.method == other.method)
}

/// `words`: what it does, its final action last, if it has one.
fn said(rule: Rule<'_>, words: &[&str], is_final: bool, told: &TraceStep) -> String {
    let does = words.join(" and ");
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
