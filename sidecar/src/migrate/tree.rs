//! Manifests as trees that can be changed and written again: keys keep their order, comments are lost.

use std::fmt::Write;

use gatehouse_policy::document::{self, Entry, Node, Place, Problems, Value};

use crate::render::scalar_text;

/// One file.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// What a cluster adds to an object, and what cannot be applied again.
const OF_THE_CLUSTER: [&str; 6] =
    ["resourceVersion", "uid", "creationTimestamp", "generation", "managedFields", "selfLink"];
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Every document of these files, lists taken apart.
pub(super) fn read(sources: &[Source]) -> Result<Vec<Node>, Problems> {
    let (mut all, mut problems) = (Vec::new(), Problems::default());
    for Source { name, text } in sources {
        match document::yaml(name, text) {
            Ok(documents) => documents.into_iter().for_each(|document| take_apart(document, &mut all)),
            Err(wrong) => problems.extend(wrong),
        }
    }
    problems.or(all)
}

fn take_apart(mut document: Node, all: &mut Vec<Node>) {
    let is_list = document.text("kind").is_some_and(|kind| kind == "List");
    if is_list && let Some(Value::List(items)) = document.at_mut(&["items"]).map(|items| &mut items.value) {
        // A list in a list is none of Kubernetes'; the depth is bounded by the reader all the same.
        return std::mem::take(items).into_iter().for_each(|item| take_apart(item, all));
    }
    document.remove("status");
    if let Some(metadata) = document.at_mut(&["metadata"]) {
        OF_THE_CLUSTER.iter().for_each(|field| metadata.remove(field));
        if let Some(annotations) = metadata.at_mut(&["annotations"]) {
            annotations.remove(LAST_APPLIED);
        }
    }
    all.push(document);
}

/// Reading and changing.
pub(super) trait Tree {
    /// The entries; none where it is no map.
    fn entries_of(&self) -> &[Entry];
    /// The elements; none where it is no list.
    fn items(&self) -> &[Node];
    /// The elements, to be changed.
    fn items_mut(&mut self) -> Option<&mut Vec<Node>>;
    /// What stands under these keys.
    fn at(&self, path: &[&str]) -> Option<&Node>;
    /// The same, to be changed.
    fn at_mut(&mut self, path: &[&str]) -> Option<&mut Node>;
    /// A text under a key.
    fn text(&self, key: &str) -> Option<&str>;
    /// A number or a text under a key, as a text.
    fn word(&self, key: &str) -> Option<String>;
    /// Takes a key away.
    fn remove(&mut self, key: &str);
    /// Every map, the outer first.
    fn maps<'n>(&'n self, each: &mut dyn FnMut(&'n Node));
    /// Every map, to be changed.
    fn maps_mut(&mut self, each: &mut dyn FnMut(&mut Node));
}

impl Tree for Node {
    fn entries_of(&self) -> &[Entry] {
        if let Value::Map(entries) = &self.value { entries } else { &[] }
    }

    fn items(&self) -> &[Node] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    fn items_mut(&mut self) -> Option<&mut Vec<Node>> {
        if let Value::List(items) = &mut self.value { Some(items) } else { None }
    }

    fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| {
            node.entries_of().iter().find(|entry| entry.key == *key).map(|entry| &entry.value)
        })
    }

    fn at_mut(&mut self, path: &[&str]) -> Option<&mut Node> {
        path.iter().try_fold(self, |node, key| {
            let Value::Map(entries) = &mut node.value else { return None };
            entries.iter_mut().find(|entry| entry.key == *key).map(|entry| &mut entry.value)
        })
    }

    fn text(&self, key: &str) -> Option<&str> {
        if let Some(Node { value: Value::String(text), .. }) = self.at(&[key]) { Some(text) } else { None }
    }

    fn word(&self, key: &str) -> Option<String> {
        match &self.at(&[key])?.value {
            Value::String(text) => Some(text.clone()),
            Value::Integer(number) => Some(number.to_string()),
            _ => None,
        }
    }

    fn remove(&mut self, key: &str) {
        if let Value::Map(entries) = &mut self.value {
            entries.retain(|entry| entry.key != key);
        }
    }

    fn maps<'n>(&'n self, each: &mut dyn FnMut(&'n Node)) {
        if matches!(self.value, Value::Map(_)) {
            each(self);
        }
        self.entries_of().iter().for_each(|entry| entry.value.maps(each));
        self.items().iter().for_each(|item| item.maps(each));
    }

    fn maps_mut(&mut self, each: &mut dyn FnMut(&mut Node)) {
        if matches!(self.value, Value::Map(_)) {
            each(self);
        }
        match &mut self.value {
            Value::Map(entries) => entries.iter_mut().for_each(|entry| entry.value.maps_mut(each)),
            Value::List(items) => items.iter_mut().for_each(|item| item.maps_mut(each)),
            _ => {}
        }
    }
}

/// `VirtualService shop/web`, as people name an object.
pub(super) fn named(object: &Node) -> String {
    let kind = object.text("kind").unwrap_or("configuration of Envoy");
    let metadata = object.at(&["metadata"]);
    let part = |key: &str| metadata.and_then(|metadata| metadata.text(key));
    match (part("namespace"), part("name")) {
        (Some(namespace), Some(name)) => format!("{kind} {namespace}/{name}"),
        (None, Some(name)) => format!("{kind} {name}"),
        _ => kind.to_owned(),
    }
}

/// A text of ours as a tree.
///
/// # Panics
/// Never for a template that the tests have read.
pub(super) fn ours(text: &str) -> Option<Node> {
    document::yaml("", text).ok()?.into_iter().next()
}

/// A text as a node.
pub(super) fn leaf(text: &str) -> Node {
    Node { value: Value::String(text.to_owned()), place: Place::pointer("") }
}

/// Writes documents as YAML.
pub(super) fn write<'n>(documents: impl IntoIterator<Item = &'n Node>) -> String {
    let mut out = String::new();
    for (at, document) in documents.into_iter().enumerate() {
        if at > 0 {
            out.push_str("---\n");
        }
        block(document, 0, false, &mut out);
    }
    out
}

/// A map or a list over lines; `begun`: the first one's margin is there (after `- `).
fn block(node: &Node, margin: usize, begun: bool, out: &mut String) {
    let pad = |first: bool| " ".repeat(if first && begun { 0 } else { margin });
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            for (at, Entry { key, value, .. }) in entries.iter().enumerate() {
                // Writing to memory cannot fail.
                let _ = write!(out, "{}{}:", pad(at == 0), scalar_text(key));
                under(value, margin, out);
            }
        }
        Value::List(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                let _ = write!(out, "{}-", pad(at == 0));
                if is_nested(item) {
                    out.push(' ');
                    block(item, margin + 2, true, out);
                } else {
                    under(item, margin, out);
                }
            }
        }
        _ => under(node, margin, out),
    }
}

fn under(value: &Node, margin: usize, out: &mut String) {
    if is_nested(value) {
        out.push('\n');
        return block(value, margin + 2, false, out);
    }
    let _ = match &value.value {
        Value::Null => writeln!(out, " null"),
        Value::Bool(what) => writeln!(out, " {what}"),
        Value::Integer(number) => writeln!(out, " {number}"),
        Value::Float(number) => writeln!(out, " {number:?}"),
        Value::String(text) => writeln!(out, " {}", scalar_text(text)),
        Value::List(_) => writeln!(out, " []"),
        Value::Map(_) => writeln!(out, " {{}}"),
    };
}

fn is_nested(node: &Node) -> bool {
    !node.entries_of().is_empty() || !node.items().is_empty()
}
