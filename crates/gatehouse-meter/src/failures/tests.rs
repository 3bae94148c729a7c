//! Failures against a model that keeps every failure and every unanswered try.

use proptest::prelude::*;

use super::*;
use crate::model::Exact;

const SECOND: u64 = 1_000_000_000;

/// Ten failures within a minute, then refused for ten minutes.
fn login() -> FailureLimit {
    FailureLimit::new(10, 60 * SECOND).unwrap().blocking_for(600 * SECOND)
}

fn pass(rule: &FailureLimit, cell: &mut Failures, now: u64) -> Ticket {
    match rule.attempt(cell, now) {
        Attempt::Admitted(ticket) => ticket,
        refused => panic!("refused at {now}: {refused:?}"),
    }
}

#[derive(Clone, Debug)]
enum Act {
    Try,
    Answer(usize, bool),
    Abandon(usize),
    Wait(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => Just(Act::Try),
        3 => (any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(which, failed)| Act::Answer(which, failed)),
        1 => any::<usize>().prop_map(Act::Abandon),
        2 => (0..2 * SECOND).prop_map(Act::Wait),
        1 => (0..100 * SECOND).prop_map(Act::Wait),
    ];
    prop::collection::vec(act, 1..300)
}

proptest! {
    #[test]
    fn behaves_as_the_model(limit in 1_u32..8, bound in 1_u32..6, block in 0..90 * SECOND, acts in acts()) {
        let rule = FailureLimit::new(limit, 30 * SECOND).unwrap().in_flight(bound).unwrap().blocking_for(block);
        let (mut cell, mut failed_at, mut open) = (Failures::default(), Exact::default(), Vec::new());
        let (mut now, mut until) = (SECOND, 0_u64);
        for act in acts {
            match act {
                Act::Wait(nanos) => now += nanos,
                Act::Abandon(which) if !open.is_empty() => {
                    rule.abandoned(&mut cell, open.swap_remove(which % open.len()));
                }
                Act::Answer(which, failed) if !open.is_empty() => {
                    rule.answered(&mut cell, open.swap_remove(which % open.len()), failed, now);
                    if failed {
                        failed_at.add(now);
                        if failed_at.touched(rule.span, now) >= u64::from(limit) && until <= now {
                            until = now + block;
                        }
                    }
                }
                Act::Abandon(_) | Act::Answer(..) => {}
                Act::Try => {
                    let blocked = until > now || failed_at.touched(rule.span, now) >= u64::from(limit);
                    match rule.attempt(&mut cell, now) {
                        Attempt::Admitted(ticket) => {
                            prop_assert!(!blocked && open.len() < bound as usize);
                            prop_assert!(failed_at.within(30 * SECOND, now) < u64::from(limit));
                            open.push(ticket);
                        }
                        Attempt::Busy => prop_assert!(!blocked && open.len() == bound as usize),
                        Attempt::Blocked { retry_after } => {
                            prop_assert!(blocked && retry_after > 0);
                            prop_assert!(rule.blocked(&cell, now + retry_after - 1) > 0);
                            prop_assert_eq!(rule.blocked(&cell, now + retry_after), 0);
                        }
                    }
                }
            }
            prop_assert_eq!(cell.unanswered() as usize, open.len());
        }
    }
}

#[test]
fn ten_failures_in_a_minute_block_for_ten_minutes() {
    let (rule, mut cell) = (login(), Failures::default());
    for i in 0..10 {
        let ticket = pass(&rule, &mut cell, i * SECOND);
        rule.answered(&mut cell, ticket, true, i * SECOND + 1);
    }
    assert_eq!(rule.attempt(&mut cell, 10 * SECOND), Attempt::Blocked { retry_after: 599 * SECOND + 1 });
    assert_eq!(cell.hold(10 * SECOND), Hold::Blocked);
    assert_eq!(rule.attempt(&mut cell, 609 * SECOND), Attempt::Blocked { retry_after: 1 });
    let _ = pass(&rule, &mut cell, 609 * SECOND + 1);
}

#[test]
fn successes_never_count() {
    let (rule, mut cell) = (login(), Failures::default());
    for i in 0..10_000 {
        let ticket = pass(&rule, &mut cell, i);
        rule.answered(&mut cell, ticket, false, i);
    }
    assert_eq!(cell.hold(10_000), Hold::Spent);
}

#[test]
fn of_two_hundred_parallel_tries_only_the_bound_pass_before_an_answer() {
    let (rule, mut cell) = (login(), Failures::default());
    let attempts: Vec<_> = (0..200).map(|_| rule.attempt(&mut cell, SECOND)).collect();
    let passed = attempts.iter().filter(|attempt| matches!(attempt, Attempt::Admitted(_))).count();
    let busy = attempts.iter().filter(|attempt| matches!(attempt, Attempt::Busy)).count();
    assert_eq!((passed, busy, cell.hold(SECOND)), (10, 190, Hold::Busy));
}

#[test]
fn of_tries_that_all_fail_fewer_pass_than_limit_and_bound_together() {
    let rule = login().in_flight(4).unwrap();
    let (mut cell, mut open, mut passed) = (Failures::default(), std::collections::VecDeque::new(), 0);
    for now in 0..1_000 {
        while let Attempt::Admitted(ticket) = rule.attempt(&mut cell, now) {
            passed += 1;
            open.push_back(ticket);
        }
        if let Some(ticket) = open.pop_front() {
            rule.answered(&mut cell, ticket, true, now);
        }
    }
    assert_eq!(passed, 10 + 4 - 1);
}

#[test]
fn failures_that_arrive_during_a_block_do_not_lengthen_it() {
    let rule = FailureLimit::new(1, SECOND).unwrap().in_flight(2).unwrap().blocking_for(60 * SECOND);
    let mut cell = Failures::default();
    let (first, second) = (pass(&rule, &mut cell, 1), pass(&rule, &mut cell, 1));
    rule.answered(&mut cell, first, true, 2);
    rule.answered(&mut cell, second, true, 30 * SECOND);
    assert_eq!(rule.attempt(&mut cell, 30 * SECOND), Attempt::Blocked { retry_after: 30 * SECOND + 2 });
}

#[test]
fn an_answer_to_a_try_whose_cell_was_evicted_frees_no_place_but_counts() {
    let rule = FailureLimit::new(2, 60 * SECOND).unwrap();
    let mut old = Failures::default();
    let (early, late) = (pass(&rule, &mut old, 1), pass(&rule, &mut old, 1));
    let mut fresh = Failures::default();
    let _ = pass(&rule, &mut fresh, 2);
    rule.answered(&mut fresh, early, true, 3);
    assert_eq!((fresh.unanswered(), rule.blocked(&fresh, 3)), (1, 0));
    rule.answered(&mut fresh, late, true, 4);
    assert_eq!(fresh.unanswered(), 1);
    assert!(rule.blocked(&fresh, 4) > 0);
}

#[test]
fn impossible_bounds_are_refused() {
    assert_eq!(FailureLimit::new(0, SECOND), Err(Impossible::Limit));
    assert_eq!(FailureLimit::new(1, 3), Err(Impossible::Window));
    assert_eq!(login().in_flight(0), Err(Impossible::InFlight));
}

#[test]
fn a_cell_costs_what_its_doc_says() {
    assert_eq!(size_of::<Failures>(), 112);
}
