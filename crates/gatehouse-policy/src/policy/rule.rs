//! One rule of a policy in force.

use super::Policy;
use crate::action::Then;
use crate::image::{Record, Section, document, limit, node, rule as r, word_of};
use crate::matcher::{self, Facts, Input, Inputs, Phase, Truth, inputs};
use crate::{Fields, Rollout, Tier};

/// One rule of a policy in force.
#[derive(Debug, Clone, Copy)]
pub struct Rule<'p> {
    policy: &'p Policy,
    index: u32,
    words: &'p Record<{ r::WORDS }>,
}

impl<'p> Rule<'p> {
    pub(super) fn new(policy: &'p Policy, index: u32) -> Self {
        Self { policy, index, words: policy.view.record(Section::Rules, index as usize) }
    }

    #[inline]
    fn word(self, word: usize) -> u32 {
        word_of(self.words, word)
    }

    /// Its rank in the order of decision, over all documents.
    #[must_use]
    pub fn index(self) -> u32 {
        self.index
    }

    /// Its name within its document.
    #[must_use]
    pub fn name(self) -> &'p str {
        self.policy.view.text(Section::Rules, self.index as usize, r::NAME)
    }

    /// Name of its document.
    #[must_use]
    pub fn document(self) -> &'p str {
        self.policy.view.text(Section::Documents, self.document_index() as usize, document::NAME)
    }

    /// Number of its document, from 0.
    #[must_use]
    pub fn document_index(self) -> u32 {
        self.word(r::DOCUMENT)
    }

    /// Scope of its document as written, `a/b/c`; empty: none was.
    #[must_use]
    pub fn scope(self) -> &'p str {
        self.policy.view.text(Section::Documents, self.document_index() as usize, document::SCOPE)
    }

    /// `policy/rule`.
    #[must_use]
    pub fn id(self) -> String {
        [self.document(), "/", self.name()].concat()
    }

    /// The same number for the same rule in another policy: the same document and name, match, limit and actions, whatever its
    /// mode and its priority.
    #[must_use]
    pub fn identity(self) -> u64 {
        u64::from(self.word(r::IDENTITY)) | u64::from(self.word(r::IDENTITY + 1)) << 32
    }

    /// Where it stands in the order of decision.
    #[must_use]
    pub fn tier(self) -> Tier {
        match self.word(r::KIND) & 255 {
            0 => Tier::Mandate,
            1 => Tier::Verdict,
            3 => Tier::Default,
            _ => Tier::Rule,
        }
    }

    /// How far its verdict reaches.
    #[must_use]
    pub fn rollout(self) -> Rollout {
        let kind = self.word(r::KIND);
        match kind >> 8 & 255 {
            r::MONITOR => Rollout::Monitor,
            r::CANARY => Rollout::Canary((kind >> 16) as u8),
            _ => Rollout::Enforce,
        }
    }

    /// When it is judged.
    #[must_use]
    pub fn phase(self) -> Phase {
        if self.word(r::KIND) >> 24 == 0 { Phase::Request } else { Phase::Response }
    }

    /// Its limit, by its index in the policy's limits.
    #[must_use]
    pub fn limit(self) -> Option<usize> {
        (self.word(r::LIMIT) as usize).checked_sub(1)
    }

    /// What it does.
    #[must_use]
    pub fn then(self) -> Then<'p> {
        Then::new(&self.policy.view, self.word(r::THEN) as usize)
    }

    /// What it does over the step `step` of its limit: the step's own word, or else the rule's.
    #[must_use]
    pub fn step_then(self, step: u8) -> Then<'p> {
        let view = &self.policy.view;
        let steps = self.limit().map(|index| view.range(Section::Limits, index, limit::FIRST_STEP));
        let own = steps.and_then(|mut steps| steps.nth(step.into()));
        match own.and_then(|own| view.option(Section::Steps, own, limit::STEP_THEN)) {
            Some(index) => Then::new(view, index),
            None => self.then(),
        }
    }

    /// Whether its match holds. Allocates nothing, but for the regexes of an inline policy over bytes that are not ASCII.
    #[must_use]
    pub fn holds(self, facts: &Facts<'_>) -> Truth {
        matcher::holds(&self.policy.view, &self.policy.regexes, self.word(r::CONDITION) as usize, facts)
    }

    /// Fields that its match reads and that are not known.
    #[must_use]
    pub fn unknown_fields(self, facts: &Facts<'_>) -> Fields {
        matcher::unknown(&self.policy.view, &self.policy.regexes, self.word(r::CONDITION) as usize, facts)
    }

    /// Fields that its match reads.
    #[must_use]
    pub fn reads(self) -> Fields {
        matcher::reads(&self.policy.view, &self.policy.regexes, self.word(r::CONDITION) as usize)
    }

    /// What its match reads of these facts, in a form that needs no memory.
    #[must_use]
    pub fn inputs(self, facts: &Facts<'_>) -> Inputs {
        inputs::read(&self.policy.view, &self.policy.regexes, self.word(r::CONDITION) as usize, facts)
    }

    /// Each of `inputs`, which this rule gave.
    pub fn each_input(self, inputs: Inputs) -> impl Iterator<Item = Input<'p>> + use<'p> {
        inputs::each(&self.policy.view, &self.policy.regexes, self.word(r::CONDITION) as usize, inputs)
    }

    /// It matches every request.
    #[must_use]
    pub fn is_unconditional(self) -> bool {
        let kind = self.policy.view.word(Section::Conditions, self.word(r::CONDITION) as usize, node::KIND);
        kind == u32::from(node::ALWAYS)
    }
}
