//! Clients that hold a place: their handshake never ends, or they send and do not listen.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use gatehouse_support::tls::{Authority, Caller, Hello, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::garbage::record;
use crate::callers::PATIENCE;

/// How one of them begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// Not a byte.
    Nothing,
    /// Half of what a real client says first.
    Half,
    /// The beginning of the longest message that a handshake can announce.
    Endless,
    /// All of what a real client says first; it hears the answer and never goes on.
    Whole,
    /// What a real client says first, a byte a second: something always comes, and it is never enough.
    Slow,
}

impl Beginning {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Nothing, Self::Half, Self::Endless, Self::Whole, Self::Slow];
}

/// Connects `count` clients that begin so, in turn. Each of them gives how long it was let hold on.
///
/// # Panics
/// When nobody listens there; in the client when it is still open after `patience`.
pub async fn hold(
    address: SocketAddr,
    hello: &[u8],
    beginnings: &[Beginning],
    count: usize,
    patience: Duration,
) -> JoinSet<Duration> {
    let mut held = JoinSet::new();
    for beginning in beginnings.iter().cycle().take(count) {
        let stream = TcpStream::connect(address).await.expect("it listens");
        let (bytes, pause) = match beginning {
            Beginning::Nothing => (Vec::new(), Duration::ZERO),
            Beginning::Half => (hello[..hello.len() / 2].to_vec(), Duration::ZERO),
            Beginning::Whole => (hello.to_vec(), Duration::ZERO),
            Beginning::Endless => (endless_hello(), Duration::ZERO),
            Beginning::Slow => (hello[..hello.len() - 1].to_vec(), Duration::from_secs(1)),
        };
        held.spawn(async move {
            let since = Instant::now();
            let held = tokio::time::timeout(patience, until_ended(stream, bytes, pause)).await;
            assert!(held.is_ok(), "it is still open after {patience:?}");
            since.elapsed()
        });
    }
    held
}

/// Writes `bytes`, at once or one each `pause`, and waits until the other side ends it.
async fn until_ended(mut stream: TcpStream, bytes: Vec<u8>, pause: Duration) {
    if pause.is_zero() {
        let (mut reading, mut writing) = stream.split();
        let _ = tokio::join!(writing.write_all(&bytes), async {
            while let Ok(1..) = reading.read(&mut [0; 4096]).await {}
        });
        return;
    }
    for byte in bytes {
        // Whatever comes back means that it is over.
        let over = tokio::time::timeout(pause, stream.read(&mut [0; 64])).await;
        if over.is_ok() || stream.write_all(&[byte]).await.is_err() {
            return;
        }
    }
}

/// What a real client says first.
///
/// # Panics
/// When it says nothing.
pub async fn client_hello(authority: &Authority) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let hello = Hello::default();
    let listen = async {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut bytes = vec![0; 4096];
        let length = stream.read(&mut bytes).await.expect("its words");
        bytes.truncate(length);
        bytes
    };
    let (_, bytes) = tokio::join!(authority.open(address, &hello), listen);
    assert!(bytes.starts_with(&[0x16, 3]) && bytes.len() > 100, "{bytes:?}");
    bytes
}

/// The beginning of the longest message that a handshake can announce, as much as can be sent without ending it.
fn endless_hello() -> Vec<u8> {
    let message = [&[1, 0, 0xff, 0xf0], &[0; 3 * (16 << 10)][..]].concat();
    message.chunks(16 << 10).flat_map(|part| record(0x16, part)).collect()
}

/// `count` clients that are let in, send more than every buffer on the way holds, and take nothing of the answer.
///
/// # Panics
/// When one of them is not let in, or thrown out.
pub async fn pour(caller: &Caller, address: SocketAddr, count: usize) -> Vec<Stream> {
    let mut pouring = JoinSet::new();
    for _ in 0..count {
        let caller = caller.clone();
        pouring.spawn(async move {
            let stream = TcpStream::connect(address).await.expect("it listens");
            let mut stream = caller.open(stream).await.expect("a handshake");
            let pour = async { while stream.write_all(&[b'a'; 64 << 10]).await.is_ok() {} };
            assert!(tokio::time::timeout(Duration::from_secs(4), pour).await.is_err(), "it was thrown out");
            stream
        });
    }
    pouring.join_all().await
}

/// Shakes hands and sends all of `bytes`: as much as came back of them, when all of them did, or it was over.
pub async fn send(caller: &Caller, address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut back = Vec::new();
    let talk = async {
        let (mut reading, mut writing) = tokio::io::split(caller.open(TcpStream::connect(address).await?).await?);
        let hear = async {
            while back.len() < bytes.len() && reading.read_buf(&mut back).await? > 0 {}
            std::io::Result::Ok(())
        };
        // Who is thrown out cannot send, and has been told before it was.
        let (_, heard) = tokio::join!(writing.write_all(bytes), hear);
        heard
    };
    let _ = tokio::time::timeout(PATIENCE, talk).await;
    back
}
