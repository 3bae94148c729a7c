//! Batches to a peer that answers each with one word, or with one for each event: what is refused is halved down to the one
//! event, what is not known to be taken is sent again. For every sink of this kind.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Sink;
use super::board::Trouble;
use super::parcel::{Parcel, Progress};
use super::peer::Address;

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The peer has all of it.
    Delivered,
    /// Each event on its own, in order.
    Each(Vec<Item>),
    /// The peer has the events before this one, and will never take this one; it did not look at those after it.
    UpTo(usize, String),
    /// Something in it will never be taken.
    Poison(String),
    /// Nothing is known to be taken; again, after so long.
    Again(String, Option<Duration>),
    /// The login is refused.
    Forbidden(String),
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// The peer has it.
    Delivered,
    /// It will never be taken.
    Refused(String),
    /// It was not taken now.
    Again(String),
}

/// Sends one batch; whatever can do that is a [`Sink`].
pub(super) trait Post: Send + Sync {
    /// Bytes of the lines of a batch, at most; an event larger than this stands alone.
    fn limit(&self) -> usize;

    /// Sends the events at `batch`. What may have been taken although nothing says so is added to `progress.again`.
    fn post(
        &mut self,
        parcel: &Arc<Parcel>,
        batch: &[usize],
        progress: &mut Progress,
    ) -> impl Future<Output = Result<Outcome, Trouble>> + Send;

    /// Whom it is sent to.
    fn address(&self) -> &Address;

    /// Lets the next batch wait so long.
    fn pause(&mut self, pause: Duration);

    /// Lets go of the connection; the next batch makes one, with the files as they are then.
    fn hang_up(&mut self);
}

/// Makes a body, beside the other work of the house.
pub(super) async fn encoded(make: impl FnOnce() -> io::Result<Vec<u8>> + Send + 'static) -> Result<Bytes, Trouble> {
    beside(make).await.map(Bytes::from)
}

/// Makes what is sent, beside the other work of the house.
pub(super) async fn beside<T: Send + 'static>(
    make: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Trouble> {
    let made = tokio::task::spawn_blocking(make).await.map_err(|error| Trouble::Retry(error.to_string()))?;
    made.map_err(|error| Trouble::Retry(format!("a batch cannot be encoded: {error}")))
}

impl<P: Post + 'static> Sink for P {
    /// Sends what is pending, batch by batch; a trouble says with whom it is.
    async fn deliver(&mut self, parcel: &Arc<Parcel>, progress: &mut Progress) -> Result<(), Trouble> {
        let sent = send_all(self, parcel, progress).await;
        sent.map_err(|trouble| match trouble {
            Trouble::Retry(reason) => Trouble::Retry(format!("{}: {reason}", self.address())),
            Trouble::Denied(reason) => Trouble::Denied(format!("{}: {reason}", self.address())),
            waiting @ Trouble::Waiting(_) => waiting,
        })
    }

    async fn close(self) {}
}

async fn send_all<P: Post>(post: &mut P, parcel: &Arc<Parcel>, progress: &mut Progress) -> Result<(), Trouble> {
    let mut batches = batches(parcel, &progress.pending, post.limit());
    let mut held = None;
    while let Some(batch) = batches.pop() {
        match post.post(parcel, &batch, progress).await? {
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
            Outcome::Again(reason, pause) => {
                pause.into_iter().for_each(|pause| post.pause(pause));
                return Err(Trouble::Retry(reason));
            }
            Outcome::Forbidden(reason) => {
                // The next batch reads the login anew.
                post.hang_up();
                return Err(Trouble::Denied(reason));
            }
        }
    }
    held.map_or(Ok(()), |reason| Err(Trouble::Retry(reason)))
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
