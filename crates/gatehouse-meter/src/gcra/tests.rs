//! GCRA against its bound checked over every pair of moments, and its edges.

use proptest::prelude::*;

use super::*;
use crate::ladder::Step;
use crate::model::{Exact, NaiveBlock, ladders, reached};

const SECOND: u64 = 1_000_000_000;

fn setting() -> impl Strategy<Value = (u32, u64, u32, u64, Vec<u64>)> {
    (1_u32..200, 1_000_u64..60 * SECOND, 1_u32..20, 0..u64::MAX / 4).prop_flat_map(|(rate, per, burst, start)| {
        let interval = per.div_ceil(u64::from(rate));
        let step = prop_oneof![3 => Just(0), 5 => 0..=interval, 2 => Just(interval), 1 => 0..=interval * 30];
        (Just(rate), Just(per), Just(burst), Just(start), prop::collection::vec(step, 1..150))
    })
}

proptest! {
    /// Admitted if and only if no span that ends now would hold more than burst + ⌊span ÷ T⌋.
    #[test]
    fn admits_exactly_what_the_bound_allows((rate, per, burst, start, steps) in setting()) {
        let (rule, mut cell, mut exact) = (Gcra::new(rate, per, burst).unwrap(), GcraCell::default(), Exact::default());
        let allowed = |span: u64| u64::from(burst) + span / rule.interval;
        let mut now = start;
        for step in steps {
            now += step;
            let room = exact.worst_excess(now, allowed) < 0;
            prop_assert_eq!(rule.admit(&mut cell, now).is_admitted(), room);
            if room {
                exact.add(now);
            }
        }
    }

    #[test]
    fn what_it_says_of_waiting_and_of_what_remains_is_exact((rate, per, burst, start, steps) in setting()) {
        let (rule, mut cell, mut now) = (Gcra::new(rate, per, burst).unwrap(), GcraCell::default(), start);
        for step in steps {
            now += step;
            match rule.admit(&mut cell, now) {
                Admission::Refused { retry_after, .. } => {
                    prop_assert!(!rule.check(&cell, now + retry_after - 1).is_admitted());
                    prop_assert!(rule.check(&cell, now + retry_after).is_admitted());
                }
                Admission::Admitted { remaining } => {
                    let mut copy = cell;
                    let more = (0..).take_while(|_| rule.admit(&mut copy, now).is_admitted()).count();
                    prop_assert_eq!(more, remaining as usize);
                }
            }
        }
    }

    /// The level in whole numbers: what was counted less one each interval, as a bucket that leaks at moments of its own.
    #[test]
    fn a_ladder_answers_as_a_leaking_bucket_with_marks(
        ladder in ladders(40_000), rate in 1_u32..50, steps in prop::collection::vec(prop_oneof![Just(0), 0..3_000_u64], 1..200),
    ) {
        let rule = Gcra::with_steps(rate, 50_000, ladder).unwrap();
        let (mut cell, mut block, mut now, mut level) = (GcraCell::default(), NaiveBlock::default(), 7_u64, 0_u64);
        for step in steps {
            now += step;
            level = level.saturating_sub(step);
            // So many are in the bucket, the one that is leaking included.
            let inside = level.div_ceil(rule.interval);
            let over = reached(&ladder, inside).max(block.standing(now));
            match (rule.admit(&mut cell, now), over) {
                (Admission::Admitted { .. }, None) => level += rule.interval,
                (Admission::Refused { step, retry_after }, Some(over)) => {
                    prop_assert_eq!(step, over);
                    level += if over < ladder.top() { rule.interval } else { 0 };
                    let room_in = |limit: u32| level.saturating_sub((u64::from(limit) - 1) * rule.interval);
                    let Step { limit, block_for } = ladder.steps()[usize::from(over)];
                    block.refused(over, now, block_for.max(room_in(limit)));
                    prop_assert_eq!(retry_after, room_in(ladder.lowest()).max(block.until().saturating_sub(now)));
                    prop_assert!(!rule.check(&cell, now + retry_after - 1).is_admitted());
                    prop_assert!(rule.check(&cell, now + retry_after).is_admitted());
                }
                (answer, over) => prop_assert!(false, "{answer:?} where the model says {over:?}"),
            }
        }
    }

    #[test]
    fn no_setting_and_no_moment_overflows(rate: u32, per: u64, burst: u32, moments in prop::collection::vec(any::<u64>(), 1..20)) {
        let Ok(rule) = Gcra::new(rate, per, burst) else { return Ok(()) };
        let mut cell = GcraCell::default();
        for now in moments {
            let _ = rule.blocking_for(per).admit(&mut cell, now);
            let _ = cell.hold(now);
        }
    }
}

#[test]
fn twenty_come_at_once_then_one_each_interval() {
    let rule = Gcra::new(100, 60 * SECOND, 20).unwrap();
    let mut cell = GcraCell::default();
    for left in (0..20).rev() {
        assert_eq!(rule.admit(&mut cell, SECOND), Admission::Admitted { remaining: left });
    }
    assert_eq!(rule.admit(&mut cell, SECOND), Admission::Refused { step: 0, retry_after: 600_000_000 });
    assert_eq!(cell.hold(SECOND), Hold::Blocked);
    assert_eq!(rule.admit(&mut cell, SECOND + 600_000_000), Admission::Admitted { remaining: 0 });
    assert_eq!(cell.hold(SECOND + 600_000_000), Hold::Idle);
    assert_eq!(cell.hold(SECOND + 21 * 600_000_000), Hold::Spent);
}

#[test]
fn a_refusal_blocks_for_its_time() {
    let rule = Gcra::new(1, SECOND, 1).unwrap().blocking_for(60 * SECOND);
    let mut cell = GcraCell::default();
    assert!(rule.admit(&mut cell, 0).is_admitted());
    assert_eq!(rule.admit(&mut cell, 1), Admission::Refused { step: 0, retry_after: 60 * SECOND });
    assert_eq!(rule.admit(&mut cell, 30 * SECOND), Admission::Refused { step: 0, retry_after: 30 * SECOND + 1 });
    assert!(rule.admit(&mut cell, 60 * SECOND + 1).is_admitted());
}

#[test]
fn a_second_burst_catches_who_does_not_listen() {
    let steps = [Step { limit: 20, block_for: 0 }, Step { limit: 40, block_for: 600 * SECOND }];
    let rule = Gcra::with_steps(100, 60 * SECOND, Ladder::new(&steps).unwrap()).unwrap();
    let mut cell = GcraCell::default();
    let answers: Vec<_> = (0..50).map(|_| rule.admit(&mut cell, SECOND)).collect();
    assert!(answers[..20].iter().all(|answer| answer.is_admitted()));
    assert!(answers[20..40].iter().all(|answer| matches!(answer, Admission::Refused { step: 0, .. })));
    assert!(answers[40..].iter().all(|answer| *answer == Admission::Refused { step: 1, retry_after: 600 * SECOND }));
}

#[test]
fn a_clock_at_its_end_refuses_instead_of_admitting_for_ever() {
    let rule = Gcra::new(1, SECOND, 3).unwrap();
    let mut cell = GcraCell::default();
    assert_eq!(rule.admit(&mut cell, u64::MAX), Admission::Refused { step: 0, retry_after: u64::MAX });
}

#[test]
fn impossible_rates_and_bursts_are_refused() {
    assert_eq!(Gcra::new(0, SECOND, 1), Err(Impossible::Limit));
    assert_eq!(Gcra::new(2, 1, 1), Err(Impossible::Rate));
    assert_eq!(Gcra::new(1, SECOND, 0), Err(Impossible::Burst));
    assert_eq!(Gcra::new(1, u64::MAX, 3), Err(Impossible::Burst));
    assert!(Gcra::new(1, u64::MAX, 2).is_ok());
}

#[test]
fn a_cell_costs_what_its_doc_says() {
    assert_eq!(size_of::<GcraCell>(), 24);
}
