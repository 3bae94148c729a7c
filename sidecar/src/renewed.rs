//! The certificates of a listener of ours: they may come later than the process and be renewed while it runs. Until they are there
//! nobody is let in, and what is waited for is told; what was read before stands until something better is there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::sync::CancellationToken;

use crate::sink::board::Trouble;
use crate::sink::expiry::{self, Expiry};
use crate::sink::tls::Tls;
use crate::sink::trust::Material;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Makes what rustls is told of the files.
type Make = fn(&Tls) -> Result<ServerConfig, Trouble>;

/// Certificates that are looked at again and again. Cloning shares them.
#[derive(Clone)]
pub struct Renewed(Arc<Shared>);

struct Shared {
    /// What the listener is called in the log.
    what: &'static str,
    tls: Tls,
    make: Make,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    acceptor: Option<(TlsAcceptor, Material)>,
    waiting: Option<String>,
    trust: Vec<Expiry>,
}

impl core::fmt::Debug for Renewed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Renewed").field("what", &self.0.what).field("tls", &self.0.tls).finish_non_exhaustive()
    }
}

impl Renewed {
    /// Looks for the first time.
    pub(crate) fn new(what: &'static str, tls: Tls, make: Make) -> Self {
        let renewed = Self(Arc::new(Shared { what, tls, make, held: Mutex::default() }));
        renewed.look();
        renewed
    }

    /// What handshakes are done with; `None`: there are no certificates yet.
    #[must_use]
    pub fn acceptor(&self) -> Option<TlsAcceptor> {
        self.held().acceptor.as_ref().map(|(acceptor, _)| acceptor.clone())
    }

    /// For which file it waits, as sinks say it; `None`: for none.
    #[must_use]
    pub fn waiting(&self) -> Option<String> {
        self.held().waiting.clone()
    }

    /// Until when certificates are good.
    #[must_use]
    pub fn trust(&self) -> Vec<Expiry> {
        self.held().trust.clone()
    }

    /// Looks again and again until `stop`.
    pub async fn watch(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stop.cancelled() => return,
            }
            let renewed = self.clone();
            // It only reads files; a panic there would be ours, and leaves what is held.
            let _ = tokio::task::spawn_blocking(move || renewed.look()).await;
        }
    }

    fn look(&self) {
        let Shared { what, tls, make, .. } = &*self.0;
        let stale = self.held().acceptor.as_ref().is_none_or(|(_, material)| material.is_stale());
        let made = stale.then(|| {
            let material = Material::look(tls.files())?;
            Ok::<_, Trouble>((TlsAcceptor::from(Arc::new(make(tls)?)), material))
        });
        let trust = expiry::all(tls);
        let mut held = self.held();
        held.trust = trust;
        match made {
            None => {}
            Some(Ok(acceptor)) => {
                let renewed = held.acceptor.replace(acceptor).is_some();
                held.waiting = None;
                tracing::info!(renewed, "{what} is open");
            }
            Some(Err(trouble)) => {
                if held.waiting.as_deref() != Some(trouble.message()) {
                    tracing::error!(problem = trouble.message(), "{what} waits");
                }
                held.waiting = Some(trouble.message().to_owned());
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Every change is complete before anything in it could panic.
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
