//! What a scope's settings refuse before any rule is asked.

use gatehouse_policy::{Ambiguous, Field, Scope};
use gatehouse_signals::path::Ambiguity;
use gatehouse_verdict::{Action, Mode, Reason};

use crate::state::State;

use super::server_name;
use super::trail::{Decision, Trail, Word};
use super::walk::Court;

/// A refusal by a document's own word.
#[derive(Clone, Copy)]
struct Refusal<'p> {
    document: &'p str,
    word: Word,
    mode: Mode,
    reason: Reason,
    status: u16,
}

impl<'p> Court<'_, 'p> {
    /// The first refusal that is enforced; what is not is noted.
    pub(super) fn refused_unread(
        &self,
        too_many_methods: bool,
        state: &State,
        trail: &mut Trail<'p>,
    ) -> Option<Decision<'p>> {
        let refusals = [
            self.no_peer(),
            self.many_uris(),
            self.foreign_server_name(),
            self.forged_identity(),
            self.many_readings(too_many_methods),
        ];
        for refusal in refusals.into_iter().flatten() {
            let Refusal { document, word, reason, status, .. } = refusal;
            if self.mode_of(refusal.mode, document, state) == Mode::Enforce {
                return Some(Decision::by_setting(reason, status, document, word));
            }
            trail.would_have(Action::Block, || word.of(document));
        }
        None
    }

    /// How far a setting of a document reaches: under the operator's brake as far as its rules.
    pub(super) fn mode_of(&self, mode: Mode, document: &str, state: &State) -> Mode {
        let brake = &state.knowledge.brake;
        let braked = || brake.holds(self.policy.document_scope(document), self.request.now.mono_ns);
        if mode == Mode::Enforce && !brake.is_empty() && braked() { Mode::Monitor } else { mode }
    }

    /// A peer that nobody could have told (a log without it) is not known to be missing.
    fn no_peer(&self) -> Option<Refusal<'p>> {
        let (document, mode) = self.scope.require_mutual_tls()?;
        let missing = self.request.head.connection.mutual_tls != Some(true);
        (missing && self.request.known.has(Field::TlsMutual)).then_some(Refusal {
            document,
            word: Word::MutualTls,
            mode,
            reason: Reason::NoPeer,
            status: 403,
        })
    }

    /// A peer of whose certificate only the first URI would be judged. How many it has must be known to be refused.
    fn many_uris(&self) -> Option<Refusal<'p>> {
        let many = self.request.head.connection.peer_uris.is_some_and(|uris| uris > 1);
        if !(many && self.request.known.has(Field::Identity)) {
            return None;
        }
        let (document, mode) = self.scope.require_one_uri()?;
        Some(Refusal { document, word: Word::OneUri, mode, reason: Reason::ManyUris, status: 403 })
    }

    /// TLS was asked for one name and the request is for another (domain fronting, or a connection that a client took for several
    /// hosts: 421 tells it to open one for this host, RFC 9110, 15.5.20).
    fn foreign_server_name(&self) -> Option<Refusal<'p>> {
        let sni = self.request.head.connection.sni.as_deref().filter(|_| self.request.known.has(Field::Sni))?;
        // Nearly always, and nothing of the document need be read for it.
        if sni.as_bytes() == self.host {
            return None;
        }
        let names = self.scope.server_name()?;
        (!server_name::names(sni, self.host, names.own.iter())).then_some(Refusal {
            document: names.document,
            word: Word::ServerName,
            mode: names.mode,
            reason: Reason::ServerName,
            status: if self.scope.is_egress() { 403 } else { 421 },
        })
    }

    /// A header of an identity, from one who is no trusted proxy.
    fn forged_identity(&self) -> Option<Refusal<'p>> {
        let headers = self.scope.identity_headers().filter(|headers| headers.refuse)?;
        let forged = || self.request.head.headers.iter().any(|(name, _)| headers.names.holds(name));
        (!is_trusted(self.scope, self.request.head) && forged()).then_some(Refusal {
            document: headers.document,
            word: Word::IdentityHeaders,
            mode: headers.mode,
            reason: Reason::IdentityHeader,
            status: 400,
        })
    }

    fn many_readings(&self, too_many_methods: bool) -> Option<Refusal<'p>> {
        let ambiguous = too_many_methods
            || self.path.has_more
            || self.path.ambiguity.is_some_and(|ambiguity| is_refused(self.scope, ambiguity))
            || self.odd.framing;
        if !ambiguous {
            return None;
        }
        let (mode, document) = self.scope.ambiguous_mode();
        Some(Refusal { document, word: Word::Ambiguous, mode, reason: Reason::Ambiguous, status: 400 })
    }
}

/// The direct peer is a proxy whose word the policy takes for who stands before it.
pub(super) fn is_trusted(scope: Scope<'_>, head: gatehouse_signals::Head<'_>) -> bool {
    let (_, trust) = scope.client_source();
    trust.believes(head.connection)
}

/// Whether the policy refuses such a path. (One with more readings than are kept is refused whatever the policy says: it cannot
/// be judged on all of them.)
fn is_refused(scope: Scope<'_>, ambiguity: Ambiguity) -> bool {
    match scope.ambiguous() {
        Some(Ambiguous::Reject) => true,
        Some(Ambiguous::Strictest) => false,
        // Where it is declared that what stands behind decodes twice, that is no doubt: both readings are judged.
        None if ambiguity == Ambiguity::DoubleEncoding => scope.backend().decodes < 2,
        None => ambiguity.reject_by_default(),
    }
}

/// A name that some application takes for `content-length` or `transfer-encoding` and that Envoy does not: it frames nothing here
/// and something there.
pub(super) fn is_framing_twin(name: &[u8]) -> bool {
    if name.len() < 14 || !matches!(name.first(), Some(b'c' | b'C' | b't' | b'T')) {
        return false;
    }
    let letters = || name.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase);
    let like = |twin: &[u8]| letters().eq(twin.iter().copied());
    let exact = name.eq_ignore_ascii_case(b"content-length") || name.eq_ignore_ascii_case(b"transfer-encoding");
    !exact && (like(b"contentlength") || like(b"transferencoding"))
}
