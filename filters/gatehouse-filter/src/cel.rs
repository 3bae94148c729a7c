//! A table of attributes asked of Envoy: as one CEL list in one call, or one by one where Envoy has no expressions.
//!
//! One absent element fails a whole list: each is guarded, or the list is asked again as one that is.

use crate::host::{self, Pairs};

/// One attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// CEL expression.
    pub expression: String,
    /// The same as a property, its segments with NUL between them; empty: there is no such property.
    pub path: String,
}

impl Attribute {
    /// `has(a.b) ? a.b : ''`, and the property `a`, `b`.
    pub fn guarded(dotted: &str) -> Self {
        Self { expression: format!("has({dotted}) ? {dotted} : ''"), path: dotted.replace('.', "\0") }
    }

    /// `a.b`: one that is absent fails the whole list.
    pub fn bare(dotted: &str) -> Self {
        Self { expression: dotted.to_owned(), ..Self::guarded(dotted) }
    }

    /// `'KEY' in MAP ? MAP['KEY'] : ''`; `map` is dotted.
    pub fn keyed(map: &str, key: &str) -> Self {
        let path = format!("{}\0{key}", map.replace('.', "\0"));
        Self { expression: format!("'{key}' in {map} ? {map}['{key}'] : ''"), path }
    }
}

/// A table and, once Envoy has compiled it, its token.
#[derive(Debug)]
pub struct Table {
    attributes: Vec<Attribute>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Compiled([u8; 4]),
    /// This Envoy has no expressions.
    Single,
}

/// What Envoy said, in the order of the table.
#[derive(Debug)]
pub enum Answers {
    /// In one call.
    List(Pairs),
    /// One by one.
    Single(Vec<Option<Vec<u8>>>),
}

impl Table {
    /// A table of these, not compiled yet.
    #[must_use]
    pub fn new(attributes: Vec<Attribute>) -> Self {
        Self { attributes, state: State::New }
    }

    /// Asks for all of it, about the current context.
    pub fn ask(&mut self) -> Answers {
        self.ask_list().unwrap_or_else(|| Answers::Single(self.attributes.iter().map(single).collect()))
    }

    /// Asks in one call; `None`: this Envoy cannot, or an unguarded attribute is absent.
    pub fn ask_list(&mut self) -> Option<Answers> {
        if self.state == State::New {
            self.state = self.compile();
        }
        if let State::Compiled(token) = self.state
            && let Ok(raw) = host::foreign("expr_evaluate", &token)
            && let Some(list) = Pairs::parse(raw)
            && list.len() == self.attributes.len()
        {
            return Some(Answers::List(list));
        }
        None
    }

    /// Gives the compiled expression back to Envoy.
    pub fn release(&mut self) {
        if let State::Compiled(token) = self.state {
            let _ = host::foreign("expr_delete", &token);
        }
        self.state = State::New;
    }

    fn compile(&self) -> State {
        let mut source = String::from("[");
        for (index, attribute) in self.attributes.iter().enumerate() {
            if index > 0 {
                source.push(',');
            }
            source.push_str(&attribute.expression);
        }
        source.push(']');
        match host::foreign("expr_create", source.as_bytes()).map(|token| <[u8; 4]>::try_from(token.as_slice())) {
            Ok(Ok(token)) => State::Compiled(token),
            _ => State::Single,
        }
    }
}

fn single(attribute: &Attribute) -> Option<Vec<u8>> {
    if attribute.path.is_empty() {
        return None;
    }
    host::property(&attribute.path).ok().flatten()
}

impl Answers {
    /// The bytes of the answer at `index`; `None`: absent or empty.
    pub fn bytes(&self, index: usize) -> Option<&[u8]> {
        let bytes = match self {
            Self::List(pairs) => pairs.name(index),
            Self::Single(values) => values.get(index).and_then(Option::as_deref),
        };
        bytes.filter(|bytes| !bytes.is_empty())
    }

    /// Whether it was asked for, and could be.
    pub fn asked(&self, index: usize) -> bool {
        let length = match self {
            Self::List(pairs) => pairs.len(),
            Self::Single(values) => values.len(),
        };
        index < length
    }

    /// As text; bytes that are no UTF-8 are replaced.
    pub fn text(&self, index: usize) -> Option<String> {
        self.bytes(index).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// As a number. A negative one is no answer.
    pub fn number(&self, index: usize) -> Option<u64> {
        host::as_number(self.bytes(index)?)
    }

    /// As a truth value: one byte.
    pub fn truth(&self, index: usize) -> Option<bool> {
        match self.bytes(index)? {
            [byte] => Some(*byte != 0),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_host_every_answer_is_absent() {
        let mut table = Table::new(vec![Attribute::guarded("response.code"), Attribute::keyed("filter_state", "a.b")]);
        let answers = table.ask();
        assert_eq!((answers.number(0), answers.text(1), answers.truth(7)), (None, None, None));
    }

    #[test]
    fn answers_of_the_wrong_width_are_absent() {
        let answers = Answers::Single(vec![
            Some(vec![1, 2, 3]),
            Some((-5i64).to_le_bytes().to_vec()),
            Some(vec![1]),
            Some(Vec::new()),
        ]);
        assert_eq!((answers.number(0), answers.number(1)), (None, None));
        assert_eq!((answers.truth(0), answers.truth(2), answers.text(3)), (None, Some(true), None));
    }
}
