//! `then` and `otherwise`: a word, a map with one word, or a list of these: what adds up first, at most one final action, last.

use crate::document::{Entry, Fields, Node, Problems, Value, list, nearest, quoted};
use crate::text;

use super::refusal::{self, header_value};
use super::types::{Action, Effect, Refusal, Then};
use super::{bounds, name, quantity};

/// Words that end the evaluation.
const FINAL: [&str; 7] = ["allow", "block", "deceive", "drop", "limit", "redirect", "reject"];
/// Words that add up.
const ADDING: [&str; 8] =
    ["delay", "record", "removeResponseHeaders", "route", "sanitize", "setResponseHeaders", "tag", "weigh"];
/// Words of the language whose machinery does not exist yet.
const NOT_BUILT: [&str; 1] = ["challenge"];

/// One word with its settings.
enum Word {
    Adds(Effect),
    Ends(Action),
}

/// Reads `then` of a rule or of a limit's step.
pub(super) fn read(node: &Node, problems: &mut Problems) -> Option<Then> {
    let items = node.one_or_many();
    if items.is_empty() {
        problems.push(&node.place, "the list is empty", format!("write one of {}", words()));
        return None;
    }
    let told = problems.0.len();
    let mut then = Then::default();
    let mut ended: Option<&'static str> = None;
    for item in items {
        if let Some(before) = ended {
            let help = if before == "allow" {
                "keep one of them"
            } else {
                "write what adds up first, and one final action at most"
            };
            problems.push(&item.place, format!("nothing is done after `{before}`"), help);
            return None;
        }
        match read_word(item, problems) {
            Some(Word::Adds(effect)) => then.effects.push(effect),
            Some(Word::Ends(action)) => {
                ended = Some(action.word());
                then.decides = Some(action);
            }
            None => {}
        }
    }
    (problems.0.len() == told).then_some(then)
}

/// `allow` or a refusal; of connections `reject`.
pub(super) fn read_otherwise(node: &Node, problems: &mut Problems) -> Option<Then> {
    let then = read(node, problems)?;
    if !then.effects.is_empty() || !matches!(then.decides, Some(Action::Allow | Action::Block(_) | Action::Reject)) {
        problems.push(
            &node.place,
            "`otherwise` takes `allow`, `block` or (of connections) `reject` only",
            "make it a rule with `all: true`",
        );
        return None;
    }
    Some(then)
}

fn read_word(node: &Node, problems: &mut Problems) -> Option<Word> {
    let message = match &node.value {
        Value::String(word) => return by_word(word, node, problems),
        Value::Map(entries) => match entries.as_slice() {
            [entry] => return with_settings(node, entry, problems),
            [a, b] if [&a.key, &b.key].into_iter().all(|key| key == "weigh" || key == "label") => {
                return short_weigh(node, problems).map(Word::Adds);
            }
            _ => "exactly one action is expected here".to_owned(),
        },
        _ => format!("{} where an action is expected", node.kind()),
    };
    problems.push(&node.place, message, format!("write one of {}; several stand in a list", words()));
    None
}

fn by_word(word: &str, node: &Node, problems: &mut Problems) -> Option<Word> {
    let example = match word {
        "allow" => return Some(Word::Ends(Action::Allow)),
        "block" => return Some(Word::Ends(Action::Block(Refusal::plain(bounds::BLOCK_STATUS)))),
        "limit" => return Some(Word::Ends(Action::Limit(Refusal::plain(bounds::LIMIT_STATUS)))),
        "drop" => return Some(Word::Ends(Action::Drop)),
        "reject" => return Some(Word::Ends(Action::Reject)),
        "deceive" => return Some(Word::Ends(refusal::plain_deception())),
        "record" => return Some(Word::Adds(Effect::Record)),
        "redirect" => "{ redirect: { location: /elsewhere } }",
        "tag" => "{ tag: { header: x-gatehouse-class, value: crawler } }",
        "route" => "{ route: { header: x-gatehouse-route, value: slow } }",
        "delay" => "{ delay: 2s }",
        "weigh" => "{ weigh: 20, label: probe }",
        "sanitize" => "{ sanitize: { headers: [x-debug] } }",
        "setResponseHeaders" => "{ setResponseHeaders: { cache-control: no-store } }",
        "removeResponseHeaders" => "{ removeResponseHeaders: [server] }",
        _ => {
            unknown(node, word, problems);
            return None;
        }
    };
    problems.push(&node.place, format!("`{word}` needs settings"), format!("write `{example}`"));
    None
}

/// The value of the one word of a map.
fn with_settings(node: &Node, entry: &Entry, problems: &mut Problems) -> Option<Word> {
    let word = FINAL.into_iter().chain(ADDING).find(|word| *word == entry.key);
    let Some(word) = word else {
        let key = Node { value: Value::Null, place: entry.key_place.clone() };
        unknown(&key, &entry.key, problems);
        return None;
    };
    let mut fields = Fields::of("then", node, "`then`", problems)?;
    for other in FINAL.into_iter().chain(ADDING) {
        fields.take(other);
    }
    fields.not_built(&NOT_BUILT);
    fields.finish(problems);
    settings(word, &entry.value, problems)
}

fn settings(word: &str, node: &Node, problems: &mut Problems) -> Option<Word> {
    let effect = match word {
        "block" => {
            return refusal::read("block", bounds::BLOCK_STATUS, node, problems).map(|r| Word::Ends(Action::Block(r)));
        }
        "limit" => {
            return refusal::read("limit", bounds::LIMIT_STATUS, node, problems).map(|r| Word::Ends(Action::Limit(r)));
        }
        "deceive" => return refusal::deception(node, problems).map(Word::Ends),
        "redirect" => return refusal::redirect(node, problems).map(Word::Ends),
        "allow" | "drop" | "record" | "reject" => {
            nothing(word, node, problems)?;
            return Some(match word {
                "allow" => Word::Ends(Action::Allow),
                "drop" => Word::Ends(Action::Drop),
                "reject" => Word::Ends(Action::Reject),
                _ => Word::Adds(Effect::Record),
            });
        }
        "tag" => pair("tag", node, problems).map(|(header, value)| Effect::Tag { header, value }),
        "route" => pair("route", node, problems).map(|(header, value)| Effect::Route { header, value }),
        "delay" => quantity::nanos(node, (1, bounds::DELAY_MS), problems).map(Effect::Delay),
        "weigh" => weigh(node, problems),
        "sanitize" => sanitize(node, problems),
        "setResponseHeaders" => refusal::read_headers(node, problems).map(Effect::SetResponseHeaders),
        _ => names(node, text::may_be_answered, "removed from a response", problems).map(Effect::RemoveResponseHeaders),
    };
    effect.map(Word::Adds)
}

/// Words without settings have an empty map as their long form.
fn nothing(word: &str, node: &Node, problems: &mut Problems) -> Option<()> {
    if matches!(&node.value, Value::Map(entries) if entries.is_empty()) {
        return Some(());
    }
    problems.push(&node.place, format!("`{word}` takes no settings"), format!("write `then: {word}`"));
    None
}

/// `{ header, value }` of a header that is set on the request.
fn pair(word: &'static str, node: &Node, problems: &mut Problems) -> Option<(String, String)> {
    let mut fields = Fields::of("header", node, format!("`{word}`"), problems)?;
    let header = fields.require("header");
    let value = fields.require("value").and_then(|n| header_value(n, problems));
    fields.finish(problems);
    let node = header?;
    let written = node.string(problems)?;
    let name = written.to_ascii_lowercase();
    if !text::may_be_tagged(&name) {
        let help =
            "choose a header of your own, such as `x-gatehouse-class`; it is removed from every incoming request";
        problems.push(&node.place, format!("{} may not be set on a request", quoted(written)), help);
        return None;
    }
    Some((name, value?))
}

/// A number, or `{ weight, label }`.
fn weigh(node: &Node, problems: &mut Problems) -> Option<Effect> {
    if !matches!(node.value, Value::Map(_)) {
        return weight(node, problems).map(|weight| Effect::Weigh { weight, label: None });
    }
    let mut fields = Fields::of("weigh", node, "`weigh`", problems)?;
    let (number, label) = (fields.require("weight"), fields.take("label"));
    fields.finish(problems);
    weighed(number?, label, problems)
}

/// `{ weigh: +20, label: probe }`.
fn short_weigh(node: &Node, problems: &mut Problems) -> Option<Effect> {
    let mut fields = Fields::of("weighed", node, "`then`", problems)?;
    let (number, label) = (fields.require("weigh"), fields.take("label"));
    fields.finish(problems);
    weighed(number?, label, problems)
}

fn weighed(number: &Node, label: Option<&Node>, problems: &mut Problems) -> Option<Effect> {
    let weight = weight(number, problems);
    let label = match label {
        Some(node) => Some(name(node, problems)?),
        None => None,
    };
    Some(Effect::Weigh { weight: weight?, label })
}

pub(super) fn weight(node: &Node, problems: &mut Problems) -> Option<i32> {
    let weight = node.integer(-bounds::WEIGHT..=bounds::WEIGHT, problems)?;
    if weight == 0 {
        problems.push(&node.place, "a weight of 0 changes nothing", "write one above or below");
        return None;
    }
    i32::try_from(weight).ok()
}

/// `{ headers, query }`.
fn sanitize(node: &Node, problems: &mut Problems) -> Option<Effect> {
    let mut fields = Fields::of("sanitize", node, "`sanitize`", problems)?;
    let (headers, query) = (fields.take("headers"), fields.take("query"));
    // The path without some of its parameters would be one that nobody judged.
    fields.not_built(&["pathParameters"]);
    fields.finish(problems);
    if headers.is_none() && query.is_none() {
        problems.push(&node.place, "`sanitize` says nothing", "write `headers` or `query`");
        return None;
    }
    let headers = headers.map(|n| names(n, text::may_be_removed, "removed from a request", problems));
    let query = query.map(|n| parameters(n, problems));
    Some(Effect::Sanitize {
        headers: headers.unwrap_or_else(|| Some(Vec::new()))?,
        query: query.unwrap_or_else(|| Some(Vec::new()))?,
    })
}

/// Names of headers, in lower case, each once.
pub(super) fn names(node: &Node, may: fn(&str) -> bool, what: &str, problems: &mut Problems) -> Option<Vec<String>> {
    let items = counted(node, problems)?;
    let mut names = Vec::new();
    let mut sound = true;
    for item in items {
        let Some(written) = item.string(problems) else {
            sound = false;
            continue;
        };
        let name = written.to_ascii_lowercase();
        if !may(&name) {
            problems.push(&item.place, format!("{} may not be {what}", quoted(written)), "leave it out");
            sound = false;
        } else if !names.contains(&name) {
            names.push(name);
        }
    }
    sound.then_some(names)
}

fn parameters(node: &Node, problems: &mut Problems) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for item in counted(node, problems)? {
        let written = item.string(problems)?;
        if !text::is_parameter(written) {
            problems.push(
                &item.place,
                format!("{} is not a parameter's name", quoted(written)),
                "write 1 to 128 printable bytes",
            );
            return None;
        }
        names.push(written.to_owned());
    }
    Some(names)
}

/// The items of a list of names, of which there is one at least.
fn counted<'n>(node: &'n Node, problems: &mut Problems) -> Option<&'n [Node]> {
    let items = node.one_or_many();
    if items.is_empty() || items.len() > bounds::HEADERS {
        let message = format!("{} names stand here", items.len());
        problems.push(&node.place, message, format!("write 1 to {}", bounds::HEADERS));
        return None;
    }
    Some(items)
}

fn unknown(node: &Node, word: &str, problems: &mut Problems) {
    if NOT_BUILT.contains(&word) {
        problems.push(&node.place, format!("`{word}` is not built yet"), format!("write one of {}", words()));
        return;
    }
    let help = match nearest(word, FINAL.into_iter().chain(ADDING).chain(NOT_BUILT)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write one of {}", words()),
    };
    problems.push(&node.place, format!("unknown action {}", quoted(word)), help);
}

fn words() -> String {
    let mut all: Vec<&str> = FINAL.into_iter().chain(ADDING).collect();
    all.sort_unstable();
    list(&all)
}

impl Action {
    /// The word that operators write.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Block(_) => "block",
            Self::Deceive { .. } => "deceive",
            Self::Drop => "drop",
            Self::Limit(_) => "limit",
            Self::Redirect { .. } => "redirect",
            Self::Reject => "reject",
        }
    }
}

impl Effect {
    /// The word that operators write.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Delay(_) => "delay",
            Self::Record => "record",
            Self::RemoveResponseHeaders(_) => "removeResponseHeaders",
            Self::Route { .. } => "route",
            Self::Sanitize { .. } => "sanitize",
            Self::SetResponseHeaders(_) => "setResponseHeaders",
            Self::Tag { .. } => "tag",
            Self::Weigh { .. } => "weigh",
        }
    }
}
