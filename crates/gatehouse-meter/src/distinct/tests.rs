//! The sketch against the items themselves: what it holds exactly, and how far its estimate may be off.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use siphasher::sip::SipHasher13;

use super::*;
use crate::ladder::Step;
use crate::model::{NaiveBlock, ladders};

const SECOND: u64 = 1_000_000_000;

/// The keyed hash that a caller would use.
fn hash(seed: u64, item: u64) -> u64 {
    SipHasher13::new_with_keys(seed, 7).hash(&item.to_le_bytes())
}

/// The stated standard error of an estimate, in items: linear counting's and the sample's.
fn deviation(rule: &DistinctLimit, items: f64) -> f64 {
    let (cells, parts) = (CELLS as f64, f64::from(1_u32 << rule.sample_bits));
    let load = items / parts / cells;
    let counting = cells * (load.exp() - load - 1.0) * parts * parts;
    (counting + items * (parts - 1.0)).sqrt()
}

proptest! {
    /// The cells taken are exactly those of the items whose last hit lies in the seventeen newest sub-windows.
    #[test]
    fn holds_what_the_sub_windows_held(
        over in prop_oneof![1_u32..2_000, 2_000_u32..1_000_000],
        window in prop_oneof![16_u64..5_000, Just(300 * SECOND)],
        start in 0..u64::MAX / 4,
        hits in prop::collection::vec((0_u64..600, 0_u64..100), 1..300),
    ) {
        let (rule, mut cell) = (DistinctLimit::new(over, window).unwrap(), Distinct::default());
        let (mut last, mut now) = (HashMap::new(), start);
        for (item, step) in hits {
            now += window / 1_000 * step;
            let item = hash(1, item);
            let told = rule.observe(&mut cell, item, now);
            if item.leading_zeros() >= rule.sample_bits {
                last.insert(item % 1024, now / rule.span.sub_window());
            }
            let index = now / rule.span.sub_window();
            let held: HashSet<_> = last.iter().filter(|&(_, &at)| at + 17 > index).map(|(cell, _)| *cell).collect();
            prop_assert_eq!(usize::from(cell.occupied), held.len());
            prop_assert_eq!(!told.is_admitted(), held.len() > usize::from(rule.threshold(0)));
            let leaves = now + 18 * rule.span.sub_window();
            prop_assert_eq!(cell.hold(leaves), Hold::Spent);
        }
    }

    #[test]
    fn the_estimate_is_within_five_standard_errors(over in prop_oneof![32_u32..1_536, 1_536_u32..20_000], seed: u64, share in 0.02..1.8_f64) {
        let (rule, mut cell) = (DistinctLimit::new(over, SECOND).unwrap(), Distinct::default());
        let items = (f64::from(over) * share).ceil();
        for item in 0..items as u64 {
            for _ in 0..=item % 2 {
                let _ = rule.observe(&mut cell, hash(seed, item), SECOND);
            }
        }
        let estimate = rule.estimate(&cell, SECOND) as f64;
        let parts = f64::from(1_u32 << rule.sample_bits);
        prop_assert!((estimate - items).abs() <= 5.0 * deviation(&rule, items) + 2.0 * parts, "{estimate} for {items}");
    }
}

proptest! {
    /// Steps below 40 items err by nothing at all where each item has a cell of its own.
    #[test]
    fn a_ladder_answers_as_a_set_of_items_with_their_moments(
        ladder in ladders(2_000),
        start in 0..u64::MAX / 4,
        hits in prop::collection::vec((0_u64..60, 0_u64..40), 1..300),
    ) {
        let rule = DistinctLimit::with_steps(ladder, 160).unwrap();
        prop_assume!((0..4).zip(ladder.steps()).all(|(i, step)| u32::from(rule.threshold(i)) == step.limit));
        let (mut cell, mut last, mut block, mut now) = (Distinct::default(), HashMap::new(), NaiveBlock::default(), start);
        for (item, step) in hits {
            now += step;
            if let Admission::Refused { retry_after, .. } = rule.check(&cell, None, now) {
                prop_assert!(!rule.check(&cell, None, now + retry_after - 1).is_admitted());
                prop_assert!(rule.check(&cell, None, now + retry_after).is_admitted());
            }
            let checked = rule.check(&cell, Some(item), now).is_admitted();
            last.insert(item, now / 10);
            let held = |at: u64| last.values().filter(|&&index| index + 17 > at / 10).count();
            let below_in = |limit: u32| (now..).find(|&at| held(at) <= limit as usize).unwrap() - now;
            let reached = (0..ladder.steps().len()).rfind(|&i| held(now) > ladder.steps()[i].limit as usize).map(|i| i as u8);
            let over = reached.max(block.standing(now));
            prop_assert_eq!(checked, over.is_none());
            match (rule.observe(&mut cell, item, now), over) {
                (Admission::Admitted { remaining }, None) => {
                    prop_assert_eq!(remaining as usize, ladder.lowest() as usize - held(now));
                }
                (Admission::Refused { step, retry_after }, Some(over)) => {
                    prop_assert_eq!(step, over);
                    let Step { limit, block_for } = ladder.steps()[usize::from(over)];
                    block.refused(over, now, block_for.max(below_in(limit)));
                    prop_assert_eq!(retry_after, below_in(ladder.lowest()).max(block.until().saturating_sub(now)));
                    prop_assert!(!rule.check(&cell, None, now + retry_after - 1).is_admitted());
                    prop_assert!(rule.check(&cell, None, now + retry_after).is_admitted());
                }
                (answer, over) => prop_assert!(false, "{answer:?} where the model says {over:?}"),
            }
        }
    }
}

#[test]
fn steps_too_far_apart_for_one_sketch_are_refused_and_the_others_err_as_stated() {
    let rule = |low, high| {
        let steps = [low, high].map(|limit| Step { limit, block_for: 0 });
        DistinctLimit::with_steps(Ladder::new(&steps).unwrap(), SECOND)
    };
    assert_eq!(rule(200, 100_000), Err(Impossible::Apart));
    assert!(rule(200, 1_536).is_ok() && rule(1, 1_536).is_ok());
    for (low, high) in [(200, 2_000), (1_000, 10_000), (20_000, 100_000), (2_000_000, 20_000_000)] {
        let rule = rule(low, high).unwrap();
        assert!(deviation(&rule, f64::from(low)) <= 0.11 * f64::from(low), "{low} and {high}");
        assert!(deviation(&rule, f64::from(high)) <= 0.045 * f64::from(high), "{low} and {high}");
    }
}

#[test]
fn the_stated_errors_are_those_of_the_formula() {
    for over in 1..=FULLEST {
        let rule = DistinctLimit::new(over, SECOND).unwrap();
        assert!(deviation(&rule, f64::from(over)) <= 0.03 * f64::from(over), "{over}");
    }
    for over in (FULLEST + 1..100_000).chain([1_000_000, 50_000_000, u32::MAX]) {
        let rule = DistinctLimit::new(over, SECOND).unwrap();
        assert!(deviation(&rule, f64::from(over)) <= 0.045 * f64::from(over), "{over}");
    }
}

#[test]
fn the_measured_error_at_the_threshold_is_the_stated_one() {
    for (over, stated) in [(200_u32, 0.03), (1_536, 0.03), (1_537, 0.045), (10_000, 0.045)] {
        let rule = DistinctLimit::new(over, SECOND).unwrap();
        let squares = (0..60_u64).map(|seed| {
            let mut cell = Distinct::default();
            for item in 0..u64::from(over) {
                let _ = rule.observe(&mut cell, hash(seed, item), SECOND);
            }
            (rule.estimate(&cell, SECOND) as f64 / f64::from(over) - 1.0).powi(2)
        });
        let measured = (squares.sum::<f64>() / 60.0).sqrt();
        // Sixty draws know a standard deviation to about a tenth; three of those.
        assert!(measured <= stated * 1.3, "{over}: {measured}");
    }
}

#[test]
fn a_small_threshold_is_not_passed_by_that_many_whatever_repeats() {
    for over in 1..=32_u32 {
        let (rule, mut cell) = (DistinctLimit::new(over, SECOND).unwrap(), Distinct::default());
        for round in 0..3 {
            for item in 0..u64::from(over) {
                assert!(rule.observe(&mut cell, item, round).is_admitted(), "{over}");
            }
        }
        assert!(!rule.observe(&mut cell, 999, 3).is_admitted(), "{over}");
    }
}

#[test]
fn two_hundred_addresses_in_five_minutes_are_seen_and_forgotten() {
    let (rule, mut cell) = (DistinctLimit::new(200, 300 * SECOND).unwrap(), Distinct::default());
    for item in 0..260 {
        let _ = rule.observe(&mut cell, hash(3, item), item * SECOND);
    }
    assert!(!rule.check(&cell, None, 260 * SECOND).is_admitted());
    assert_eq!(cell.hold(260 * SECOND), Hold::Blocked);
    assert!(rule.check(&cell, None, 460 * SECOND).is_admitted());
    assert_eq!(cell.hold(460 * SECOND), Hold::Idle);
    assert_eq!(rule.estimate(&cell, 900 * SECOND), 0);
    assert_eq!(cell.hold(900 * SECOND), Hold::Spent);
}

#[test]
fn a_full_sketch_stays_over_and_a_clock_at_its_end_does_no_harm() {
    let (rule, mut cell) = (DistinctLimit::new(FULLEST, SECOND).unwrap(), Distinct::default());
    for item in 0..100_000 {
        let _ = rule.observe(&mut cell, hash(1, item), u64::MAX);
    }
    assert_eq!(cell.occupied, 1024);
    assert!(!rule.check(&cell, None, 0).is_admitted() && rule.estimate(&cell, u64::MAX) >= u64::from(5 * FULLEST));
}

#[test]
fn impossible_thresholds_are_refused_and_a_cell_costs_what_its_doc_says() {
    assert_eq!(DistinctLimit::new(0, SECOND), Err(Impossible::Limit));
    assert_eq!(DistinctLimit::new(1, 1), Err(Impossible::Window));
    assert_eq!(size_of::<Distinct>(), 1_064);
}
