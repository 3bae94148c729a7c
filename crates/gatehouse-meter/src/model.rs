//! The naive exact count that the tests compare with: every moment is kept, every question looks at all of them.

use proptest::prelude::*;

use crate::ladder::{Ladder, Step};
use crate::span::Span;

/// Ladders of one to four steps with limits of up to about 40 and blocks of up to `longest`.
pub(crate) fn ladders(longest: u64) -> impl Strategy<Value = Ladder> {
    prop::collection::vec((1_u32..12, 0..=longest / 4), 1..=4).prop_map(|rises| {
        let rise = |below: &mut Step, (limit, block_for): (u32, u64)| {
            *below = Step { limit: below.limit + limit, block_for: below.block_for + block_for };
            Some(*below)
        };
        Ladder::new(&rises.into_iter().scan(Step::default(), rise).collect::<Vec<_>>()).unwrap()
    })
}

/// The block of a ladder, in plain words.
#[derive(Debug, Default)]
pub(crate) struct NaiveBlock {
    until: u64,
    step: u8,
}

impl NaiveBlock {
    pub(crate) fn standing(&self, now: u64) -> Option<u8> {
        (now < self.until).then_some(self.step)
    }

    pub(crate) fn until(&self) -> u64 {
        self.until
    }

    /// A step refuses: it blocks from now on unless it, or a higher one, does so already.
    pub(crate) fn refused(&mut self, step: u8, now: u64, nanos: u64) {
        let replaced = match self.standing(now) {
            None => true,
            Some(standing) => standing < step,
        };
        if replaced {
            self.until = self.until.max(now + nanos);
            self.step = step;
        }
    }
}

/// The highest step whose limit a count has reached.
pub(crate) fn reached(ladder: &Ladder, count: u64) -> Option<u8> {
    (0..ladder.steps().len()).rev().find(|&i| u64::from(ladder.steps()[i].limit) <= count).map(|i| i as u8)
}

/// Every event there ever was.
#[derive(Debug, Default)]
pub(crate) struct Exact {
    times: Vec<u64>,
}

impl Exact {
    pub(crate) fn add(&mut self, now: u64) {
        self.times.push(now);
    }

    /// Events of the last `nanos`, this moment included.
    pub(crate) fn within(&self, nanos: u64, now: u64) -> u64 {
        self.times.iter().filter(|&&time| u128::from(time) + u128::from(nanos) > u128::from(now)).count() as u64
    }

    /// Events of the sub-windows that a window ending in the one of `now` can touch: what a sliding window promises.
    pub(crate) fn touched(&self, span: Span, now: u64) -> u64 {
        let index = now / span.sub_window();
        self.times.iter().filter(|&&time| time / span.sub_window() + 17 > index).count() as u64
    }

    /// Nanoseconds until fewer than `limit` are touched, found by looking at the start of one sub-window after the other.
    pub(crate) fn below_in(&self, span: Span, now: u64, limit: u32) -> u64 {
        let index = now / span.sub_window();
        let starts = std::iter::once(now).chain((1..=17).map(|ahead| (index + ahead) * span.sub_window()));
        starts.into_iter().find(|&start| self.touched(span, start) < u64::from(limit)).unwrap() - now
    }

    /// The most events in any span of time that ends with one of them, less what `allowed` says for its length.
    pub(crate) fn worst_excess(&self, now: u64, allowed: impl Fn(u64) -> u64) -> i128 {
        let from = |(i, &time): (usize, &u64)| (self.times.len() - i) as i128 - i128::from(allowed(now - time));
        self.times.iter().enumerate().map(from).max().unwrap_or(i128::MIN)
    }
}
