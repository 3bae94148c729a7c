//! The fields of one map: taken by name, and whatever was not taken is a problem.

use super::suggest::{nearest, quoted};
use super::{Entry, Node, Place, Problems, Value};

/// The fields of one map. Take every field that exists in the language, then [`Fields::finish`].
#[derive(Debug)]
pub struct Fields<'a> {
    /// What the reference calls such a map; the reference is tested against what is taken here.
    #[cfg(all(test, feature = "yaml"))]
    object: &'static str,
    entries: &'a [Entry],
    place: &'a Place,
    what: String,
    known: Vec<&'static str>,
    later: Vec<&'static str>,
    missing: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// The fields of `node`; `what` names it in messages (`the listener`, `a rule`). A node that is no map is a problem.
    pub fn new(node: &'a Node, what: impl Into<String>, problems: &mut Problems) -> Option<Self> {
        let what = what.into();
        let Value::Map(entries) = &node.value else {
            problems.push(&node.place, format!("{} is {}", what, node.kind()), "a map of `field: value` is expected");
            return None;
        };
        Some(Self {
            #[cfg(all(test, feature = "yaml"))]
            object: "",
            entries,
            place: &node.place,
            what,
            known: Vec::new(),
            later: Vec::new(),
            missing: Vec::new(),
        })
    }

    /// The same for a map that the reference of the policy language describes as `object`.
    #[cfg_attr(
        not(all(test, feature = "yaml")),
        expect(unused_variables, reason = "the reference is tested against it, nothing else asks")
    )]
    pub(crate) fn of(
        object: &'static str,
        node: &'a Node,
        what: impl Into<String>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let fields = Self::new(node, what, problems);
        #[cfg(all(test, feature = "yaml"))]
        let fields = fields.map(|fields| Self { object, ..fields });
        fields
    }

    /// The field `key`, if it was written.
    pub fn take(&mut self, key: &'static str) -> Option<&'a Node> {
        self.known.push(key);
        self.entries.iter().find(|e| e.key == key).map(|e| &e.value)
    }

    /// The field `key`; its absence is a problem, told by [`Fields::finish`].
    pub fn require(&mut self, key: &'static str) -> Option<&'a Node> {
        let found = self.take(key);
        if found.is_none() {
            self.missing.push(key);
        }
        found
    }

    /// Words of the language whose machinery does not exist yet: refused by name, never ignored.
    pub fn not_built(&mut self, keys: &[&'static str]) {
        self.later.extend_from_slice(keys);
    }

    /// Where the map stands.
    #[must_use]
    pub fn place(&self) -> &'a Place {
        self.place
    }

    /// Where the key `key` stands; the map's own place if it was not written.
    #[must_use]
    pub fn key_place(&self, key: &str) -> &'a Place {
        self.entries.iter().find(|e| e.key == key).map_or(self.place, |e| &e.key_place)
    }

    /// Tells what was required and is missing, and what was written and is unknown.
    pub fn finish(self, problems: &mut Problems) {
        #[cfg(all(test, feature = "yaml"))]
        taken::note(self.object, &self.known, &self.later);
        for key in &self.missing {
            problems.push(self.place, format!("{} has no `{key}`", self.what), format!("add `{key}:`"));
        }
        for entry in self.entries.iter().filter(|e| !self.known.contains(&e.key.as_str())) {
            let key = quoted(&entry.key);
            if self.later.contains(&entry.key.as_str()) {
                problems.push(&entry.key_place, format!("{key} is not built yet"), "leave it out");
                continue;
            }
            let all = self.known.iter().chain(&self.later).copied();
            let help = match nearest(&entry.key, all) {
                Some(word) => format!("did you mean `{word}`?"),
                None if self.known.is_empty() => String::new(),
                None => format!("known are {}", list(&self.known)),
            };
            problems.push(&entry.key_place, format!("unknown field {key} in {}", self.what), help);
        }
    }
}

/// `a`, `b`, `c`, each in backticks.
pub(crate) fn list(words: &[&str]) -> String {
    let mut out = String::new();
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        out.push('`');
        out.push_str(word);
        out.push('`');
    }
    out
}

/// What readers took, for the test that holds them and the reference together.
#[cfg(all(test, feature = "yaml"))]
pub(crate) mod taken {
    use std::cell::RefCell;
    use std::collections::{BTreeMap, BTreeSet};

    /// Object → its words; `true`: not built yet.
    pub(crate) type Taken = BTreeMap<&'static str, BTreeSet<(&'static str, bool)>>;

    thread_local!(static TAKEN: RefCell<Taken> = const { RefCell::new(BTreeMap::new()) });

    pub(super) fn note(object: &'static str, known: &[&'static str], later: &[&'static str]) {
        let words = known.iter().map(|word| (*word, false)).chain(later.iter().map(|word| (*word, true)));
        TAKEN.with_borrow_mut(|taken| taken.entry(object).or_default().extend(words));
    }

    /// What this thread's readers took since it was asked last.
    pub(crate) fn all() -> Taken {
        TAKEN.take()
    }
}
