//! Several thresholds over one count: each step of a limit with its own height and its own block time.

use crate::block::Block;
use crate::impossible::Impossible;

/// The most steps that one limit may have.
pub const STEPS: usize = 4;

/// One threshold of a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// How much may be counted before this step refuses: requests, failures, different items, or a burst.
    pub limit: u32,
    /// Nanoseconds for which it refuses at least, once it refused; 0 for no longer than it is over.
    pub block_for: u64,
}

/// The steps of a limit, from one to four, the lowest first; a limit with a single threshold is a ladder of one.
///
/// The answer names the highest step that is reached or still blocks. While a step below the top refuses, requests go
/// on being counted, or the steps above it could never be reached: who keeps pushing climbs, and stays out. What the
/// top step refuses is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ladder {
    steps: [Step; STEPS],
    len: usize,
}

// === impl Ladder ===

impl Ladder {
    /// Steps from the lowest to the highest.
    ///
    /// # Errors
    /// [`Impossible::Limit`] for a limit of zero; [`Impossible::Steps`] for none or more than four, for a limit that is
    /// not above the one before it, or a block shorter than the one before it.
    pub fn new(steps: &[Step]) -> Result<Self, Impossible> {
        let mut own = [Step::default(); STEPS];
        if steps.is_empty() || steps.len() > STEPS {
            return Err(Impossible::Steps);
        }
        if steps.iter().any(|step| step.limit == 0) {
            return Err(Impossible::Limit);
        }
        let climbs = |(low, high): (&Step, &Step)| low.limit < high.limit && low.block_for <= high.block_for;
        if !steps.iter().zip(steps.iter().skip(1)).all(climbs) {
            return Err(Impossible::Steps);
        }
        own.iter_mut().zip(steps).for_each(|(own, step)| *own = *step);
        Ok(Self { steps: own, len: steps.len() })
    }

    /// A single threshold without a block.
    ///
    /// # Errors
    /// [`Impossible::Limit`] for zero.
    pub fn one(limit: u32) -> Result<Self, Impossible> {
        Self::new(&[Step { limit, block_for: 0 }])
    }

    /// Lets the highest step block for at least `nanos`, and not shorter than the one below it.
    #[must_use]
    pub fn blocking_for(mut self, nanos: u64) -> Self {
        let below = self.len.checked_sub(2).and_then(|at| self.steps.get(at)).map_or(0, |step| step.block_for);
        if let Some(top) = self.steps.get_mut(self.len.saturating_sub(1)) {
            top.block_for = nanos.max(below);
        }
        self
    }

    /// The steps, the lowest first.
    pub fn steps(&self) -> &[Step] {
        self.steps.get(..self.len).unwrap_or(&self.steps)
    }

    /// What may be counted before anything refuses.
    pub const fn lowest(&self) -> u32 {
        let [first, ..] = self.steps;
        first.limit
    }

    /// The number of the highest step; the lowest is 0.
    pub const fn top(&self) -> u8 {
        self.len.saturating_sub(1) as u8
    }

    /// A step by its number; the highest for any number above it.
    pub(crate) fn step(&self, number: u8) -> Step {
        self.steps.get(usize::from(number.min(self.top()))).copied().unwrap_or_default()
    }

    /// A block stands that a step with a block time began.
    pub(crate) fn is_blocked(&self, block: Block, now: u64) -> bool {
        block.standing(now).is_some_and(|step| self.step(step).block_for > 0)
    }

    /// The highest step whose limit is used up by `count`.
    pub(crate) fn reached(&self, count: u64) -> Option<u8> {
        highest(self.steps().iter().map(|step| u64::from(step.limit) <= count))
    }
}

/// The number of the last that holds, of conditions that hold up to some step and no further.
pub(crate) fn highest(conditions: impl Iterator<Item = bool>) -> Option<u8> {
    conditions
        .take_while(|&holds| holds)
        .fold(None, |last: Option<u8>, _| Some(last.map_or(0, |n| n.saturating_add(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(limit: u32, block_for: u64) -> Step {
        Step { limit, block_for }
    }

    #[test]
    fn the_highest_step_that_is_used_up_is_named() {
        let ladder = Ladder::new(&[step(10, 60), step(100, 3_600), step(1_000, 3_600)]).unwrap();
        let named = [0, 9, 10, 99, 100, 999, 1_000, u64::MAX].map(|count| ladder.reached(count));
        assert_eq!(named, [None, None, Some(0), Some(0), Some(1), Some(1), Some(2), Some(2)]);
        assert_eq!((ladder.lowest(), ladder.top(), ladder.step(9)), (10, 2, step(1_000, 3_600)));
    }

    #[test]
    fn ladders_that_do_not_climb_are_refused() {
        assert_eq!(Ladder::new(&[]), Err(Impossible::Steps));
        assert_eq!(Ladder::new(&[1, 2, 3, 4, 5].map(|limit| step(limit, 0))), Err(Impossible::Steps));
        assert_eq!(Ladder::new(&[step(10, 0), step(10, 0)]), Err(Impossible::Steps));
        assert_eq!(Ladder::new(&[step(10, 60), step(20, 59)]), Err(Impossible::Steps));
        assert_eq!(Ladder::new(&[step(0, 0), step(20, 0)]), Err(Impossible::Limit));
        assert!(Ladder::new(&[1, 2, 3, 4].map(|limit| step(limit, 5))).is_ok());
    }

    #[test]
    fn a_later_block_time_is_the_top_steps_and_never_below_the_one_under_it() {
        let ladder = Ladder::new(&[step(1, 50), step(2, 60)]).unwrap();
        assert_eq!(ladder.blocking_for(70).steps(), [step(1, 50), step(2, 70)]);
        assert_eq!(ladder.blocking_for(7).steps(), [step(1, 50), step(2, 50)]);
        assert_eq!(Ladder::one(3).unwrap().blocking_for(7).steps(), [step(3, 7)]);
    }
}
