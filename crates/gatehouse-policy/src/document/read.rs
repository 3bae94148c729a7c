//! Typed reading of one node: each helper gives the value, or reports what is wrong and gives `None`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::fields::list;
use super::suggest::{nearest, quoted};
use super::{Entry, Node, Problems, Value};

/// Units and what one of them is worth, ascending.
const DURATION_UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZE_UNITS: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

impl Node {
    /// What the node is, for messages: "`80`, a number".
    #[must_use]
    pub fn kind(&self) -> String {
        match &self.value {
            Value::Null => "empty".into(),
            Value::Bool(b) => format!("`{b}`, a truth value"),
            Value::Integer(n) => format!("`{n}`, a number"),
            Value::Float(n) => format!("`{n}`, a number"),
            Value::String(s) => format!("{}, a text", quoted(s)),
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a map".into(),
        }
    }

    /// Text.
    pub fn string(&self, problems: &mut Problems) -> Option<&str> {
        match &self.value {
            Value::String(s) => Some(s),
            Value::Bool(_) | Value::Integer(_) | Value::Float(_) => self.wrong("a text", "quote it", problems),
            _ => self.wrong("a text", "", problems),
        }
    }

    /// Text that no message may show (a password, a key): problems name only its place.
    pub fn secret(&self, problems: &mut Problems) -> Option<&str> {
        if let Value::String(s) = &self.value {
            return Some(s);
        }
        problems.push(&self.place, "the secret here is not a text", "quote it");
        None
    }

    /// `true` or `false`.
    pub fn boolean(&self, problems: &mut Problems) -> Option<bool> {
        match &self.value {
            Value::Bool(b) => Some(*b),
            _ => self.wrong("`true` or `false`", "", problems),
        }
    }

    /// A whole number within `range`.
    pub fn integer(&self, range: RangeInclusive<i64>, problems: &mut Problems) -> Option<i64> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        match &self.value {
            Value::Integer(n) if range.contains(n) => Some(*n),
            Value::Integer(n) => {
                problems.push(&self.place, format!("`{n}` is out of range"), format!("write {expected}"));
                None
            }
            _ => self.wrong(&expected, "", problems),
        }
    }

    /// A time span with its unit (`ms`, `s`, `m`, `h`, `d`), e.g. `1500ms`, `10m`, `1h30m` (larger units first).
    pub fn duration(&self, problems: &mut Problems) -> Option<Duration> {
        let ms = self.quantity("a duration", "ms, s, m, h or d, such as `30s`", &DURATION_UNITS, problems)?;
        Some(Duration::from_millis(ms))
    }

    /// A number of bytes with its unit (`B`, `KiB`, `MiB`, `GiB`), e.g. `64KiB`.
    pub fn size(&self, problems: &mut Problems) -> Option<u64> {
        self.quantity("a size", "B, KiB, MiB or GiB, such as `64KiB`", &SIZE_UNITS, problems)
    }

    /// The items of a list.
    pub fn list(&self, problems: &mut Problems) -> Option<&[Self]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => self.wrong("a list", "", problems),
        }
    }

    /// The items of a list, or the node itself as the only one.
    #[must_use]
    pub fn one_or_many(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => std::slice::from_ref(self),
        }
    }

    /// One text or a list of texts. Items that are no text are reported and left out.
    pub fn strings(&self, problems: &mut Problems) -> Option<Vec<&str>> {
        match &self.value {
            Value::List(items) => {
                let read: Vec<_> = items.iter().map(|item| item.string(problems)).collect();
                Some(read.into_iter().flatten().collect())
            }
            Value::Map(_) | Value::Null => self.wrong("a text or a list of texts", "", problems),
            _ => self.string(problems).map(|s| vec![s]),
        }
    }

    /// The entries of a map whose keys are the operator's own (names of lists, of headers).
    pub fn entries(&self, problems: &mut Problems) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => self.wrong("a map", "", problems),
        }
    }

    /// One of a fixed set of words.
    pub fn one_of(&self, words: &[&'static str], problems: &mut Problems) -> Option<&'static str> {
        let text = match &self.value {
            Value::String(s) => s.as_str(),
            _ => return self.wrong(&format!("one of {}", list(words)), "", problems),
        };
        let found = words.iter().copied().find(|w| *w == text);
        if found.is_none() {
            let help = match nearest(text, words.iter().copied()) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("write one of {}", list(words)),
            };
            problems.push(&self.place, format!("unknown word {}", quoted(text)), help);
        }
        found
    }

    fn wrong<T>(&self, expected: &str, help: &str, problems: &mut Problems) -> Option<T> {
        let message = match &self.value {
            Value::Null => format!("nothing is written here, {expected} is expected"),
            _ => format!("{} where {expected} is expected", self.kind()),
        };
        problems.push(&self.place, message, help);
        None
    }

    fn quantity(&self, what: &str, units: &str, table: &[(&str, u64)], problems: &mut Problems) -> Option<u64> {
        let text = match &self.value {
            Value::String(s) => s.as_str(),
            Value::Integer(n) => {
                problems.push(
                    &self.place,
                    format!("`{n}` has no unit"),
                    format!("write {what} with its unit: {units}"),
                );
                return None;
            }
            _ => return self.wrong(what, &format!("write it with its unit: {units}"), problems),
        };
        let value = sum(text, table);
        if value.is_none() {
            let message = format!("{} is not {what}", quoted(text));
            problems.push(&self.place, message, format!("write a whole number and its unit: {units}"));
        }
        value
    }
}

/// The worth of `10m` or `1h30m`: whole numbers, each with its unit, larger units first. `None`: it is nothing of the kind, or
/// beyond 64 bits.
fn sum(text: &str, table: &[(&str, u64)]) -> Option<u64> {
    let mut rest = text;
    let mut total = 0u64;
    let mut last = u64::MAX;
    while !rest.is_empty() {
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let number: u64 = rest.strip_suffix(after)?.parse().ok()?;
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, next) = after.split_at_checked(end)?;
        let factor = table.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor)?;
        if factor >= last {
            return None;
        }
        total = total.checked_add(number.checked_mul(factor)?)?;
        last = factor;
        rest = next;
    }
    (last < u64::MAX).then_some(total)
}

/// `ms` as [`Node::duration`] reads it, in the largest unit that tells it whole: 5400000 is `90m`.
pub(crate) fn duration_text(ms: u64) -> String {
    largest(ms, &DURATION_UNITS)
}

#[cfg(feature = "yaml")]
/// `bytes` as [`Node::size`] reads it, in the largest unit that tells it whole.
pub(crate) fn size_text(bytes: u64) -> String {
    largest(bytes, &SIZE_UNITS)
}

fn largest(value: u64, table: &[(&str, u64)]) -> String {
    let whole = |(_, factor): &&(&str, u64)| value.is_multiple_of(*factor) && value > 0;
    let (unit, factor) = table.iter().rev().find(whole).or(table.first()).copied().unwrap_or_default();
    format!("{}{unit}", value / factor.max(1))
}

/// A duration in milliseconds from its text; `None`: it is none.
pub(crate) fn duration_ms(text: &str) -> Option<u64> {
    sum(text, &DURATION_UNITS)
}
