//! A policy in force: a checked image, and beside it only what cannot be used as bytes (compiled regexes, trusted networks).

use core::cmp::Reverse;

use gatehouse_signals::address::Trust;
use gatehouse_verdict::Mode;
use gatehouse_verdict::record::PolicyStamp;
use regex_lite::Regex;
use sha2::{Digest as _, Sha256};

use crate::image::{self, Section, View, document, rule};
use crate::matcher::{self, Facts, Truth};
use crate::{Action, Ambiguous, PolicyError};

/// Longest host that a name can be (RFC 1035, 2.3.4); a longer one lies under no domain.
const MAX_HOST: usize = 255;

/// A policy in force: immutable.
#[derive(Debug)]
pub struct Policy {
    view: View,
    stamp: PolicyStamp,
    regexes: Vec<Regex>,
    trusts: Vec<Trust>,
}

/// The place of a rule in the order of decision: the deeper layer first, then the higher priority, the order written, the
/// document's name (documents stand in the order of their names).
pub(crate) fn order(view: &View, index: usize) -> impl Ord + use<> {
    let word = |w| view.word(Section::Rules, index, w);
    (Reverse(word(rule::LAYER)), Reverse(word(rule::PRIORITY)), word(rule::POSITION), word(rule::DOCUMENT))
}

impl Policy {
    /// Checks and takes a whole image, which the house calls `revision` (0: the bootstrap's own).
    ///
    /// # Errors
    /// The image is not one of ours, is of another version, or points outside itself.
    pub fn load(image: Vec<u8>, revision: u64) -> Result<Self, PolicyError> {
        let digest = Sha256::digest(&image).into();
        Self::load_hashed(image, revision, digest)
    }

    /// The same for an image whose SHA-256 is known.
    pub(crate) fn load_hashed(image: Vec<u8>, revision: u64, digest: [u8; 32]) -> Result<Self, PolicyError> {
        let view = View::frame(image)?;
        image::check(&view)?;
        let pattern = |index| crate::regex::compile(view.text(Section::Regexes, index, 0));
        let regexes: Result<_, _> = (0..view.count(Section::Regexes)).map(pattern).collect();
        let regexes = regexes.map_err(|_| PolicyError::Malformed(Section::Regexes.name()))?;
        let trusts = trusts(&view)?;
        Ok(Self { view, stamp: PolicyStamp { revision, digest }, regexes, trusts })
    }

    /// Which policy this is.
    #[must_use]
    pub fn stamp(&self) -> PolicyStamp {
        self.stamp
    }

    /// SHA-256 of the image.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.stamp.digest
    }

    /// The image's bytes.
    #[must_use]
    pub fn image(&self) -> &[u8] {
        self.view.bytes()
    }

    /// Number of rules.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.view.count(Section::Rules)
    }

    /// `policy/rule` of every rule.
    pub fn rule_names(&self) -> impl Iterator<Item = String> + '_ {
        (0..self.rules()).map(|index| Rule { policy: self, index }.id())
    }

    /// Every header that some policy may set on requests: lower case, sorted. They are removed from every incoming request.
    pub fn set_headers(&self) -> impl Iterator<Item = &str> {
        (0..self.view.count(Section::SetHeaders)).map(|index| self.view.text(Section::SetHeaders, index, 0))
    }

    /// `name` (any case, `_` read as `-` too, as many applications do) is a header that some policy may set.
    #[must_use]
    pub fn sets_header(&self, name: &[u8]) -> bool {
        let fold = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
        self.view.find_by(Section::SetHeaders, |set| set.iter().copied().cmp(name.iter().map(fold))).is_some()
    }

    /// What holds for `host` (canonical): the rules of the document that names it and of those that hold everywhere. `None`:
    /// no document speaks for it.
    #[must_use]
    pub fn for_host(&self, host: &[u8]) -> Option<Scope<'_>> {
        let document = self.document_of(host).unwrap_or(0);
        let covered = self.view.word(Section::Documents, document, document::FLAGS) & document::COVERED != 0;
        covered.then_some(Scope { policy: self, document })
    }

    /// The document that names the host itself, or else the longest domain above it.
    fn document_of(&self, host: &[u8]) -> Option<usize> {
        let exact = self.view.find(Section::Hosts, host).map(|found| self.view.index(Section::Hosts, found, 2));
        if exact.is_some() || host.len() > MAX_HOST {
            return exact;
        }
        let dots = host.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'.');
        let mut domains = dots.filter_map(|(at, _)| self.view.find(Section::Suffixes, host.get(at..)?));
        domains.next().map(|found| self.view.index(Section::Suffixes, found, 2))
    }
}

/// The trust of each document. Networks are shared between documents in the image but not here, so their sum is bounded by the
/// image's size.
fn trusts(view: &View) -> Result<Vec<Trust>, PolicyError> {
    let mut budget = view.bytes().len() / 4;
    let mut trusts = Vec::with_capacity(view.count(Section::Documents));
    for index in 0..view.count(Section::Documents) {
        let word = |w| view.index(Section::Documents, index, w);
        trusts.push(match word(document::TRUST) as u32 {
            document::TRUST_NETWORKS => {
                let (first, count) = (word(document::TRUST_A), word(document::TRUST_B));
                budget = budget.checked_sub(count).ok_or(PolicyError::Malformed("trusted networks"))?;
                Trust::Networks((first..first + count).map(|network| view.network_of(network)).collect())
            }
            document::TRUST_HOPS => Trust::Hops(u8::try_from(word(document::TRUST_A)).unwrap_or(0)),
            _ => Trust::None,
        });
    }
    Ok(trusts)
}

/// What a policy says about one host.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'p> {
    policy: &'p Policy,
    document: usize,
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
        self.policy.trusts.get(self.document).unwrap_or(&Trust::None)
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
    policy: &'p Policy,
    index: usize,
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
