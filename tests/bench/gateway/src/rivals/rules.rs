//! The rules of a corpus in a form that other filters can be written from, and a count of those that have none there.

use std::collections::BTreeMap;

use gatehouse_corpora::Corpus;
use serde_json::{Map, Value};

use super::read;

/// What a text must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Text {
    Present,
    Is(String),
    Prefix(String),
    Suffix(String),
    Contains(String),
    Regex(String),
}

/// When a rule holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum When {
    /// Always.
    Always,
    /// The path without its query is one of these.
    Path(Vec<Text>),
    Method(Vec<String>),
    Header(String, Vec<Text>),
    /// A parameter of the query.
    Query(String, Vec<Text>),
    /// The client's address is in this list.
    Listed(String),
    /// It is in one of these networks.
    Address(Vec<String>),
    /// The client is a scanner, as far as its name says so.
    Scanner,
    /// The client's certificate says so: never, in plain text.
    Certificate,
    Not(Box<When>),
    Any(Vec<When>),
    All(Vec<When>),
}

/// A limit that others have too: so many requests a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rate {
    /// What makes the key: `client`, `host`, `headers.NAME`, `address.prefix`.
    pub(crate) by: Vec<String>,
    pub(crate) requests: u32,
    pub(crate) seconds: u32,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Then {
    Block,
    Allow,
    Limit(Rate),
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) when: When,
    pub(crate) then: Then,
}

/// The rules of one host or of all.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub(crate) mandates: Vec<Rule>,
    pub(crate) rules: Vec<Rule>,
}

/// Everything.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// Networks by the name of their list.
    pub(crate) lists: BTreeMap<String, Vec<String>>,
    /// For all hosts.
    pub(crate) shared: Rules,
    /// For one.
    pub(crate) hosts: BTreeMap<String, Rules>,
    /// Rules that are not here, by reason.
    pub(crate) left_out: BTreeMap<&'static str, usize>,
}

impl Book {
    /// Reads the documents.
    ///
    /// # Panics
    /// When a rule says something that is neither translated nor known to have no translation.
    pub(crate) fn of(corpus: &Corpus) -> Self {
        let mut book = Self::default();
        for text in &corpus.documents {
            let documents: Value = serde_json::from_str(text).expect("a corpus of JSON");
            documents.as_array().into_iter().flatten().for_each(|document| book.take(&document["spec"]));
        }
        book
    }

    fn take(&mut self, spec: &Value) {
        for (name, list) in spec["lists"].as_object().into_iter().flatten() {
            if let Some(networks) = list["cidrs"].as_array() {
                let texts = networks.iter().filter_map(Value::as_str).map(str::to_owned);
                self.lists.insert(name.clone(), texts.collect());
            }
        }
        let mandates = self.rules(&spec["mandates"]["rules"]);
        let rules = self.rules(&spec["rules"]);
        let own = match spec["hosts"][0].as_str() {
            Some(host) => self.hosts.entry(host.to_owned()).or_default(),
            None => &mut self.shared,
        };
        own.mandates.extend(mandates);
        own.rules.extend(rules);
    }

    fn rules(&mut self, rules: &Value) -> Vec<Rule> {
        let mut taken = Vec::new();
        for rule in rules.as_array().into_iter().flatten().filter_map(Value::as_object) {
            match read_rule(rule) {
                Ok(rule) => taken.push(rule),
                Err(reason) => *self.left_out.entry(reason).or_default() += 1,
            }
        }
        taken
    }

    /// All that are here.
    pub(crate) fn count(&self) -> usize {
        let of = |rules: &Rules| rules.mandates.len() + rules.rules.len();
        of(&self.shared) + self.hosts.values().map(of).sum::<usize>()
    }
}

fn read_rule(rule: &Map<String, Value>) -> Result<Rule, &'static str> {
    let then = match &rule["then"] {
        _ if rule.get("mode").is_some_and(|mode| mode == "monitor") => return Err("only watch"),
        Value::String(word) if word == "record" => return Err("only record"),
        Value::Object(word) if word.contains_key("tag") => return Err("only tag"),
        Value::String(word) if word == "block" => Then::Block,
        Value::String(word) if word == "allow" => Then::Allow,
        Value::String(word) if word == "limit" => Then::Limit(read::rate(&rule["limit"])?),
        other => panic!("`then: {other}` has no translation"),
    };
    let when = read::when(&rule["match"])?;
    Ok(Rule { name: rule["name"].as_str().unwrap_or_default().to_owned(), when, then })
}

#[cfg(test)]
mod tests {
    use gatehouse_corpora::standard;

    use super::*;

    #[test]
    fn every_rule_of_the_standard_case_is_translated_or_counted() {
        let corpus = standard();
        let book = Book::of(&corpus);
        assert_eq!(book.count() + book.left_out.values().sum::<usize>(), corpus.rules);
        assert!(book.count() > corpus.rules * 6 / 10, "{:?}", book.left_out);
        assert_eq!(book.hosts.len(), 20);
        assert_eq!(book.lists.values().map(Vec::len).sum::<usize>(), 100_000);
    }
}
