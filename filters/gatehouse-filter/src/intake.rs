//! Policy snapshots as they come from the house: chunk by chunk, never more than a few milliseconds of work at a time.

use std::collections::VecDeque;

use gatehouse_policy::{ImageLoader, Policy, Progress};
use gatehouse_proto::MAX_CHUNK_BYTES;
use gatehouse_proto::v1::policy_ack::Result as Answer;
use gatehouse_proto::v1::{PolicyAck, PolicyChunk};

use crate::host;
use crate::store::MAX_IMAGE;

/// After this long in one callback the rest waits for the next tick.
const STEP_NS: u64 = 2_000_000;
/// Chunks that wait never hold more bytes than one image.
const MAX_WAITING: usize = MAX_IMAGE;
/// Longest text of a refusal.
const MAX_PROBLEM: usize = 1024;

/// Chunks that wait, and the image being put together.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    waiting: VecDeque<PolicyChunk>,
    waiting_bytes: usize,
    loader: Option<ImageLoader>,
    /// What its answer repeats of the chunk that the loader took last.
    taken: Option<(u64, Vec<u8>)>,
    /// The loader has work left that needs no chunk.
    working: bool,
    longest_ns: u64,
    total_ns: u64,
    stepped_at_ns: u64,
}

/// The end of one image: what the house is told, and the policy if it was accepted.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) ack: PolicyAck,
    pub(crate) policy: Option<Policy>,
}

impl Intake {
    /// Takes in a chunk; false: no house of ours sends this.
    pub(crate) fn push(&mut self, chunk: PolicyChunk) -> bool {
        let waiting = self.waiting_bytes.saturating_add(chunk.data.len()).saturating_add(128);
        if chunk.data.len() > MAX_CHUNK_BYTES || waiting > MAX_WAITING {
            return false;
        }
        self.waiting_bytes = waiting;
        self.waiting.push_back(chunk);
        true
    }

    /// Chunks still wait, or an image that came is not done with.
    pub(crate) fn busy(&self) -> bool {
        !self.waiting.is_empty() || self.working
    }

    /// Forgets what is unfinished: the stream that brought it is gone.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Works on what waits, for a short while: at most one image is finished. `rested`: at least one step's time has passed
    /// since the step before, as on a tick; without it a step right after another does nothing.
    pub(crate) fn step(&mut self, rested: bool) -> Option<Ended> {
        let began = host::now_ns();
        if !rested && began.saturating_sub(self.stepped_at_ns) < STEP_NS.saturating_mul(4) {
            return None;
        }
        let mut ended = None;
        while ended.is_none() && self.busy() && host::now_ns().saturating_sub(began) <= STEP_NS {
            ended = if self.working { self.work() } else { self.next() };
        }
        self.stepped_at_ns = host::now_ns();
        let spent = self.stepped_at_ns.saturating_sub(began);
        self.longest_ns = self.longest_ns.max(spent);
        self.total_ns = self.total_ns.saturating_add(spent);
        ended.map(|ended| self.timed(ended))
    }

    /// Takes the next chunk that waits.
    fn next(&mut self) -> Option<Ended> {
        let chunk = self.waiting.pop_front()?;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(chunk.data.len().saturating_add(128));
        if chunk.offset == 0 {
            match ImageLoader::begin(chunk.revision, u64::from(chunk.total_bytes), &chunk.digest, chunk.image_version) {
                Ok(loader) => self.loader = Some(loader),
                Err(error) => return Some(self.refuse(chunk.revision, chunk.digest, &error.to_string())),
            }
        }
        // A chunk of an image that was refused before: it was answered then.
        let loader = self.loader.as_mut()?;
        if let Err(error) = loader.chunk(&chunk.digest, u64::from(chunk.offset), &chunk.data) {
            return Some(self.refuse(chunk.revision, chunk.digest, &error.to_string()));
        }
        self.taken = Some((chunk.revision, chunk.digest));
        self.working = true;
        None
    }

    /// One unit of the loader's work.
    fn work(&mut self) -> Option<Ended> {
        let Some(loader) = self.loader.as_mut() else {
            self.working = false;
            return None;
        };
        let progress = loader.work(1);
        self.working = matches!(progress, Ok(Progress::Busy));
        match progress {
            Ok(Progress::Busy | Progress::Waiting) => None,
            Ok(Progress::Done(policy)) => {
                self.loader = None;
                let (revision, digest) = self.taken.take().unwrap_or_default();
                Some(Ended { ack: answer(revision, digest, Answer::Accepted, ""), policy: Some(*policy) })
            }
            Err(error) => {
                let (revision, digest) = self.taken.take().unwrap_or_default();
                Some(self.refuse(revision, digest, &error.to_string()))
            }
        }
    }

    fn refuse(&mut self, revision: u64, digest: Vec<u8>, problem: &str) -> Ended {
        self.loader = None;
        self.working = false;
        Ended { ack: answer(revision, digest, Answer::Refused, problem), policy: None }
    }

    fn timed(&mut self, mut ended: Ended) -> Ended {
        ended.ack.longest_step_ns = core::mem::take(&mut self.longest_ns);
        ended.ack.total_ns = core::mem::take(&mut self.total_ns);
        ended
    }
}

fn answer(revision: u64, digest: Vec<u8>, result: Answer, problem: &str) -> PolicyAck {
    PolicyAck {
        revision,
        digest,
        result: result.into(),
        problem: problem.chars().take(MAX_PROBLEM).collect(),
        ..PolicyAck::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(offset: u32, data: &[u8]) -> PolicyChunk {
        PolicyChunk {
            revision: 3,
            digest: vec![9; 32],
            total_bytes: 8,
            offset,
            data: data.to_vec(),
            image_version: gatehouse_policy::IMAGE_VERSION,
        }
    }

    #[test]
    fn an_image_with_the_wrong_digest_is_refused_once_and_its_rest_is_ignored() {
        let mut intake = Intake::default();
        assert!(intake.push(chunk(0, b"1234")) && intake.push(chunk(4, b"5678")) && intake.push(chunk(8, b"9")));
        let ended = intake.step(true).expect("an answer");
        assert_eq!((ended.ack.result(), ended.ack.revision, ended.policy.is_none()), (Answer::Refused, 3, true));
        assert!(!ended.ack.problem.is_empty());
        assert!(intake.step(true).is_none());
        assert!(!intake.busy());
    }

    #[test]
    fn a_gap_and_a_foreign_format_are_refused() {
        let mut intake = Intake::default();
        assert!(intake.push(chunk(0, b"12")) && intake.push(chunk(4, b"5678")));
        assert_eq!(intake.step(true).map(|ended| ended.ack.result()), Some(Answer::Refused));
        assert!(intake.push(PolicyChunk { image_version: 999, ..chunk(0, b"") }));
        assert!(intake.step(true).is_some_and(|ended| ended.ack.problem.contains("999")));
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut intake = Intake::default();
        assert!(!intake.push(chunk(0, &vec![0; MAX_CHUNK_BYTES + 1])));
        let taken = (0..10_000).take_while(|_| intake.push(chunk(0, &[0; 4096]))).count();
        assert!(taken <= MAX_WAITING / 4096, "{taken}");
    }
}
