//! A request as the engine is asked about it: its head, its connection, its claims, and what is known of it.

use gatehouse_engine::{Claims, Connection, Head, Now, Pair, Policy, Request as Asked};
use gatehouse_policy::{Field, Fields};
use gatehouse_signals::Host;
use gatehouse_signals::address::{Source, Trust};
use serde_json::{Map, Value};

use super::Options;
use crate::request::{Request, without};

/// Most values of a claim that is a list, as in the gate.
const MAX_VALUES: usize = 8;

/// A request with what the engine borrows of it.
pub(super) struct Posed<'r> {
    pub(super) request: &'r Request,
    pub(super) known: Fields,
    pub(super) now: Now,
    connection: Connection,
    pairs: Vec<Pair<'r>>,
    claims: Option<Vec<(&'r str, String)>>,
}

impl<'r> Posed<'r> {
    /// `moments`: nanoseconds of the clock that never steps, and since the Unix epoch by the caller's clock.
    pub(super) fn new(request: &'r Request, policy: &'r Policy, options: &Options, moments: (u64, u64)) -> Self {
        let (mono_ns, now) = moments;
        let wall = request.time.or(options.wall_clock.then_some(now));
        let mut known = request.known();
        if !options.lists_known {
            known = without(known, [Field::Verdicts]);
        }
        let mut connection = request.connection();
        if hides_client(request, policy) {
            connection.peer = None;
        }
        Self {
            request,
            known,
            now: Now { mono_ns, wall_s: wall.map(|wall| wall / 1_000_000_000) },
            connection,
            pairs: request.pairs(),
            claims: request.claims.as_ref().map(|claims| texts(claims, policy.claims())),
        }
    }

    /// The claims that the policy reads.
    pub(super) fn claims(&self) -> Option<Vec<Pair<'_>>> {
        let claims = self.claims.as_ref()?;
        Some(claims.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect())
    }

    /// For the engine.
    pub(super) fn request<'a>(&'a self, claims: Option<&'a [Pair<'a>]>) -> Asked<'a> {
        Asked {
            head: Head::new(&self.pairs, &self.connection),
            claims: claims.map_or(Claims::Unknown, Claims::Known),
            known: self.known,
            now: self.now,
        }
    }
}

/// The peer is a proxy that the policy believes, but what it forwarded is not known: so the client is not either.
fn hides_client(request: &Request, policy: &Policy) -> bool {
    if request.is_client || request.known.is_none() {
        return false;
    }
    let host = Host::parse(request.authority.as_deref().unwrap_or_default()).name;
    let Some((source, trust)) = policy.for_host(&host).map(|scope| scope.client_source()) else { return false };
    let header: &[u8] = match source {
        Source::Peer => return false,
        Source::XForwardedFor => b"x-forwarded-for",
        Source::Forwarded => b"forwarded",
        Source::Header(name) => name,
    };
    let is_there = || request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(header));
    if !request.hides_header(header) || is_there() {
        return false;
    }
    match (trust, request.peer) {
        (Trust::Networks(networks), Some(peer)) => networks.contains(peer),
        (Trust::Hops(hops), _) => *hops > 0,
        (Trust::None, _) | (_, None) => false,
    }
}

/// The claims of these names as the gate asks Envoy for them: a dot leads into an object, a list comes once for each of its
/// texts.
fn texts<'p>(claims: &Map<String, Value>, names: &'p [String]) -> Vec<(&'p str, String)> {
    let mut all = Vec::new();
    for name in names {
        let mut parts = name.split('.');
        let first = parts.next().and_then(|part| claims.get(part));
        let found = parts.fold(first, |value, part| value?.get(part));
        match found {
            Some(Value::Array(items)) => {
                let texts = items.iter().take(MAX_VALUES).filter_map(Value::as_str);
                all.extend(texts.map(|text| (name.as_str(), text.to_owned())));
            }
            Some(Value::String(text)) => all.push((name.as_str(), text.clone())),
            Some(value @ (Value::Bool(_) | Value::Number(_))) => all.push((name.as_str(), value.to_string())),
            Some(Value::Null | Value::Object(_)) | None => {}
        }
    }
    // What is empty is no claim to Envoy's words.
    all.retain(|(_, text)| !text.is_empty());
    all
}
