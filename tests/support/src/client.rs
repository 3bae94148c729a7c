//! Clients: exact bytes over HTTP/1.1, and HTTP/2 with prior knowledge.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use http_body_util::channel::Channel;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustix::net::sockopt::set_socket_linger;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};

use crate::http1::{self, Body, Fields, Framing, Head, Reader};

/// How long a whole exchange may take before it counts as hung.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// Interim (1xx) responses that came first.
    pub interim: Vec<u16>,
    /// Status.
    pub status: u16,
    /// Header fields.
    pub fields: Fields,
    /// Body octets.
    pub body: Vec<u8>,
    /// Trailer fields.
    pub trailers: Fields,
}

impl Reply {
    /// The first value of a header field as text.
    pub fn field(&self, name: &str) -> Option<String> {
        http1::field(&self.fields, name).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A request as HTTP/1.1 bytes; `Content-Length` is added for a body.
pub fn request(method: &str, target: &str, fields: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {target} HTTP/1.1\r\n").into_bytes();
    for (name, value) in fields {
        bytes.extend(format!("{name}: {value}\r\n").into_bytes());
    }
    if !body.is_empty() {
        bytes.extend(format!("content-length: {}\r\n", body.len()).into_bytes());
    }
    bytes.extend(b"\r\n");
    bytes.extend(body);
    bytes
}

/// One request on a connection of its own.
///
/// # Errors
/// The connection failed, or no whole response came within [`PATIENCE`].
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> io::Result<Reply> {
    tokio::time::timeout(PATIENCE, Http1::connect(address)).await??.ask(bytes).await
}

/// The same from this address of loopback.
///
/// # Errors
/// As [`exchange`].
pub async fn exchange_from(address: SocketAddr, from: Ipv4Addr, bytes: &[u8]) -> io::Result<Reply> {
    tokio::time::timeout(PATIENCE, Http1::connect_from(address, from)).await??.ask(bytes).await
}

/// One HTTP/1.1 connection.
#[derive(Debug)]
pub struct Http1<R = OwnedReadHalf, W = OwnedWriteHalf> {
    reader: Reader<R>,
    writer: W,
}

impl Http1 {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        Self::of(TcpStream::connect(address).await?)
    }

    /// Connects from this address of loopback (127.x.y.z): another peer than anyone else.
    ///
    /// # Errors
    /// Nobody listens there, or there is no such address.
    pub async fn connect_from(address: SocketAddr, from: Ipv4Addr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((from, 0)))?;
        Self::of(socket.connect(address).await?)
    }

    fn of(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let (read, writer) = stream.into_split();
        Ok(Self { reader: Reader::new(read, Vec::new()), writer })
    }

    /// Gives the connection up with a reset, as a client that crashed.
    pub fn abort(self) {
        let _ = set_socket_linger(self.writer.as_ref(), Some(Duration::ZERO));
    }
}

impl<S: AsyncRead + AsyncWrite> Http1<ReadHalf<S>, WriteHalf<S>> {
    /// HTTP/1.1 over any stream.
    pub fn over(stream: S) -> Self {
        let (read, writer) = tokio::io::split(stream);
        Self { reader: Reader::new(read, Vec::new()), writer }
    }
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Http1<R, W> {
    /// Sends bytes as they are. A peer that has answered and closed already is no error here: its answer can be read.
    ///
    /// # Errors
    /// The connection failed in another way.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.writer.write_all(bytes).await {
            Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => Ok(()),
            other => other,
        }
    }

    /// Reads the response to a request of this method; after 101, or 2xx to CONNECT, go on with [`Http1::some`].
    ///
    /// # Errors
    /// The connection failed or ended before the whole response was there.
    pub async fn reply(&mut self, method: &str) -> io::Result<Reply> {
        let mut reply = Reply::default();
        let head = loop {
            let head = self.reader.head().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            reply.status = std::str::from_utf8(head.parts()[1])
                .ok()
                .and_then(|text| text.parse().ok())
                .ok_or(io::ErrorKind::InvalidData)?;
            if reply.status >= 200 || reply.status == 101 {
                break head;
            }
            reply.interim.push(reply.status);
        };
        let body = match framing(method, reply.status, &head) {
            Some(framing) => self.reader.body(framing).await?,
            None => Body::default(),
        };
        Ok(Reply { fields: head.fields, body: body.bytes, trailers: body.trailers, ..reply })
    }

    /// At least one octet of an upgraded connection; empty: it has ended.
    ///
    /// # Errors
    /// The connection failed.
    pub async fn some(&mut self) -> io::Result<Vec<u8>> {
        tokio::time::timeout(PATIENCE, self.reader.some()).await?
    }

    /// Sends one request and reads its whole response.
    ///
    /// # Errors
    /// The connection failed, or no whole response came within [`PATIENCE`].
    pub async fn ask(&mut self, bytes: &[u8]) -> io::Result<Reply> {
        let method = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
        let method = String::from_utf8_lossy(method).into_owned();
        tokio::time::timeout(PATIENCE, async {
            self.send(bytes).await?;
            self.reply(&method).await
        })
        .await?
    }
}

fn framing(method: &str, status: u16, head: &Head) -> Option<Framing> {
    let bodiless =
        method == "HEAD" || status < 200 || matches!(status, 204 | 304) || (method == "CONNECT" && status < 300);
    (!bodiless).then(|| head.framing().unwrap_or(Framing::Close))
}

/// One HTTP/2 connection without TLS.
#[derive(Debug, Clone)]
pub struct Http2 {
    sender: SendRequest<Channel<Bytes>>,
}

impl Http2 {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// Nobody listens there, or they do not speak HTTP/2.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        builder.max_header_list_size(16 << 20);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        tokio::spawn(connection);
        Ok(Self { sender })
    }

    /// Sends one request with its body and trailers; reads the whole response.
    ///
    /// # Errors
    /// The stream was reset, the connection ended, or [`PATIENCE`] passed.
    pub async fn send(&mut self, request: Request<()>, body: Bytes, trailers: HeaderMap) -> io::Result<Reply> {
        let (mut writer, channel) = Channel::new(1);
        let request = request.map(|()| channel);
        let write = async move {
            if !body.is_empty() {
                let _ = writer.send_data(body).await;
            }
            if !trailers.is_empty() {
                let _ = writer.send_trailers(trailers).await;
            }
        };
        let read = async {
            self.sender.ready().await.map_err(io::Error::other)?;
            let response = self.sender.send_request(request).await.map_err(io::Error::other)?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(io::Error::other)?;
            let trailers = body.trailers().map(fields).unwrap_or_default();
            let bytes = body.to_bytes().to_vec();
            Ok(Reply {
                interim: Vec::new(),
                status: head.status.as_u16(),
                fields: fields(&head.headers),
                body: bytes,
                trailers,
            })
        };
        let (result, ()) = tokio::time::timeout(PATIENCE, async { tokio::join!(read, write) }).await?;
        result
    }
}

/// Header fields as they are in a map, in its order.
pub(crate) fn fields(map: &HeaderMap) -> Fields {
    map.iter().map(|(name, value)| (name.as_str().as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}
