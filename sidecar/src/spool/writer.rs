//! The thread that writes: gathers what comes within a few milliseconds into a group, syncs it, and answers.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::StoreError;
use super::log::{Entry, Log};

/// How long a commit of a reader may wait for its cursor to be saved.
const SAVE_EVERY: Duration = Duration::from_millis(50);

/// How often a full disk is asked again.
const TEND_EVERY: Duration = Duration::from_secs(1);

/// Epochs whose batches are held back after a refusal; beyond that the oldest is forgotten.
const MAX_REFUSED: usize = 4096;

/// What the writer is asked to do.
pub(super) enum Command {
    /// End, after all that was asked before.
    Close,
    /// A reader committed.
    SaveCursors,
    /// Make a frame durable.
    Store(Job),
}

/// A frame on its way, and who waits for it.
pub(super) struct Job {
    pub(super) entry: Entry,
    /// First sequence of the batch within its epoch.
    pub(super) first_seq: u64,
    pub(super) done: oneshot::Sender<Result<u64, StoreError>>,
    /// Its share of the queue's bytes.
    pub(super) _share: OwnedSemaphorePermit,
}

/// State of the thread.
pub(super) struct Writer {
    log: Log,
    queue: Receiver<Command>,
    sync_every: Duration,
    synced: Option<Instant>,
    save_at: Option<Instant>,
    tend_at: Instant,
    closing: bool,
    /// The first job that did not fit into the group before.
    held: Option<Job>,
    /// Epochs of which a batch was refused, with its first sequence: later ones must not overtake it.
    refused: VecDeque<(u64, u64)>,
}

impl Writer {
    pub(super) fn new(log: Log, queue: Receiver<Command>, sync_every: Duration) -> Self {
        Self {
            log,
            queue,
            sync_every,
            synced: None,
            save_at: None,
            tend_at: Instant::now() + TEND_EVERY,
            closing: false,
            held: None,
            refused: VecDeque::new(),
        }
    }

    /// Works until it is told to close, or nobody is left who could ask for anything.
    pub(super) fn run(mut self) {
        while let Some(job) = self.next_job() {
            let group = self.gather(job);
            self.write(group);
            self.housekeeping();
        }
        self.log.close();
    }

    /// Waits for the first job of a group; `None` is the end.
    fn next_job(&mut self) -> Option<Job> {
        if let Some(job) = self.held.take() {
            return Some(job);
        }
        loop {
            if self.closing {
                return None;
            }
            let until = self.save_at.map_or(self.tend_at, |save| save.min(self.tend_at));
            match self.queue.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Command::Store(job)) => return Some(job),
                Ok(Command::SaveCursors) => self.save_soon(),
                Ok(Command::Close) | Err(RecvTimeoutError::Disconnected) => self.closing = true,
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.housekeeping();
        }
    }

    /// What else comes until it is time for the next sync or the group is full. After a pause the first frame does not wait.
    fn gather(&mut self, first: Job) -> Vec<Job> {
        let limit = self.log.max_group();
        let mut bytes = first.entry.frame_bytes();
        let mut group = vec![first];
        let due = self.synced.map_or_else(Instant::now, |synced| synced + self.sync_every);
        while !self.closing {
            match self.queue.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(Command::Store(job)) => {
                    bytes = bytes.saturating_add(job.entry.frame_bytes());
                    if bytes > limit {
                        self.held = Some(job);
                        break;
                    }
                    group.push(job);
                }
                Ok(Command::SaveCursors) => self.save_soon(),
                Ok(Command::Close) => self.closing = true,
                Err(_) => break,
            }
        }
        group
    }

    fn write(&mut self, group: Vec<Job>) {
        let mut entries = Vec::with_capacity(group.len());
        let mut waiting = Vec::with_capacity(group.len());
        for job in group {
            match self.admit(&job) {
                Ok(()) => {
                    waiting.push((job.entry.high_water.epoch, job.first_seq, job.done, job._share));
                    entries.push(job.entry);
                }
                Err(error) => {
                    self.refuse(job.entry.high_water.epoch, job.first_seq);
                    // Whoever asked may have gone away; the same holds below.
                    let _ = job.done.send(Err(error));
                }
            }
        }
        if entries.is_empty() {
            return;
        }
        let stored = self.log.append(&entries);
        self.synced = Some(Instant::now());
        let mut seq = stored.unwrap_or_default();
        for (epoch, first_seq, done, _share) in waiting {
            if stored.is_err() {
                self.refuse(epoch, first_seq);
            }
            let _ = done.send(stored.map(|_| seq));
            seq = seq.saturating_add(1);
        }
    }

    /// A batch that comes behind a refused one of its epoch would leave a hole; one that begins no later mends it.
    fn admit(&mut self, job: &Job) -> Result<(), StoreError> {
        let limit = self.log.max_payload();
        let bytes = job.entry.payload.len();
        if bytes > limit {
            return Err(StoreError::TooLarge { bytes, limit });
        }
        let epoch = job.entry.high_water.epoch;
        if let Some(at) = self.refused.iter().position(|refused| refused.0 == epoch) {
            if self.refused.get(at).is_some_and(|refused| job.first_seq > refused.1) {
                return Err(StoreError::AfterRefused);
            }
            self.refused.remove(at);
        }
        Ok(())
    }

    fn refuse(&mut self, epoch: u64, first_seq: u64) {
        if let Some(refused) = self.refused.iter_mut().find(|refused| refused.0 == epoch) {
            refused.1 = refused.1.min(first_seq);
            return;
        }
        if self.refused.len() >= MAX_REFUSED {
            self.refused.pop_front();
        }
        self.refused.push_back((epoch, first_seq));
    }

    fn save_soon(&mut self) {
        self.save_at.get_or_insert_with(|| Instant::now() + SAVE_EVERY);
    }

    fn housekeeping(&mut self) {
        let now = Instant::now();
        if self.save_at.is_some_and(|at| at <= now) {
            self.save_at = None;
            self.log.save_cursors();
        }
        if self.tend_at <= now {
            self.tend_at = now + TEND_EVERY;
            self.log.tend();
        }
    }
}
