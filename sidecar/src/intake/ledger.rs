//! The ledger books what became of every batch on its way to the disk, in the order in which batches were handed over.
//!
//! The spool syncs in that order too, so waiting for one after the other holds nothing up; and the receiver must hear of a
//! refused batch after those before it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use gatehouse_stream::receiver::HighWater;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::Intake;
use crate::spool::StoreError;

type Storing = Pin<Box<dyn Future<Output = Result<u64, StoreError>> + Send>>;

/// One batch on its way to the disk.
pub struct Passage {
    storing: Storing,
    done: Option<Result<u64, StoreError>>,
    high_water: HighWater,
    // Held, never read: they bound what is on the way, of this stream and of all.
    _permits: [OwnedSemaphorePermit; 2],
}

/// Takes passages in order. What is on the way is bounded by the intake's semaphore, so the channel needs no bound.
#[derive(Debug)]
pub struct Ledger {
    passages: Mutex<Option<mpsc::UnboundedSender<Passage>>>,
}

/// The other end of a [`Ledger`].
pub type Passages = mpsc::UnboundedReceiver<Passage>;

impl Passage {
    /// Hands a batch to the spool: the future is polled once, here, so that the order of calls is the order in the spool.
    pub fn begin(
        storing: impl Future<Output = Result<u64, StoreError>> + Send + 'static,
        high_water: HighWater,
        permits: [OwnedSemaphorePermit; 2],
    ) -> Self {
        let mut storing: Storing = Box::pin(storing);
        // Nobody waits yet; `book` polls again with a waker of its own.
        let done = match storing.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        };
        Self { storing, done, high_water, _permits: permits }
    }
}

impl fmt::Debug for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passage").field("high_water", &self.high_water).finish_non_exhaustive()
    }
}

impl Ledger {
    /// A ledger and what [`book`] reads.
    #[must_use]
    pub fn new() -> (Self, Passages) {
        let (sender, passages) = mpsc::unbounded_channel();
        (Self { passages: Mutex::new(Some(sender)) }, passages)
    }

    /// Enters a passage; after [`close`](Self::close) it is given up, unacknowledged.
    pub fn enter(&self, passage: Passage) {
        if let Some(sender) = self.passages.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            // The reader ends only after this sender is gone.
            let _ = sender.send(passage);
        }
    }

    /// Lets [`book`] end once it has booked what was entered.
    pub fn close(&self) {
        self.passages.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Books one passage after the other until the ledger is closed and empty.
pub async fn book(intake: Arc<Intake>, mut passages: Passages) {
    while let Some(passage) = passages.recv().await {
        let result = match passage.done {
            Some(result) => result,
            None => passage.storing.await,
        };
        intake.stored(&passage.high_water, result);
    }
}
