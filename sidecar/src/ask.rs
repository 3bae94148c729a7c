//! The command line's way to a running house: its admin listener, found by URL or by the data folder.

use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::config::{DEFAULT_ADMIN, DEFAULT_DATA};
use crate::run::ADMIN_ADDRESS;

const CONNECT_WITHIN: Duration = Duration::from_secs(2);
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const MAX_ANSWER: u64 = 64 << 20;

/// Which house is meant.
#[derive(Debug, Clone, Default, Args)]
pub struct At {
    /// Admin listener of the house, such as `http://127.0.0.1:9911`
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    pub admin: Option<String>,
    /// Data folder of the house, which says where it listens [default: /var/lib/gatehouse]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// A house that can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// `host:port`.
    authority: String,
}

/// An answer that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum AskError {
    /// Nobody answers there in time, or not in HTTP.
    Silent {
        /// Where.
        authority: String,
        /// What happened.
        source: io::Error,
    },
    /// The URL is none.
    Url(String),
}

impl At {
    /// The folder of the house that is meant; `None`: an URL says which.
    #[must_use]
    pub fn folder(&self) -> Option<PathBuf> {
        match (&self.admin, &self.data) {
            (Some(_), _) => None,
            (None, Some(data)) => Some(data.clone()),
            (None, None) => Some(DEFAULT_DATA.into()),
        }
    }
}

impl Admin {
    /// The listener of the house that is meant: what the URL says, or what the house wrote into its data folder, or the
    /// default address.
    ///
    /// # Errors
    /// The URL is no `http://host:port`.
    pub fn at(at: &At) -> Result<Self, AskError> {
        let Some(url) = at.admin.as_deref() else {
            let written = at.folder().and_then(|folder| fs::read_to_string(folder.join(ADMIN_ADDRESS)).ok());
            let authority = written.map_or_else(|| DEFAULT_ADMIN.to_string(), |text| text.trim().to_owned());
            return Ok(Self { authority });
        };
        Self::of(url)
    }

    /// What this URL says; Envoy's admin interface can be asked too.
    ///
    /// # Errors
    /// It is no `http://host:port`.
    pub fn of(url: &str) -> Result<Self, AskError> {
        let authority = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
        let sound = authority.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && port.parse::<u16>().is_ok() && !host.contains(['/', '@', ' ', '\r', '\n'])
        });
        if sound { Ok(Self { authority: authority.into() }) } else { Err(AskError::Url(url.to_owned())) }
    }

    /// Sends one request and takes its answer, whatever its status.
    ///
    /// # Errors
    /// Nobody answers.
    pub fn ask(&self, method: &str, path: &str, body: Option<&str>) -> Result<Answer, AskError> {
        self.exchange(method, path, body)
            .map_err(|source| AskError::Silent { authority: self.authority.clone(), source })
    }

    fn exchange(&self, method: &str, path: &str, body: Option<&str>) -> io::Result<Answer> {
        let mut peer = self.connect()?;
        peer.set_read_timeout(Some(ANSWER_WITHIN))?;
        peer.set_write_timeout(Some(ANSWER_WITHIN))?;
        let authority = &self.authority;
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n");
        if let Some(body) = body {
            request.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        request.push_str(body.unwrap_or_default());
        peer.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        peer.take(MAX_ANSWER).read_to_end(&mut answer)?;
        read_answer(&answer)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is no HTTP of a house"))
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in self.authority.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_WITHIN) {
                Ok(peer) => return Ok(peer),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Status and body of an answer that ends with its connection. The house sends bodies whole (RFC 9112, 6.3), Envoy in chunks (7.1).
fn read_answer(bytes: &[u8]) -> Option<Answer> {
    let text = core::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let chunked = head.lines().any(|line| line.eq_ignore_ascii_case("transfer-encoding: chunked"));
    if chunked {
        return Some(Answer { status, body: joined(body)? });
    }
    // An answer that was cut off is none.
    length.is_none_or(|length| length == body.len()).then(|| Answer { status, body: body.to_owned() })
}

/// The chunks of a body; `None`: the last is not there.
fn joined(mut rest: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n")?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.push_str(after.get(..size)?);
        rest = after.get(size..)?.strip_prefix("\r\n")?;
    }
}

/// Asks the house that is meant; the inner error: it says no, in its words.
///
/// # Errors
/// Nobody answers, or the URL is none.
pub fn asked(at: &At, method: &str, path: &str, body: Option<&str>) -> Result<Result<String, String>, AskError> {
    let answer = Admin::at(at)?.ask(method, path, body)?;
    Ok(if answer.status == 200 { Ok(answer.body) } else { Err(answer.body.trim_end().into()) })
}

/// What stands at the end of a sentence about a house that does not answer.
#[must_use]
pub fn hint(folder: Option<&Path>) -> String {
    match folder {
        Some(folder) => {
            format!(
                "is it running on `{}`? name its data folder with `--data DIR`, or its listener with `--admin URL`",
                folder.display()
            )
        }
        None => "is that its admin listener (`admin:` in its configuration)?".into(),
    }
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent { authority, source } => write!(f, "no house answers at `{authority}`: {source}"),
            Self::Url(url) => write!(f, "`{url}` is no address of a house; write one such as `http://127.0.0.1:9911`"),
        }
    }
}

impl std::error::Error for AskError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_host_and_port() {
        let at = |url: &str| Admin::at(&At { admin: Some(url.into()), data: None });
        for url in ["http://127.0.0.1:9911", "http://localhost:9911/", "127.0.0.1:9911", "http://[::1]:1"] {
            assert!(at(url).is_ok(), "{url}");
        }
        for url in
            ["https://127.0.0.1:9911", "http://127.0.0.1", "http://:1", "http://a:b", "http://a/x:1", "http://u@h:1"]
        {
            assert!(at(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_body_in_chunks_is_joined_or_none() {
        let whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n";
        assert_eq!(read_answer(whole), Some(Answer { status: 200, body: "abcde".into() }));
        for cut in [whole.len() - 6, whole.len() - 9, whole.len() - 20] {
            assert_eq!(read_answer(&whole[..cut]), None);
        }
        let wrong = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc\r\n0\r\n\r\n";
        assert_eq!(read_answer(wrong), None);
    }

    #[test]
    fn an_answer_is_whole_or_none() {
        let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";
        assert_eq!(read_answer(whole), Some(Answer { status: 200, body: "abc".into() }));
        assert_eq!(read_answer(&whole[..whole.len() - 1]), None);
        for bytes in [&b""[..], b"SSH-2.0", b"HTTP/1.1 \xff\r\n\r\n", b"HTTP/1.1 20\r\n\r\n"] {
            assert_eq!(read_answer(bytes), None);
        }
    }
}
