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
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::identity::{Refusal, identity};
use super::peer::{Guests, Known};
use crate::metrics::Metrics;
use crate::renewed::Renewed;
use crate::sink::expiry::Expiry;
use crate::sink::tls::Tls;

/// What a peer has to finish its handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes at once; more wait in the kernel's line.
const HANDSHAKES: usize = 256;
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
    address: String,
    renewed: Renewed,
    guests: Guests,
    metrics: Arc<Metrics>,
}

impl Door {
    /// A door that is not open yet.
    #[must_use]
    pub fn new(tls: Tls, guests: Guests, address: String, metrics: Arc<Metrics>) -> Arc<Self> {
        let renewed = Renewed::new("the door for gates", tls, |tls| tls.server(b"h2"));
        Arc::new(Self { address, renewed, guests, metrics })
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let (waiting, trust) = (self.renewed.waiting(), self.renewed.trust());
        Standing { address: self.address.clone(), waiting, trust }
    }

    /// Lets in whom it may until `stop`; the connections come out of the stream.
    pub fn open(
        self: &Arc<Self>,
        listener: TcpListener,
        stop: CancellationToken,
    ) -> ReceiverStream<io::Result<Guarded>> {
        let (inside, connections) = mpsc::channel(16);
        tokio::spawn(self.renewed.clone().watch(stop.clone()));
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
        let Some(acceptor) = self.renewed.acceptor() else {
            return self.refused("no_trust", "no certificates are there yet");
        };
        let stream = match timeout(HANDSHAKE, acceptor.accept(stream)).await {
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
}
