//! Load in a closed loop: each connection sends its next request when the last was answered.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gatehouse_corpora::{Ask, standard};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

const CONNECTIONS: usize = 16;
/// A longer answer than this is none of ours.
const MAX_ANSWER: usize = 64 << 10;

/// What came of one round.
#[derive(Debug, Default)]
pub(crate) struct Driven {
    /// Requests that were answered, by status.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// From the first byte sent to the whole answer, nanoseconds, unsorted.
    pub(crate) latencies: Vec<u64>,
    /// How long it took.
    pub(crate) took: Duration,
}

/// The standard requests as they stand on the wire.
pub(crate) fn requests() -> Vec<Vec<u8>> {
    standard().asks.iter().map(on_the_wire).collect()
}

fn on_the_wire(ask: &Ask) -> Vec<u8> {
    let of = |name: &str| ask.headers.iter().find(|(own, _)| own == name).map_or("", |(_, value)| &**value);
    let mut text = format!("{} {} HTTP/1.1\r\nhost: {}\r\n", of(":method"), of(":path"), of(":authority"));
    let plain = ask.headers.iter().filter(|(name, _)| !name.starts_with(':') && name != "content-length");
    plain.for_each(|(name, value)| text.extend([name, ": ", value, "\r\n"]));
    text.push_str("\r\n");
    text.into_bytes()
}

/// Sends these requests, over and over, for so long.
pub(crate) async fn closed_loop(address: SocketAddr, requests: &Arc<Vec<Vec<u8>>>, length: Duration) -> Driven {
    let begin = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        connections.spawn(connection(address, Arc::clone(requests), Arc::clone(&next), begin + length));
    }
    let mut driven = Driven::default();
    while let Some(part) = connections.join_next().await {
        let part = part.expect("a connection's task");
        part.statuses.into_iter().for_each(|(status, count)| *driven.statuses.entry(status).or_default() += count);
        driven.latencies.extend(part.latencies);
    }
    driven.took = begin.elapsed();
    driven
}

async fn connection(address: SocketAddr, requests: Arc<Vec<Vec<u8>>>, next: Arc<AtomicUsize>, end: Instant) -> Driven {
    let mut driven = Driven::default();
    let mut stream = None;
    while let sent = Instant::now()
        && sent < end
    {
        let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed) % requests.len()) else { break };
        let status = ask(&mut stream, address, request).await.unwrap_or_else(|_| {
            stream = None;
            0
        });
        *driven.statuses.entry(status).or_default() += 1;
        driven.latencies.push(u64::try_from(sent.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    driven
}

/// One request and its whole answer; its status.
async fn ask(open: &mut Option<Open>, address: SocketAddr, request: &[u8]) -> io::Result<u16> {
    if open.is_none() {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        *open = Some(Open { stream, buffer: Vec::with_capacity(16 << 10) });
    }
    let Some(Open { stream, buffer }) = open else { return Err(io::ErrorKind::NotConnected.into()) };
    stream.write_all(request).await?;
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 || buffer.len() > MAX_ANSWER {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(answer) = Answer::read(buffer)
            && buffer.len() >= answer.bytes
        {
            if answer.closes {
                *open = None;
            }
            return Ok(answer.status);
        }
    }
}

/// A connection.
struct Open {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// The head of an answer whose length it says.
struct Answer {
    status: u16,
    /// Head and body.
    bytes: usize,
    closes: bool,
}

impl Answer {
    fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
        let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let (mut length, mut closes) = (0, false);
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().ok()?;
            }
            closes |= name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close");
        }
        Some(Self { status, bytes: end + 4 + length, closes })
    }
}
