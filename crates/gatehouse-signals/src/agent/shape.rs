//! What a text's shape tells where no name and no trace does: a browser's, an app's, a program's, or that of a program which
//! plays a browser.

use super::AgentClass;
use super::judge::{Judgement, crawler};
use super::lowered::Lowered;
use super::sign::{APP_SIGNS, BROWSER_SIGNS, DESKTOPS, HANDHELDS, PLATFORMS, Sign, Signs};

/// It begins as a browser does, at `mozilla`; does it go on as one?
pub(super) fn of_browser(text: &Lowered, signs: &Signs, mozilla: usize) -> Judgement {
    let platform = signs.any(PLATFORMS);
    if let Some(product) = foreign_client(text, signs) {
        return crawler(product);
    }
    // A browser names its platform before its engine.
    let Some(comment) = signs.at(Sign::Comment) else { return crawler(text.next_token(mozilla)) };
    let engine_first = BROWSER_SIGNS.iter().any(|sign| signs.at(*sign).is_some_and(|at| at < comment));
    if engine_first && !platform {
        return crawler(text.next_token(mozilla));
    }
    if let Some(at) = stray_product(text, signs) {
        return crawler(at);
    }
    let named = signs.any(&[Sign::Brand, Sign::Family, Sign::Base, Sign::App]);
    if !platform && !named && is_product(text, comment + 1) {
        return crawler(comment + 1);
    }
    let browser = signs.first_of(BROWSER_SIGNS);
    if signs.any(APP_SIGNS) {
        return Judgement { class: AgentClass::App, at: signs.at(Sign::App).or(browser).unwrap_or(mozilla) };
    }
    match (browser, signs.at(Sign::Tail)) {
        (Some(at), _) => Judgement { class: AgentClass::Browser, at },
        (None, Some(tail)) => crawler(tail),
        (None, None) => Judgement { class: AgentClass::Unknown, at: mozilla },
    }
}

/// It does not begin as a browser does.
pub(super) fn of_program(signs: &Signs) -> Judgement {
    let judged = |class, at| Judgement { class, at };
    let speaks = signs.any(&[Sign::Letter, Sign::Tail]) && !signs.has(Sign::Odd);
    let program = judged(if speaks { AgentClass::Library } else { AgentClass::Unknown }, 0);
    // Bare words: even `iPad` or `Chrome` is not what an iPad or Chrome sends.
    if !signs.any(&[Sign::Slash, Sign::Comment]) {
        return program;
    }
    if signs.any(APP_SIGNS) {
        return judged(AgentClass::App, signs.at(Sign::App).unwrap_or(0));
    }
    if let Some(at) = signs.first_of(BROWSER_SIGNS).or_else(|| signs.at(Sign::Phone)) {
        return judged(AgentClass::Browser, at);
    }
    if signs.any(&[Sign::Desktop, Sign::Handheld, Sign::Java]) && !signs.has(Sign::Compatible) {
        return judged(AgentClass::App, 0);
    }
    program
}

/// Internet Explorer, whose comment any program on the machine could add to.
pub(super) fn is_explorer(text: &Lowered, signs: &Signs) -> bool {
    let begins = |sign, start: &[u8]| signs.at(sign).is_some_and(|at| text.from(at).starts_with(start));
    begins(Sign::Engine, b"trident") || (signs.has(Sign::Desktop) && begins(Sign::Base, b"msie"))
}

/// Where the item after `compatible` begins, if there is one.
pub(super) fn foreign_product(text: &Lowered, compatible: usize) -> Option<usize> {
    let start = compatible + "compatible".len();
    let skipped = text.from(start).iter().position(|byte| !matches!(byte, b';' | b',' | b' ' | b'+'))?;
    let at = start + skipped;
    text.from(at).first().is_some_and(u8::is_ascii_alphanumeric).then_some(at)
}

/// Browsers, and what they said of their platform, that stood behind `compatible;`. Explorer is told apart elsewhere.
const BROWSER_ITEMS: &[&str] = &[
    "abrowse",
    "amiga",
    "dillo",
    "ibrowse",
    "icab",
    "konqueror",
    "linux",
    "ms-office",
    "netpositive",
    "omniweb",
    "opera",
    "origyn",
    "owb/",
    "u; ",
    "webpositive",
    "windows",
];

/// What stands behind `compatible` is none of the browsers that used to say so (or nothing at all): where it stands.
fn foreign_client(text: &Lowered, signs: &Signs) -> Option<usize> {
    let compatible = signs.at(Sign::Compatible).filter(|_| !is_explorer(text, signs))?;
    let Some(product) = foreign_product(text, compatible) else { return Some(compatible) };
    let item = text.from(product);
    // An Explorer for phones names them; one that names no platform is none.
    let browser = BROWSER_ITEMS.iter().any(|name| item.starts_with(name.as_bytes()))
        || (item.starts_with(b"msie") && signs.any(PLATFORMS));
    (!browser).then_some(product)
}

/// The comment that begins at `at` is one word, or a product with a version: it names no platform.
fn is_product(text: &Lowered, at: usize) -> bool {
    let comment = text.from(at).split(|byte| *byte == b')').next().unwrap_or_default();
    comment.contains(&b'/') || !comment.iter().any(|byte| matches!(byte, b' ' | b';'))
}

/// Versions from 2018 on. Before, add-ons and small browsers put words of their own behind the family's. Firefox 57 was the
/// last that old add-ons reached, and what still does so in Chrome and Safari is known by name.
const MODERN_CHROME: u32 = 64;
const MODERN_FIREFOX: u32 = 58;
const MODERN_SAFARI: u32 = 605;

/// A product in a browser's text that no browser put there: where it stands.
fn stray_product(text: &Lowered, signs: &Signs) -> Option<usize> {
    if signs.any(APP_SIGNS) {
        return None;
    }
    if let Some(guest) = signs.at(Sign::Guest) {
        return Some(guest);
    }
    if signs.has(Sign::Brand) || !signs.any(DESKTOPS) || signs.any(HANDHELDS) {
        return None;
    }
    let begins = |at: usize, start: &[u8]| text.from(at).starts_with(start);
    let last = match (signs.at(Sign::Family), signs.at(Sign::Base)) {
        (None, Some(msie)) if begins(msie, b"msie") => {
            return signs.at(Sign::Tail).filter(|at| text.is_versioned(*at));
        }
        // Every Chrome names the engine that it came from.
        (Some(chrome), _) if begins(chrome, b"chrome/") && !signs.has(Sign::Engine) => return Some(chrome),
        (Some(chrome), Some(safari)) if begins(chrome, b"ch") && safari > chrome => {
            (text.major(chrome) >= MODERN_CHROME).then_some(safari)
        }
        (Some(firefox), None) => (text.major(firefox) >= MODERN_FIREFOX).then_some(firefox),
        (None, Some(safari)) => (text.major(safari) >= MODERN_SAFARI).then_some(safari),
        _ => None,
    };
    let last = last?;
    let end = text.from(last).iter().position(|byte| *byte == b' ')?;
    text.next_letter(last + end)
}
