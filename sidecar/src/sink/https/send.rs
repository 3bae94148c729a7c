//! Posting batches.

use std::sync::Arc;
use std::time::Duration;

use super::answer::outcome;
use super::{Config, Format, encode};
use crate::sink::batch::{Outcome, Post, encoded};
use crate::sink::board::Trouble;
use crate::sink::parcel::{Parcel, Progress};
use crate::sink::peer::{Address, Peer};

/// Posts events to one URL.
pub struct HttpsSink {
    config: Config,
    peer: Peer,
}

impl HttpsSink {
    /// A sink that connects with the first event.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let scheme = if config.format == Format::Splunk { "Splunk" } else { "Bearer" };
        let login = config.login.clone().map(|login| (login, scheme));
        let peer = Peer::new(config.address.clone(), config.tls.clone(), login, config.timeout)
            .with_headers(config.headers.clone());
        Self { config, peer }
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
        let body = encoded(move || encode::body(format, compression, &shared, &indices)).await?;
        match self.peer.post(&encode::headers(format, compression), body).await {
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

    fn address(&self) -> &Address {
        &self.config.address
    }

    fn pause(&mut self, pause: Duration) {
        self.peer.pause(pause);
    }

    fn hang_up(&mut self) {
        self.peer.hang_up();
    }
}
