//! Whether a match holds for a request: one predicate a file, and the tree that joins them.
//!
//! Unknown is not false: a field that cannot be known makes the match unknown, through `not`, `any` and `all` alike, and an
//! enforced rule does not fire on it.

mod address;
mod header;
mod host;
mod method;
mod path;
mod truth;

use std::net::IpAddr;

use gatehouse_signals::Head;
use regex_lite::Regex;

use crate::image::{Section, View, node};

pub use truth::Truth;

/// What is known of a request, on one reading.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Canonical host; empty: none was named.
    pub host: &'a [u8],
    /// Canonical path.
    pub path: &'a [u8],
    /// Method as received.
    pub method: &'a [u8],
    /// The client's address; `None`: not known.
    pub address: Option<IpAddr>,
    /// Its headers.
    pub head: Head<'a>,
}

/// The truth of the tree that begins at node `at` of a checked image. Children stand cheapest first, so that a regex is run
/// only where what is cheaper has not decided.
pub(crate) fn holds(view: &View, regexes: &[Regex], at: usize, facts: &Facts<'_>) -> Truth {
    let kind = view.word(Section::Nodes, at, node::KIND);
    let leaf = Leaf { view, regexes, at, test: (kind >> 8) as u8 };
    match kind as u8 {
        node::ALL => truth::all(leaf.children().map(|child| holds(view, regexes, child, facts))),
        node::ANY => truth::any(leaf.children().map(|child| holds(view, regexes, child, facts))),
        node::NOT => holds(view, regexes, at + 1, facts).negated(),
        node::ALWAYS => Truth::True,
        node::METHOD => method::holds(leaf, facts.method).into(),
        node::HOST => host::holds(leaf, facts.host).into(),
        node::PATH => path::holds(leaf, facts.path).into(),
        node::HEADER => header::holds(leaf, facts.head).into(),
        node::ADDRESS => address::holds(leaf, facts.address),
        _ => Truth::Unknown,
    }
}

/// One node of a checked image.
#[derive(Clone, Copy)]
struct Leaf<'p> {
    view: &'p View,
    regexes: &'p [Regex],
    at: usize,
    test: u8,
}

impl<'p> Leaf<'p> {
    fn children(self) -> impl Iterator<Item = usize> {
        let end = self.view.index(Section::Nodes, self.at, node::END);
        let mut next = self.at + 1;
        core::iter::from_fn(move || {
            let child = next;
            if child >= end {
                return None;
            }
            next = self.view.index(Section::Nodes, child, node::END);
            Some(child)
        })
    }

    /// The text whose two words begin at `word`.
    fn text(self, word: usize) -> &'p [u8] {
        self.view.text_bytes(Section::Nodes, self.at, word)
    }

    fn word(self, word: usize) -> usize {
        self.view.index(Section::Nodes, self.at, word)
    }

    /// The regex whose number stands at `word` is found in `bytes`.
    fn regex(self, word: usize, bytes: &[u8]) -> bool {
        self.regexes.get(self.word(word)).is_some_and(|regex| crate::regex::found(regex, bytes))
    }
}
