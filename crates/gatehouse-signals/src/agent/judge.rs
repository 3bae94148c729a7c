//! From the signs to the class. The order is the whole policy: what an agent says of itself first, then the traces of an
//! automaton, then its shape.

use super::AgentClass;
use super::lowered::Lowered;
use super::names;
use super::shape;
use super::sign::{APP_SIGNS, BROWSER_SIGNS, DESKTOPS, HANDHELDS, PLATFORMS, Sign, Signs};

/// A class, and where in the text the product stands that showed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Judgement {
    /// The class.
    pub(super) class: AgentClass,
    /// A place inside the product's token.
    pub(super) at: usize,
}

/// A crawler whose product stands at `at`.
pub(super) const fn crawler(at: usize) -> Judgement {
    Judgement { class: AgentClass::Crawler, at }
}

/// The class of a text with these signs.
pub(super) fn judge(text: &Lowered, signs: &Signs) -> Judgement {
    let judged = by_name(text, signs).or_else(|| by_trace(text, signs));
    judged.unwrap_or_else(|| match signs.at(Sign::Mozilla) {
        Some(mozilla) => shape::of_browser(text, signs, mozilla),
        None => shape::of_program(signs),
    })
}

/// It says what it is.
fn by_name(text: &Lowered, signs: &Signs) -> Option<Judgement> {
    let named = |class, sign| signs.at(sign).map(|at| Judgement { class, at });
    named(AgentClass::Scanner, Sign::Scanner)
        .or_else(|| named(AgentClass::AiCrawler, Sign::Ai))
        .or_else(|| whole_product(text, signs).map(|at| Judgement { class: AgentClass::AiCrawler, at }))
        .or_else(|| named(AgentClass::Crawler, Sign::Crawler))
}

/// Everyday words that name an agent only where they are the whole product.
fn whole_product(text: &Lowered, signs: &Signs) -> Option<usize> {
    let start = match signs.at(Sign::Compatible) {
        Some(compatible) => shape::foreign_product(text, compatible)?,
        None if signs.any(&[Sign::Engine, Sign::Runtime]) => return None,
        None => 0,
    };
    let product = text.from(start);
    let length = product.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
    let (word, rest) = product.split_at_checked(length)?;
    let ends = matches!(rest.first(), None | Some(b'/' | b';' | b')'));
    (ends && names::AI_WHOLE.iter().any(|name| name.as_bytes() == word)).then_some(start)
}

/// It does not say what it is, but an automaton shows through.
fn by_trace(text: &Lowered, signs: &Signs) -> Option<Judgement> {
    if let Some(at) = signs.at(Sign::Strong) {
        return Some(crawler(if is_in_address(text, signs, at) { contact_owner(text, signs) } else { at }));
    }
    let mozilla = signs.has(Sign::Mozilla);
    let app = !mozilla && (signs.has(Sign::Handheld) || signs.any(APP_SIGNS));
    if let (Some(at), false) = (signs.at(Sign::Scan), app) {
        return Some(Judgement { class: AgentClass::Scanner, at });
    }
    // A library at the start is the client itself; elsewhere an app may only name what it is built with.
    let library = signs.at(Sign::Library).filter(|at| *at == 0 || !app);
    if let Some(0) = library {
        return Some(Judgement { class: AgentClass::Library, at: 0 });
    }
    if signs.has(Sign::Contact) || (signs.has(Sign::Host) && !signs.any(APP_SIGNS) && !shape::is_explorer(text, signs))
    {
        return Some(crawler(contact_owner(text, signs)));
    }
    if let Some(at) = library.filter(|_| !signs.has(Sign::Brand)) {
        return Some(Judgement { class: AgentClass::Library, at });
    }
    if let (Some(at), false) = (signs.at(Sign::Hint), app || (!mozilla && signs.has(Sign::Desktop))) {
        return Some(crawler(at));
    }
    if let (Some(at), false) = (signs.at(Sign::InnerHint), signs.any(PLATFORMS) || signs.any(BROWSER_SIGNS)) {
        return Some(crawler(at));
    }
    signs.at(Sign::Mozilla).filter(|at| is_relayed(text, signs, *at)).map(|_| crawler(0))
}

/// The word at `at` is part of a web or mail address.
fn is_in_address(text: &Lowered, signs: &Signs, at: usize) -> bool {
    let word = text.from(at).iter().find(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_' | b'.'));
    word == Some(&b'@') || signs.at(Sign::Contact).is_some_and(|contact| contact < at)
}

/// The product that an address belongs to: the item after `compatible`, a program's first, or the last before the address.
fn contact_owner(text: &Lowered, signs: &Signs) -> usize {
    if let Some(product) = signs.at(Sign::Compatible).and_then(|at| shape::foreign_product(text, at)) {
        return product;
    }
    match (signs.has(Sign::Mozilla), signs.at(Sign::Contact), signs.at(Sign::Host)) {
        (true, Some(contact), _) => text.product_before(contact),
        (true, None, Some(host)) => host,
        _ => 0,
    }
}

/// The browser's text stands behind something else's: a proxy that passes it on, or a program that copied too much. An app
/// on a handheld may put its own name first.
fn is_relayed(text: &Lowered, signs: &Signs, mozilla: usize) -> bool {
    let before = text.text().get(..mozilla).unwrap_or_default().trim_ascii_end();
    match before.last() {
        Some(b',' | b'|' | b':' | b'"' | b'\'' | b'=') => true,
        Some(_) => signs.any(DESKTOPS) && !signs.any(HANDHELDS) && !signs.any(APP_SIGNS),
        None => false,
    }
}
