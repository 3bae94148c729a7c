//! JSON to nodes: through serde_json's reader, but keeping every key, so that a key written twice is seen.

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::suggest::quoted;
use super::{Entry, MAX_DEPTH, MAX_DOCUMENT, Node, Place, Problems, Value};

/// Longest part of a key that a pointer shows, in characters.
const POINTER_KEY: usize = 64;

/// Reads one JSON value; places are pointers that begin with `name`.
///
/// # Errors
/// The text is larger than 1 MiB, is no JSON (place: line and column), nests deeper than 32, or holds a key twice.
pub fn json(name: &str, text: &str) -> Result<Node, Problems> {
    let mut problems = Problems::default();
    if text.len() > MAX_DOCUMENT {
        problems.push(&Place::pointer(name), "the document is larger than 1 MiB", "split it");
        return Err(problems);
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let seed = Seed { path: name.to_owned(), depth: 0, problems: &mut problems };
    match seed.deserialize(&mut reader).and_then(|node| reader.end().map(|()| node)) {
        Ok(node) => problems.or(node),
        Err(error) => {
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or("unreadable");
            problems.push(&Place::text(name, error.line(), error.column()), format!("not JSON: {message}"), "");
            Err(problems)
        }
    }
}

/// Reads the value at `path`.
struct Seed<'p> {
    path: String,
    depth: usize,
    problems: &'p mut Problems,
}

impl Seed<'_> {
    fn place(&self) -> Place {
        Place::Pointer(Arc::from(self.path.as_str()))
    }

    fn node<E>(&self, value: Value) -> Result<Node, E> {
        Ok(Node { value, place: self.place() })
    }

    fn child(&mut self, path: String) -> Seed<'_> {
        Seed { path, depth: self.depth + 1, problems: self.problems }
    }

    /// Too deep: told once where it begins.
    fn too_deep(&mut self) -> bool {
        let deep = self.depth >= MAX_DEPTH;
        if deep {
            let place = self.place();
            self.problems.push(&place, format!("nested deeper than {MAX_DEPTH}"), "");
        }
        deep
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        self.node(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        self.node(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        self.node(Value::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        self.node(i64::try_from(value).map_or(Value::Float(value as f64), Value::Integer))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        self.node(Value::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        self.node(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Node, E> {
        self.node(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        if self.too_deep() {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return self.node(Value::List(items));
        }
        loop {
            let path = format!("{}[{}]", self.path, items.len());
            match list.next_element_seed(self.child(path))? {
                Some(item) => items.push(item),
                None => return self.node(Value::List(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Node, A::Error> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        if self.too_deep() {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return self.node(Value::Map(entries));
        }
        while let Some(key) = map.next_key::<String>()? {
            let shown: String = key.chars().take(POINTER_KEY).map(|c| if c.is_control() { '?' } else { c }).collect();
            let path = format!("{}.{shown}", self.path);
            let key_place = Place::pointer(&path);
            let value = map.next_value_seed(self.child(path))?;
            if seen.insert(key.clone()) {
                entries.push(Entry { key, key_place, value });
            } else {
                self.problems.push(&key_place, format!("{} is written twice", quoted(&key)), "keep one of them");
            }
        }
        self.node(Value::Map(entries))
    }
}
