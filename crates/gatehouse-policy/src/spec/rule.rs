//! `rules`, and what a `trap` stands for.

use crate::document::{Fields, Node, Place, Problems, quoted};

use super::identity::Context;
use super::types::{Action, Condition, Effect, Limit, Rule, Then, Tier};
use super::{PathPattern, bounds, condition, limit, name, quantity, refusal, then};

/// Names that stand for the document itself where a rule's name is shown.
pub(crate) const RESERVED_NAMES: [&str; 4] = ["ambiguous", "identity-headers", "mutual-tls", "otherwise"];
/// Name of the rule that a `trap` stands for, and of the label that it gives where it names none.
const TRAP: (&str, &str) = ("trap", "trapped");

/// Reads `rules`, which stand in `tier`, after those that are known already.
pub(super) fn read(node: &Node, tier: Tier, cx: &Context, problems: &mut Problems) -> Vec<Rule> {
    let items = node.list(problems).unwrap_or_default();
    items.iter().filter_map(|item| read_rule(item, tier, cx, problems)).collect()
}

fn read_rule(node: &Node, tier: Tier, cx: &Context, problems: &mut Problems) -> Option<Rule> {
    let mut fields = Fields::of("rule", node, "a rule", problems)?;
    let name = fields.require("name");
    let place = name.map_or_else(|| node.place.clone(), |n| n.place.clone());
    let name = name.and_then(|n| read_name(n, problems));
    let priority = match fields.take("priority") {
        Some(n) => {
            let (least, most) = bounds::PRIORITY;
            n.integer(least..=most, problems).and_then(|n| i16::try_from(n).ok())
        }
        None => Some(0),
    };
    let mode = fields.take("mode").map_or(Some(None), |n| quantity::rollout(n, problems).map(Some));
    let condition = fields.require("match").and_then(|n| condition::read(n, cx, problems));
    let limit_node = fields.take("limit");
    let limit_place = fields.key_place("limit").clone();
    let limit = limit_node.map_or(Some(None), |n| limit::read(n, &limit_place, problems).map(Some));
    let then_node = fields.require("then");
    let then = then_node.and_then(|n| then::read(n, problems));
    fields.finish(problems);
    let then_place = then_node.map_or_else(|| node.place.clone(), |n| n.place.clone());
    let (condition, then) = (condition?, then?);
    let limited = limit_node.map(|_| &limit_place);
    let on_response = condition.reads_response();
    check_limit(limited, &then, &then_place, problems)?;
    if on_response {
        check_response(limited, limit.as_ref().and_then(Option::as_ref), &then, &then_place, problems)?;
    }
    let tier = if tier == Tier::Rule && condition.asks_for_verdict() { Tier::Verdict } else { tier };
    Some(Rule {
        name: name?,
        place,
        tier,
        priority: priority?,
        mode: mode?,
        condition,
        limit: limit?,
        then,
        on_response,
    })
}

fn read_name(node: &Node, problems: &mut Problems) -> Option<String> {
    let name = name(node, problems)?;
    if RESERVED_NAMES.contains(&name.as_str()) {
        problems.push(&node.place, format!("a rule may not be called {}", quoted(&name)), "choose another name");
        return None;
    }
    Some(name)
}

/// `limit` as action needs one to be over, and nothing is let through for being over one.
fn check_limit(limit: Option<&Place>, then: &Then, place: &Place, problems: &mut Problems) -> Option<()> {
    match (limit, &then.decides) {
        (None, Some(Action::Limit(_))) => {
            let help = "add `limit: { rate: 10 per 1m }` to the rule, or write `block`";
            problems.push(place, "`then: limit` stands without `limit:`", help);
            None
        }
        (Some(limit), Some(Action::Allow)) => {
            let message = format!("`allow` over the limit at {limit} would let more pass than under it");
            problems.push(place, message, "write another action");
            None
        }
        _ => Some(()),
    }
}

/// When the response's headers arrive, the request is with the application already.
fn check_response(
    limit: Option<&Place>,
    read: Option<&Limit>,
    then: &Then,
    place: &Place,
    problems: &mut Problems,
) -> Option<()> {
    if let Some(limit) = limit {
        let help = match read {
            Some(_) => "count answers by `limit: { count: { status: [401] } }`, and leave `response` out of the match",
            None => "leave one of them out",
        };
        problems.push(limit, "a rule that reads the response has no limit", help);
        return None;
    }
    let late = |effect: &&Effect| {
        matches!(
            effect,
            Effect::Record | Effect::RemoveResponseHeaders(_) | Effect::SetResponseHeaders(_) | Effect::Weigh { .. }
        )
    };
    let early = then.effects.iter().find(|effect| !late(effect)).map(Effect::word);
    let early = early.or(match &then.decides {
        None | Some(Action::Block(_)) => None,
        Some(action) => Some(action.word()),
    });
    let Some(word) = early else { return Some(()) };
    let help = "a rule that reads the response does `block`, `record`, `removeResponseHeaders`, `setResponseHeaders` or `weigh`";
    problems.push(place, format!("`{word}` comes too late for a response"), help);
    None
}

/// Reads `trap`: paths that nobody has business with. Whoever asks for one is answered by the gate, first of the document's
/// rules, and weighed.
pub(super) fn read_trap(node: &Node, place: &Place, problems: &mut Problems) -> Option<Rule> {
    let mut fields = Fields::of("trap", node, "`trap`", problems)?;
    let paths = fields.require("paths");
    let weight =
        fields.take("weigh").map_or_else(|| i32::try_from(bounds::TRAP_WEIGHT).ok(), |n| then::weight(n, problems));
    let label = fields.take("label").map_or_else(|| Some(TRAP.1.to_owned()), |n| name(n, problems));
    let action =
        fields.take("then").map_or_else(|| Some(refusal::plain_deception()), |n| read_trap_action(n, problems));
    fields.finish(problems);
    let condition =
        condition::each(paths?, problems, |node, problems| PathPattern::read(node, problems).map(Condition::Path));
    let effect = Effect::Weigh { weight: weight?, label: Some(label?) };
    Some(Rule {
        name: TRAP.0.to_owned(),
        place: place.clone(),
        tier: Tier::Rule,
        priority: i16::try_from(bounds::PRIORITY.1).unwrap_or(i16::MAX),
        mode: None,
        condition: condition?,
        limit: None,
        then: Then { effects: vec![effect], decides: Some(action?) },
        on_response: false,
    })
}

/// What never lets the request through.
fn read_trap_action(node: &Node, problems: &mut Problems) -> Option<Action> {
    let then = then::read(node, problems)?;
    match then.decides {
        Some(action @ (Action::Block(_) | Action::Deceive { .. } | Action::Drop)) if then.effects.is_empty() => {
            Some(action)
        }
        _ => {
            let help = "write `deceive`, `block` or `drop`; `weigh` stands beside it";
            problems.push(&node.place, "a trap answers by itself", help);
            None
        }
    }
}
