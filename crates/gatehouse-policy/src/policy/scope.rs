//! What a policy in force says about one host, and its rules one by one.

use gatehouse_signals::address::Trust;
use gatehouse_verdict::Mode;

use super::{Policy, order};
use crate::image::{Section, document, rule};
use crate::matcher::{self, Facts, Truth};
use crate::{Action, Ambiguous};

/// What a policy says about one host.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'p> {
    pub(super) policy: &'p Policy,
    pub(super) document: usize,
}

impl<'p> Scope<'p> {
    fn word(self, word: usize) -> u32 {
        self.policy.view.word(Section::Documents, self.document, word)
    }

    fn document_name(self, word: usize) -> &'p str {
        self.policy.view.text(Section::Documents, self.word(word) as usize, document::NAME)
    }

    /// Whose word is taken for who the client is.
    #[must_use]
    pub fn trust(self) -> &'p Trust {
        let own = self.policy.trust_of.get(self.document);
        own.and_then(|at| self.policy.trusts.get(*at)).unwrap_or(&Trust::None)
    }

    /// What happens to a request with more than one reading; `None`: by the kind of its ambiguity.
    #[must_use]
    pub fn ambiguous(self) -> Option<Ambiguous> {
        match self.word(document::AMBIGUOUS) {
            document::AMBIGUOUS_STRICTEST => Some(Ambiguous::Strictest),
            document::AMBIGUOUS_REJECT => Some(Ambiguous::Reject),
            _ => None,
        }
    }

    /// How far a refusal for ambiguity reaches, and the name of the document that says so.
    #[must_use]
    pub fn ambiguous_mode(self) -> (Mode, &'p str) {
        (mode(self.word(document::AMBIGUOUS_MODE)), self.document_name(document::AMBIGUOUS_OWNER))
    }

    /// What happens when no rule decides: the action (allow or block), how far it reaches, and the name of the document that
    /// says so. `None`: nobody says; the request is allowed.
    #[must_use]
    pub fn otherwise(self) -> Option<(Action<'p>, Mode, &'p str)> {
        let index = self.word(document::OTHERWISE).checked_sub(1)? as usize;
        let owner = self.document_name(document::OTHERWISE_OWNER);
        Some((Action::read(&self.policy.view, index), mode(self.word(document::OTHERWISE_MODE)), owner))
    }

    /// The rules that may hold, in the order of decision: those of the host's document and those that hold everywhere.
    pub fn rules(self) -> impl Iterator<Item = Rule<'p>> + use<'p> {
        let view = &self.policy.view;
        let first = self.word(document::FIRST_RULE) as usize;
        let mut own = (first..first + self.word(document::RULES) as usize).peekable();
        let mut shared = (0..view.count(Section::Shared)).map(|i| view.index(Section::Shared, i, 0)).peekable();
        let policy = self.policy;
        core::iter::from_fn(move || {
            let own_first = match (own.peek(), shared.peek()) {
                (Some(a), Some(b)) => order(view, *a) <= order(view, *b),
                (a, _) => a.is_some(),
            };
            let index = if own_first { own.next() } else { shared.next() };
            index.map(|index| Rule { policy, index })
        })
    }
}

fn mode(word: u32) -> Mode {
    if word == rule::MONITOR { Mode::Monitor } else { Mode::Enforce }
}

/// One rule of a policy in force.
#[derive(Debug, Clone, Copy)]
pub struct Rule<'p> {
    pub(super) policy: &'p Policy,
    pub(super) index: usize,
}

impl<'p> Rule<'p> {
    fn word(self, word: usize) -> usize {
        self.policy.view.index(Section::Rules, self.index, word)
    }

    /// Its name within its document.
    #[must_use]
    pub fn name(self) -> &'p str {
        self.policy.view.text(Section::Rules, self.index, rule::NAME)
    }

    /// Name of its document.
    #[must_use]
    pub fn document(self) -> &'p str {
        self.policy.view.text(Section::Documents, self.word(rule::DOCUMENT), document::NAME)
    }

    /// `policy/rule`.
    #[must_use]
    pub fn id(self) -> String {
        [self.document(), "/", self.name()].concat()
    }

    /// How far its verdict reaches.
    #[must_use]
    pub fn mode(self) -> Mode {
        mode(self.word(rule::MODE) as u32)
    }

    /// What it does.
    #[must_use]
    pub fn action(self) -> Action<'p> {
        Action::read(&self.policy.view, self.word(rule::ACTION))
    }

    /// Whether its match holds. Allocates nothing, but for a regex over bytes that are not ASCII.
    #[must_use]
    pub fn holds(self, facts: &Facts<'_>) -> Truth {
        matcher::holds(&self.policy.view, &self.policy.regexes, self.word(rule::NODE), facts)
    }
}
