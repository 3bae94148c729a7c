//! GCRA against its bound checked over every pair of moments, and its edges.

use proptest::prelude::*;

use super::*;
use crate::model::Exact;

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
                Admission::Refused { retry_after } => {
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
    assert_eq!(rule.admit(&mut cell, SECOND), Admission::Refused { retry_after: 600_000_000 });
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
    assert_eq!(rule.admit(&mut cell, 1), Admission::Refused { retry_after: 60 * SECOND });
    assert_eq!(rule.admit(&mut cell, 30 * SECOND), Admission::Refused { retry_after: 30 * SECOND + 1 });
    assert!(rule.admit(&mut cell, 60 * SECOND + 1).is_admitted());
}

#[test]
fn a_clock_at_its_end_refuses_instead_of_admitting_for_ever() {
    let rule = Gcra::new(1, SECOND, 3).unwrap();
    let mut cell = GcraCell::default();
    assert_eq!(rule.admit(&mut cell, u64::MAX), Admission::Refused { retry_after: u64::MAX });
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
    assert_eq!(size_of::<GcraCell>(), 16);
}
