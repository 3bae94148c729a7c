//! Settings of one rule of which one takes the other's effect away.

use crate::document::{Problems, quoted};
use crate::spec::types::{Action, Count, Effect, Rollout, Rule, Then};

pub(super) fn check(rule: &Rule, warnings: &mut Problems) {
    thens(rule).for_each(|then| lost(then, rule, warnings));
    silent(rule, warnings);
    milder(rule, warnings);
    in_flight(rule, warnings);
}

fn thens(rule: &Rule) -> impl Iterator<Item = &Then> {
    let steps = rule.limit.iter().flat_map(|limit| &limit.steps).filter_map(|step| step.then.as_ref());
    std::iter::once(&rule.then).chain(steps)
}

fn refuses(then: &Then) -> bool {
    !matches!(then.decides, None | Some(Action::Allow))
}

/// What is done to a request that goes on, beside what does not let it.
fn lost(then: &Then, rule: &Rule, warnings: &mut Problems) {
    if !refuses(then) {
        return;
    }
    let word = |effect: &Effect| match effect {
        Effect::Delay(_) => Some("delay"),
        Effect::Route { .. } => Some("route"),
        Effect::Sanitize { .. } => Some("sanitize"),
        Effect::Tag { .. } => Some("tag"),
        Effect::Record | Effect::RemoveResponseHeaders(_) | Effect::SetResponseHeaders(_) | Effect::Weigh { .. } => {
            None
        }
    };
    if let Some(word) = then.effects.iter().find_map(word) {
        let message =
            format!("`{word}` of the rule {} does nothing: the same `then` lets no request go on", quoted(&rule.name));
        warnings.push(&rule.place, message, "leave one of the two out, or make them two rules");
    }
}

/// In monitor mode only what decides is told.
fn silent(rule: &Rule, warnings: &mut Problems) {
    let says_so = rule.mode == Some(Rollout::Monitor);
    if says_so && !rule.on_response && !thens(rule).any(|then| then.decides.is_some()) {
        let message =
            format!("the rule {} does and tells nothing in monitor mode: it decides nothing", quoted(&rule.name));
        warnings.push(&rule.place, message, "leave `mode` out, or let it decide");
    }
}

/// A step of a limit that lets through what the step before it refuses.
fn milder(rule: &Rule, warnings: &mut Problems) {
    let Some(limit) = &rule.limit else { return };
    let mut before = refuses(&rule.then);
    for step in limit.steps.iter().skip(1) {
        let now = step.then.as_ref().map_or_else(|| refuses(&rule.then), refuses);
        if before && !now {
            let message =
                format!("over {} the rule {} lets requests go on that it refuses below", step.rate, quoted(&rule.name));
            warnings.push(&limit.place, message, "let the step refuse too, or leave it out");
        }
        before = now;
    }
}

/// More unanswered tries than failures.
fn in_flight(rule: &Rule, warnings: &mut Problems) {
    let Some(limit) = rule.limit.as_ref().filter(|limit| matches!(limit.count, Count::Failures(_))) else { return };
    let (Some(tries), Some(first)) = (limit.in_flight, limit.steps.first()) else { return };
    if tries > first.rate {
        let message = format!(
            "`inFlight: {tries}` of the rule {} lets that many tries through at once, more than its rate of {}",
            quoted(&rule.name),
            first.rate
        );
        warnings.push(&limit.place, message, "write at most the number of the rate, or leave it out");
    }
}
