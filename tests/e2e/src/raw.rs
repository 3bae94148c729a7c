//! An application that keeps the raw bytes of every connection, and what may be read into them: for requests that two
//! parsers could understand differently.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How long a connection may be silent before it is taken for done.
const SILENCE: Duration = Duration::from_millis(1500);

/// A running application; it ends with this value.
#[derive(Debug)]
pub struct RawUpstream {
    address: SocketAddr,
    connections: Arc<Mutex<Vec<Vec<u8>>>>,
    task: tokio::task::JoinHandle<()>,
}

impl RawUpstream {
    /// Starts on a free port of loopback.
    ///
    /// # Panics
    /// When no port can be bound.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port for the application");
        let address = listener.local_addr().expect("an address");
        let connections = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&connections);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let index = {
                    let mut kept = kept.lock().expect("the connections");
                    kept.push(Vec::new());
                    kept.len() - 1
                };
                tokio::spawn(serve(stream, index, Arc::clone(&kept)));
            }
        });
        Self { address, connections, task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The bytes of every connection since the last call; connections that are still open go on under the same number.
    ///
    /// # Panics
    /// When a connection's task panicked.
    pub fn bytes(&self) -> Vec<Vec<u8>> {
        self.connections.lock().expect("the connections").clone()
    }
}

impl Drop for RawUpstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers each end of a head with 200 and nothing else, and keeps whatever comes.
async fn serve(mut stream: TcpStream, index: usize, kept: Arc<Mutex<Vec<Vec<u8>>>>) -> io::Result<()> {
    let mut answered = 0;
    let mut chunk = vec![0; 16 << 10];
    loop {
        let read = match tokio::time::timeout(SILENCE, stream.read(&mut chunk)).await {
            Ok(read) => read?,
            Err(_) => return Ok(()),
        };
        if read == 0 {
            return Ok(());
        }
        let heads = {
            let mut kept = kept.lock().expect("the connections");
            kept[index].extend_from_slice(&chunk[..read]);
            kept[index].windows(4).filter(|window| window == b"\r\n\r\n").count()
        };
        if heads > answered {
            answered = heads;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await?;
            stream.shutdown().await?;
        }
    }
}

/// Why these bytes of one connection could be read in more than one way; empty: they cannot.
pub fn second_readings(bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return vec!["no head ends".to_owned()];
    };
    let (head, body) = (&bytes[..end], &bytes[end + 4..]);
    let lines: Vec<&[u8]> = split_crlf(head);
    let bare = head.windows(2).filter(|pair| (pair[0] == b'\r') != (pair[1] == b'\n')).count();
    if bare > 0 {
        found.push("a bare CR or LF".to_owned());
    }
    let parts: Vec<&[u8]> = lines[0].split(|byte| *byte == b' ').collect();
    if parts.len() != 3
        || parts[2] != b"HTTP/1.1"
        || parts.iter().any(|part| part.iter().any(|b| *b <= b' ' || *b == 0x7f))
    {
        found.push(format!("the request line {:?}", String::from_utf8_lossy(lines[0])));
    }
    let (mut lengths, mut codings) = (Vec::new(), Vec::new());
    for line in &lines[1..] {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        let token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
        if name.is_empty() || name.len() == line.len() || !name.iter().all(token) {
            found.push(format!("the field {:?}", String::from_utf8_lossy(line)));
        }
        let value = line[(name.len() + 1).min(line.len())..].trim_ascii();
        if value.iter().any(|byte| *byte < b' ' && *byte != b'\t' || *byte == 0x7f) {
            found.push(format!("a control byte in {:?}", String::from_utf8_lossy(name)));
        }
        match name.to_ascii_lowercase().as_slice() {
            b"content-length" => lengths.push(value.to_vec()),
            b"transfer-encoding" => codings.push(value.to_vec()),
            // Names that a lenient reader takes for one of the two.
            other if is_like(other) => {
                found.push(format!("a name like a framing field: {:?}", String::from_utf8_lossy(name)))
            }
            _ => {}
        }
    }
    found.extend(framing(&lengths, &codings, body));
    found
}

fn is_like(name: &[u8]) -> bool {
    let folded: Vec<u8> = name.iter().filter(|byte| byte.is_ascii_alphanumeric()).copied().collect();
    folded == b"contentlength" || folded == b"transferencoding"
}

fn framing(lengths: &[Vec<u8>], codings: &[Vec<u8>], body: &[u8]) -> Option<String> {
    match (lengths, codings) {
        ([], []) => (!body.is_empty()).then(|| format!("{} octets after a head without a body", body.len())),
        ([length], []) => {
            let text = String::from_utf8_lossy(length).into_owned();
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let told = text.parse::<usize>().ok().filter(|_| digits);
            match told {
                None => Some(format!("content-length {text:?}")),
                Some(told) => (body.len() > told).then(|| format!("{} octets where {told} were told", body.len())),
            }
        }
        ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") => after_chunks(body),
        _ => Some(format!("{} content-length and {} transfer-encoding fields", lengths.len(), codings.len())),
    }
}

/// What stands behind the last chunk.
fn after_chunks(mut body: &[u8]) -> Option<String> {
    loop {
        let end = body.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&body[..end]).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let Some(size) = size else { return Some("a chunk size that is no plain number".to_owned()) };
        let next = end + 2 + size + 2;
        if size == 0 {
            let rest = body.get(next..).unwrap_or_default();
            return (!rest.is_empty()).then(|| format!("{} octets behind the last chunk", rest.len()));
        }
        if next > body.len() {
            return None;
        }
        body = &body[next..];
    }
}

fn split_crlf(head: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut rest = head;
    while let Some(at) = rest.windows(2).position(|window| window == b"\r\n") {
        lines.push(&rest[..at]);
        rest = &rest[at + 2..];
    }
    lines.push(rest);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_parsers_could_read_differently_is_found() {
        let head = |fields: &str, body: &str| format!("POST /x HTTP/1.1\r\nhost: a\r\n{fields}\r\n{body}").into_bytes();
        let clean = [
            head("", ""),
            head("content-length: 3\r\n", "abc"),
            head("transfer-encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"),
        ];
        for bytes in clean {
            assert!(second_readings(&bytes).is_empty(), "{:?}", second_readings(&bytes));
        }
        let doubtful = [
            head("content-length: 3\r\ncontent-length: 4\r\n", "abc"),
            head("content-length: 3\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"),
            head("transfer-encoding: xchunked\r\n", ""),
            head("content-length: +3\r\n", "abc"),
            head("content_length: 3\r\n", ""),
            head("a b: c\r\n", ""),
            head("a: b\rc\r\n", ""),
            head(" folded: b\r\n", ""),
            head("", "GET / HTTP/1.1\r\n\r\n"),
            head("transfer-encoding: chunked\r\n", "0\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
            b"GET /a b HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(),
        ];
        for bytes in doubtful {
            assert!(!second_readings(&bytes).is_empty(), "{:?}", String::from_utf8_lossy(&bytes));
        }
    }
}
