//! Posting requests.

use std::sync::Arc;

use super::answer::outcome;
use super::{Config, encode};
use crate::sink::batch::{Outcome, Post, encoded};
use crate::sink::board::Trouble;
use crate::sink::parcel::{Parcel, Progress};
use crate::sink::peer::Peer;

/// Sends events to one collector.
pub struct OtlpSink {
    config: Config,
    peer: Peer,
}

impl OtlpSink {
    /// A sink that connects with the first event.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let login = config.login.clone().map(|login| (login, "Bearer"));
        let peer = Peer::new(config.address.clone(), config.tls.clone(), login, config.timeout);
        Self { config, peer }
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
        let body = encoded(move || encode::body(gzip, &shared, &indices)).await?;
        let many = batch.len() as u64;
        match self.peer.post(&encode::headers(gzip), body).await {
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

    fn peer(&mut self) -> &mut Peer {
        &mut self.peer
    }
}
