//! Bytes that no client of TLS sends, the same each time.

use std::net::SocketAddr;

use gatehouse_support::tls::{Authority, Hello};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::callers::PATIENCE;

/// A record of TLS, in the clear.
///
/// # Panics
/// When it is longer than a record can say.
pub fn record(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a record").to_be_bytes();
    [&[kind, 3, 3], &length[..], bytes].concat()
}

/// Bytes that look like nothing.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

/// Is served, then sends each of what no client sends after a handshake: how many that was.
///
/// # Panics
/// It is not served, or its connection stays open.
pub async fn breaks_in(authority: &Authority, address: SocketAddr, hello: &Hello) -> u64 {
    let records = after_a_handshake();
    for (what, bytes) in &records {
        let mut stream = authority.open(address, hello).await.expect("a handshake");
        stream.write_all(b"a").await.expect("a connection");
        assert_eq!(stream.read_u8().await.expect("an answer"), b'A');
        let (mut raw, _) = stream.into_inner();
        raw.write_all(bytes).await.expect("a connection");
        let ended = tokio::time::timeout(PATIENCE, raw.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok(), "{what}: the connection stays open");
    }
    records.len() as u64
}

/// What no client sends after a handshake, each with what it is.
fn after_a_handshake() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("noise", noise(32 << 10)),
        ("words", b"GET / HTTP/1.1\r\nhost: app.test\r\n\r\n".to_vec()),
        ("a record that nobody sealed", record(0x17, &noise(512))),
        ("a record longer than one may be", [&[0x17, 3, 3, 0xff, 0xff], &noise(0xffff)[..]].concat()),
        ("a record of nothing", record(0x17, b"")),
        ("a handshake in the clear", record(0x16, &noise(64))),
        ("a kind of record that there is not", record(0x63, &noise(64))),
    ]
}
