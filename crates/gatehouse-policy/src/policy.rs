//! A policy in force: a checked image, and beside it only what cannot be used as bytes (trusted networks, limits, regexes of an
//! inline policy).

mod clients;
mod hosts;
mod limits;
pub(crate) mod load;
mod rule;
mod scope;

pub use clients::ClientKey;
pub use hosts::KnownHosts;
pub use limits::{Count, KeyPart, LimitSpec, StepSpec};
pub use rule::Rule;
pub use scope::{IdentityHeaders, Scope, ServerNames, Support};

use gatehouse_signals::head::Names as HeaderNames;
use gatehouse_verdict::record::PolicyStamp;

use crate::action::dashed;
use crate::image::{CONNECTION_MARK, META_CONNECTIONS, Section, View, document, scope as s};
use crate::index::keys;
use crate::regex::Regexes;
use crate::{Fields, PolicyError, Reads};

/// Longest host that a name can be (RFC 1035, 2.3.4); a longer one is nobody's.
const MAX_HOST: usize = 255;

/// A policy in force: immutable.
#[derive(Debug)]
pub struct Policy {
    view: View,
    stamp: PolicyStamp,
    regexes: Regexes,
    clients: Vec<clients::Client>,
    client_keys: Vec<ClientKey>,
    limits: Vec<LimitSpec>,
    claims: Vec<String>,
    half_life_ns: u64,
    /// Headers that some policy sets: most names are none of them, and that is seen at once.
    set_headers: HeaderNames,
}

impl Policy {
    /// Checks and takes a whole image, which the house calls `revision` (0: the bootstrap's own).
    ///
    /// # Errors
    /// The image is not one of ours, is of another version, or points outside itself.
    pub fn load(image: Vec<u8>, revision: u64) -> Result<Self, PolicyError> {
        load::whole(image, revision)
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

    /// The rule of that index, which is its rank in the order of decision over all documents. Of an index that no rule has,
    /// a rule that never holds.
    #[must_use]
    pub fn rule(&self, index: u32) -> Rule<'_> {
        Rule::new(self, index)
    }

    /// `policy/rule` of every rule, in the order of decision.
    pub fn rule_names(&self) -> impl Iterator<Item = String> + '_ {
        (0..self.rules()).map(|index| Rule::new(self, index as u32).id())
    }

    /// Number of documents.
    #[must_use]
    pub fn documents(&self) -> usize {
        self.view.count(Section::Documents)
    }

    /// Name of the document of that number; empty: there is none.
    #[must_use]
    pub fn document_name(&self, index: u32) -> &str {
        self.view.text(Section::Documents, index as usize, document::NAME)
    }

    /// Scope of the document of that name as written, `a/b/c`; empty: none was, or there is no such document. Linear.
    #[must_use]
    pub fn document_scope(&self, name: &str) -> &str {
        let text = |index, word| self.view.text(Section::Documents, index, word);
        let found = (0..self.documents()).find(|index| text(*index, document::NAME) == name);
        found.map_or("", |index| text(index, document::SCOPE))
    }

    /// Every limit.
    #[must_use]
    pub fn limits(&self) -> &[LimitSpec] {
        &self.limits
    }

    /// Every JWT claim that some rule, key or limit reads, sorted.
    #[must_use]
    pub fn claims(&self) -> &[String] {
        &self.claims
    }

    /// Labels that something is weighed under, sorted; at most 15.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.view.texts(Section::Labels)
    }

    /// Nanoseconds in which half of what was weighed is forgotten.
    #[must_use]
    pub fn half_life_ns(&self) -> u64 {
        self.half_life_ns
    }

    /// Some rule weighs something against clients, or asks for a score or a label.
    #[must_use]
    pub fn weighs(&self) -> bool {
        self.view.word(Section::Meta, 0, 2) != 0
    }

    /// Lists that the house fills, sorted.
    pub fn verdict_lists(&self) -> impl Iterator<Item = &str> {
        self.view.texts(Section::VerdictLists)
    }

    /// Fields that some rule of some scope reads.
    #[must_use]
    pub fn reads(&self) -> Reads {
        let fields = |word| {
            let scopes = 0..self.view.count(Section::Scopes);
            Fields::from_bits(scopes.fold(0, |bits, scope| bits | self.view.word(Section::Scopes, scope, word)))
        };
        Reads { request: fields(s::REQUEST_READS), response: fields(s::RESPONSE_READS) }
    }

    /// Every header that some policy may set on requests: lower case, sorted. They are removed from every incoming request.
    pub fn set_headers(&self) -> impl Iterator<Item = &str> {
        self.view.texts(Section::SetHeaders)
    }

    /// Among these names there may be one that some policy may set on requests.
    #[must_use]
    pub fn may_set(&self, names: HeaderNames) -> bool {
        self.set_headers.may_meet(names)
    }

    /// `name` (any case, `_` read as `-` too, as many applications do) is a header that some policy may set.
    #[must_use]
    pub fn sets_header(&self, name: &[u8]) -> bool {
        if !self.set_headers.may_have(name) {
            return false;
        }
        let fold = |byte: &u8| dashed(*byte);
        self.view.find_by(Section::SetHeaders, |set| set.iter().copied().cmp(name.iter().map(fold))).is_some()
    }

    /// What holds for `host` (canonical): the scope of the longest name or domain that some document claims, or else what
    /// holds everywhere. `None`: no document speaks for it.
    #[must_use]
    pub fn for_host(&self, host: &[u8]) -> Option<Scope<'_>> {
        self.covered(self.scope_of(host))
    }

    /// What holds for connections to `host` (canonical; empty: not known): as [`for_host`](Self::for_host), of the documents that
    /// speak of connections.
    #[must_use]
    pub fn for_connection(&self, host: &[u8]) -> Option<Scope<'_>> {
        let marked = [host, CONNECTION_MARK.as_bytes()].concat();
        let found = if host.len() > MAX_HOST || host.is_empty() { None } else { keys::find_host(&self.view, &marked) };
        self.covered(found.unwrap_or_else(|| self.view.index(Section::Meta, 0, META_CONNECTIONS)))
    }

    /// Some document speaks of requests.
    #[must_use]
    pub fn speaks_of_requests(&self) -> bool {
        let all = self.view.count(Section::Scopes);
        let first = self.view.index(Section::Meta, 0, META_CONNECTIONS);
        (0..if first == 0 { all } else { first }).any(|scope| self.covered(scope).is_some())
    }

    /// Some document speaks of connections.
    #[must_use]
    pub fn speaks_of_connections(&self) -> bool {
        let first = self.view.index(Section::Meta, 0, META_CONNECTIONS);
        first != 0 && (first..self.view.count(Section::Scopes)).any(|scope| self.covered(scope).is_some())
    }

    /// The number of the scope of `host`; 0: what holds everywhere.
    fn scope_of(&self, host: &[u8]) -> usize {
        let is_none = host.len() > MAX_HOST || host.ends_with(CONNECTION_MARK.as_bytes());
        let found = if is_none { None } else { keys::find_host(&self.view, host) };
        found.unwrap_or(0)
    }

    /// The scope of that number, if some document speaks for it.
    fn covered(&self, number: usize) -> Option<Scope<'_>> {
        let scope = Scope::new(self, number);
        scope.is_covered().then_some(scope)
    }
}
