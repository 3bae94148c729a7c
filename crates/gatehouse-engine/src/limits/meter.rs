//! What a policy says of a limit, in the words of the meter. What the meter cannot have becomes the nearest that it can, and
//! never no limit at all.

use gatehouse_meter::{Count, Ladder, Limit, LimitSpec as Meter, Step};
use gatehouse_policy::{Count as Counted, LimitSpec, StepSpec};

/// The limit; `None`: it has no step, or a number or a window of nought, which no policy that compiles has.
pub(super) fn limit(spec: &LimitSpec) -> Option<Limit> {
    let mut steps = steps(spec);
    let count = count(spec, spec.steps.first()?);
    loop {
        let ladder = Ladder::new(&steps).ok()?;
        match Limit::try_new(Meter { count, steps: ladder }) {
            Ok(limit) => return Some(limit),
            // Thresholds of a sketch that lie too far apart to be told by one: the lower ones stay.
            Err(_) if steps.len() > 1 => steps.truncate(steps.len().saturating_sub(1)),
            Err(_) => return None,
        }
    }
}

/// Each step blocks no shorter than the one below it: who climbed higher does not get out earlier.
fn steps(spec: &LimitSpec) -> Vec<Step> {
    let mut block_for = 0;
    let step = |step: &StepSpec| {
        block_for = step.block_for_ns.max(block_for);
        Step { limit: step.burst.map_or(step.rate, |burst| fitting(burst, step)), block_for }
    };
    spec.steps.iter().map(step).collect()
}

/// A burst that the clock can hold: longer than it lasts nobody waits.
fn fitting(burst: u32, step: &StepSpec) -> u32 {
    let interval = step.per_ns.div_ceil(u64::from(step.rate.max(1))).max(1);
    let most = (u64::MAX / interval).saturating_add(1);
    u32::try_from(most).unwrap_or(u32::MAX).min(burst)
}

fn count(spec: &LimitSpec, first: &StepSpec) -> Count {
    let (window, rate) = (first.per_ns, first.rate);
    match (&spec.count, first.burst) {
        (Counted::Distinct(_), _) => Count::Distinct { window },
        (Counted::Failures(_), _) => Count::Failures { window, in_flight: spec.in_flight },
        (Counted::Requests, Some(_)) => Count::Rate { rate, per: window },
        (Counted::Requests, None) => Count::Window { window },
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_policy::KeyPart;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn spec(count: Counted, steps: &[(u32, u64, Option<u32>)], per_ns: u64) -> LimitSpec {
        let step = |&(rate, block_for_ns, burst): &_| StepSpec { rate, per_ns, burst, block_for_ns, has_then: false };
        let steps = steps.iter().map(step).collect();
        LimitSpec { rule: 0, identity: 7, by: vec![KeyPart::Client], count, steps, in_flight: None, shared: false }
    }

    #[test]
    fn a_higher_step_that_names_no_block_keeps_that_of_the_step_below() {
        let limit = limit(&spec(Counted::Requests, &[(10, 600 * SECOND, None), (20, 0, None)], 60 * SECOND));
        let ladder = Ladder::new(&[10, 20].map(|limit| Step { limit, block_for: 600 * SECOND })).unwrap();
        let same = Limit::try_new(Meter { count: Count::Window { window: 60 * SECOND }, steps: ladder }).unwrap();
        assert_eq!(limit, Some(same));
    }

    #[test]
    fn every_limit_that_a_policy_may_say_is_one_that_the_meter_has() {
        let day = 86_400 * SECOND;
        let distinct = || Counted::Distinct(KeyPart::Address);
        let failures = || Counted::Failures(vec![(401, 401)]);
        for per_ns in [SECOND, day] {
            assert!(limit(&spec(Counted::Requests, &[(1, 0, Some(1_000_000))], per_ns)).is_some());
            assert!(limit(&spec(Counted::Requests, &[(1_000_000, 7 * day, Some(1))], per_ns)).is_some());
            for count in [Counted::Requests, distinct(), failures()] {
                assert!(limit(&spec(count.clone(), &[(1, 0, None)], per_ns)).is_some());
                assert!(
                    limit(&spec(
                        count,
                        &[(1, 7 * day, None), (2, 0, None), (9, 5, None), (1_000_000, 0, None)],
                        per_ns
                    ))
                    .is_some()
                );
            }
        }
    }

    #[test]
    fn of_thresholds_that_one_sketch_cannot_tell_the_lowest_stays() {
        let distinct = |steps: &[_]| limit(&spec(Counted::Distinct(KeyPart::Address), steps, SECOND));
        assert_eq!(distinct(&[(5, 0, None), (1_000_000, 0, None)]), distinct(&[(5, 0, None)]));
    }
}
