//! Posting batches, and halving those that are refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::answer::{Item, Outcome};
use super::{Config, Format, encode};
use crate::sink::Sink;
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
                Ok(Outcome::of(format, &answer, batch.len()))
            }
            Err(failure) => {
                if failure.sent {
                    progress.again += batch.len() as u64;
                }
                Err(failure.trouble)
            }
        }
    }
}

impl Sink for HttpsSink {
    async fn deliver(&mut self, parcel: &Arc<Parcel>, progress: &mut Progress) -> Result<(), Trouble> {
        if let Some(at) = self.not_before {
            tokio::time::sleep_until(at).await;
            self.not_before = None;
        }
        let mut batches = batches(parcel, &progress.pending, self.config.batch);
        let mut held = None;
        while let Some(batch) = batches.pop() {
            match self.post(parcel, &batch, progress).await? {
                Outcome::Delivered => settle(progress, batch),
                Outcome::Each(items) => {
                    let again = each(progress, &batch, items);
                    held = held.or(again);
                }
                Outcome::UpTo(place, reason) => {
                    let (taken, rest) = batch.split_at(place.min(batch.len()));
                    settle(progress, taken.iter().copied());
                    if let Some((refused, rest)) = rest.split_first() {
                        refuse(progress, *refused, reason);
                        batches.extend(Some(rest.to_vec()).filter(|rest| !rest.is_empty()));
                    }
                }
                Outcome::Poison(reason) => match batch.as_slice() {
                    [alone] => refuse(progress, *alone, reason),
                    many => {
                        let (first, second) = many.split_at(many.len() / 2);
                        batches.extend([second.to_vec(), first.to_vec()]);
                    }
                },
                Outcome::Again(reason, after) => {
                    self.not_before = after.map(|after| Instant::now() + after);
                    return Err(Trouble::Retry(format!("{}: {reason}", self.config.address)));
                }
                Outcome::Forbidden(reason) => {
                    // The next attempt reads the login anew.
                    self.peer.hang_up();
                    return Err(Trouble::Retry(format!("{}: {reason}", self.config.address)));
                }
            }
        }
        held.map_or(Ok(()), |reason| Err(Trouble::Retry(format!("{}: {reason}", self.config.address))))
    }

    async fn close(self) {}
}

/// The pending events in batches of at most `limit` bytes, the first batch last.
fn batches(parcel: &Parcel, pending: &[usize], limit: usize) -> Vec<Vec<usize>> {
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut room = 0;
    for index in pending {
        let size = parcel.events().get(*index).map_or(0, |event| parcel.line(event).len());
        match batches.last_mut().filter(|_| size <= room) {
            Some(batch) => batch.push(*index),
            None => {
                batches.push(vec![*index]);
                room = limit;
            }
        }
        room = room.saturating_sub(size);
    }
    batches.reverse();
    batches
}

/// What is settled is not pending any more.
fn settle(progress: &mut Progress, settled: impl IntoIterator<Item = usize>) {
    let settled: BTreeSet<usize> = settled.into_iter().collect();
    progress.pending.retain(|index| !settled.contains(index));
}

fn refuse(progress: &mut Progress, index: usize, reason: String) {
    settle(progress, [index]);
    progress.refused.push((index, format!("refused by the collector: {reason}")));
}

/// Returns why some of them are still pending.
fn each(progress: &mut Progress, batch: &[usize], items: Vec<Item>) -> Option<String> {
    let (mut taken, mut held) = (Vec::new(), None);
    for (index, item) in batch.iter().zip(items) {
        match item {
            Item::Delivered => taken.push(*index),
            Item::Refused(reason) => refuse(progress, *index, reason),
            Item::Again(reason) => held = held.or(Some(reason)),
        }
    }
    settle(progress, taken);
    held
}
