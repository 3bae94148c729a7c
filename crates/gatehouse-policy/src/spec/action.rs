//! `then` and `otherwise`: a word, or a map with the word as its only key.

use crate::document::{Entry, Fields, Node, Place, Problems, Value, nearest, quoted};
use crate::text;

/// Words that exist now.
const WORDS: [&str; 5] = ["allow", "block", "record", "redirect", "tag"];
/// Words of the language whose machinery does not exist yet.
const NOT_BUILT: [&str; 8] = ["challenge", "deceive", "delay", "drop", "limit", "route", "sanitize", "weigh"];
/// Most headers of a refusal.
const MAX_HEADERS: usize = 32;
/// Status of a redirect that names none: not cached, since a verdict may change.
const REDIRECT_STATUS: u16 = 302;
/// Status of a refusal that names none.
const BLOCK_STATUS: u16 = 403;

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    Allow,
    Block(Refusal),
    Record,
    Redirect { location: String, status: u16 },
    Tag { header: String, value: String },
}

/// How a refusal looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// `None`: the gate's own, by what the client accepts.
    pub(crate) body: Option<String>,
    /// Lower-case names.
    pub(crate) headers: Vec<(String, String)>,
}

impl Action {
    pub(super) fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let message = match &node.value {
            Value::String(word) => return Self::by_word(word, node, problems),
            Value::Map(entries) => match entries.as_slice() {
                [entry] => return Self::with_settings(entry, problems),
                _ => "exactly one action is expected here".to_owned(),
            },
            _ => format!("{} where an action is expected", node.kind()),
        };
        problems.push(&node.place, message, format!("write one of {}", words()));
        None
    }

    fn by_word(word: &str, node: &Node, problems: &mut Problems) -> Option<Self> {
        let example = match word {
            "allow" => return Some(Self::Allow),
            "block" => {
                return Some(Self::Block(Refusal { status: BLOCK_STATUS, body: None, headers: Vec::new() }));
            }
            "record" => return Some(Self::Record),
            "redirect" => "{ redirect: { location: /elsewhere } }",
            "tag" => "{ tag: { header: x-gatehouse-class, value: crawler } }",
            _ => return unknown(&node.place, word, problems),
        };
        problems.push(&node.place, format!("`{word}` needs settings"), format!("write `{example}`"));
        None
    }

    fn with_settings(entry: &Entry, problems: &mut Problems) -> Option<Self> {
        match entry.key.as_str() {
            "block" => Refusal::read(&entry.value, problems).map(Self::Block),
            "redirect" => redirect(&entry.value, problems),
            "tag" => tag(&entry.value, problems),
            word @ ("allow" | "record") => {
                let help = format!("write `then: {word}`");
                problems.push(&entry.key_place, format!("`{word}` takes no settings"), help);
                None
            }
            word => unknown(&entry.key_place, word, problems),
        }
    }
}

/// `allow` or a refusal.
pub(super) fn read_otherwise(node: &Node, problems: &mut Problems) -> Option<Action> {
    let action = Action::read(node, problems)?;
    if !matches!(action, Action::Allow | Action::Block(_)) {
        problems.push(&node.place, "`otherwise` takes `allow` or `block` only", "make it a rule with `all: true`");
        return None;
    }
    Some(action)
}

impl Refusal {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`block`", problems)?;
        let status = match fields.take("status") {
            Some(n) => n.integer(400..=499, problems).and_then(|n| u16::try_from(n).ok()),
            None => Some(BLOCK_STATUS),
        };
        let body = match fields.take("body") {
            Some(n) => Some(read_body(n, problems)?),
            None => None,
        };
        let headers = fields.take("headers").map_or(Some(Vec::new()), |n| read_headers(n, problems));
        fields.finish(problems);
        Some(Self { status: status?, body, headers: headers? })
    }
}

fn read_body(node: &Node, problems: &mut Problems) -> Option<String> {
    let body = node.string(problems)?;
    if body.len() > text::MAX_BODY {
        problems.push(&node.place, "the body is larger than 64 KiB", "write a shorter one");
        return None;
    }
    Some(body.to_owned())
}

fn read_headers(node: &Node, problems: &mut Problems) -> Option<Vec<(String, String)>> {
    let entries = node.entries(problems)?;
    if entries.len() > MAX_HEADERS {
        problems.push(&node.place, format!("more than {MAX_HEADERS} headers"), "");
        return None;
    }
    let mut headers = Vec::new();
    for entry in entries {
        let name = entry.key.to_ascii_lowercase();
        let named = text::may_be_answered(&name);
        if !named {
            problems.push(
                &entry.key_place,
                format!("{} may not be set on an answer", quoted(&entry.key)),
                "leave it out",
            );
        }
        let value = header_value(&entry.value, problems);
        headers.push(value.filter(|_| named).map(|value| (name, value)));
    }
    headers.into_iter().collect()
}

fn header_value(node: &Node, problems: &mut Problems) -> Option<String> {
    let value = node.string(problems)?;
    if !text::is_header_value(value) {
        let help = "write printable ASCII without blanks at the ends";
        problems.push(&node.place, format!("{} cannot stand in a header", quoted(value)), help);
        return None;
    }
    Some(value.to_owned())
}

fn redirect(node: &Node, problems: &mut Problems) -> Option<Action> {
    let mut fields = Fields::new(node, "`redirect`", problems)?;
    let location = fields.require("location");
    let status = match fields.take("status") {
        Some(n) => redirect_status(n, problems),
        None => Some(REDIRECT_STATUS),
    };
    fields.finish(problems);
    let node = location?;
    let location = node.string(problems)?;
    if !text::is_location(location) {
        let help = "write an absolute URL that begins with `https://`, or a path that begins with one `/`";
        problems.push(&node.place, format!("{} is not a place to send a client to", quoted(location)), help);
        return None;
    }
    Some(Action::Redirect { location: location.to_owned(), status: status? })
}

fn redirect_status(node: &Node, problems: &mut Problems) -> Option<u16> {
    let status = node.integer(300..=399, problems).and_then(|n| u16::try_from(n).ok())?;
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        problems.push(&node.place, format!("`{status}` is not a redirect"), "write 301, 302, 303, 307 or 308");
        return None;
    }
    Some(status)
}

fn tag(node: &Node, problems: &mut Problems) -> Option<Action> {
    let mut fields = Fields::new(node, "`tag`", problems)?;
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
    Some(Action::Tag { header: name, value: value? })
}

fn unknown(place: &Place, word: &str, problems: &mut Problems) -> Option<Action> {
    if NOT_BUILT.contains(&word) {
        problems.push(place, format!("`{word}` is not built yet"), format!("write one of {}", words()));
        return None;
    }
    let help = match nearest(word, WORDS.into_iter().chain(NOT_BUILT)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write one of {}", words()),
    };
    problems.push(place, format!("unknown action {}", quoted(word)), help);
    None
}

fn words() -> String {
    WORDS.map(|word| format!("`{word}`")).join(", ")
}
