//! A TCP service behind a gateway: gives back what it gets in capitals, or speaks first. It counts who came and what they brought.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a service that speaks first says.
pub const GREETING: &[u8] = b"220 echo ready\r\n";

/// A running service; it ends with this value.
#[derive(Debug)]
pub struct Echo {
    address: SocketAddr,
    counts: Arc<Counts>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    bytes: AtomicU64,
}

impl Echo {
    /// A service that waits to be spoken to.
    pub async fn start() -> Self {
        Self::start_with(b"").await
    }

    /// A service that greets whoever connects.
    pub async fn greeting() -> Self {
        Self::start_with(GREETING).await
    }

    async fn start_with(greeting: &'static [u8]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port for the echo");
        let address = listener.local_addr().expect("an address");
        let counts = Arc::new(Counts::default());
        let own = Arc::clone(&counts);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                own.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, greeting, Arc::clone(&own)));
            }
        });
        Self { address, counts, task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that were ever made to it.
    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// Octets that it ever got.
    pub fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::SeqCst)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, greeting: &[u8], counts: Arc<Counts>) {
    if !greeting.is_empty() && stream.write_all(greeting).await.is_err() {
        return;
    }
    let mut bytes = [0; 16 * 1024];
    while let Ok(length @ 1..) = stream.read(&mut bytes).await {
        counts.bytes.fetch_add(length as u64, Ordering::SeqCst);
        let answer = bytes[..length].to_ascii_uppercase();
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}
