//! One listener: who may shake hands, who is let through, and what is carried.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use gatehouse_engine::{Connection, Ended};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::rustls::ProtocolVersion;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::config::{self, Config, Limits};
use super::counts::Counts;
use super::desk::{Desk, Opened};
use super::handshakes::Handshakes;
use super::pump::{End, Traffic, carry};
use crate::peer_uris;
use crate::renewed::Renewed;

/// After a failed accept: descriptors come back as others close.
const BREATHE: Duration = Duration::from_millis(50);
/// How often it is told that none can be accepted.
const BETWEEN_WORDS: Duration = Duration::from_secs(10);
/// What a client may show of itself, all its certificates together: it is kept as long as its connection, and rustls takes 64 KiB.
const MOST_SHOWN: usize = 16 * 1024;
/// Connections that the kernel keeps until they are accepted (it may allow fewer: `net.core.somaxconn`). Where there is no room it lets clients
/// believe that they are connected: two seconds of 100,000 connects a minute have to find some.
const BACKLOG: u32 = 4096;
/// How often it is looked whether anything moved.
const LOOKS_A_SPAN: u32 = 8;

/// One front.
#[derive(Debug, Clone)]
pub(super) struct Front {
    written: config::Front,
    limits: Limits,
    trust: Renewed,
    desk: Desk,
    counts: Arc<Counts>,
    handshakes: Handshakes,
    room: Arc<Semaphore>,
}

impl Front {
    pub(super) fn new(
        written: &config::Front,
        config: &Config,
        trust: Renewed,
        desk: Desk,
        counts: Arc<Counts>,
    ) -> Self {
        let limits = config.limits;
        let (handshakes, room) = (Handshakes::new(limits.handshakes), Arc::new(Semaphore::new(limits.connections)));
        Self { written: written.clone(), limits, trust, desk, counts, handshakes, room }
    }

    /// # Errors
    /// The address is taken, or is not this machine's; said with what to do.
    pub(super) fn bind(&self) -> io::Result<TcpListener> {
        let address = self.written.listen;
        listen(address).map_err(|error| {
            let problem = format!("the front `{}` cannot listen on {address}: {error}", self.written.name);
            io::Error::new(error.kind(), problem)
        })
    }

    /// Lets in until `closing`; who is inside stays until `ending`.
    pub(super) async fn accept(
        self,
        listener: TcpListener,
        closing: CancellationToken,
        ending: CancellationToken,
        carrying: TaskTracker,
    ) {
        let mut told: Option<Instant> = None;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = closing.cancelled() => return,
            };
            let (stream, client) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.tell_unaccepted(&error, &mut told);
                    sleep(BREATHE).await;
                    continue;
                }
            };
            self.counts.accepted.inc();
            let (front, ending) = (self.clone(), ending.clone());
            carrying.spawn(async move {
                tokio::select! {
                    () = front.serve(stream, client) => {}
                    () = ending.cancelled() => {}
                }
            });
        }
    }

    /// `told`: when that was said last.
    fn tell_unaccepted(&self, error: &io::Error, told: &mut Option<Instant>) {
        if told.is_none_or(|told| told.elapsed() >= BETWEEN_WORDS) {
            *told = Some(Instant::now());
            tracing::error!(front = self.written.name, %error, "connections are not accepted; those that come wait");
        }
    }

    async fn serve(&self, stream: TcpStream, client: SocketAddr) {
        let began = Began { at: Instant::now(), wall: SystemTime::now() };
        let mut connection = Connection {
            peer: Some(client.ip().to_canonical()),
            peer_port: Some(client.port()),
            local: stream.local_addr().ok().map(|local| local.ip().to_canonical()),
            local_port: stream.local_addr().ok().map(|local| local.port()),
            mutual_tls: Some(false),
            ..Connection::default()
        };
        let _ = stream.set_nodelay(true);
        let shaken = self.shake(stream).await;
        let mut stream = match shaken.and_then(|stream| small(stream).ok_or("large_certificates")) {
            Ok(stream) => stream,
            Err(reason) => {
                self.counts.refuse(reason);
                if !self.desk.unproven(connection, began.at, began.wall, reason) {
                    self.counts.untold.inc();
                }
                return;
            }
        };
        learn(&mut connection, &stream);
        let Some(opened) = self.desk.judge(connection, self.written.destination.clone(), began.at, began.wall).await
        else {
            // Rejected: without a word, not even that of TLS.
            return;
        };
        let Some(place) = self.place() else {
            opened.end(Ended::Gate);
            let _ = timeout(BREATHE, stream.shutdown()).await;
            return;
        };
        self.counts.carried.inc();
        self.carried(&mut stream, opened).await;
        self.counts.carried.dec();
        drop(place);
    }

    /// A handshake within its time; `Err`: why there is none.
    async fn shake(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, &'static str> {
        let acceptor = self.trust.acceptor().ok_or("no_trust")?;
        let shaking = self.handshakes.begin();
        self.counts.shaking.inc();
        let ended = tokio::select! {
            ended = timeout(self.limits.handshake, acceptor.accept(stream)) => ended,
            () = shaking.crowded_out() => {
                self.counts.shaking.dec();
                return Err("crowded_out");
            }
        };
        self.counts.shaking.dec();
        ended.map_err(|_| "deadline")?.map_err(|_| "handshake")
    }

    fn place(&self) -> Option<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.room).try_acquire_owned().ok();
        if place.is_none() {
            self.counts.refuse("connections");
            tracing::warn!(
                most = self.limits.connections,
                "no more connections are carried: raise `limits.connections`"
            );
        }
        place
    }

    async fn carried(&self, client: &mut TlsStream<TcpStream>, opened: Opened) {
        let mut server = match timeout(self.limits.connect, TcpStream::connect(&self.written.upstream)).await {
            Ok(Ok(server)) => server,
            failed => {
                let problem = failed.err().map_or("it refuses", |_| "it does not answer");
                self.counts.refuse("upstream");
                tracing::warn!(upstream = self.written.upstream, problem, "the service cannot be reached");
                opened.end(Ended::Server);
                let _ = timeout(BREATHE, client.shutdown()).await;
                return;
            }
        };
        let _ = server.set_nodelay(true);
        let traffic = opened.traffic();
        let (first, carried) = tokio::select! {
            ended = carry(client, &mut server, &traffic) => ended,
            () = self.idle(&traffic) => (None, Ok(())),
        };
        // What rustls says of records that are none, or that somebody else has sealed.
        if carried.is_err_and(|error| error.kind() == io::ErrorKind::InvalidData) {
            self.counts.refuse("broken_tls");
        }
        self.counts.received.inc_by(traffic.received.load(std::sync::atomic::Ordering::Relaxed));
        self.counts.sent.inc_by(traffic.sent.load(std::sync::atomic::Ordering::Relaxed));
        opened.end(match first {
            Some(End::Client) => Ended::Client,
            Some(End::Server) => Ended::Server,
            None => Ended::Gate,
        });
    }

    /// Resolves when nothing has moved for as long as nothing may.
    async fn idle(&self, traffic: &Traffic) {
        let (mut seen, mut quiet) = (traffic.total(), 0);
        while quiet < LOOKS_A_SPAN {
            sleep(self.limits.idle / LOOKS_A_SPAN).await;
            let now = traffic.total();
            quiet = if now == seen { quiet + 1 } else { 0 };
            seen = now;
        }
        self.counts.refuse("idle");
    }
}

struct Began {
    at: Instant,
    wall: SystemTime,
}

/// As `TcpListener::bind` does, with more room for who has not been accepted yet.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A client that shows no more than it may.
fn small(stream: TlsStream<TcpStream>) -> Option<TlsStream<TcpStream>> {
    let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let size: usize = shown.iter().map(|certificate| certificate.len()).sum();
    (size <= MOST_SHOWN).then_some(stream)
}

/// What the handshake proved.
fn learn(connection: &mut Connection, stream: &TlsStream<TcpStream>) {
    let session = stream.get_ref().1;
    connection.sni = session.server_name().map(str::to_owned);
    connection.tls_version = session.protocol_version().map(|version| match version {
        ProtocolVersion::TLSv1_3 => "TLSv1.3".to_owned(),
        _ => "TLSv1.2".to_owned(),
    });
    if let Some(own) = session.peer_certificates().and_then(<[_]>::first) {
        let (uri, uris) = peer_uris::of(own);
        connection.mutual_tls = Some(true);
        (connection.peer_uri, connection.peer_uris) = (uri, Some(uris));
    }
}
