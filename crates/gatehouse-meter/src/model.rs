//! The naive exact count that the tests compare with: every moment is kept, every question looks at all of them.

use crate::span::Span;

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

    /// The most events in any span of time that ends with one of them, less what `allowed` says for its length.
    pub(crate) fn worst_excess(&self, now: u64, allowed: impl Fn(u64) -> u64) -> i128 {
        let from = |(i, &time): (usize, &u64)| (self.times.len() - i) as i128 - i128::from(allowed(now - time));
        self.times.iter().enumerate().map(from).max().unwrap_or(i128::MIN)
    }
}
