//! The house's half: which sequences of which epoch have come, which are durable, and the account of every one.
//!
//! The caller stores what [`Receiver::batch`] lets through and says how that ended ([`durable`](Receiver::durable) or
//! [`failed`](Receiver::failed)); in between the sequences are in flight. Only what is durable is ever acknowledged.

mod books;
mod epoch;
mod error;
mod run;

use std::collections::BTreeMap;

use gatehouse_proto::{common_protocol, v1};

pub use self::books::{Books, Dropped, HighWater, Left, Tallies, Totals, UNKNOWN_FIELDS};
use self::epoch::Epoch;
pub use self::error::{BatchError, HelloError};

/// Epochs that a receiver remembers unless told otherwise.
pub const MAX_EPOCHS: usize = 4096;

/// An epoch is forgotten this long after its last stream ended, milliseconds.
pub const EPOCH_LIFE_MS: u64 = 24 * 60 * 60 * 1000;

/// The right to deliver batches of one stream, until a newer stream of the epoch fences it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    epoch: u64,
    stream_no: u32,
}

impl Ticket {
    /// The epoch of the stream.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The number of the stream within its epoch.
    #[must_use]
    pub fn stream_no(&self) -> u32 {
        self.stream_no
    }
}

/// A stream was let in, and every older one of its epoch fenced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// To be shown with each batch of this stream.
    pub ticket: Ticket,
    /// For the first credit.
    pub durable_seq: u64,
}

/// What is to be done with a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Taken {
    /// Nothing in it is new (it may have brought newer counters).
    Duplicate,
    /// Its stream was fenced by a newer one, or is to be closed after an error: discard it, close the stream.
    Fenced,
    /// Store it, then call [`Receiver::durable`] or [`Receiver::failed`].
    Store(Box<Parcel>),
}

/// What is new in a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Parcel {
    /// The batch without the sequences that were taken in before.
    pub batch: v1::Batch,
    /// Records in it.
    pub records: u32,
    /// Sequences in it that stand for lost records.
    pub lost: u64,
    /// Sequence after its last.
    pub end_seq: u64,
    /// The account of the epoch once this batch is durable; to be stored in the same breath.
    pub high_water: HighWater,
}

/// The table of epochs. Bounded: at most [`MAX_EPOCHS`] (or the number given), each with a few hundred bytes.
#[derive(Debug)]
pub struct Receiver {
    max_epochs: usize,
    epochs: BTreeMap<u64, Epoch>,
    past: Totals,
}

impl Default for Receiver {
    fn default() -> Self {
        Self::new(MAX_EPOCHS)
    }
}

impl Receiver {
    /// A receiver that remembers at most `max_epochs` epochs (at least 1).
    #[must_use]
    pub fn new(max_epochs: usize) -> Self {
        Self { max_epochs: max_epochs.max(1), epochs: BTreeMap::new(), past: Totals::default() }
    }

    /// Takes back what was durable before a restart. Beyond the cap the epochs that were quiet longest are left out.
    pub fn restore(&mut self, high_waters: &[HighWater]) {
        let mut newest_first: Vec<&HighWater> = high_waters.iter().filter(|high| high.epoch != 0).collect();
        newest_first.sort_by_key(|high| std::cmp::Reverse(high.last_ms));
        for high in newest_first {
            if self.epochs.len() >= self.max_epochs {
                break;
            }
            self.epochs.entry(high.epoch).or_insert_with(|| Epoch::restored(high));
        }
    }

    /// Lets a stream in. Every older stream of the epoch is fenced from now on.
    ///
    /// # Errors
    /// The stream is to be refused; nothing changed.
    pub fn hello(&mut self, hello: &v1::Hello, now_ms: u64) -> Result<Opened, HelloError> {
        self.admissible(hello)?;
        if !self.epochs.contains_key(&hello.epoch) {
            self.make_room()?;
        }
        let epoch = self.epochs.entry(hello.epoch).or_default();
        epoch.open(hello, now_ms);
        let ticket = Ticket { epoch: hello.epoch, stream_no: hello.stream_no };
        Ok(Opened { ticket, durable_seq: epoch.durable.durable_seq })
    }

    /// Judges a batch, and takes its sequences in.
    ///
    /// # Errors
    /// The batch breaks the rules or leaves a gap: the stream is to be closed, the gate resends on its next one.
    pub fn batch(&mut self, ticket: &Ticket, batch: v1::Batch, now_ms: u64) -> Result<Taken, BatchError> {
        let Some(epoch) = self.current(ticket) else {
            return Ok(Taken::Fenced);
        };
        if epoch.broken {
            return Ok(Taken::Fenced);
        }
        epoch.take(ticket, batch, now_ms).inspect_err(|_| epoch.broken = true)
    }

    /// A parcel is on disk. Returns the stream that is open for its epoch, to which a credit can now be sent.
    ///
    /// What became of the parcels of an epoch must be told in the order in which they came out of
    /// [`batch`](Self::batch).
    pub fn durable(&mut self, high_water: &HighWater) -> Option<Ticket> {
        let epoch = self.epochs.get_mut(&high_water.epoch)?;
        epoch.settled();
        if high_water.durable_seq > epoch.durable.durable_seq {
            epoch.durable = *high_water;
        }
        if high_water.durable_seq > epoch.received.durable_seq {
            // The epoch was forgotten while this parcel was on its way, and came again: what is on disk was received.
            epoch.received = *high_water;
        }
        epoch.ticket(high_water.epoch)
    }

    /// A parcel of this epoch was not stored: it and all that came out after it is to be resent; the store must refuse those
    /// too. Returns the stream that is open, which the caller must close: nothing more is taken from it.
    pub fn failed(&mut self, epoch_id: u64) -> Option<Ticket> {
        let epoch = self.epochs.get_mut(&epoch_id)?;
        if epoch.settled() {
            // It was given up with one before it; what came since is another matter.
            return None;
        }
        epoch.give_up();
        epoch.ticket(epoch_id)
    }

    /// The gate said goodbye; returns what it held then, if it says so.
    pub fn bye(&mut self, ticket: &Ticket, bye: &v1::Bye) -> Option<Left> {
        let epoch = self.current(ticket).filter(|_| bye.epoch == ticket.epoch)?;
        epoch.bye = true;
        epoch.told(bye.counters.as_ref(), bye.next_seq);
        epoch.left = bye.held_records.map(|held| Left { held, unsent: bye.unsent_records.unwrap_or(0).min(held) });
        epoch.left
    }

    /// A stream ended, however it ended. Nothing happens when a newer one has taken its place.
    pub fn ended(&mut self, ticket: &Ticket, now_ms: u64) {
        if let Some(epoch) = self.current(ticket) {
            epoch.open = false;
            epoch.last_ms = epoch.last_ms.max(now_ms);
        }
    }

    /// Forgets the epochs whose last stream ended more than [`EPOCH_LIFE_MS`] ago; their account moves to
    /// [`past`](Self::past).
    pub fn age(&mut self, now_ms: u64) {
        let past = &mut self.past;
        self.epochs.retain(|&id, epoch| {
            let keep = epoch.open || now_ms.saturating_sub(epoch.last_ms) <= EPOCH_LIFE_MS;
            if !keep {
                past.add(&epoch.books(id));
            }
            keep
        });
    }

    /// What is durable, epoch by epoch: what [`restore`](Self::restore) takes.
    #[must_use]
    pub fn snapshot(&self) -> Vec<HighWater> {
        self.epochs.iter().map(|(&id, epoch)| epoch.high_water(id, epoch.durable)).collect()
    }

    /// The account of each epoch, by epoch.
    #[must_use]
    pub fn books(&self) -> Vec<Books> {
        self.epochs.iter().map(|(&id, epoch)| epoch.books(id)).collect()
    }

    /// The account of the epochs forgotten since this receiver was made.
    #[must_use]
    pub fn past(&self) -> Totals {
        self.past
    }

    /// Streams that are open.
    #[must_use]
    pub fn open_streams(&self) -> usize {
        self.epochs.values().filter(|epoch| epoch.open).count()
    }

    /// What the next credit to this stream says is durable; `None` once it is fenced.
    #[must_use]
    pub fn durable_seq(&self, ticket: &Ticket) -> Option<u64> {
        let epoch = self.epochs.get(&ticket.epoch)?;
        (epoch.stream_no == ticket.stream_no && !epoch.broken).then_some(epoch.durable.durable_seq)
    }

    fn admissible(&self, hello: &v1::Hello) -> Result<(), HelloError> {
        if common_protocol(hello.protocol).is_none() {
            return Err(HelloError::Protocol { got: hello.protocol });
        }
        if hello.epoch == 0 {
            return Err(HelloError::NoEpoch);
        }
        if hello.oldest_seq > hello.next_seq {
            return Err(HelloError::Backwards { received: hello.oldest_seq, next_seq: hello.next_seq });
        }
        let (last, received) =
            self.epochs.get(&hello.epoch).map_or((0, 0), |epoch| (epoch.stream_no, epoch.received.durable_seq));
        if hello.stream_no <= last {
            return Err(HelloError::NotNewer { got: hello.stream_no, last });
        }
        if received > hello.next_seq {
            return Err(HelloError::Backwards { received, next_seq: hello.next_seq });
        }
        Ok(())
    }

    /// Makes room for one more epoch: the idle one that was quiet longest goes.
    fn make_room(&mut self) -> Result<(), HelloError> {
        if self.epochs.len() < self.max_epochs {
            return Ok(());
        }
        let idle = self.epochs.iter().filter(|(_, epoch)| !epoch.open).min_by_key(|(_, epoch)| epoch.last_ms);
        let Some((&id, _)) = idle else {
            return Err(HelloError::TooMany { limit: self.max_epochs });
        };
        if let Some(epoch) = self.epochs.remove(&id) {
            self.past.add(&epoch.books(id));
        }
        Ok(())
    }

    fn current(&mut self, ticket: &Ticket) -> Option<&mut Epoch> {
        self.epochs.get_mut(&ticket.epoch).filter(|epoch| epoch.open && epoch.stream_no == ticket.stream_no)
    }
}

#[cfg(test)]
mod tests;
