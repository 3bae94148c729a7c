//! Documents as trees of nodes that know their place: what the policy language and every configuration file is read from.
//!
//! Reading never stops at the first problem: each helper reports into [`Problems`] and gives `None`, so that one run tells
//! everything, each with `file:line:column` (or a pointer such as `policy.spec.rules[2].match`), the operator's own words in
//! backticks, and what would be right.
//!
//! | function | reads |
//! |---|---|
//! | `yaml` (feature `yaml`) | YAML 1.2, several documents a file, only what YAML 1.1 and 1.2 readers agree on |
//! | [`json`](json()) | one JSON value; a key written twice is refused, not lost |
//!
//! ```
//! use gatehouse_policy::document::{Fields, Problems, json};
//! let node = json("example", r#"{"listen": "127.0.0.1:1", "wait": "5s", "colur": 1}"#).unwrap();
//! let mut problems = Problems::default();
//! let mut fields = Fields::new(&node, "the listener", &mut problems).unwrap();
//! let listen = fields.require("listen").and_then(|n| n.string(&mut problems));
//! let wait = fields.take("wait").and_then(|n| n.duration(&mut problems));
//! fields.take("colour");
//! fields.finish(&mut problems);
//! assert_eq!((listen, wait), (Some("127.0.0.1:1"), Some(std::time::Duration::from_secs(5))));
//! assert_eq!(problems.to_string(), "example.colur: unknown field `colur` in the listener; did you mean `colour`?");
//! ```

mod fields;
mod json;
mod place;
mod read;
mod suggest;
#[cfg(feature = "yaml")]
mod yaml;

#[cfg(test)]
#[cfg(feature = "yaml")]
mod tests;

pub use fields::Fields;
pub(crate) use fields::list;
#[cfg(test)]
#[cfg(feature = "yaml")]
pub(crate) use fields::taken;
pub use json::json;
pub use place::{Place, Problem, Problems};
#[cfg(feature = "yaml")]
pub(crate) use read::size_text;
pub(crate) use read::{duration_ms, duration_text};
pub use suggest::{nearest, quoted};
#[cfg(feature = "yaml")]
pub use yaml::yaml;

/// Largest document, in bytes.
pub const MAX_DOCUMENT: usize = 1 << 20;
/// Largest text of several documents, in bytes.
pub const MAX_TEXT: usize = 16 << 20;
/// Deepest nesting of lists and maps.
pub const MAX_DEPTH: usize = 32;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What was written.
    pub value: Value,
    /// Where.
    pub place: Place,
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing: `null`, `~` or an empty value.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    String(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order written; no key occurs twice.
    Map(Vec<Entry>),
}

/// Without its places. A number that JSON has no word for (`.nan`, `.inf`) is `null`.
impl From<&Node> for serde_json::Value {
    fn from(node: &Node) -> Self {
        match &node.value {
            Value::Null => Self::Null,
            Value::Bool(truth) => (*truth).into(),
            Value::Integer(number) => (*number).into(),
            Value::Float(number) => (*number).into(),
            Value::String(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Self::from).collect(),
            Value::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), Self::from(&entry.value))).collect(),
        }
    }
}

/// One entry of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// Where the key stands.
    pub key_place: Place,
    /// Its value.
    pub value: Node,
}
