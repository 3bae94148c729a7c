//! A document for `gatehouse explain`: a request as it stands, or a connection as `{"connection": …}`.

use gatehouse_policy::document::{self, Entry, Node, Problems, Value, nearest, quoted};

use super::{Draft, Opening, OpeningDraft, Request};

/// The word that a connection stands under.
const CONNECTION: &str = "connection";

/// What somebody asks about.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// A request.
    Request(Box<Request>),
    /// A connection.
    Connection(Box<Opening>),
}

impl Asked {
    /// Reads a document.
    ///
    /// # Errors
    /// Every problem, each with its place.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        let node = document::json("request", text)?;
        let mut problems = Problems::default();
        let asked = match &node.value {
            Value::Map(entries) if is_connection(entries) => {
                // Anew, so that places do not speak of a request.
                let node = document::json("document", text)?;
                opening(&node, &mut problems).map(|opening| Self::Connection(Box::new(opening)))
            }
            _ => request(&node, &mut problems).map(|request| Self::Request(Box::new(request))),
        };
        asked.filter(|_| problems.is_empty()).ok_or(problems)
    }
}

/// It is a connection, or the only word is nearly the one for it.
fn is_connection(entries: &[Entry]) -> bool {
    let nearly = |entry: &Entry| nearest(&entry.key, [CONNECTION]).is_some();
    entries.iter().any(|entry| entry.key == CONNECTION) || matches!(entries, [only] if nearly(only))
}

fn opening(node: &Node, problems: &mut Problems) -> Option<Opening> {
    let entries = node.entries(problems)?;
    let connection = entries.iter().find(|entry| entry.key == CONNECTION);
    for entry in entries.iter().filter(|entry| entry.key != CONNECTION) {
        let key = quoted(&entry.key);
        let (message, help) = match connection {
            Some(_) => (
                format!("{key} stands beside `connection`"),
                "write what belongs to the connection within it; a request is a document of its own",
            ),
            None => (format!("unknown field {key} in the document"), "did you mean `connection`?"),
        };
        problems.push(&entry.key_place, message, help);
    }
    let draft = connection.and_then(|entry| OpeningDraft::read(&entry.value, problems))?;
    Some(draft.finish())
}

fn request(node: &Node, problems: &mut Problems) -> Option<Request> {
    if node.entries(&mut Problems::default()).is_some_and(is_bare) {
        let help = "write it as `{\"connection\": {…}}`";
        problems.push(&node.place, "a document with these fields speaks of a connection", help);
        return None;
    }
    Draft::read(node, problems)?.finish(&node.place, problems)
}

/// The fields of a connection, without the word for it.
fn is_bare(entries: &[Entry]) -> bool {
    let has = |key: &str| entries.iter().any(|entry| entry.key == key);
    !has("method") && !has("path") && ["host", "destination", "port"].into_iter().any(has)
}
