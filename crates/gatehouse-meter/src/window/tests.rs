//! The window against every moment kept, and its edges.

use proptest::prelude::*;

use super::*;
use crate::model::{Exact, NaiveBlock, ladders, reached};

const SECOND: u64 = 1_000_000_000;

/// Steps of time that crowd a window of `window`, stand still, fall on borders, or leap over all of it.
fn steps(window: u64) -> impl Strategy<Value = Vec<u64>> {
    let step =
        prop_oneof![3 => Just(0), 6 => 0..=window / 20, 2 => Just(window / 16), 2 => 0..=window, 1 => 0..=3 * window];
    prop::collection::vec(step, 1..200)
}

fn setting() -> impl Strategy<Value = (u64, u32, u64, Vec<u64>)> {
    (prop_oneof![16_u64..1_000, Just(60 * SECOND), 1_000..100 * SECOND], 1_u32..30, 0..u64::MAX / 4)
        .prop_flat_map(|(window, limit, start)| (Just(window), Just(limit), Just(start), steps(window)))
}

proptest! {
    #[test]
    fn never_more_than_the_limit_in_any_window_and_early_by_one_sub_window_at_most((window, limit, start, steps) in setting()) {
        let (rule, mut cell, mut exact) = (WindowLimit::new(limit, window).unwrap(), WindowCell::default(), Exact::default());
        let (mut now, held_at_most) = (start, window + window.div_ceil(16) + 15);
        for step in steps {
            now += step;
            match rule.admit(&mut cell, now) {
                Admission::Admitted { remaining } => {
                    exact.add(now);
                    prop_assert!(exact.within(window, now) <= u64::from(limit));
                    prop_assert_eq!(u64::from(remaining), u64::from(limit) - exact.touched(rule.span, now));
                }
                Admission::Refused { .. } => prop_assert!(exact.within(held_at_most, now) >= u64::from(limit)),
            }
        }
    }

    #[test]
    fn what_a_refusal_says_to_wait_is_exact((window, limit, start, steps) in setting()) {
        let (rule, mut cell, mut now) = (WindowLimit::new(limit, window).unwrap(), WindowCell::default(), start);
        for step in steps {
            now += step;
            if let Admission::Refused { retry_after, .. } = rule.admit(&mut cell, now) {
                prop_assert!(retry_after >= 1);
                prop_assert!(!rule.check(&cell, now + retry_after - 1).is_admitted());
                prop_assert!(rule.check(&cell, now + retry_after).is_admitted());
            }
        }
    }

    #[test]
    fn a_ladder_answers_as_the_model_and_never_admits_more_than_its_lowest(
        (ladder, window, start, steps) in (16_u64..2_000).prop_flat_map(|window| {
            (ladders(8 * window), Just(window), 0..u64::MAX / 4, steps(window / 4))
        }),
    ) {
        let rule = WindowLimit::with_steps(ladder, window).unwrap();
        let (mut cell, mut exact, mut admitted) = (WindowCell::default(), Exact::default(), Exact::default());
        let (mut block, mut now) = (NaiveBlock::default(), start);
        for step in steps {
            now += step;
            let checked = rule.check(&cell, now);
            let over = reached(&ladder, exact.touched(rule.span, now)).max(block.standing(now));
            match (rule.admit(&mut cell, now), over) {
                (answer @ Admission::Admitted { remaining }, None) => {
                    prop_assert_eq!(answer, checked);
                    exact.add(now);
                    admitted.add(now);
                    prop_assert!(admitted.within(window, now) <= u64::from(ladder.lowest()));
                    prop_assert_eq!(u64::from(remaining), u64::from(ladder.lowest()) - exact.touched(rule.span, now));
                }
                (Admission::Refused { step, retry_after }, Some(over)) => {
                    prop_assert_eq!(step, over);
                    let same = matches!(checked, Admission::Refused { step, .. } if step == over);
                    prop_assert!(same);
                    if over < ladder.top() {
                        exact.add(now);
                    }
                    let Step { limit, block_for } = ladder.steps()[usize::from(over)];
                    block.refused(over, now, block_for.max(exact.below_in(rule.span, now, limit)));
                    let below = exact.below_in(rule.span, now, ladder.lowest());
                    prop_assert_eq!(retry_after, below.max(block.until().saturating_sub(now)));
                    prop_assert!(!rule.check(&cell, now + retry_after - 1).is_admitted());
                    prop_assert!(rule.check(&cell, now + retry_after).is_admitted());
                }
                (answer, over) => prop_assert!(false, "{answer:?} where the model says {over:?}"),
            }
        }
    }

    #[test]
    fn a_bare_window_counts_what_its_sub_windows_held((window, _, start, steps) in setting()) {
        let (span, mut cell, mut exact) = (Span::new(window).unwrap(), Window::default(), Exact::default());
        let mut now = start;
        for (i, step) in steps.into_iter().enumerate() {
            now += step;
            prop_assert_eq!(cell.count(span, now), exact.touched(span, now));
            prop_assert_eq!(cell.is_spent(now), exact.touched(span, now) == 0);
            if i % 3 > 0 {
                cell.add(span, now, 1);
                exact.add(now);
            }
        }
    }
}

#[test]
fn a_hundred_a_minute_come_back_after_the_window_and_one_sub_window() {
    let rule = WindowLimit::new(100, 60 * SECOND).unwrap();
    let mut cell = WindowCell::default();
    let start = 7 * SECOND;
    for left in (0..100).rev() {
        assert_eq!(rule.admit(&mut cell, start), Admission::Admitted { remaining: left });
    }
    let Admission::Refused { retry_after, .. } = rule.admit(&mut cell, start) else { panic!("the 101st passed") };
    assert!((60 * SECOND..=60 * SECOND + 3_750_000_000).contains(&retry_after), "{retry_after}");
    assert!(rule.admit(&mut cell, start + retry_after).is_admitted());
}

#[test]
fn a_block_lasts_from_the_first_refusal_and_is_not_lengthened_by_more() {
    let rule = WindowLimit::new(1, SECOND).unwrap().blocking_for(600 * SECOND);
    let mut cell = WindowCell::default();
    assert!(rule.admit(&mut cell, 0).is_admitted());
    assert_eq!(rule.admit(&mut cell, SECOND / 2), Admission::Refused { step: 0, retry_after: 600 * SECOND });
    assert_eq!(
        rule.admit(&mut cell, 400 * SECOND),
        Admission::Refused { step: 0, retry_after: 200 * SECOND + SECOND / 2 }
    );
    assert_eq!(cell.hold(400 * SECOND), Hold::Blocked);
    assert_eq!(cell.hold(601 * SECOND), Hold::Spent);
    assert!(rule.admit(&mut cell, 600 * SECOND + SECOND / 2).is_admitted());
}

#[test]
fn who_keeps_pushing_climbs_to_the_next_step_and_its_block() {
    let steps = [Step { limit: 10, block_for: 60 * SECOND }, Step { limit: 100, block_for: 3_600 * SECOND }];
    let rule = WindowLimit::with_steps(Ladder::new(&steps).unwrap(), 60 * SECOND).unwrap();
    let mut cell = WindowCell::default();
    let answers: Vec<_> = (0..200).map(|_| rule.admit(&mut cell, SECOND)).collect();
    let at = |step| {
        answers.iter().filter(|answer| matches!(answer, Admission::Refused { step: s, .. } if *s == step)).count()
    };
    assert_eq!((answers.iter().filter(|answer| answer.is_admitted()).count(), at(0), at(1)), (10, 90, 100));
    assert_eq!(rule.admit(&mut cell, 3_600 * SECOND), Admission::Refused { step: 1, retry_after: SECOND });
    assert!(rule.admit(&mut cell, 3_601 * SECOND).is_admitted());
}

#[test]
fn who_stops_at_the_lower_step_comes_back_after_its_block() {
    let steps = [Step { limit: 10, block_for: 60 * SECOND }, Step { limit: 100, block_for: 3_600 * SECOND }];
    let rule = WindowLimit::with_steps(Ladder::new(&steps).unwrap(), 60 * SECOND).unwrap();
    let mut cell = WindowCell::default();
    let last = (0..12).map(|_| rule.admit(&mut cell, 4 * SECOND)).last();
    let Some(Admission::Refused { step: 0, retry_after }) = last else { panic!("{last:?}") };
    assert!((60 * SECOND..=64 * SECOND).contains(&retry_after), "{retry_after}");
    assert!(rule.admit(&mut cell, 4 * SECOND + retry_after).is_admitted());
}

#[test]
fn looking_counts_nothing() {
    let rule = WindowLimit::new(1, SECOND).unwrap().blocking_for(SECOND);
    let mut cell = WindowCell::default();
    assert!(rule.check(&cell, 0).is_admitted() && rule.check(&cell, 0).is_admitted());
    assert!(rule.admit(&mut cell, 0).is_admitted());
    let before = cell.clone();
    assert!(!rule.check(&cell, 0).is_admitted());
    assert_eq!(cell, before);
}

#[test]
fn a_clock_that_runs_back_or_ends_admits_no_more() {
    let rule = WindowLimit::new(2, 60 * SECOND).unwrap();
    for moments in [[1_000 * SECOND, 0], [u64::MAX, u64::MAX], [u64::MAX - 1, u64::MAX], [u64::MAX, 0]] {
        let mut cell = WindowCell::default();
        for now in moments {
            assert!(rule.admit(&mut cell, now).is_admitted(), "{moments:?}");
        }
        for now in moments {
            assert!(!rule.admit(&mut cell, now).is_admitted(), "{moments:?}");
        }
    }
}

#[test]
fn a_full_counter_stays_full() {
    let (span, mut cell) = (Span::new(SECOND).unwrap(), Window::default());
    cell.add(span, 0, u32::MAX);
    cell.add(span, 0, 5);
    assert_eq!(cell.count(span, 0), u64::from(u32::MAX));
    assert!(cell.below_in(span, 0, u32::MAX) > SECOND);
}

#[test]
fn limits_that_admit_nothing_or_have_no_window_are_refused() {
    assert_eq!(WindowLimit::new(0, SECOND), Err(Impossible::Limit));
    assert_eq!(WindowLimit::new(1, 15), Err(Impossible::Window));
    assert!(WindowLimit::new(u32::MAX, u64::MAX).is_ok());
}

#[test]
fn a_cell_costs_what_its_doc_says() {
    assert_eq!((size_of::<Window>(), size_of::<WindowCell>()), (88, 104));
}
