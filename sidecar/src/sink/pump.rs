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

use super::behind::{Behind, Bound};
use super::board::{Board, Trouble};
use super::common::Common;
use super::dead::{DeadLetters, Letter};
use super::parcel::{EventKind, Parcel, Progress};
use super::{PARCEL_BYTES, Sink};
use crate::ocsf::time::now_ms;
use crate::spool::{Gap, Reader, SpoolError, Tally};

/// First pause after a failed attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// Longest pause while something is awaited that only people can bring: they should not wait in turn.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// How often a sink that skips looks how far behind it is, while its peer does not answer.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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
    /// When its first frame was taken in, Unix milliseconds.
    taken_ms: u64,
    /// The gap that it tells of.
    gap: Option<Gap>,
}

/// What became of a load.
enum Carried {
    Delivered(Tally),
    /// The sink is too far behind: all up to the frame is to be passed over, but for what is done already.
    Overtaken {
        bound: Bound,
        last: u64,
        done: Tally,
    },
}

/// Carries what one spool reader gives to one sink.
pub(super) struct Pump<S> {
    pub(super) sink: S,
    pub(super) dead: DeadLetters,
    pub(super) common: Arc<Common>,
    pub(super) board: Arc<Board>,
    pub(super) behind: Behind,
    pub(super) stop: Stop,
}

impl<S: Sink> Pump<S> {
    /// Runs until the house stops or the spool is closed.
    pub(super) async fn run(mut self, reader: Reader) {
        let mut reader = Some(reader);
        while let Ok(Some(load)) = self.next(&mut reader).await {
            let Some(reader) = &mut reader else { break };
            match self.carry(&load, reader).await {
                Ok(Carried::Delivered(tally)) => {
                    load.gap.iter().for_each(|gap| reader.told(gap));
                    reader.commit(load.last, tally);
                    self.board.committed(load.last);
                }
                Ok(Carried::Overtaken { bound, last, done }) => self.skip(reader, bound, last, done),
                Err(Ended) => break,
            }
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
            let name = self.board.name();
            let last_look = closed || self.stop.token.is_cancelled();
            let common = Arc::clone(&self.common);
            let (mut reader, loaded) = match tokio::task::spawn_blocking(move || load(reader, &name, &common)).await {
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

    /// Delivers one parcel, however long it takes, unless the sink skips what it is too far behind with.
    async fn carry(&mut self, load: &Load, reader: &Reader) -> Result<Carried, Ended> {
        let parcel = &load.parcel;
        let mut progress = Progress::of(parcel);
        if let Some((bound, last)) = overtaken(self.behind, reader, load.taken_ms) {
            return Ok(Carried::Overtaken { bound, last, done: Tally::default() });
        }
        let mut dead_lettered = self.bury(load.poison.clone()).await?;
        let mut pause = FIRST_PAUSE;
        loop {
            let attempt = self.attempt(load, &mut progress, reader).await?;
            if attempt == Some(Ok(())) {
                break;
            }
            if let Some((bound, last)) = overtaken(self.behind, reader, load.taken_ms) {
                let done = self.give_up(load, &progress, last).await?;
                return Ok(Carried::Overtaken { bound, last, done });
            }
            // An attempt that was given up although nothing is to be skipped any more is begun anew.
            let Some(Err(trouble)) = attempt else { continue };
            self.board.trouble(&trouble);
            let longest = if matches!(trouble, Trouble::Waiting(_)) { MAX_WAIT } else { MAX_PAUSE };
            self.rest(&mut pause, longest).await?;
        }
        let letters = |(index, reason): &(usize, String)| Some(parcel.letter(parcel.events().get(*index)?, reason));
        dead_lettered += self.bury(progress.refused.iter().filter_map(letters).collect()).await?;
        Ok(Carried::Delivered(self.book(parcel, &progress, dead_lettered)))
    }

    /// One attempt; `None`: given up, because the sink is too far behind.
    async fn attempt(
        &mut self,
        load: &Load,
        progress: &mut Progress,
        reader: &Reader,
    ) -> Result<Option<Result<(), Trouble>>, Ended> {
        let (stop, behind) = (self.stop.clone(), self.behind);
        let mut attempt = std::pin::pin!(self.sink.deliver(&load.parcel, progress));
        loop {
            tokio::select! {
                biased;
                attempt = &mut attempt => return Ok(Some(attempt)),
                () = stop.over() => return Err(Ended),
                () = tokio::time::sleep(LOOK_EVERY), if behind != Behind::Hold => {
                    if overtaken(behind, reader, load.taken_ms).is_some() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Books what of the frames up to `last` is done: acknowledged, or refused and buried now. The rest is passed over.
    async fn give_up(&mut self, load: &Load, progress: &Progress, last: u64) -> Result<Tally, Ended> {
        let within = |index: &usize| load.parcel.events().get(*index).filter(|event| event.frame <= last);
        let refused =
            progress.refused.iter().filter_map(|(index, reason)| Some(load.parcel.letter(within(index)?, reason)));
        let buried = self.bury(refused.collect()).await?;
        let poison: u64 = load.poison.iter().filter(|letter| letter.frame <= last).map(|letter| letter.records).sum();
        let is_record = |index: &usize| within(index).is_some_and(|event| event.kind == EventKind::Record);
        let open = progress.pending.iter().chain(progress.refused.iter().map(|(index, _)| index));
        let open = open.filter(|index| is_record(index)).count() as u64;
        let all = (0..load.parcel.events().len()).filter(is_record).count() as u64;
        let done =
            Tally { delivered: all.saturating_sub(open), dead_lettered: poison + buried, skipped: 0, left_out: 0 };
        self.board.tally(|tallies| {
            tallies.delivered += done.delivered;
            tallies.dead_lettered += done.dead_lettered;
            tallies.duplicates += progress.again;
        });
        Ok(done)
    }

    /// Passes over one segment.
    fn skip(&self, reader: &mut Reader, bound: Bound, last: u64, done: Tally) {
        let records = reader.skip(last, done, now_ms());
        tracing::error!(
            sink = reader.name(),
            records,
            bound = bound.word(),
            "sink is too far behind and passes over its oldest records; its peer is told by a gap event"
        );
        self.board.tally(|tallies| {
            tallies.skipped += records;
            match bound {
                Bound::Age => tallies.skipped_for_age += records,
                Bound::Size => tallies.skipped_for_size += records,
            }
        });
        self.board.committed(last);
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

/// The bound that the sink has passed and the last frame to pass over, if there is a segment that may be.
fn overtaken(behind: Behind, reader: &Reader, taken_ms: u64) -> Option<(Bound, u64)> {
    let oldest = Duration::from_millis(now_ms().saturating_sub(taken_ms));
    let bound = behind.passed(reader.pending().bytes, oldest)?;
    Some((bound, reader.skippable()?))
}

/// Reads and encodes; blocking, as the disk may be.
fn load(mut reader: Reader, sink: &str, common: &Common) -> (Reader, Result<Option<Load>, SpoolError>) {
    let frames = match reader.read(PARCEL_BYTES) {
        Ok(frames) => frames,
        Err(error) => return (reader, Err(error)),
    };
    let Some(last) = frames.last().map(|frame| frame.seq) else {
        return (reader, Ok(None));
    };
    let taken_ms = frames.first().map_or(0, |frame| frame.taken_ms);
    let gap = reader.gap();
    let mut parcel = Parcel::default();
    if let Some(gap) = &gap {
        parcel.push_gap(gap, sink);
    }
    for frame in &frames {
        parcel.push(frame, common);
    }
    let poison = parcel.take_poison();
    (reader, Ok(Some(Load { parcel: Arc::new(parcel), poison, last, taken_ms, gap })))
}
