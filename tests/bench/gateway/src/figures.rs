//! From rounds to figures: medians, and how sure they are.

use std::time::Duration;

use crate::drive::Driven;

/// Resamplings of a bootstrap interval.
const RESAMPLINGS: usize = 2000;

/// One variant in one round of a closed loop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    /// CPU time of Envoy a request, microseconds.
    pub(crate) cpu_us: f64,
    /// The same of its house or service; 0: it has none.
    pub(crate) beside_us: f64,
    /// Requests a second.
    pub(crate) rate: f64,
}

impl Round {
    pub(crate) fn of(driven: &Driven, used: Duration, beside: Duration) -> Self {
        let count = driven.sent.max(1) as f64;
        Self {
            cpu_us: used.as_secs_f64() * 1e6 / count,
            beside_us: beside.as_secs_f64() * 1e6 / count,
            rate: count / driven.took.as_secs_f64(),
        }
    }
}

/// Latency at half, 99 % and 99.9 % of the requests of one round, milliseconds.
pub(crate) fn quantiles(driven: &Driven) -> [f64; 3] {
    let mut all = driven.latencies.clone();
    all.sort_unstable();
    [500, 990, 999].map(|per_mille| all.get(all.len() * per_mille / 1000).copied().unwrap_or_default() as f64 / 1e6)
}

/// What was measured of one variant, the first round left out.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// In a closed loop, the whole mix.
    pub(crate) closed: Vec<Round>,
    /// In a closed loop, only requests that are refused; empty: it refuses none.
    pub(crate) refused: Vec<Round>,
    /// At the fixed rate.
    pub(crate) open: Vec<[f64; 3]>,
    /// Resident memory at the end, bytes.
    pub(crate) resident: u64,
    /// How much the memory of its module grew after the first round, bytes; `None`: it has none.
    pub(crate) growth: Option<u64>,
    /// Records or log entries that were given up.
    pub(crate) dropped: u64,
}

/// The median of what `of` takes from each.
pub(crate) fn median<T>(all: &[T], of: impl Fn(&T) -> f64) -> Median {
    Median::of(&all.iter().map(of).collect::<Vec<_>>())
}

/// A median of rounds with its interval of 95 % (percentile bootstrap; Efron 1979).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Median {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Median {
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut draw = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let at = usize::try_from(random % values.len().max(1) as u64).unwrap_or(0);
            values.get(at).copied().unwrap_or_default()
        };
        let mut medians: Vec<f64> =
            (0..RESAMPLINGS).map(|_| middle((0..values.len()).map(|_| draw()).collect())).collect();
        medians.sort_by(f64::total_cmp);
        let at = |share: f64| medians.get((RESAMPLINGS as f64 * share) as usize).copied().unwrap_or_default();
        Self { value: middle(values.to_vec()), low: at(0.025), high: at(0.975) }
    }
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (half, odd) = (values.len() / 2, values.len() % 2 == 1);
    let at = |index: usize| values.get(index).copied().unwrap_or_default();
    if odd { at(half) } else { f64::midpoint(at(half.saturating_sub(1)), at(half)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_lies_in_its_interval_and_the_interval_in_the_values() {
        let Median { value, low, high } = Median::of(&[5.0, 1.0, 2.0, 9.0, 4.0]);
        assert!(value == 4.0 && (1.0..=4.0).contains(&low) && (4.0..=9.0).contains(&high), "{value} {low} {high}");
        assert_eq!(middle(vec![1.0, 4.0]), 2.5);
    }
}
