//! What of a request a mandate depends on, so that a document below could change it.

use crate::spec::types::{Action, Addresses, Condition, Document, KeyPart, Rollout, Rule};

/// What of a request a rule depends on, that a setting can change.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) address: bool,
    pub(super) client: bool,
    pub(super) path: bool,
    /// A path for which something milder is done than for others.
    pub(super) milder: bool,
}

impl Seen {
    pub(super) fn of(rule: &Rule, document: &Document) -> Self {
        // Whom a canary is tried on is chosen by who the client is.
        let tried = matches!(rule.mode.unwrap_or(document.mode), Rollout::Canary(_));
        let milder = excepts_path(&rule.condition, false) || is_mild(rule);
        let mut seen = Self { address: tried, client: tried, path: false, milder };
        rule.condition.each_leaf(&mut |leaf| match leaf {
            Condition::Address(Addresses::List(_) | Addresses::Networks(_))
            | Condition::Asn(_)
            | Condition::AsnList(_)
            | Condition::Country(_)
            | Condition::CountryList(_) => seen.address = true,
            Condition::Label(_) | Condition::Score { .. } | Condition::Verdict(_) => {
                seen.address = true;
                seen.client = true;
            }
            Condition::Path(_) => seen.path = true,
            _ => {}
        });
        for part in rule.limit.iter().flat_map(|limit| &limit.by) {
            match part {
                KeyPart::Address | KeyPart::AddressPrefix | KeyPart::Asn | KeyPart::Country => seen.address = true,
                // Whoever the client is, the address may be what tells; unproven keys count it beside.
                KeyPart::Client => {
                    seen.address = true;
                    seen.client = true;
                }
                part if part.is_unproven() => seen.address = true,
                KeyPart::Path | KeyPart::PathClass => seen.path = true,
                _ => {}
            }
        }
        seen
    }
}

/// A path stands under an odd number of `not`.
fn excepts_path(condition: &Condition, not: bool) -> bool {
    match condition {
        Condition::Not(inner) => excepts_path(inner, !not),
        Condition::All(parts) | Condition::Any(parts) => parts.iter().any(|part| excepts_path(part, not)),
        leaf => not && matches!(leaf, Condition::Path(_)),
    }
}

/// It answers otherwise than by the strictest there is, so that a later rule may be stricter.
fn is_mild(rule: &Rule) -> bool {
    let steps = rule.limit.iter().flat_map(|limit| limit.steps.iter().filter_map(|step| step.then.as_ref()));
    std::iter::once(&rule.then).chain(steps).any(|then| !matches!(then.decides, None | Some(Action::Block(_))))
}
