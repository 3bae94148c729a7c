//! What was read from a request, or of a connection.

use std::collections::BTreeMap;

use gatehouse_engine::{Connection, Judged, Policy, Proof, Request as Asked, State};
use gatehouse_policy::Field;
use gatehouse_signals::path::{self, Path};
use gatehouse_signals::{Head, Host, agent, fingerprint};
use serde::Serialize;

use super::explained::shown;
use super::posed::Posed;
use crate::request::Opening;

/// What was read from the request or of the connection; `None`: it is not known, or there is nothing of the kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Signals {
    /// Canonical host.
    pub host: Option<String>,
    /// Method as received.
    pub method: Option<String>,
    /// Canonical path.
    pub path: Option<String>,
    /// Its class, as limits by `path.class` count it.
    pub path_class: Option<String>,
    /// What other software may take the path for.
    pub readings: Vec<String>,
    /// Why there is more than one reading.
    pub ambiguity: Option<&'static str>,
    /// The client's address.
    pub client: Option<String>,
    /// How it was found: `peer`, `forwarded`, `given` or `unknown`.
    pub client_source: &'static str,
    /// What proves who the client is: `address`, `claim`, `identity` or `none`.
    pub client_key: &'static str,
    /// The direct peer.
    pub peer: Option<String>,
    /// Verified identity of the peer.
    pub identity: Option<String>,
    /// A client certificate was verified.
    pub mutual_tls: Option<bool>,
    /// Of a connection: how many URIs the peer's certificate has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_uris: Option<u32>,
    /// Of a connection: the address that it was made to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// Of a connection: the port that it was made to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Requested server name.
    pub sni: Option<String>,
    /// `TLSv1.3` …
    pub tls_version: Option<String>,
    /// What kind of client the user agent names: `browser`, `library` …
    pub agent_class: Option<&'static str>,
    /// The name that showed it.
    pub agent_name: Option<String>,
    /// Order and presence of the client's own headers.
    pub fingerprint: Option<String>,
    /// JA4 of its hello.
    pub ja4: Option<String>,
    /// Country of the client's address.
    pub country: Option<String>,
    /// Its autonomous system.
    pub asn: Option<u32>,
    /// Points that are weighed against the client, this request's among them, by label, and in all under `all`; empty: the policy
    /// weighs nothing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub scores: BTreeMap<String, u32>,
}

impl Signals {
    pub(super) fn of(posed: &Posed<'_>, asked: Asked<'_>, judged: &Judged, policy: &Policy, state: &State) -> Self {
        let head = asked.head;
        let target = Path::parse(head.first(b":path").unwrap_or_default());
        let host = Host::parse(head.first(b":authority").unwrap_or_default()).name;
        let knows = |field| posed.known.has(field);
        let agent = knows(Field::Agent).then(|| agent::classify(head.values(b"user-agent").next().unwrap_or_default()));
        let arrived = Self::arrived(head.connection, judged, state);
        Self {
            host: knows(Field::Host).then(|| shown(&host)),
            method: knows(Field::Method).then(|| shown(&posed.request.method)),
            path: knows(Field::Path).then(|| shown(&target.canonical)),
            path_class: knows(Field::Path).then(|| path::class(&target.canonical).to_string()),
            readings: target.readings.iter().map(|reading| shown(reading)).collect(),
            ambiguity: judged.verdict.ambiguity,
            client_source: source(posed.request.is_client, judged),
            peer: arrived.peer.filter(|_| !posed.request.is_client),
            agent_class: agent.map(|agent| agent.class.as_str()),
            agent_name: agent.map(|agent| agent.name.to_owned()).filter(|name| !name.is_empty()),
            fingerprint: knows(Field::Fingerprint).then(|| told(head)).flatten(),
            scores: scores(asked, judged, policy, state),
            ..arrived
        }
    }

    /// What was known of a connection.
    pub(super) fn of_connection(opening: &Opening, judged: &Judged, state: &State) -> Self {
        let connection = &opening.connection;
        Self {
            host: Some(shown(&opening.host)).filter(|host| !host.is_empty()),
            peer_uris: connection.peer_uris,
            destination: connection.local.map(|local| local.to_string()),
            port: connection.local_port,
            ..Self::arrived(connection, judged, state)
        }
    }

    /// From where and by whom it comes.
    fn arrived(connection: &Connection, judged: &Judged, state: &State) -> Self {
        let client = judged.subject.client;
        let place = client.address.and_then(|address| state.place(address)).unwrap_or_default();
        Self {
            client: client.address.map(|address| address.to_string()),
            client_source: source(false, judged),
            client_key: match judged.subject.proof {
                Proof::Address => "address",
                Proof::Claim => "claim",
                Proof::Identity => "identity",
                Proof::None => "none",
            },
            peer: connection.peer.map(|peer| peer.to_string()),
            identity: connection.peer_uri.clone().filter(|_| connection.mutual_tls == Some(true)),
            mutual_tls: connection.mutual_tls,
            sni: connection.sni.clone(),
            tls_version: connection.tls_version.clone(),
            ja4: connection.ja4.clone(),
            country: place.country.map(|letters| shown(&letters)),
            asn: place.asn,
            ..Self::default()
        }
    }
}

/// `is_client`: whoever told of it said who the client is.
fn source(is_client: bool, judged: &Judged) -> &'static str {
    match judged.subject.client.address {
        None => "unknown",
        Some(_) if is_client => "given",
        Some(_) if judged.subject.client.forwarded => "forwarded",
        Some(_) => "peer",
    }
}

/// The fingerprint; `None`: none of the headers that count is there.
fn told(head: Head<'_>) -> Option<String> {
    let text = fingerprint::fingerprint(&head).to_string();
    Some(text).filter(|text| !text.ends_with("_-_-"))
}

fn scores(asked: Asked<'_>, judged: &Judged, policy: &Policy, state: &State) -> BTreeMap<String, u32> {
    if !policy.weighs() {
        return BTreeMap::new();
    }
    let score = |label| state.score(&judged.subject, label, asked.now.mono_ns);
    let labels = (0u8..).zip(policy.labels()).filter_map(|(at, label)| Some((label.to_owned(), score(Some(at))?)));
    let all = score(None).map(|all| ("all".to_owned(), all));
    labels.chain(all).collect()
}
