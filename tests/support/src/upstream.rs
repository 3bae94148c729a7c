//! The application behind the gateway. It speaks HTTP/1.1 and HTTP/2 (prior knowledge) on one port, keeps every request
//! as it arrived, and answers by path (see [`answer`]). The HTTP/1.1 side is our own, so that nothing on the way to the
//! test drops or refuses what Envoy sent: odd octets, paths of 100 KiB, thousands of fields.

pub mod answer;
mod one;
mod two;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};
use tokio::net::{TcpListener, TcpStream};

use crate::http1::{self, Fields};

/// Requests kept; later ones are only counted.
pub const KEPT: usize = 200_000;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One request as the application got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// `HTTP/1.1` or `HTTP/2`.
    pub version: &'static str,
    /// Method.
    pub method: String,
    /// Request target; over HTTP/2 path and query.
    pub target: Vec<u8>,
    /// Header fields in order; over HTTP/2 `:authority` stands among them as `host`.
    pub fields: Fields,
    /// Octets of the body.
    pub body_length: usize,
    /// SHA-256 of the body.
    pub body_digest: [u8; 32],
    /// Trailer fields.
    pub trailers: Fields,
}

impl Received {
    fn new(version: &'static str, method: String, target: Vec<u8>, fields: Fields, body: &http1::Body) -> Self {
        let body_digest = Sha256::digest(&body.bytes).into();
        let (body_length, trailers) = (body.bytes.len(), body.trailers.clone());
        Self { version, method, target, fields, body_length, body_digest, trailers }
    }

    /// The target as text.
    pub fn target(&self) -> String {
        String::from_utf8_lossy(&self.target).into_owned()
    }

    /// The first value of a header field as text.
    pub fn field(&self, name: &str) -> Option<String> {
        http1::field(&self.fields, name).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// The names of all header fields.
    pub fn names(&self) -> Vec<String> {
        self.fields.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect()
    }
}

/// A running upstream; it ends with this value.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    store: Arc<Store>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    count: AtomicU64,
    kept: Mutex<Vec<Received>>,
}

impl Store {
    pub(crate) fn keep(&self, received: Received) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut kept = self.kept.lock().expect("the upstream's store");
        if kept.len() < KEPT {
            kept.push(received);
        }
    }
}

impl Upstream {
    /// Starts on a free port of loopback.
    ///
    /// # Panics
    /// When no port can be bound.
    pub async fn start() -> Self {
        Self::start_on(0).await
    }

    /// Starts on this port of loopback.
    ///
    /// # Panics
    /// When it is taken.
    pub async fn start_on(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a port for the upstream");
        let address = listener.local_addr().expect("an address");
        let store = Arc::new(Store::default());
        let task = tokio::spawn(accept(listener, Arc::clone(&store)));
        Self { address, store, task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests received so far.
    pub fn count(&self) -> u64 {
        self.store.count.load(Ordering::Relaxed)
    }

    /// Every request kept, in order of arrival.
    pub fn received(&self) -> Vec<Received> {
        self.store.kept.lock().expect("the upstream's store").clone()
    }

    /// The requests whose target contains `text`.
    pub fn with(&self, text: &str) -> Vec<Received> {
        let kept = self.store.kept.lock().expect("the upstream's store");
        kept.iter().filter(|received| received.target().contains(text)).cloned().collect()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, store: Arc<Store>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        // A connection that fails is the other side's doing; tests judge by what was received.
        tokio::spawn(serve(stream, Arc::clone(&store)));
    }
}

async fn serve(stream: TcpStream, store: Arc<Store>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut first = [0; 4];
    while stream.peek(&mut first).await? < first.len() {
        stream.readable().await?;
        if stream.peek(&mut first).await? == 0 {
            return Ok(());
        }
    }
    if first == PREFACE[..first.len()] { two::serve(stream, store).await } else { one::serve(stream, store).await }
}
