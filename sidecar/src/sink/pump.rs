//! The pump of one sink: spool → parcel → peer → cursor.
//!
//! The cursor moves only past frames of which every event was acknowledged by the peer or lies synced in the dead-letter
//! file. What fails is tried again for ever, with pauses that grow to [`MAX_PAUSE`]. When the house stops, the pump goes
//! on with what the spool holds until nothing is left or the time of grace is over.

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::board::{Board, Trouble};
use super::common::Common;
use super::dead::{DeadLetters, Letter};
use super::parcel::{EventKind, Parcel, Progress};
use super::{PARCEL_BYTES, Sink};
use crate::spool::{Reader, SpoolError, Tally};

/// First pause after a failed attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// Longest pause while something is awaited that only people can bring: they should not wait in turn.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// When to stop: asked for by the token, and how long may then be finished what is there.
#[derive(Debug, Clone)]
pub struct Stop {
    token: CancellationToken,
    grace: Duration,
    deadline: Arc<OnceLock<Instant>>,
}

impl Stop {
    /// Stops when `token` is cancelled; `grace` is the time to finish.
    #[must_use]
    pub fn new(token: CancellationToken, grace: Duration) -> Self {
        Self { token, grace, deadline: Arc::default() }
    }

    /// Resolves when the house stops.
    async fn asked(&self) {
        self.token.cancelled().await;
        self.deadline.get_or_init(|| Instant::now() + self.grace);
    }

    /// Resolves when the time of grace is over.
    async fn over(&self) {
        self.asked().await;
        let deadline = self.deadline.get_or_init(|| Instant::now() + self.grace);
        tokio::time::sleep_until(*deadline).await;
    }

    fn is_over(&self) -> bool {
        self.token.is_cancelled() && *self.deadline.get_or_init(|| Instant::now() + self.grace) <= Instant::now()
    }
}

/// Why the pump ends.
struct Ended;

/// One parcel and what it stands for in the spool.
struct Load {
    parcel: Arc<Parcel>,
    poison: Vec<Letter>,
    last: u64,
}

/// Carries what one spool reader gives to one sink.
pub(super) struct Pump<S> {
    pub(super) sink: S,
    pub(super) dead: DeadLetters,
    pub(super) common: Arc<Common>,
    pub(super) board: Arc<Board>,
    pub(super) stop: Stop,
}

impl<S: Sink> Pump<S> {
    /// Runs until the house stops or the spool is closed.
    pub(super) async fn run(mut self, reader: Reader) {
        let mut reader = Some(reader);
        while let Ok(Some(load)) = self.next(&mut reader).await {
            let Ok(tally) = self.carry(load.parcel, load.poison).await else {
                break;
            };
            if let Some(reader) = &mut reader {
                reader.commit(load.last, tally);
            }
            self.board.committed(load.last);
        }
        self.sink.close().await;
        self.board.stopped();
    }

    /// The next parcel; `None`: there is none and there will be none.
    async fn next(&self, place: &mut Option<Reader>) -> Result<Option<Load>, Ended> {
        let mut pause = FIRST_PAUSE;
        let mut closed = false;
        while let Some(reader) = place.take() {
            // Asked before reading: what came in before the house stopped is found by this read or an earlier one.
            let last_look = closed || self.stop.token.is_cancelled();
            let common = Arc::clone(&self.common);
            let (mut reader, loaded) = match tokio::task::spawn_blocking(move || load(reader, &common)).await {
                Ok(done) => done,
                Err(error) => {
                    self.board.trouble(&Trouble::Retry(format!("spool reader failed: {error}")));
                    return Err(Ended);
                }
            };
            match loaded {
                Ok(Some(load)) => {
                    *place = Some(reader);
                    return if self.stop.is_over() { Err(Ended) } else { Ok(Some(load)) };
                }
                Ok(None) if last_look => return Ok(None),
                Ok(None) => tokio::select! {
                    more = reader.wait_for_more() => closed = !more,
                    () = self.stop.asked() => {}
                },
                Err(error) => {
                    self.board.trouble(&Trouble::Retry(error.to_string()));
                    reader.rewind();
                    self.rest(&mut pause, MAX_PAUSE).await?;
                }
            }
            *place = Some(reader);
        }
        Ok(None)
    }

    /// Delivers one parcel, however long it takes.
    async fn carry(&mut self, parcel: Arc<Parcel>, poison: Vec<Letter>) -> Result<Tally, Ended> {
        let mut dead_lettered = self.bury(poison).await?;
        let mut progress = Progress::of(&parcel);
        let mut pause = FIRST_PAUSE;
        loop {
            let stop = self.stop.clone();
            let attempt = tokio::select! {
                biased;
                attempt = self.sink.deliver(&parcel, &mut progress) => attempt,
                () = stop.over() => return Err(Ended),
            };
            let Err(trouble) = attempt else { break };
            self.board.trouble(&trouble);
            let longest = if matches!(trouble, Trouble::Waiting(_)) { MAX_WAIT } else { MAX_PAUSE };
            self.rest(&mut pause, longest).await?;
        }
        let letters = |(index, reason): &(usize, String)| Some(parcel.letter(parcel.events().get(*index)?, reason));
        dead_lettered += self.bury(progress.refused.iter().filter_map(letters).collect()).await?;
        Ok(self.book(&parcel, &progress, dead_lettered))
    }

    /// Writes dead letters, however long it takes. Returns the number of records in them.
    async fn bury(&self, letters: Vec<Letter>) -> Result<u64, Ended> {
        if letters.is_empty() {
            return Ok(0);
        }
        let records = letters.iter().map(|letter| letter.records).sum();
        let letters: Arc<[Letter]> = letters.into();
        let mut pause = FIRST_PAUSE;
        loop {
            let (dead, batch) = (self.dead.clone(), Arc::clone(&letters));
            let problem = match tokio::task::spawn_blocking(move || dead.append(&batch)).await {
                Ok(Ok(given_up)) => {
                    self.told(&letters, given_up);
                    return Ok(records);
                }
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            let path = self.dead.path().display();
            self.board.trouble(&Trouble::Retry(format!("cannot write dead letters to `{path}`: {problem}")));
            self.rest(&mut pause, MAX_PAUSE).await?;
        }
    }

    fn told(&self, letters: &[Letter], given_up: u64) {
        let path = self.dead.path().display();
        let reason = letters.first().map(|letter| letter.reason.as_str());
        tracing::warn!(count = letters.len(), %path, reason, "events cannot be delivered, kept as dead letters");
        if given_up > 0 {
            tracing::error!(count = given_up, %path, "dead-letter file is full, its oldest letters were given up");
            self.board.tally(|tallies| tallies.letters_given_up += given_up);
        }
    }

    fn book(&self, parcel: &Parcel, progress: &Progress, dead_lettered: u64) -> Tally {
        let count = |kind| parcel.events().iter().filter(|event| event.kind == kind).count() as u64;
        let refused = |kind| {
            let is =
                |(index, _): &&(usize, String)| parcel.events().get(*index).is_some_and(|event| event.kind == kind);
            progress.refused.iter().filter(is).count() as u64
        };
        let left_out = parcel.left_out();
        let delivered = count(EventKind::Record) - refused(EventKind::Record);
        self.board.well();
        self.board.tally(|tallies| {
            tallies.delivered += delivered;
            tallies.dead_lettered += dead_lettered;
            tallies.losses += count(EventKind::Loss) - refused(EventKind::Loss);
            tallies.notices += count(EventKind::Notice) - refused(EventKind::Notice);
            tallies.duplicates += progress.again;
            tallies.filtered += left_out.filtered;
            tallies.sampled_out += left_out.sampled;
        });
        Tally { delivered, dead_lettered, skipped: 0, left_out: left_out.filtered + left_out.sampled }
    }

    /// Pauses; the next pause is twice as long.
    async fn rest(&self, pause: &mut Duration, longest: Duration) -> Result<(), Ended> {
        let now = jittered((*pause).min(longest));
        *pause = (*pause * 2).min(longest);
        tokio::select! {
            () = tokio::time::sleep(now) => Ok(()),
            () = self.stop.over() => Err(Ended),
        }
    }
}

/// From half of it to all of it: sinks that failed together should not come back together.
fn jittered(pause: Duration) -> Duration {
    // A hasher with keys of its own is as random as this needs.
    let random = std::hash::RandomState::new().build_hasher().finish() % 1000;
    pause / 2 + pause.mul_f64(random as f64 / 2000.0)
}

/// Reads and encodes; blocking, as the disk may be.
fn load(mut reader: Reader, common: &Common) -> (Reader, Result<Option<Load>, SpoolError>) {
    let frames = match reader.read(PARCEL_BYTES) {
        Ok(frames) => frames,
        Err(error) => return (reader, Err(error)),
    };
    let Some(last) = frames.last().map(|frame| frame.seq) else {
        return (reader, Ok(None));
    };
    let mut parcel = Parcel::default();
    for frame in &frames {
        parcel.push(frame, common);
    }
    let poison = parcel.take_poison();
    (reader, Ok(Some(Load { parcel: Arc::new(parcel), poison, last })))
}
