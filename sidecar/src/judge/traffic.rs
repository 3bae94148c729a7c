//! Requests and connections are judged by one court; what differs is whose documents hold, and the word for who is refused.

use gatehouse_engine::{Policy, action_of};
use gatehouse_policy::{Effect, Scope, Then};
use gatehouse_verdict::Action;

use super::explained::shown;

/// What is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Traffic {
    Requests,
    Connections,
}

impl Traffic {
    /// The word for an action. A connection that does not go on is rejected, whatever would be done to a request.
    pub(super) const fn word(self, action: Action) -> &'static str {
        match (self, action) {
            (Self::Requests, _) | (_, Action::Allow) => action.as_str(),
            (Self::Connections, _) => "reject",
        }
    }

    /// What adds up, then the final action.
    pub(super) fn words(self, then: Then<'_>) -> Vec<&'static str> {
        let effect = |effect| match effect {
            Effect::Delay(_) => "delay",
            Effect::Record => "record",
            Effect::RemoveResponseHeaders(_) => "removeResponseHeaders",
            Effect::Route { .. } => "route",
            Effect::Sanitize { .. } => "sanitize",
            Effect::SetResponseHeaders(_) => "setResponseHeaders",
            Effect::Tag { .. } => "tag",
            Effect::Weigh { .. } => "weigh",
        };
        let action = then.decides().map(|action| action_of(&action));
        then.effects().map(effect).chain(action.map(|action| self.word(action))).collect()
    }

    /// The documents that hold for a host.
    pub(super) fn scope<'p>(self, policy: &'p Policy, host: &[u8]) -> Option<Scope<'p>> {
        match self {
            Self::Requests => policy.for_host(host),
            Self::Connections => policy.for_connection(host),
        }
    }

    /// The host in words.
    pub(super) fn host(self, host: &[u8]) -> String {
        match self {
            Self::Requests => format!("the host `{}`", shown(host)),
            Self::Connections if host.is_empty() => "connections whose host is not known".to_owned(),
            Self::Connections => format!("connections to the host `{}`", shown(host)),
        }
    }

    /// What holds where no document speaks for the host, as far as it is worth a word.
    pub(super) fn instead(self, policy: &Policy, host: &[u8]) -> String {
        let (other, others) = match self {
            Self::Requests => {
                (Self::Connections, "; those of `kind: TcpPolicy` judge connections, and this is a request")
            }
            Self::Connections => (Self::Requests, "; those of `kind: Policy` judge requests, and this is a connection"),
        };
        let fits = self.is_foreign_to(policy) || (!host.is_empty() && other.scope(policy, host).is_some());
        let others = if fits { others } else { "" };
        match self {
            Self::Requests => others.to_owned(),
            Self::Connections => {
                format!("{others}; what holds is `whenNoPolicy` of the filter or the guard, here `allow`")
            }
        }
    }

    /// All documents speak of the other kind of traffic.
    fn is_foreign_to(self, policy: &Policy) -> bool {
        match self {
            Self::Requests => policy.speaks_of_connections() && !policy.speaks_of_requests(),
            Self::Connections => policy.speaks_of_requests() && !policy.speaks_of_connections(),
        }
    }
}
