//! A collector over HTTPS that fails as told. It keeps the identity of every event of a batch that it took.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatehouse_support::http1::{Framing, Reader};
use gatehouse_support::tls::Authority;
use serde_json::Value;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What the collector does with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Takes it.
    Well,
    /// Answers 500 and forgets it.
    Broken,
    /// Answers 429 with `Retry-After: 1` and forgets it.
    TooMany,
    /// Takes it, and answers two seconds later.
    Slow,
    /// Ends the connection in the middle of the body.
    CutRequest,
    /// Takes it, and ends the connection in the middle of the answer.
    CutAnswer,
}

/// An event as the oracle knows it: its id, and the request that it tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// `metadata.uid`.
    pub id: String,
    /// `http_request.uid`.
    pub request: String,
}

impl Seen {
    /// Of an event of a request; `None`: it tells of something else.
    pub fn of(event: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let request = || text(&event["http_request"]["uid"]).unwrap_or_default();
        (event["class_uid"] == 4002).then(|| Some(Self { id: text(&event["metadata"]["uid"])?, request: request() }))?
    }
}

/// A running collector; it ends with this value.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    root: PathBuf,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    mood: Mutex<Mood>,
    seen: Mutex<Vec<Seen>>,
}

impl Collector {
    /// Starts on a free port with a certificate of this authority.
    ///
    /// # Panics
    /// When no port can be bound.
    pub async fn start(authority: &Authority) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port for the collector");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State { mood: Mutex::new(Mood::Well), seen: Mutex::default() });
        let task = tokio::spawn(accept(listener, authority.acceptor("collector", &[]), Arc::clone(&state)));
        Self { address, root: authority.root(), state, task }
    }

    /// The sink of a house that sends here, as it is written.
    pub fn sink(&self) -> Value {
        serde_json::json!({ "url": format!("https://{}/ingest", self.address), "tls": { "ca": self.root }, "timeout": "5s" })
    }

    /// From now on it does this.
    pub fn set(&self, mood: Mood) {
        *self.state.mood.lock().expect("the mood") = mood;
    }

    /// Every event of the batches that it took, in order of arrival.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().expect("the events").clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, state: Arc<State>) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            // A connection that fails is the other side's doing, or what it was told to do.
            tokio::spawn(serve(stream, tls.clone(), Arc::clone(&state)));
        }
    }
}

async fn serve(stream: TcpStream, tls: TlsAcceptor, state: Arc<State>) -> io::Result<()> {
    let (read, mut write) = tokio::io::split(tls.accept(stream).await?);
    let mut reader = Reader::new(read, Vec::new());
    while let Some(head) = reader.head().await? {
        let mood = *state.mood.lock().expect("the mood");
        if mood == Mood::CutRequest {
            reader.some().await?;
            return Ok(());
        }
        let body = reader.body(head.framing().unwrap_or(Framing::Length(0))).await?;
        if matches!(mood, Mood::Well | Mood::Slow | Mood::CutAnswer) {
            let events = events(&body.bytes, head.field("content-encoding"))?;
            state.seen.lock().expect("the events").extend(events);
        }
        answer(&mut write, mood).await?;
        if mood == Mood::CutAnswer {
            return Ok(());
        }
    }
    Ok(())
}

fn events(body: &[u8], encoding: Option<&[u8]>) -> io::Result<Vec<Seen>> {
    let mut text = String::new();
    match encoding {
        Some(b"gzip") => _ = flate2::read::MultiGzDecoder::new(body).read_to_string(&mut text)?,
        _ => text.push_str(std::str::from_utf8(body).map_err(|_| io::ErrorKind::InvalidData)?),
    }
    let parsed: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
    Ok(parsed?.iter().filter_map(Seen::of).collect())
}

async fn answer(write: &mut (impl AsyncWrite + Unpin), mood: Mood) -> io::Result<()> {
    let text = match mood {
        Mood::Well | Mood::Slow => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        Mood::Broken => "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
        Mood::TooMany => "HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
        Mood::CutAnswer | Mood::CutRequest => "HTTP/1.1 20",
    };
    if mood == Mood::Slow {
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    write.write_all(text.as_bytes()).await?;
    write.flush().await
}
