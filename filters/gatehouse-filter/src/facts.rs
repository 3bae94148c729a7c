//! Facts of the downstream connection: asked of Envoy once, kept for all its requests.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use gatehouse_engine::Connection;

use crate::bootstrap::PeerSource;
use crate::cel::{Answers, Attribute, Table};
use crate::host;

/// Connections remembered by one worker; the one remembered first goes first.
const MAX_CONNECTIONS: usize = 4096;

const PEER: usize = 0;
const MUTUAL_TLS: usize = 1;
const PEER_URI: usize = 2;
const SNI: usize = 3;
const TLS_VERSION: usize = 4;
const LOCAL: usize = 5;
const JA4: usize = 6;
const PEER_URIS: usize = 7;
const PROTOCOL: usize = 8;

/// Filter state that holds the JA4 of the client's hello, where Envoy was told to write it (deploy/envoy).
const JA4_KEY: &str = "gatehouse.ja4";
/// Filter state that holds all URIs of the peer's certificate (`%DOWNSTREAM_PEER_URI_SAN%`), where Envoy was told to write it
/// (docs/connections.md): the attribute tells the first only.
const PEER_URIS_KEY: &str = "gatehouse.peer_uris";

/// A connection, and what its requests have in common.
#[derive(Debug, Default)]
pub struct Downstream {
    /// What the engine is told of it.
    pub connection: Connection,
    /// Of the first request that was seen on it: those of one connection are of one version, but for HTTP/1.0 among HTTP/1.1.
    pub protocol: String,
}

/// What was asked, and how it is asked.
#[derive(Debug)]
pub struct Facts {
    table: Table,
    /// TLS ended before this listener: who the peer is stands in a filter state, with every URI of its certificate.
    told: bool,
    known: BTreeMap<u64, Rc<Downstream>>,
    order: VecDeque<u64>,
}

impl Facts {
    /// Facts with the peer told by `source`, and its identity by the filter state `identity` or else by its certificate.
    pub fn new(source: &PeerSource, identity: Option<&str>) -> Self {
        let peer = match source {
            PeerSource::FilterState(key) => Attribute::keyed("filter_state", key),
            PeerSource::UseRemoteAddress => Attribute::guarded("source.address"),
        };
        let uri = identity.map_or_else(
            || Attribute::guarded("connection.uri_san_peer_certificate"),
            |key| Attribute::keyed("filter_state", key),
        );
        let first = [peer, Attribute::guarded("connection.mtls"), uri];
        let rest = ["connection.requested_server_name", "connection.tls_version", "destination.address"];
        let last = [
            Attribute::keyed("filter_state", JA4_KEY),
            Attribute::keyed("filter_state", PEER_URIS_KEY),
            Attribute::guarded("request.protocol"),
        ];
        let table = Table::new(first.into_iter().chain(rest.map(Attribute::guarded)).chain(last).collect());
        Self { table, told: identity.is_some(), known: BTreeMap::new(), order: VecDeque::new() }
    }

    /// The connection of the current request. One cheap call if it is known.
    pub fn of_current(&mut self) -> Rc<Downstream> {
        let id = host::number("connection\0id");
        if let Some(known) = id.and_then(|id| self.known.get(&id)) {
            return Rc::clone(known);
        }
        let fresh = Rc::new(self.fresh());
        // Without a peer nothing is kept: another request on this connection may have passed the filter that tells it.
        if let Some(id) = id.filter(|_| fresh.connection.peer.is_some()) {
            self.remember(id, Rc::clone(&fresh));
        }
        fresh
    }

    /// The connection of the current context, asked anew: what is known of it grows until its handshake is done.
    pub fn fresh(&mut self) -> Downstream {
        let mut downstream = read(&self.table.ask());
        if self.told {
            told(&mut downstream.connection);
        }
        downstream
    }

    /// Gives back what Envoy holds for us.
    pub fn release(&mut self) {
        self.table.release();
    }

    fn remember(&mut self, id: u64, downstream: Rc<Downstream>) {
        if self.order.len() >= MAX_CONNECTIONS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        if self.known.insert(id, downstream).is_none() {
            self.order.push_back(id);
        }
    }
}

fn read(answers: &Answers) -> Downstream {
    let (peer, peer_port) = answers.text(PEER).map_or((None, None), |text| address(&text));
    let (local, local_port) = answers.text(LOCAL).map_or((None, None), |text| address(&text));
    let connection = Connection {
        peer,
        peer_port,
        mutual_tls: answers.truth(MUTUAL_TLS),
        peer_uri: answers.text(PEER_URI),
        sni: answers.text(SNI),
        tls_version: answers.text(TLS_VERSION),
        local,
        local_port,
        ja4: answers.text(JA4),
        peer_uris: answers.text(PEER_URIS).and_then(|uris| count(&uris)),
        peer_local: false,
    };
    Downstream { connection, protocol: answers.text(PROTOCOL).unwrap_or_default() }
}

/// The text of all URIs that was taken for one: whoever is named there has proven it, to the listener before this one.
fn told(connection: &mut Connection) {
    let uris = connection.peer_uri.take().filter(|uris| uris != "-");
    connection.mutual_tls = Some(uris.is_some());
    connection.peer_uris = uris.as_deref().and_then(count);
    connection.peer_uri = uris.and_then(|uris| uris.split(',').next().map(str::to_owned));
}

/// How many URIs a list with commas between them has; `-`: none was told. A comma in a URI counts as two: whoever has one is no SPIFFE id.
fn count(uris: &str) -> Option<u32> {
    if uris == "-" { None } else { u32::try_from(uris.split(',').count()).ok() }
}

/// `192.0.2.1`, `2001:db8::1`, and both with a port. An IPv4 address written as IPv6 is the IPv4 address.
fn address(text: &str) -> (Option<IpAddr>, Option<u16>) {
    if let Ok(address) = text.parse::<IpAddr>() {
        return (Some(address.to_canonical()), None);
    }
    match text.parse::<SocketAddr>() {
        Ok(socket) => (Some(socket.ip().to_canonical()), Some(socket.port()).filter(|port| *port != 0)),
        Err(_) => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_and_without_port() {
        let ip = |text: &str| text.parse().ok();
        assert_eq!(address("192.0.2.1"), (ip("192.0.2.1"), None));
        assert_eq!(address("192.0.2.1:0"), (ip("192.0.2.1"), None));
        assert_eq!(address("[2001:db8::1]:443"), (ip("2001:db8::1"), Some(443)));
        assert_eq!(address("::ffff:192.0.2.1"), (ip("192.0.2.1"), None));
        assert_eq!(address("/run/socket"), (None, None));
    }

    #[test]
    fn uris_are_counted_as_they_are_joined() {
        assert_eq!((count("spiffe://a/b"), count("spiffe://a/b,spiffe://c/d"), count("-")), (Some(1), Some(2), None));
    }

    #[test]
    fn an_identity_that_was_told_is_the_first_uri_and_is_proven() {
        let tell = |uris: Option<&str>| {
            let mut connection = Connection { peer_uri: uris.map(str::to_owned), ..Connection::default() };
            told(&mut connection);
            (connection.peer_uri, connection.mutual_tls, connection.peer_uris)
        };
        let one = Some("spiffe://a/b".to_owned());
        assert_eq!(tell(Some("spiffe://a/b")), (one.clone(), Some(true), Some(1)));
        assert_eq!(tell(Some("spiffe://a/b,spiffe://c/d")), (one, Some(true), Some(2)));
        assert_eq!((tell(None), tell(Some("-"))), ((None, Some(false), None), (None, Some(false), None)));
    }

    #[test]
    fn the_table_of_connections_is_bounded_and_forgets_the_oldest() {
        let mut facts = Facts::new(&PeerSource::UseRemoteAddress, None);
        for id in 0..10_000 {
            facts.remember(id, Rc::default());
        }
        assert_eq!((facts.known.len(), facts.order.len()), (MAX_CONNECTIONS, MAX_CONNECTIONS));
        assert!(!facts.known.contains_key(&0));
        assert!(facts.known.contains_key(&9_999));
    }

    #[test]
    fn a_connection_remembered_twice_takes_one_place() {
        let mut facts = Facts::new(&PeerSource::UseRemoteAddress, None);
        facts.remember(1, Rc::default());
        facts.remember(1, Rc::default());
        assert_eq!((facts.known.len(), facts.order.len()), (1, 1));
    }
}
