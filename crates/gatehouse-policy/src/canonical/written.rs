//! A value as it is written: YAML and JSON out of one tree, keys in the order given.

use std::fmt::Write as _;

use serde::ser::{Serialize, SerializeMap as _, Serializer};

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Written {
    Bool(bool),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
    Number(i64),
    Text(String),
}

/// A map being built.
#[derive(Debug, Default)]
pub(crate) struct Map(Vec<(String, Written)>);

/// A list of these.
pub(crate) fn list(items: impl IntoIterator<Item = Written>) -> Written {
    Written::List(items.into_iter().collect())
}

/// A list of texts.
pub(crate) fn texts<'t>(items: impl IntoIterator<Item = &'t String>) -> Written {
    list(items.into_iter().cloned().map(Written::Text))
}

impl Map {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn entry(mut self, key: &str, value: Written) -> Self {
        self.0.push((key.to_owned(), value));
        self
    }

    pub(crate) fn text(self, key: &str, value: &str) -> Self {
        self.entry(key, Written::Text(value.to_owned()))
    }

    pub(crate) fn map(self, key: &str, value: Self) -> Self {
        self.entry(key, value.done())
    }

    pub(crate) fn list(self, key: &str, items: impl IntoIterator<Item = Written>) -> Self {
        self.entry(key, list(items))
    }

    /// A list, left out where it is empty.
    pub(crate) fn many(self, key: &str, items: impl IntoIterator<Item = Written>) -> Self {
        let items: Vec<Written> = items.into_iter().collect();
        if items.is_empty() { self } else { self.entry(key, Written::List(items)) }
    }

    pub(crate) fn some(self, key: &str, value: Option<Written>) -> Self {
        match value {
            Some(value) => self.entry(key, value),
            None => self,
        }
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Written> {
        self.0.iter_mut().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn done(self) -> Written {
        Written::Map(self.0)
    }
}

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) => serializer.serialize_i64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl Written {
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.iter().find(|(known, _)| known == key).map(|(_, value)| value),
            _ => None,
        }
    }

    pub(crate) fn first(&self) -> Option<&Self> {
        match self {
            Self::List(items) => items.first(),
            _ => None,
        }
    }

    /// A map without one of its keys.
    pub(crate) fn without(&self, key: &str) -> Self {
        match self {
            Self::Map(entries) => Self::Map(entries.iter().filter(|(known, _)| known != key).cloned().collect()),
            other => other.clone(),
        }
    }

    /// Flow style, on one line; the outermost map without its braces.
    pub(crate) fn flow(&self) -> String {
        match self {
            Self::Map(entries) => {
                entries.iter().map(|(key, value)| value.flow_entry(key)).collect::<Vec<_>>().join(", ")
            }
            other => other.flow_value(),
        }
    }

    fn flow_entry(&self, key: &str) -> String {
        format!("{}: {}", text(key), self.flow_value())
    }

    fn flow_value(&self) -> String {
        match self {
            Self::Map(entries) if !entries.is_empty() => format!("{{ {} }}", self.flow()),
            Self::List(items) if !items.is_empty() => {
                format!("[{}]", items.iter().map(Self::flow_value).collect::<Vec<_>>().join(", "))
            }
            scalar => scalar.scalar(),
        }
    }

    /// Block style, two spaces a level.
    pub(crate) fn yaml(&self) -> String {
        let mut out = String::new();
        self.block(0, &mut out);
        out
    }

    /// Writes lines that begin at `indent`; a map or list that is not empty.
    fn block(&self, indent: usize, out: &mut String) {
        match self {
            Self::Map(entries) => {
                for (key, value) in entries {
                    pad(indent, out);
                    entry(key, value, indent, out);
                }
            }
            Self::List(items) => {
                for item in items {
                    pad(indent, out);
                    out.push_str("- ");
                    item.item(indent + 2, out);
                }
            }
            scalar => {
                pad(indent, out);
                out.push_str(&scalar.scalar());
                out.push('\n');
            }
        }
    }

    /// The rest of a line that begins with `- `, and what follows.
    fn item(&self, indent: usize, out: &mut String) {
        match self {
            Self::Map(entries) if !entries.is_empty() => {
                for (number, (key, value)) in entries.iter().enumerate() {
                    if number > 0 {
                        pad(indent, out);
                    }
                    entry(key, value, indent, out);
                }
            }
            Self::List(items) if !items.is_empty() => {
                out.push('\n');
                self.block(indent, out);
            }
            scalar => {
                out.push_str(&scalar.scalar());
                out.push('\n');
            }
        }
    }

    fn scalar(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Text(value) => text(value),
            Self::List(_) => "[]".to_owned(),
            Self::Map(_) => "{}".to_owned(),
        }
    }
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn entry(key: &str, value: &Written, indent: usize, out: &mut String) {
    out.push_str(&text(key));
    out.push(':');
    match value {
        Written::Map(entries) if !entries.is_empty() => {
            out.push('\n');
            value.block(indent + 2, out);
        }
        Written::List(items) if !items.is_empty() => {
            out.push('\n');
            value.block(indent + 2, out);
        }
        scalar => {
            let _ = writeln!(out, " {}", scalar.scalar());
        }
    }
}

/// A text as a scalar: plain where every reader takes it for a text, else in double quotes.
fn text(value: &str) -> String {
    if is_plain(value) { value.to_owned() } else { quoted(value) }
}

/// Begins with a letter or a slash, has no mark that YAML knows, and is no word that some reader takes for something else.
fn is_plain(value: &str) -> bool {
    const WORDS: [&str; 9] = ["true", "false", "null", "on", "off", "yes", "no", "y", "n"];
    let begins = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '%' | ' ' | '@');
    begins
        && value.chars().all(plain)
        && !value.ends_with(' ')
        && !WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// In double quotes, with the escapes that YAML and JSON share.
fn quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
