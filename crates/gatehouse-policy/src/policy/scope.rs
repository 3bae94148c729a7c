//! What a policy in force says about one host.

use gatehouse_signals::address::{Source, Trust};
use gatehouse_verdict::Mode;

use super::{ClientKey, Policy, Rule};
use crate::action::{Names, Then};
use crate::image::{MEMBER_OWN, Record, Section, document, scope as s, word_of};
use crate::index::collect;
use crate::matcher::{Facts, Phase};
use crate::{Ambiguous, Backend, Candidates, Fields, Parameters, Reads, Tier};

/// What a policy says about one host.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'p> {
    policy: &'p Policy,
    index: usize,
    words: &'p Record<{ s::WORDS }>,
}

/// Headers that only a trusted proxy may set.
#[derive(Debug, Clone, Copy)]
pub struct IdentityHeaders<'p> {
    /// Lower-case names.
    pub names: Names<'p>,
    /// A request that carries one is refused; else they are removed.
    pub refuse: bool,
    /// How far a refusal reaches.
    pub mode: Mode,
    /// Name of the document that says so.
    pub document: &'p str,
}

/// Server names that a connection may have.
#[derive(Debug, Clone, Copy)]
pub struct ServerNames<'p> {
    /// Names that are the gateway's own, beside the host's; `.domain` stands for all below it.
    pub own: Names<'p>,
    /// How far a refusal reaches.
    pub mode: Mode,
    /// Name of the document that says so.
    pub document: &'p str,
}

/// Where a refused client finds help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Support<'p> {
    /// What it is told.
    pub text: Option<&'p str>,
    /// https or mailto.
    pub link: Option<&'p str>,
}

impl<'p> Scope<'p> {
    pub(super) fn new(policy: &'p Policy, index: usize) -> Self {
        Self { policy, index, words: policy.view.record(Section::Scopes, index) }
    }

    #[inline]
    fn word(self, word: usize) -> u32 {
        word_of(self.words, word)
    }

    /// The range of another section that two words name: first and number.
    #[inline]
    fn range(self, word: usize) -> core::ops::Range<usize> {
        let first = self.word(word) as usize;
        first..first.saturating_add(self.word(word + 1) as usize)
    }

    fn has(self, flag: u32) -> bool {
        self.word(s::FLAGS) & flag != 0
    }

    fn document_name(self, word: usize) -> &'p str {
        self.policy.view.text(Section::Documents, self.word(word) as usize, document::NAME)
    }

    pub(super) fn is_covered(self) -> bool {
        self.has(s::COVERED)
    }

    /// Which of the policy's scopes it is: dense, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        self.index
    }

    /// Some document names the host; else this is what holds for hosts that nobody names.
    #[must_use]
    pub fn is_claimed(self) -> bool {
        self.index != 0
    }

    /// Scope of its deepest document as written, `a/b/c`; empty: none was.
    #[must_use]
    pub fn name(self) -> &'p str {
        self.policy.view.text(Section::Documents, self.word(s::OWNER) as usize, document::SCOPE)
    }

    /// Where the client's address is read, and whose word is taken for who it is.
    #[must_use]
    pub fn client_source(self) -> (&'p Source, &'p Trust) {
        let found = self.policy.clients.get(self.word(s::CLIENT) as usize).or_else(|| self.policy.clients.first());
        found.map_or((&Source::Peer, &Trust::None), |client| (&client.source, &client.trust))
    }

    /// What tells the client from others, in order; the first that is known. Empty: nobody said.
    #[must_use]
    pub fn client_key(self) -> &'p [ClientKey] {
        let range = self.range(s::FIRST_KEY);
        self.policy.client_keys.get(range).unwrap_or_default()
    }

    /// What happens to a request with more than one reading; `None`: by the kind of its ambiguity.
    #[must_use]
    pub fn ambiguous(self) -> Option<Ambiguous> {
        match self.word(s::AMBIGUOUS) {
            s::AMBIGUOUS_STRICTEST => Some(Ambiguous::Strictest),
            s::AMBIGUOUS_REJECT => Some(Ambiguous::Reject),
            _ => None,
        }
    }

    /// How far a refusal for ambiguity reaches, and the name of the document that says so.
    #[must_use]
    pub fn ambiguous_mode(self) -> (Mode, &'p str) {
        (mode(self.word(s::AMBIGUOUS_MODE)), self.document_name(s::AMBIGUOUS_OWNER))
    }

    /// What happens when no rule decides, and how far it reaches. `None`: nobody says; the request is allowed.
    #[must_use]
    pub fn otherwise(self) -> Option<(Then<'p>, Mode)> {
        let index = self.word(s::OTHERWISE).checked_sub(1)? as usize;
        Some((Then::new(&self.policy.view, index), mode(self.word(s::OTHERWISE_MODE))))
    }

    /// Name of the document that says what happens when no rule decides.
    #[must_use]
    pub fn otherwise_document(self) -> &'p str {
        self.document_name(s::OTHERWISE_OWNER)
    }

    /// What stands behind the gate.
    #[must_use]
    pub fn backend(self) -> Backend {
        let word = self.word(s::BACKEND);
        let parameters = match word >> 16 {
            1 => Parameters::Ignored,
            2 => Parameters::Kept,
            _ => Parameters::Both,
        };
        Backend { case_insensitive: word & 1 != 0, decodes: (word >> 8) as u8, parameters }
    }

    /// Requests go on in their canonical form.
    #[must_use]
    pub fn forward_canonical(self) -> bool {
        self.has(s::FORWARD_CANONICAL)
    }

    /// Where a refused client finds help; `None`: nobody said.
    #[must_use]
    pub fn support(self) -> Option<Support<'p>> {
        let text = |flag, word| self.has(flag).then(|| self.policy.view.text(Section::Scopes, self.index, word));
        let support = Support { text: text(s::HAS_TEXT, s::SUPPORT_TEXT), link: text(s::HAS_LINK, s::SUPPORT_LINK) };
        (support.text.is_some() || support.link.is_some()).then_some(support)
    }

    /// Headers that only a trusted proxy may set.
    #[must_use]
    pub fn identity_headers(self) -> Option<IdentityHeaders<'p>> {
        self.has(s::HAS_NAMES).then(|| IdentityHeaders {
            names: Names::new(&self.policy.view, Section::Scopes, self.index, s::FIRST_NAME),
            refuse: self.has(s::NAMES_REFUSED),
            mode: mode(self.word(s::NAMES_MODE)),
            document: self.document_name(s::NAMES_OWNER),
        })
    }

    /// A request without a verified peer is refused: the name of the document that says so, and how far it reaches.
    #[must_use]
    pub fn require_mutual_tls(self) -> Option<(&'p str, Mode)> {
        self.has(s::NEEDS_MTLS).then(|| (self.document_name(s::MTLS_OWNER), mode(self.word(s::MTLS_MODE))))
    }

    /// A verified peer whose certificate has several URIs is refused: the name of the document that says so, and how far it reaches.
    #[must_use]
    pub fn require_one_uri(self) -> Option<(&'p str, Mode)> {
        self.has(s::NEEDS_ONE_URI).then(|| (self.document_name(s::URI_OWNER), mode(self.word(s::URI_MODE))))
    }

    /// The server name of the connection must name the host; `None`: it need not.
    #[must_use]
    pub fn server_name(self) -> Option<ServerNames<'p>> {
        self.has(s::SERVER_NAMED).then(|| ServerNames {
            own: Names::new(&self.policy.view, Section::Scopes, self.index, s::FIRST_OWN),
            mode: mode(self.word(s::SERVER_MODE)),
            document: self.document_name(s::SERVER_OWNER),
        })
    }

    /// The workload is the client, and hosts elsewhere are what it asks for.
    #[must_use]
    pub fn is_egress(self) -> bool {
        self.has(s::EGRESS)
    }

    /// Fields that some rule of this scope reads.
    #[must_use]
    pub fn reads(self) -> Reads {
        let fields = |word| Fields::from_bits(self.word(word));
        Reads { request: fields(s::REQUEST_READS), response: fields(s::RESPONSE_READS) }
    }

    /// Some rule is judged when the response's headers arrive.
    #[must_use]
    pub fn has_response_rules(self) -> bool {
        self.has(s::RESPONDS)
    }

    /// The rules that may hold on this reading, ascending: each of those that hold is among them. `into` is cleared first; it
    /// allocates nothing once it has grown.
    pub fn candidates(self, facts: &Facts<'_>, phase: Phase, into: &mut Candidates) {
        let view = &self.policy.view;
        let roots = self.range(s::FIRST_ROOT);
        let shelves = roots.filter_map(|root| view.option(Section::Roots, root, usize::from(phase == Phase::Response)));
        collect(view, facts, shelves, into);
    }

    /// Every rule of the scope in the order of decision.
    pub fn all_rules(self, phase: Phase) -> impl Iterator<Item = Rule<'p>> + use<'p> {
        let rules = (0..self.policy.rules()).map(move |index| self.policy.rule(index as u32));
        rules.filter(move |rule| rule.phase() == phase && self.asks(*rule))
    }

    /// Its documents, as [`Rule::document_index`] numbers them.
    pub fn documents(self) -> impl Iterator<Item = u32> + use<'p> {
        self.members().map(|(document, _)| document)
    }

    /// Its members: index of the document, and whether its own rules hold.
    pub(crate) fn members(self) -> impl Iterator<Item = (u32, bool)> + use<'p> {
        let members = self.range(s::FIRST_MEMBER);
        members.map(move |at| {
            let word = self.policy.view.word(Section::Members, at, 0);
            (word & !MEMBER_OWN, word & MEMBER_OWN != 0)
        })
    }

    fn asks(self, rule: Rule<'p>) -> bool {
        let below = matches!(rule.tier(), Tier::Mandate | Tier::Default);
        self.members().any(|(document, own)| document == rule.document_index() && (own || below))
    }
}

fn mode(word: u32) -> Mode {
    if word == s::MONITOR { Mode::Monitor } else { Mode::Enforce }
}
