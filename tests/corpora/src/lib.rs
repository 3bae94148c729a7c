//! Made policies and requests: what is measured, and what growth is tested on. Texts only, so that every crate may use them in its
//! tests; the same on every machine.
//!
//! | module | holds |
//! |---|---|
//! | [`standard()`] | the standard case: 1,000 rules of mixed kinds, lists of 100,000 networks, 50 limits, 5 % mitigated |
//! | [`lists_and_limits()`] | the same without what is worked out of texts: agents, fingerprints, words, regexes |
//! | [`Shape`] | five corpora of any size that show what an index costs when rules grow |
//! | [`Ask`] | one request |

mod ask;
mod clients;
mod dice;
mod networks;
mod shapes;
mod standard;

pub use ask::Ask;
pub use dice::Dice;
pub use networks::networks;
pub use shapes::Shape;
pub use standard::{lists_and_limits, standard, standard_of};

/// Policy documents and requests for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corpus {
    /// What it is called.
    pub name: String,
    /// JSON texts, each one document or a list of documents, and at most 1 MiB.
    pub documents: Vec<String>,
    /// Rules in all documents.
    pub rules: usize,
    /// Requests, in the order to send them.
    pub asks: Vec<Ask>,
}

/// The proxies that the standard case trusts, as it writes them.
const PROXIES: &str = r#""trust":["10.0.0.0/8"]"#;

impl Corpus {
    /// The same behind other proxies: where requests come from this machine.
    ///
    /// # Panics
    /// When no document trusts a proxy.
    #[must_use]
    pub fn behind(mut self, network: &str) -> Self {
        assert!(self.documents.iter().any(|text| text.contains(PROXIES)), "{} trusts no proxy", self.name);
        let other = format!(r#""trust":["{network}"]"#);
        self.documents.iter_mut().for_each(|text| *text = text.replace(PROXIES, &other));
        self
    }
}

/// A document of JSON texts: its name, its scope, and its spec without braces.
pub(crate) fn document(name: &str, scope: &str, spec: &str) -> String {
    let head = r#""apiVersion":"gatehouse.dev/v1","kind":"Policy""#;
    format!(r#"{{{head},"metadata":{{"name":"{name}","scope":"{scope}"}},"spec":{{{spec}}}}}"#)
}

/// Joins documents to lists that stay under the limit of one text.
pub(crate) fn texts(documents: Vec<String>) -> Vec<String> {
    const LIMIT: usize = 1_000_000;
    let mut texts: Vec<Vec<String>> = Vec::new();
    let mut size = LIMIT;
    for document in documents {
        if size + document.len() + 1 > LIMIT {
            texts.push(Vec::new());
            size = 2;
        }
        size += document.len() + 1;
        if let Some(last) = texts.last_mut() {
            last.push(document);
        }
    }
    texts.into_iter().map(|documents| format!("[{}]", documents.join(","))).collect()
}

#[cfg(test)]
mod tests;
