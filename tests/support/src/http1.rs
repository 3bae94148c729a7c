//! HTTP/1.1 on the wire (RFC 9112), shared by client and upstream: bytes in, bytes out, nothing normalised, so that
//! tests see what really travelled. No limits but a bound on a message: both ends are ours.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest head or body that is read, in octets.
pub const LIMIT: usize = 64 << 20;

/// Header or trailer fields in the order received: name and value as they travelled.
pub type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// A start line and its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The start line without its line end.
    pub start: Vec<u8>,
    /// The fields.
    pub fields: Fields,
}

/// A message body and what came after it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body {
    /// The octets.
    pub bytes: Vec<u8>,
    /// Trailer fields of a chunked body.
    pub trailers: Fields,
}

/// How a body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Chunked coding.
    Chunked,
    /// Until the connection ends.
    Close,
    /// So many octets.
    Length(usize),
}

impl Head {
    /// The start line's three parts; the last keeps its spaces.
    pub fn parts(&self) -> [&[u8]; 3] {
        let mut parts = self.start.splitn(3, |byte| *byte == b' ');
        std::array::from_fn(|_| parts.next().unwrap_or_default())
    }

    /// The first value of a field.
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        field(&self.fields, name)
    }

    /// The framing that its fields announce; `None`: they announce none.
    pub fn framing(&self) -> Option<Framing> {
        let chunked = self.field("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case(b"chunked"));
        if chunked {
            return Some(Framing::Chunked);
        }
        let length = std::str::from_utf8(self.field("content-length")?).ok()?.trim().parse().ok()?;
        Some(Framing::Length(length))
    }
}

/// The first value of the field `name`, whatever the case of its letters.
pub fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a [u8]> {
    fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value.as_slice())
}

/// Reads messages from one side of a connection.
#[derive(Debug)]
pub struct Reader<S> {
    stream: S,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + Unpin> Reader<S> {
    /// A reader that starts with octets already taken from the stream.
    pub fn new(stream: S, taken: Vec<u8>) -> Self {
        Self { stream, buffer: taken }
    }

    /// The next head; `None`: the connection ended before its first octet.
    ///
    /// # Errors
    /// The connection failed or ended within the head, or the head is longer than [`LIMIT`].
    pub async fn head(&mut self) -> io::Result<Option<Head>> {
        let mut searched = 0;
        let end = loop {
            let from = searched.max(3) - 3;
            if let Some(at) = find(&self.buffer[from..], b"\r\n\r\n") {
                break from + at;
            }
            searched = self.buffer.len();
            if !self.more().await? {
                return if self.buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        };
        let text = self.take(end + 4);
        let mut lines = text[..end].split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let start = lines.next().unwrap_or_default().to_vec();
        Ok(Some(Head { start, fields: lines.map(split).collect() }))
    }

    /// The body that follows.
    ///
    /// # Errors
    /// The connection failed or ended within it, or its chunks are malformed.
    pub async fn body(&mut self, framing: Framing) -> io::Result<Body> {
        match framing {
            Framing::Length(length) => {
                self.fill(length).await?;
                Ok(Body { bytes: self.take(length), trailers: Fields::new() })
            }
            Framing::Close => {
                while self.more().await? {}
                Ok(Body { bytes: std::mem::take(&mut self.buffer), trailers: Fields::new() })
            }
            Framing::Chunked => self.chunks().await,
        }
    }

    /// At least one octet, as the stream gives them; empty: the connection has ended.
    ///
    /// # Errors
    /// The connection failed.
    pub async fn some(&mut self) -> io::Result<Vec<u8>> {
        if self.buffer.is_empty() {
            self.more().await?;
        }
        Ok(std::mem::take(&mut self.buffer))
    }

    async fn chunks(&mut self) -> io::Result<Body> {
        let mut body = Body::default();
        loop {
            let line = self.line().await?;
            let size = line.split(|byte| *byte == b';').next().and_then(|hex| std::str::from_utf8(hex).ok());
            let size =
                size.and_then(|hex| usize::from_str_radix(hex.trim(), 16).ok()).ok_or(io::ErrorKind::InvalidData)?;
            if size == 0 {
                break;
            }
            self.fill(size + 2).await?;
            body.bytes.extend(self.take(size));
            self.take(2);
        }
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(body);
            }
            body.trailers.push(split(&line));
        }
    }

    async fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                let line = self.take(end);
                self.take(2);
                return Ok(line);
            }
            let length = self.buffer.len();
            self.fill(length + 1).await?;
        }
    }

    async fn fill(&mut self, length: usize) -> io::Result<()> {
        while self.buffer.len() < length {
            if !self.more().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    async fn more(&mut self) -> io::Result<bool> {
        if self.buffer.len() > LIMIT {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let length = self.stream.read_buf(&mut self.buffer).await?;
        Ok(length > 0)
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(length);
        std::mem::replace(&mut self.buffer, rest)
    }
}

fn split(line: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
    let value = line.get(colon + 1..).unwrap_or_default();
    (line[..colon].to_vec(), value.trim_ascii().to_vec())
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::{Framing, Reader};

    #[tokio::test]
    async fn a_chunked_message_with_trailers_is_read_to_its_last_octet() {
        let wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: \xff\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\nT: 1\r\n\r\nrest";
        let mut reader = Reader::new(wire.as_slice(), Vec::new());
        let head = reader.head().await.unwrap().unwrap();
        assert_eq!(head.parts(), [b"HTTP/1.1".as_slice(), b"200", b"OK"]);
        assert_eq!(head.field("x"), Some(b"\xff".as_slice()));
        let body = reader.body(head.framing().unwrap()).await.unwrap();
        assert_eq!((body.bytes.as_slice(), body.trailers.len()), (b"abcd".as_slice(), 1));
        assert_eq!(reader.body(Framing::Close).await.unwrap().bytes, b"rest");
        assert!(reader.head().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_cut_message_is_an_error() {
        let mut reader = Reader::new(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab".as_slice(), Vec::new());
        let head = reader.head().await.unwrap().unwrap();
        assert!(reader.body(head.framing().unwrap()).await.is_err());
    }
}
