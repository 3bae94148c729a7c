//! The door of the independent house: mutual TLS, and behind it listed gates only.
//!
//! ```text
//!  accept ─► handshake (10 s, 256 at once) ─► one SPIFFE id ─► listed? ─► intake
//!                 │                               │               └─ no: closed, `unlisted`
//!                 └─ plain text, no certificate,  └─ none, several: closed, `no_identity`
//!                    another authority, expired, no h2: closed, `handshake`
//! ```
//!
//! Certificates may come later than the house and be renewed while it runs: until they are there nobody is let in, and `/status` says for
//! which file the door waits.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::identity::{Refusal, identity};
use super::peer::{Guests, Known};
use crate::metrics::Metrics;
use crate::sink::board::Trouble;
use crate::sink::expiry::{self, Expiry};
use crate::sink::tls::Tls;
use crate::sink::trust::Material;

/// What a peer has to finish its handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes at once; more wait in the kernel's line.
const HANDSHAKES: usize = 256;
/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// After a failed accept: descriptors come back as others close.
const BREATHE: Duration = Duration::from_millis(100);

/// A gate's connection and who it is.
#[derive(Debug)]
pub struct Guarded {
    pub(super) stream: TlsStream<TcpStream>,
    pub(super) known: Arc<Known>,
}

/// What `/status` says of the door.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Where it is.
    pub address: String,
    /// For which file it waits, as sinks say it; what was read of it before still holds. `None`: for none.
    pub waiting: Option<String>,
    /// Until when its certificates are good.
    pub trust: Vec<Expiry>,
}

/// The door.
#[derive(Debug)]
pub struct Door {
    tls: Tls,
    guests: Guests,
    metrics: Arc<Metrics>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    acceptor: Option<(TlsAcceptorOf, Material)>,
    standing: Standing,
}

/// `TlsAcceptor` shows nothing of itself.
#[derive(Clone)]
struct TlsAcceptorOf(TlsAcceptor);

impl core::fmt::Debug for TlsAcceptorOf {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("an acceptor")
    }
}

impl Door {
    /// A door that is not open yet.
    #[must_use]
    pub fn new(tls: Tls, guests: Guests, address: String, metrics: Arc<Metrics>) -> Arc<Self> {
        let standing = Standing { address, ..Standing::default() };
        let door = Self { tls, guests, metrics, held: Mutex::new(Held { standing, ..Held::default() }) };
        door.look();
        Arc::new(door)
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.held().standing.clone()
    }

    /// Lets in whom it may until `stop`; the connections come out of the stream.
    pub fn open(
        self: &Arc<Self>,
        listener: TcpListener,
        stop: CancellationToken,
    ) -> ReceiverStream<io::Result<Guarded>> {
        let (inside, connections) = mpsc::channel(16);
        tokio::spawn(Arc::clone(self).watch(stop.clone()));
        tokio::spawn(Arc::clone(self).accept(listener, inside, stop));
        ReceiverStream::new(connections)
    }

    async fn accept(
        self: Arc<Self>,
        listener: TcpListener,
        inside: mpsc::Sender<io::Result<Guarded>>,
        stop: CancellationToken,
    ) {
        let room = Arc::new(Semaphore::new(HANDSHAKES));
        loop {
            // Never closed.
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => return,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(BREATHE).await;
                continue;
            };
            let (door, inside) = (Arc::clone(&self), inside.clone());
            tokio::spawn(async move {
                if let Some(guarded) = door.admit(stream).await {
                    // The house stops.
                    let _ = inside.send(Ok(guarded)).await;
                }
                drop(place);
            });
        }
    }

    async fn admit(&self, stream: TcpStream) -> Option<Guarded> {
        let Some(acceptor) = self.held().acceptor.as_ref().map(|(acceptor, _)| acceptor.clone()) else {
            return self.refused("no_trust", "no certificates are there yet");
        };
        let stream = match timeout(HANDSHAKE, acceptor.0.accept(stream)).await {
            Err(_) => return self.refused("handshake", "it did not end in time"),
            Ok(Err(error)) => return self.refused("handshake", &error.to_string()),
            Ok(Ok(stream)) => stream,
        };
        let session = stream.get_ref().1;
        if session.alpn_protocol() != Some(b"h2") {
            return self.refused("handshake", "the peer does not offer h2");
        }
        let own = session.peer_certificates().and_then(<[_]>::first);
        let who = match own.ok_or(Refusal::NoIdentity).and_then(|certificate| identity(certificate)) {
            Ok(who) => who,
            Err(refusal) => return self.refused(refusal.word(), "a gateway shows exactly one SPIFFE id"),
        };
        match self.guests.know(&who) {
            Ok(known) => Some(Guarded { stream, known }),
            Err(refusal) => {
                // An identity is printable by its own grammar.
                tracing::warn!(identity = who, "a gateway that is to be served is listed in `listen.tls.gates`");
                self.refused(refusal.word(), "only listed gates are served")
            }
        }
    }

    fn refused(&self, reason: &'static str, problem: &str) -> Option<Guarded> {
        self.metrics.refusals.get_or_create(&[("reason", reason)]).inc();
        // The log holds back what repeats itself.
        tracing::warn!(reason, problem, "connection refused");
        None
    }

    /// Looks at the files again and again.
    async fn watch(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stop.cancelled() => return,
            }
            let door = Arc::clone(&self);
            // It only reads files; a panic there would be ours, and leaves what is held.
            let _ = tokio::task::spawn_blocking(move || door.look()).await;
        }
    }

    fn look(&self) {
        let stale = self.held().acceptor.as_ref().is_none_or(|(_, material)| material.is_stale());
        let made = stale.then(|| {
            let material = Material::look(self.tls.files())?;
            Ok::<_, Trouble>((TlsAcceptorOf(TlsAcceptor::from(Arc::new(self.tls.server(b"h2")?))), material))
        });
        let trust = expiry::all(&self.tls);
        let mut held = self.held();
        held.standing.trust = trust;
        match made {
            None => {}
            Some(Ok(acceptor)) => {
                let renewed = held.acceptor.replace(acceptor).is_some();
                held.standing.waiting = None;
                tracing::info!(address = held.standing.address, renewed, "the door for gates is open");
            }
            // What was read before still stands.
            Some(Err(trouble)) => {
                if held.standing.waiting.as_deref() != Some(trouble.message()) {
                    tracing::error!(problem = trouble.message(), "the door for gates waits");
                }
                held.standing.waiting = Some(trouble.message().to_owned());
            }
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        // Every change is complete before anything in it could panic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
