//! Posting batches.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::answer::outcome;
use super::{Config, Format, encode};
use crate::sink::Sink;
use crate::sink::batch::{Outcome, Post, deliver};
use crate::sink::board::Trouble;
use crate::sink::parcel::{Parcel, Progress};
use crate::sink::peer::Peer;

/// Posts events to one URL.
pub struct HttpsSink {
    config: Config,
    peer: Peer,
    /// The peer asked not to be asked before.
    not_before: Option<Instant>,
}

impl HttpsSink {
    /// A sink that connects with the first event.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let scheme = if config.format == Format::Splunk { "Splunk" } else { "Bearer" };
        let login = config.login.clone().map(|login| (login, scheme));
        let peer = Peer::new(config.address.clone(), config.tls.clone(), login, config.timeout);
        Self { config, peer, not_before: None }
    }
}

impl Post for HttpsSink {
    fn limit(&self) -> usize {
        self.config.batch
    }

    async fn post(
        &mut self,
        parcel: &Arc<Parcel>,
        batch: &[usize],
        progress: &mut Progress,
    ) -> Result<Outcome, Trouble> {
        let (format, compression) = (self.config.format, self.config.compression);
        let (shared, indices) = (Arc::clone(parcel), batch.to_vec());
        let body = tokio::task::spawn_blocking(move || encode::body(format, compression, &shared, &indices)).await;
        let body = body.map_err(|error| Trouble::Retry(error.to_string()))?;
        let body = body.map_err(|error| Trouble::Retry(format!("a batch cannot be encoded: {error}")))?;
        match self.peer.post(&encode::headers(format, compression), Bytes::from(body)).await {
            Ok(answer) => {
                // What a server that failed did with the batch is not known.
                if answer.status.is_server_error() {
                    progress.again += batch.len() as u64;
                }
                Ok(outcome(format, &answer, batch.len()))
            }
            Err(failure) => {
                if failure.sent {
                    progress.again += batch.len() as u64;
                }
                Err(failure.trouble)
            }
        }
    }

    fn pause(&mut self, pause: Duration) {
        self.not_before = Some(Instant::now() + pause);
    }

    fn forget_login(&mut self) {
        self.peer.hang_up();
    }
}

impl Sink for HttpsSink {
    async fn deliver(&mut self, parcel: &Arc<Parcel>, progress: &mut Progress) -> Result<(), Trouble> {
        if let Some(at) = self.not_before {
            tokio::time::sleep_until(at).await;
            self.not_before = None;
        }
        let peer = self.config.address.to_string();
        deliver(self, parcel, progress).await.map_err(|trouble| match trouble {
            Trouble::Retry(reason) => Trouble::Retry(format!("{peer}: {reason}")),
            waiting @ Trouble::Waiting(_) => waiting,
        })
    }

    async fn close(self) {}
}
