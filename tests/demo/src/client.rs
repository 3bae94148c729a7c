//! Requests as exact bytes over HTTP/1.1, from many loopback addresses, on connections that are kept.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use gatehouse_support::http1::{Framing, Reader};
use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};

use crate::actors::Shot;

/// A request that took longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Idle connections kept per address and listener; more are closed.
const KEPT: usize = 64;

/// The header in which an openly mitigated response carries its reference.
pub const REFERENCE: &str = "x-gatehouse-reference";

/// What a client got back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// The reference, when the gate mitigated the request openly.
    pub reference: Option<String>,
    /// From the first octet sent to the last received.
    pub elapsed: Duration,
}

/// All clients' idle connections.
#[derive(Debug, Default)]
pub struct Clients(Mutex<HashMap<(Ipv4Addr, SocketAddr), Vec<Connection>>>);

#[derive(Debug)]
struct Connection {
    reader: Reader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Clients {
    /// Sends one request and takes its whole answer.
    ///
    /// # Errors
    /// No connection, a broken answer, or none within ten seconds.
    pub async fn send(&self, shot: &Shot, to: SocketAddr) -> io::Result<Answer> {
        let exchange = async {
            let mut connection = match self.idle(shot.from, to) {
                Some(connection) => connection,
                None => Connection::open(shot.from, to).await?,
            };
            let (answer, reusable) = connection.exchange(&shot.bytes()).await?;
            if reusable {
                self.keep(shot.from, to, connection);
            }
            Ok(answer)
        };
        tokio::time::timeout(PATIENCE, exchange).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    fn idle(&self, from: Ipv4Addr, to: SocketAddr) -> Option<Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&(from, to))?.pop()
    }

    fn keep(&self, from: Ipv4Addr, to: SocketAddr, connection: Connection) {
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = pools.entry((from, to)).or_default();
        if pool.len() < KEPT {
            pool.push(connection);
        }
    }
}

impl Connection {
    async fn open(from: Ipv4Addr, to: SocketAddr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        let stream: TcpStream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        Ok(Self { reader: Reader::new(reader, Vec::new()), writer })
    }

    /// The answer, and whether the connection can be used again.
    async fn exchange(&mut self, request: &[u8]) -> io::Result<(Answer, bool)> {
        let begin = Instant::now();
        self.writer.write_all(request).await?;
        let head = self.reader.head().await?.ok_or(io::ErrorKind::ConnectionReset)?;
        let framing = head.framing().unwrap_or(Framing::Close);
        self.reader.body(framing).await?;
        let elapsed = begin.elapsed();
        let [_, status, _] = head.parts();
        let status = std::str::from_utf8(status).ok().and_then(|status| status.parse().ok());
        let reference = head.field(REFERENCE).map(|value| String::from_utf8_lossy(value).into_owned());
        let closes = head.field("connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"));
        let answer = Answer { status: status.ok_or(io::ErrorKind::InvalidData)?, reference, elapsed };
        Ok((answer, framing != Framing::Close && !closes))
    }
}
