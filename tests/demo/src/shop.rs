//! The application behind Envoy: a small shop over HTTP/1.1 that counts what reaches it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gatehouse_support::http1::{Body, Framing, Head, Reader};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::actors::PASSWORD;
use crate::failure::Failure;

/// What reached the shop.
#[derive(Debug, Default)]
pub struct Counts {
    /// Requests.
    requests: AtomicU64,
    /// Of these, with the tag that the policy sets.
    tagged: AtomicU64,
    /// Of these, with a header `x-gatehouse-*` that a client sent.
    forged: AtomicU64,
}

/// [`Counts`] at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reached {
    /// Requests.
    pub requests: u64,
    /// Of these, with the tag that the policy sets.
    pub tagged: u64,
    /// Of these, with a header `x-gatehouse-*` that a client sent.
    pub forged: u64,
}

/// A running shop; it ends with the runtime.
#[derive(Debug)]
pub struct Shop {
    /// Where it listens.
    pub address: SocketAddr,
    counts: Arc<Counts>,
}

/// The tag that the demo's policy sets on a crawler's requests.
pub const TAG: &str = "x-shop-client";

impl Shop {
    /// Opens the shop on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn open() -> Result<Self, Failure> {
        let bound =
            TcpListener::bind(("127.0.0.1", 0)).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) = bound.map_err(|error| {
            Failure::new(
                format!("no free port on 127.0.0.1 for the shop: {error}"),
                "free some ports, then run it again",
            )
        })?;
        let counts = Arc::new(Counts::default());
        let kept = counts.clone();
        tokio::spawn(async move {
            // A failed accept concerns one connection; Envoy opens another.
            loop {
                if let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, kept.clone()));
                }
            }
        });
        Ok(Self { address, counts })
    }

    /// What reached it so far.
    pub fn reached(&self) -> Reached {
        Reached {
            requests: self.counts.requests.load(Ordering::Relaxed),
            tagged: self.counts.tagged.load(Ordering::Relaxed),
            forged: self.counts.forged.load(Ordering::Relaxed),
        }
    }
}

async fn serve(mut stream: TcpStream, counts: Arc<Counts>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.split();
    let mut reader = Reader::new(read, Vec::new());
    while let Some(head) = reader.head().await? {
        let body = reader.body(head.framing().unwrap_or(Framing::Length(0))).await?;
        counts.count(&head);
        write.write_all(&answer(&head, &body)).await?;
    }
    Ok(())
}

impl Counts {
    fn count(&self, head: &Head) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if head.field(TAG).is_some() {
            self.tagged.fetch_add(1, Ordering::Relaxed);
        }
        // The gate adds none of its own to a request, so one that arrives was a client's.
        let ours = |name: &[u8]| name.to_ascii_lowercase().starts_with(b"x-gatehouse-");
        if head.fields.iter().any(|(name, _)| ours(name)) {
            self.forged.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn answer(head: &Head, body: &Body) -> Vec<u8> {
    let [method, target, _] = head.parts();
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let (status, text) = page(method, path, body);
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{text}", text.len())
        .into_bytes()
}

fn page(method: &[u8], path: &[u8], body: &Body) -> (&'static str, String) {
    let path = String::from_utf8_lossy(path);
    match (method, path.as_ref()) {
        (b"POST", "/login") if contains(&body.bytes, PASSWORD.as_bytes()) => {
            ("200 OK", "{\"welcome\":true}".to_owned())
        }
        (b"POST", "/login") => ("401 Unauthorized", "{\"error\":\"wrong user or password\"}".to_owned()),
        (b"POST", "/cart") => ("201 Created", "{\"in_cart\":1}".to_owned()),
        (b"GET", "/") => ("200 OK", "{\"shop\":\"open\"}".to_owned()),
        (b"GET", path) if path == "/search" || path.starts_with("/catalog/") => {
            let items: Vec<String> =
                (0..12).map(|id| format!("{{\"id\":{id},\"name\":\"item {id}\",\"price\":9.90}}")).collect();
            ("200 OK", format!("{{\"items\":[{}]}}", items.join(",")))
        }
        (b"GET", path) if path.starts_with("/admin/") => ("200 OK", "{\"orders\":[]}".to_owned()),
        _ => ("404 Not Found", "{\"error\":\"no such page\"}".to_owned()),
    }
}

fn contains(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_shop_answers_and_counts() {
        let shop = Shop::open().await.unwrap();
        let mut stream = TcpStream::connect(shop.address).await.unwrap();
        let body = format!("{{\"password\":\"{PASSWORD}\"}}");
        let requests = format!(
            "GET /catalog/1 HTTP/1.1\r\nHost: s\r\nX-Shop-Client: crawler\r\n\r\n\
             POST /login HTTP/1.1\r\nHost: s\r\nContent-Length: {}\r\n\r\n{body}\
             POST /login HTTP/1.1\r\nHost: s\r\nX-Gatehouse-Verdict: allow\r\nContent-Length: 2\r\n\r\n{{}}",
            body.len()
        );
        stream.write_all(requests.as_bytes()).await.unwrap();
        let mut reader = Reader::new(stream, Vec::new());
        for status in [b"200".as_slice(), b"200", b"401"] {
            let head = reader.head().await.unwrap().unwrap();
            assert_eq!(head.parts()[1], status);
            reader.body(head.framing().unwrap()).await.unwrap();
        }
        assert_eq!(shop.reached(), Reached { requests: 3, tagged: 1, forged: 1 });
    }
}
