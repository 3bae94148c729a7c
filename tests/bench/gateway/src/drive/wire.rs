//! One connection: a request's bytes, its whole answer.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A longer answer than this is none of ours.
const MAX_ANSWER: usize = 64 << 10;

/// A client that keeps its connection open as long as it may.
pub(super) struct Client {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Client {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, stream: None, buffer: Vec::with_capacity(16 << 10) }
    }

    /// One request and its whole answer; its status, 0: there was none.
    pub(super) async fn ask(&mut self, request: &[u8]) -> u16 {
        match self.exchange(request).await {
            Ok(answer) => {
                if answer.closes {
                    self.stream = None;
                }
                answer.status
            }
            Err(_) => {
                self.stream = None;
                0
            }
        }
    }

    async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            self.stream = Some(stream);
        }
        let Some(stream) = &mut self.stream else { return Err(io::ErrorKind::NotConnected.into()) };
        stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if stream.read_buf(&mut self.buffer).await? == 0 || self.buffer.len() > MAX_ANSWER {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(answer) = Answer::read(&self.buffer)
                && self.buffer.len() >= answer.bytes
            {
                return Ok(answer);
            }
        }
    }
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
