//! Sending requests, by HTTP or gRPC.

use std::sync::Arc;
use std::time::Duration;

use tonic::Code;

use super::answer::{outcome, refusal, settled};
use super::grpc::Collector;
use super::{Config, encode};
use crate::sink::batch::{Outcome, Post, beside, encoded};
use crate::sink::board::Trouble;
use crate::sink::parcel::{Parcel, Progress};
use crate::sink::peer::{Address, Peer};

/// Sends events to one collector.
pub struct OtlpSink {
    config: Config,
    wire: Wire,
}

enum Wire {
    Http(Box<Peer>),
    Grpc(Box<Collector>),
}

impl OtlpSink {
    /// A sink that connects with the first event.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let wire = if config.grpc {
            Wire::Grpc(Box::new(Collector::new(config.clone())))
        } else {
            let login = config.login.clone().map(|login| (login, "Bearer"));
            let peer = Peer::new(config.address.clone(), config.tls.clone(), login, config.timeout);
            Wire::Http(Box::new(peer.with_headers(config.headers.clone())))
        };
        Self { config, wire }
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
        match &mut self.wire {
            Wire::Http(peer) => {
                let body = encoded(move || encode::body(gzip, &shared, &indices)).await?;
                by_http(peer, gzip, body, batch.len() as u64, progress).await
            }
            Wire::Grpc(collector) => {
                let request = beside(move || encode::request(&shared, &indices)).await?;
                by_grpc(collector, request, batch.len(), progress).await
            }
        }
    }

    fn address(&self) -> &Address {
        &self.config.address
    }

    fn pause(&mut self, pause: Duration) {
        match &mut self.wire {
            Wire::Http(peer) => peer.pause(pause),
            Wire::Grpc(collector) => collector.pause(pause),
        }
    }

    fn hang_up(&mut self) {
        match &mut self.wire {
            Wire::Http(peer) => peer.hang_up(),
            Wire::Grpc(collector) => collector.hang_up(),
        }
    }
}

async fn by_http(
    peer: &mut Peer,
    gzip: bool,
    body: bytes::Bytes,
    many: u64,
    progress: &mut Progress,
) -> Result<Outcome, Trouble> {
    match peer.post(&encode::headers(gzip), body).await {
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

async fn by_grpc(
    collector: &mut Collector,
    request: super::messages::ExportRequest,
    many: usize,
    progress: &mut Progress,
) -> Result<Outcome, Trouble> {
    let (outcome, perhaps_taken) = match collector.export(request).await? {
        Ok(response) => {
            let outcome = settled(response);
            let in_part = outcome != Outcome::Delivered && many > 1;
            (outcome, in_part)
        }
        Err(status) => {
            let refused = [
                Code::InvalidArgument,
                Code::ResourceExhausted,
                Code::Unauthenticated,
                Code::PermissionDenied,
                Code::Unimplemented,
            ];
            (refusal(&status, many), !refused.contains(&status.code()))
        }
    };
    progress.again += if perhaps_taken { many as u64 } else { 0 };
    Ok(outcome)
}
