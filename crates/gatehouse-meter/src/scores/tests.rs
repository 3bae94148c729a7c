//! Sums against floating-point sums of every weight by itself, and the bounds that hold whatever is added.

use proptest::prelude::*;

use super::*;

const MINUTE: u64 = 60_000_000_000;

/// The sum of all weights, each faded from its own moment.
fn exact(weights: &[(u64, Option<u8>, i32)], label: Option<u8>, half_life: u64, now: u64) -> f64 {
    let counts = |of: &Option<u8>| label.is_none() || *of == label;
    let faded = |&(then, _, weight): &(u64, Option<u8>, i32)| {
        f64::from(weight) * (-((now - then) as f64) / half_life as f64).exp2()
    };
    weights.iter().filter(|(_, of, _)| counts(of)).map(faded).sum()
}

fn label() -> impl Strategy<Value = Option<u8>> {
    prop::option::of(0_u8..16)
}

proptest! {
    #[test]
    fn sums_are_within_the_stated_error(
        half_life in prop_oneof![Just(MINUTE), 1_000_000_u64..3_600 * MINUTE],
        start in 0..u64::MAX / 4,
        adds in prop::collection::vec((prop_oneof![3 => 0_u64..100, 1 => 0_u64..20_000], label(), 1_i32..200), 1..150),
        later in 0_u64..20_000,
    ) {
        let (scores, mut cell) = (Scores::new(half_life).unwrap(), ScoreCell::default());
        let (mut now, mut weights) = (start, Vec::new());
        for (step, label, weight) in adds {
            now += half_life / 4_000 * step;
            scores.add(&mut cell, label, weight, now);
            weights.push((now, label, weight));
        }
        now += half_life / 4_000 * later;
        // The half-life is rounded up by less than 4,096 ns: a share of a share over at most so many half-lives.
        let rounding = 4_096.0 / half_life as f64 * 800.0;
        for (said, label) in [(scores.total(&cell, now), None), (scores.of(&cell, 3, now), Some(3))] {
            let truly = exact(&weights, label, half_life, now);
            let slack = truly * (0.0002 + rounding);
            let said = f64::from(said);
            prop_assert!(said <= truly + slack + 1e-6, "{said} for {truly}");
            // Whole points are rounded down.
            prop_assert!(said > truly - slack - 0.1 - 1.0, "{said} for {truly}");
        }
    }

    #[test]
    fn whatever_is_added_sums_stay_within_their_bounds_and_never_rise_by_time(
        half_life in prop_oneof![Just(4_096_u64), Just(MINUTE), 4_096..=u64::MAX],
        adds in prop::collection::vec((any::<u64>(), any::<Option<u8>>(), any::<i32>()), 1..50),
        mut moments in prop::collection::vec(any::<u64>(), 2..20),
    ) {
        let (scores, mut cell) = (Scores::new(half_life).unwrap().kept_from(50), ScoreCell::default());
        for (now, label, weight) in adds {
            let before = (scores.total(&cell, now), weight);
            let after = scores.add(&mut cell, label, weight, now);
            prop_assert!(after <= CAP && after == scores.total(&cell, now));
            prop_assert!(before.1 <= 0 || after > before.0 || after == CAP);
            prop_assert!(before.1 >= 0 || after < before.0 || after == 0);
        }
        moments.sort_unstable();
        let totals: Vec<_> = moments.iter().map(|&now| scores.total(&cell, now)).collect();
        prop_assert!(totals.is_sorted_by(|a, b| a >= b));
        let half_lives = (0..34).map(|n| cell.at.saturating_add(n * TICKS).saturating_mul(scores.tick));
        // At the very end of its 584 years the clock tells no moments apart.
        for now in half_lives.flat_map(|now| [now, now.saturating_sub(1)]).filter(|&now| now < u64::MAX) {
            let left = cell.labels.iter().fold(cell.total, |highest, &sum| highest.max(sum));
            let left = faded(left, scores.since(&cell, now));
            prop_assert!(cell.hold(now) != Hold::Spent || left == 0, "{left} left at {now} of {cell:?}");
            prop_assert!(cell.hold(now) == Hold::Blocked || scores.total(&cell, now) < 50);
        }
        for now in moments {
            let sums = (0..16).map(|label| scores.of(&cell, label, now)).chain([scores.total(&cell, now)]);
            let highest = sums.max().unwrap();
            match cell.hold(now) {
                Hold::Spent => prop_assert_eq!(highest, 0),
                Hold::Idle => prop_assert!(scores.total(&cell, now) < 50),
                Hold::Blocked | Hold::Busy => {}
            }
        }
    }

    #[test]
    fn fading_in_two_steps_is_at_most_two_units_below_one(sum: u32, a in 0_u64..200_000, b in 0_u64..200_000) {
        let (once, twice) = (faded(sum, a + b), faded(faded(sum, a), b));
        // The table's own error, over the whole height.
        prop_assert!(once.abs_diff(twice) <= 8, "{once} and {twice}");
    }
}

#[test]
fn the_table_is_the_power_of_two_and_falls_at_every_step() {
    for ticks in 0..4_096_u64 {
        let exact = (-(ticks as f64) / 4_096.0).exp2() * 2_147_483_648.0;
        assert!((factor(ticks) as f64 - exact).abs() < 3.0, "{ticks}");
    }
    assert_eq!(factor(0), 1 << 31);
    assert!((1..4_096).all(|ticks| factor(ticks) < factor(ticks - 1)) && factor(4_095) > 1 << 30);
}

#[test]
fn a_thousand_small_weights_a_tick_lose_no_more_than_stated() {
    let (scores, mut cell) = (Scores::new(MINUTE).unwrap(), ScoreCell::default());
    scores.add(&mut cell, Some(1), 1_000, 0);
    let (mut weights, tick) = (vec![(0, Some(1), 1_000)], MINUTE / 4_096);
    for i in 0..4_096 * 3 {
        scores.add(&mut cell, Some(2), 1, i * tick);
        weights.push((i * tick, Some(2), 1));
    }
    let now = 4_096 * 3 * tick;
    for (said, label) in [(scores.of(&cell, 1, now), Some(1)), (scores.total(&cell, now), None)] {
        let truly = exact(&weights, label, MINUTE, now);
        assert!(f64::from(said) <= truly * 1.0002 && f64::from(said) > truly * 0.9998 - 1.1, "{said} for {truly}");
    }
}

#[test]
fn a_hundred_points_are_fifty_after_a_half_life_and_gone_after_seven() {
    let (scores, mut cell) = (Scores::new(10 * MINUTE).unwrap(), ScoreCell::default());
    assert_eq!(scores.add(&mut cell, Some(2), 100, MINUTE), 100);
    assert_eq!(scores.total(&cell, MINUTE), 100);
    assert_eq!((scores.total(&cell, 11 * MINUTE), scores.of(&cell, 2, 11 * MINUTE)), (50, 50));
    assert_eq!((scores.total(&cell, 61 * MINUTE), scores.total(&cell, 71 * MINUTE)), (1, 0));
    assert_eq!((scores.of(&cell, 3, MINUTE), scores.of(&cell, 15, MINUTE)), (0, 0));
}

#[test]
fn weights_of_one_moment_add_up_exactly_and_a_negative_one_takes_away() {
    let (scores, mut cell) = (Scores::new(MINUTE).unwrap(), ScoreCell::default());
    for _ in 0..10 {
        scores.add(&mut cell, None, 10, 5 * MINUTE);
    }
    assert_eq!(scores.total(&cell, 5 * MINUTE), 100);
    assert_eq!(scores.add(&mut cell, Some(0), -30, 5 * MINUTE), 70);
    assert_eq!((scores.of(&cell, 0, 5 * MINUTE), scores.add(&mut cell, None, i32::MIN, 5 * MINUTE)), (0, 0));
    assert_eq!(scores.add(&mut cell, None, i32::MAX, 5 * MINUTE), CAP);
}

#[test]
fn a_flood_of_low_scores_does_not_wash_away_a_high_one() {
    let scores = Scores::new(10 * MINUTE).unwrap().kept_from(50);
    let mut table = crate::Table::<ScoreCell>::new(8).unwrap();
    scores.add(table.entry(77, 0), Some(1), 100, 0);
    for tag in 100..10_000 {
        scores.add(table.entry(tag, MINUTE), Some(1), 10, MINUTE);
    }
    assert_eq!(table.peek(77).map(|cell| scores.total(cell, 9 * MINUTE)), Some(53));
    // Two half-lives after 100 the total is surely below 50: the next newcomer may have it.
    assert_eq!(table.peek(77).map(|cell| cell.hold(20 * MINUTE)), Some(Hold::Idle));
}

#[test]
fn the_same_sums_come_out_on_every_machine() {
    let (scores, mut cell) = (Scores::new(7 * MINUTE).unwrap(), ScoreCell::default());
    for i in 0..1_000_u64 {
        scores.add(&mut cell, Some((i % 15) as u8), (i % 37) as i32 - 5, i * 1_234_567_890);
    }
    assert_eq!((cell.total, [0, 1, 2, 3].map(|label| cell.labels[label])), SAME);
}

/// Reckoned from the definition, apart from this code.
const SAME: (u32, [u32; 4]) = (369_474_637, [25_103_904, 26_168_392, 25_107_767, 24_465_140]);

#[test]
fn a_half_life_too_short_is_refused_and_a_cell_costs_what_its_doc_says() {
    assert_eq!(Scores::new(4_095), Err(Impossible::HalfLife));
    assert_eq!(size_of::<ScoreCell>(), 88);
}
