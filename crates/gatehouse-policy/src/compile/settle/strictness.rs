//! Each setting and its order of strictness: what a lower document may do to a mandate is to be at least as strict.

use crate::compile::covers;
use crate::document::Place;
use crate::spec::types::{Action, Ambiguous, Backend, Document, Parameters, Rollout, ServerName, Settings};

use super::Part;

/// A setting that one document's word decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Setting {
    Ambiguous,
    Backend,
    ClientAddress,
    ClientKey,
    Direction,
    Forward,
    IdentityHeaders,
    MutualTls,
    OneUri,
    Otherwise,
    ServerName,
    Support,
}

impl Setting {
    /// Every setting.
    pub(crate) const ALL: [Self; 12] = [
        Self::Ambiguous,
        Self::Backend,
        Self::ClientAddress,
        Self::ClientKey,
        Self::Direction,
        Self::Forward,
        Self::IdentityHeaders,
        Self::MutualTls,
        Self::OneUri,
        Self::Otherwise,
        Self::ServerName,
        Self::Support,
    ];

    /// The word that operators write.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Ambiguous => "ambiguous",
            Self::Backend => "backend",
            Self::ClientAddress => "client.address",
            Self::ClientKey => "client.key",
            Self::Direction => "direction",
            Self::Forward => "forward",
            Self::IdentityHeaders => "identityHeaders",
            Self::MutualTls => "requireMutualTls",
            Self::OneUri => "requireOneUri",
            Self::Otherwise => "otherwise",
            Self::ServerName => "serverName",
            Self::Support => "support",
        }
    }

    /// Its order of strictness, for the reference.
    pub(crate) const fn order(self) -> &'static str {
        match self {
            Self::Ambiguous => {
                "`reject` > not said (by the kind of ambiguity) > `strictest`; then the document's mode: `enforce` > `canary N%` > `monitor`"
            }
            Self::Backend => {
                "`caseInsensitive` > `caseSensitive`; `decodes: 2` > `1`; `both` > `ignored`, `both` > `kept` (these two have no order): what judges more readings is stricter"
            }
            Self::ClientAddress | Self::ClientKey | Self::Direction => {
                "no order: under a mandate only the same may be said"
            }
            Self::Forward => "`canonical` > `received`",
            Self::IdentityHeaders => "`refuse` > `strip`; all names of the mandate must be among the names",
            Self::MutualTls | Self::OneUri => "`true` > `false`",
            Self::Otherwise => {
                "`block` (of connections `reject`) > `allow`; then the document's mode: `enforce` > `canary N%` > `monitor`"
            }
            Self::ServerName => {
                "`match` > `any`; of `own` no other names than the mandate's; then the document's mode: `enforce` > `canary N%` > `monitor`"
            }
            Self::Support => "no order: under a mandate only the same may be said",
        }
    }

    /// One value may be stricter than another.
    pub(super) const fn is_ordered(self) -> bool {
        !matches!(self, Self::ClientAddress | Self::ClientKey | Self::Direction | Self::Support)
    }

    /// Where the setting is said.
    pub(crate) fn place(self, settings: &Settings) -> Option<&Place> {
        match self {
            Self::Ambiguous => settings.ambiguous.as_ref().map(|(_, place)| place),
            Self::Backend => settings.backend.as_ref().map(|(_, place)| place),
            Self::ClientAddress => settings.client_address.as_ref().map(|(_, place)| place),
            Self::ClientKey => settings.client_key.as_ref().map(|(_, place)| place),
            Self::Direction => settings.direction.as_ref().map(|(_, place)| place),
            Self::Forward => settings.forward_canonical.as_ref().map(|(_, place)| place),
            Self::IdentityHeaders => settings.identity_headers.as_ref().map(|(_, place)| place),
            Self::MutualTls => settings.require_mutual_tls.as_ref().map(|(_, place)| place),
            Self::OneUri => settings.require_one_uri.as_ref().map(|(_, place)| place),
            Self::Otherwise => settings.otherwise.as_ref().map(|(_, place)| place),
            Self::ServerName => settings.server_name.as_ref().map(|(_, place)| place),
            Self::Support => settings.support.as_ref().map(|(_, place)| place),
        }
    }

    /// Both say the same (said in documents of the same mode, where the mode matters).
    pub(super) fn same(self, a: (&Document, Part), b: (&Document, Part)) -> bool {
        let (x, y) = (a.1.of(a.0), b.1.of(b.0));
        let modes = a.0.mode == b.0.mode;
        match self {
            Self::Ambiguous => modes && value(&x.ambiguous) == value(&y.ambiguous),
            Self::Backend => value(&x.backend) == value(&y.backend),
            Self::ClientAddress => value(&x.client_address) == value(&y.client_address),
            Self::ClientKey => value(&x.client_key) == value(&y.client_key),
            Self::Direction => value(&x.direction) == value(&y.direction),
            Self::Forward => value(&x.forward_canonical) == value(&y.forward_canonical),
            Self::IdentityHeaders => value(&x.identity_headers) == value(&y.identity_headers),
            Self::MutualTls => value(&x.require_mutual_tls) == value(&y.require_mutual_tls),
            Self::OneUri => value(&x.require_one_uri) == value(&y.require_one_uri),
            Self::Otherwise => modes && value(&x.otherwise) == value(&y.otherwise),
            Self::ServerName => modes && value(&x.server_name) == value(&y.server_name),
            Self::Support => value(&x.support) == value(&y.support),
        }
    }

    /// What `a` says is at least as strict as what `b` says; both say something.
    pub(super) fn at_least(self, a: (&Document, Part), b: (&Document, Part)) -> bool {
        let (x, y) = (a.1.of(a.0), b.1.of(b.0));
        let mode = reach(a.0.mode) >= reach(b.0.mode);
        match self {
            // Only a refusal has a reach: every reading is judged in any mode.
            Self::Ambiguous => {
                value(&y.ambiguous) == Some(&Ambiguous::Strictest)
                    || value(&x.ambiguous) == Some(&Ambiguous::Reject) && mode
            }
            Self::Backend => value(&x.backend).zip(value(&y.backend)).is_some_and(|(a, b)| judges_as_much(a, b)),
            Self::Forward => value(&x.forward_canonical) >= value(&y.forward_canonical),
            Self::IdentityHeaders => value(&x.identity_headers)
                .zip(value(&y.identity_headers))
                .is_some_and(|(a, b)| a.refuse >= b.refuse && b.names.iter().all(|name| a.names.contains(name))),
            Self::MutualTls => value(&x.require_mutual_tls) >= value(&y.require_mutual_tls),
            Self::OneUri => value(&x.require_one_uri) >= value(&y.require_one_uri),
            Self::Otherwise => !blocks(y) || blocks(x) && mode,
            Self::ServerName => {
                value(&x.server_name).zip(value(&y.server_name)).is_some_and(|(a, b)| checks_as_much(a, b, mode))
            }
            Self::ClientAddress | Self::ClientKey | Self::Direction | Self::Support => self.same(a, b),
        }
    }
}

fn value<T>(said: &Option<(T, Place)>) -> Option<&T> {
    said.as_ref().map(|(value, _)| value)
}

/// Monitor 0, canary its share, enforce 100.
pub(super) const fn reach(mode: Rollout) -> u8 {
    match mode {
        Rollout::Monitor => 0,
        Rollout::Canary(percent) => percent,
        Rollout::Enforce => 100,
    }
}

fn blocks(settings: &Settings) -> bool {
    matches!(&settings.otherwise, Some((then, _)) if matches!(then.decides, Some(Action::Block(_) | Action::Reject)))
}

/// Every reading that `b` judges, `a` judges too.
pub(super) fn judges_as_much(a: &Backend, b: &Backend) -> bool {
    let parameters = a.parameters == b.parameters || a.parameters == Parameters::Both;
    a.case_insensitive >= b.case_insensitive && a.decodes >= b.decodes && parameters
}

/// Every server name that `b` refuses, `a` refuses too, as far as `mode` says that it reaches as far.
fn checks_as_much(a: &ServerName, b: &ServerName, mode: bool) -> bool {
    match (a, b) {
        (_, ServerName::Any) => true,
        (ServerName::Any, ServerName::Match { .. }) => false,
        (ServerName::Match { own }, ServerName::Match { own: known }) => {
            mode && own.iter().all(|name| known.iter().any(|known| covers(known, name)))
        }
    }
}
