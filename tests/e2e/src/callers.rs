//! Who calls a TCP service in the tests of connections: the one that is listed, and everybody else.

use std::net::SocketAddr;
use std::time::Duration;

use gatehouse_support::tls::{Authority, Hello};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The account that [`policy`] lists.
pub const SLEEP: &str = "spiffe://cluster.local/ns/trusted/sa/sleep";
/// One that it does not.
pub const DEFAULT: &str = "spiffe://cluster.local/ns/default/sa/default";
/// How long an answer may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Only `trusted/sleep` may connect.
pub fn policy() -> Value {
    json!({
        "apiVersion": "gatehouse.dev/v1",
        "kind": "TcpPolicy",
        "metadata": { "name": "echo" },
        "spec": {
            "rules": [{ "name": "sleep", "match": { "serviceAccounts": ["trusted/sleep"] }, "then": "allow" }],
            "otherwise": "reject",
        },
    })
}

/// What a `set_filter_state` writes for the gate to know how many URIs the peer's certificate has.
pub fn peer_uris_state() -> Value {
    json!({
        "object_key": "gatehouse.peer_uris", "factory_key": "envoy.string", "skip_if_empty": true,
        "format_string": {
            "omit_empty_values": true, "text_format_source": { "inline_string": "%DOWNSTREAM_PEER_URI_SAN%" },
        },
    })
}

/// The network filter that writes it, once the handshake is over (Envoy 1.37).
pub fn peer_uris() -> Value {
    json!({ "name": "gatehouse.peer_uris", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config",
        "on_downstream_tls_handshake": [peer_uris_state()],
    } })
}

/// The filter of a listener that reads the server name.
pub fn tls_inspector() -> Value {
    json!({ "name": "envoy.filters.listener.tls_inspector", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
    } })
}

/// What became of a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was answered with this.
    Answered(Vec<u8>),
    /// It ended without a byte.
    Closed,
    /// Nothing came.
    Silent,
}

/// Opens a connection, says `words` if there are any, and waits for an answer or its end.
pub async fn talk(authority: &Authority, address: SocketAddr, hello: &Hello, words: &[u8]) -> Fate {
    let Ok(mut stream) = authority.open(address, hello).await else { return Fate::Closed };
    if !words.is_empty() && stream.write_all(words).await.is_err() {
        return Fate::Closed;
    }
    let mut bytes = vec![0; 1024];
    match tokio::time::timeout(PATIENCE, stream.read(&mut bytes)).await {
        Ok(Ok(0) | Err(_)) => Fate::Closed,
        Ok(Ok(length)) => Fate::Answered(bytes[..length].to_vec()),
        Err(_) => Fate::Silent,
    }
}

/// A workload with a certificate of this authority.
pub fn workload(authority: &Authority, file: &str, identity: &str) -> Hello {
    Hello { certificate: Some(authority.workload(file, identity)), ..Hello::default() }
}

/// Everyone who is to be rejected: each with what its log line says, where it gets as far as one.
pub fn strangers(authority: &Authority, other: &Authority) -> Vec<(&'static str, Hello, Option<String>)> {
    let expired = Hello { certificate: Some(authority.expired("expired", SLEEP)), ..Hello::default() };
    vec![
        ("another account", workload(authority, "default", DEFAULT), Some(format!("rejecting: {DEFAULT}"))),
        ("no certificate", Hello::default(), Some("rejecting: no identity".into())),
        ("another authority's", workload(other, "sleep", SLEEP), None),
        ("an expired one", expired, None),
    ]
}
