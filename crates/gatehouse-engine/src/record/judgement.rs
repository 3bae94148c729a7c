//! What was decided, as a record tells it: the operator's names, and words of fixed sets.

use gatehouse_verdict::Action;
use gatehouse_verdict::record::PolicyStamp;
use gatehouse_verdict::redact::Redactor;

use super::fields::{judgement as fields, would_have};
use super::wire::Wire;
use super::{Classes, Transaction, grounds};

pub(super) fn judgement(of: &Transaction<'_>, redactor: &Redactor<Classes<'_>>, wire: &mut Wire<'_>) {
    let judged = of.judged;
    let verdict = &judged.verdict;
    wire.number(fields::ACTION, verdict.action.map_or(0, number));
    wire.text(fields::RULE, verdict.rule.as_deref().unwrap_or_default());
    wire.text(fields::REASON, verdict.reason.as_str());
    wire.text(fields::REFERENCE, verdict.reference.as_deref().unwrap_or_default());
    for would in &verdict.would_have {
        wire.message(fields::WOULD_HAVE, |wire| {
            wire.number(would_have::ACTION, number(would.action));
            wire.text(would_have::RULE, &would.rule);
        });
    }
    verdict.tags.iter().for_each(|tag| wire.item(fields::TAGS, tag.as_bytes()));
    if let Some(PolicyStamp { revision, digest }) = &judged.policy {
        wire.number(fields::POLICY_REVISION, *revision);
        wire.bytes(fields::POLICY_DIGEST, digest);
    }
    wire.number(fields::RECORD, verdict.record.into());
    wire.text(fields::AMBIGUITY, verdict.ambiguity.unwrap_or_default());
    grounds::grounds(fields::GROUNDS, of, redactor, wire);
}

/// The number of `Judgement.Action`.
fn number(action: Action) -> u64 {
    match action {
        Action::Allow => 1,
        Action::Block => 2,
        Action::Redirect => 3,
        Action::Limit => 4,
        Action::Deceive => 5,
        Action::Drop => 6,
    }
}
