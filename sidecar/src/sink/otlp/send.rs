//! Posting requests.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::answer::outcome;
use super::{Config, encode};
use crate::sink::Sink;
use crate::sink::batch::{Outcome, Post, deliver};
use crate::sink::board::Trouble;
use crate::sink::parcel::{Parcel, Progress};
use crate::sink::peer::Peer;

/// Sends events to one collector.
pub struct OtlpSink {
    config: Config,
    peer: Peer,
    /// The peer asked not to be asked before.
    not_before: Option<Instant>,
}

impl OtlpSink {
    /// A sink that connects with the first event.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let login = config.login.clone().map(|login| (login, "Bearer"));
        let peer = Peer::new(config.address.clone(), config.tls.clone(), login, config.timeout);
        Self { config, peer, not_before: None }
    }
}

impl Post for OtlpSink {
    fn limit(&self) -> usize {
        self.config.batch
    }

    async fn post(
        &mut self,
        parcel: &Arc<Parcel>,
        batch: &[usize],
        progress: &mut Progress,
    ) -> Result<Outcome, Trouble> {
        let (gzip, shared, indices) = (self.config.gzip, Arc::clone(parcel), batch.to_vec());
        let body = tokio::task::spawn_blocking(move || encode::body(gzip, &shared, &indices)).await;
        let body = body.map_err(|error| Trouble::Retry(error.to_string()))?;
        let body = body.map_err(|error| Trouble::Retry(format!("a batch cannot be encoded: {error}")))?;
        let many = batch.len() as u64;
        match self.peer.post(&encode::headers(gzip), Bytes::from(body)).await {
            Ok(answer) => {
                let outcome = outcome(&answer);
                // A server that failed may have taken it; one that refuses a part of it took the others.
                let in_part = answer.status.is_success() && outcome != Outcome::Delivered && many > 1;
                if answer.status.is_server_error() || in_part {
                    progress.again += many;
                }
                Ok(outcome)
            }
            Err(failure) => {
                progress.again += if failure.sent { many } else { 0 };
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

impl Sink for OtlpSink {
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
