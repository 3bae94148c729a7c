//! Percentiles of the pairs: the same request once through the listener with the gate, once through the one without.

use std::time::Duration;

/// Durations of one way, at most [`Samples::LIMIT`]; later ones are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Samples(Vec<u64>);

impl Samples {
    /// Most samples kept (8 MiB).
    pub const LIMIT: usize = 1 << 20;

    /// Adds one duration.
    pub fn push(&mut self, duration: Duration) {
        if self.0.len() < Self::LIMIT {
            self.0.push(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The smallest sample that `per_cent` of all do not exceed (nearest rank), in milliseconds; 0 without samples.
    pub fn percentile(&self, per_cent: u32) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * per_cent as usize).div_ceil(100).max(1);
        sorted.get(rank - 1).map_or(0.0, |ns| *ns as f64 / 1e6)
    }
}

/// Both ways of the same requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs {
    /// Through the gate.
    pub with: Samples,
    /// Through the same Envoy without it.
    pub without: Samples,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples_by_nearest_rank() {
        let mut samples = Samples::default();
        (1..=200).rev().for_each(|ms| samples.push(Duration::from_millis(ms)));
        assert_eq!((samples.percentile(50), samples.percentile(99), samples.percentile(100)), (100.0, 198.0, 200.0));
    }

    #[test]
    fn one_sample_is_every_percentile_and_none_is_zero() {
        let mut samples = Samples::default();
        assert_eq!(samples.percentile(99), 0.0);
        samples.push(Duration::from_micros(500));
        assert_eq!((samples.percentile(1), samples.percentile(99)), (0.5, 0.5));
    }
}
