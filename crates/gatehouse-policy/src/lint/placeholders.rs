//! Placeholders that are probably misspelt: the gate fills in the ones that it knows and leaves every other brace as it is.

use crate::document::{Place, Problems, nearest, quoted};
use crate::spec::PLACEHOLDERS;
use crate::spec::types::{Action, Document, Refusal, Rule, Settings, Then};

/// Longest text between braces that is looked at: a placeholder, not the body of a function.
const LONGEST: usize = 24;

/// In the answers of a document's settings.
pub(super) fn check_settings(document: &Document, warnings: &mut Problems) {
    let own = |settings: &Settings, warnings: &mut Problems| {
        if let Some((then, place)) = &settings.otherwise {
            check(then, place, warnings);
        }
    };
    [&document.own, &document.defaults, &document.mandates].into_iter().for_each(|settings| own(settings, warnings));
}

/// In the answers of a rule and of the steps of its limit.
pub(super) fn check_rule(rule: &Rule, warnings: &mut Problems) {
    let steps = rule.limit.iter().flat_map(|limit| &limit.steps).filter_map(|step| step.then.as_ref());
    std::iter::once(&rule.then).chain(steps).for_each(|then| check(then, &rule.place, warnings));
}

fn check(then: &Then, place: &Place, warnings: &mut Problems) {
    let Some(Action::Block(refusal) | Action::Limit(refusal)) = &then.decides else { return };
    for text in texts(refusal) {
        for written in braced(text).filter(|written| !PLACEHOLDERS.contains(written)) {
            if let Some(near) = nearest(written, PLACEHOLDERS) {
                let message = format!("{} is sent as it is: it is no placeholder", quoted(written));
                warnings.push(place, message, format!("did you mean `{near}`?"));
            }
        }
    }
}

fn texts(refusal: &Refusal) -> impl Iterator<Item = &str> {
    refusal.body.as_deref().into_iter().chain(refusal.headers.iter().map(|(_, value)| value.as_str()))
}

/// What stands in braces, with them; of braces within braces the innermost.
fn braced(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('}').filter_map(|(end, _)| {
        let before = text.get(..=end)?;
        let written = before.get(before.rfind('{')?..)?;
        (written.len() <= LONGEST && !written.contains(char::is_whitespace)).then_some(written)
    })
}
