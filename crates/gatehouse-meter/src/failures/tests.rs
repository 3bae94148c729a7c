//! Failures against a model that keeps every failure and every unanswered try.

use proptest::prelude::*;

use super::*;
use crate::model::{Exact, NaiveBlock, ladders, reached};

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
    /// Once more; and again without asking if the answer is no.
    Try(bool),
    Answer(usize, bool),
    Abandon(usize),
    Wait(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => prop::bool::weighted(0.5).prop_map(Act::Try),
        3 => (any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(which, failed)| Act::Answer(which, failed)),
        1 => any::<usize>().prop_map(Act::Abandon),
        2 => (0..2 * SECOND).prop_map(Act::Wait),
        1 => (0..100 * SECOND).prop_map(Act::Wait),
    ];
    prop::collection::vec(act, 1..300)
}

proptest! {
    #[test]
    fn behaves_as_the_model(ladder in ladders(160 * SECOND), bound in 1_u32..6, acts in acts()) {
        let rule = FailureLimit::with_steps(ladder, 30 * SECOND).unwrap().in_flight(bound).unwrap().waiting_for(u64::MAX);
        let (mut cell, mut failed_at, mut open) = (Failures::default(), Exact::default(), Vec::new());
        let (mut now, mut block) = (SECOND, NaiveBlock::default());
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
                        if let Some(step) = reached(&ladder, failed_at.touched(rule.span, now)) {
                            let Step { limit, block_for } = ladder.steps()[usize::from(step)];
                            block.refused(step, now, block_for.max(failed_at.below_in(rule.span, now, limit)));
                        }
                    }
                }
                Act::Abandon(_) | Act::Answer(..) => {}
                Act::Try(insist) => {
                    let over = reached(&ladder, failed_at.touched(rule.span, now)).max(block.standing(now));
                    match rule.attempt(&mut cell, now) {
                        Attempt::Admitted(ticket) => {
                            prop_assert!(over.is_none() && open.len() < bound as usize);
                            prop_assert!(failed_at.within(30 * SECOND, now) < u64::from(ladder.lowest()));
                            open.push(ticket);
                        }
                        Attempt::Busy => prop_assert!(over.is_none() && open.len() >= bound as usize),
                        Attempt::Blocked { step, retry_after } => {
                            prop_assert_eq!(Some(step), over);
                            let below = failed_at.below_in(rule.span, now, ladder.lowest());
                            prop_assert_eq!(retry_after, below.max(block.until().saturating_sub(now)));
                            prop_assert!(rule.blocked(&cell, now + retry_after - 1).is_some());
                            prop_assert_eq!(rule.blocked(&cell, now + retry_after), None);
                            if insist {
                                open.push(rule.pass(&mut cell, now));
                            }
                        }
                    }
                }
            }
            prop_assert_eq!(cell.unanswered(now) as usize, open.len());
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
    assert_eq!(rule.attempt(&mut cell, 10 * SECOND), Attempt::Blocked { step: 0, retry_after: 599 * SECOND + 1 });
    assert_eq!(cell.hold(10 * SECOND), Hold::Blocked);
    assert_eq!(rule.attempt(&mut cell, 609 * SECOND), Attempt::Blocked { step: 0, retry_after: 1 });
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
    assert_eq!(rule.attempt(&mut cell, 30 * SECOND), Attempt::Blocked { step: 0, retry_after: 30 * SECOND + 2 });
}

#[test]
fn an_answer_to_a_try_whose_cell_was_evicted_frees_no_place_but_counts() {
    let rule = FailureLimit::new(2, 60 * SECOND).unwrap();
    let mut old = Failures::default();
    let (early, late) = (pass(&rule, &mut old, 1), pass(&rule, &mut old, 1));
    let mut fresh = Failures::default();
    let _ = pass(&rule, &mut fresh, 2);
    rule.answered(&mut fresh, early, true, 3);
    assert_eq!((fresh.unanswered(3), rule.blocked(&fresh, 3)), (1, None));
    rule.answered(&mut fresh, late, true, 4);
    assert_eq!(fresh.unanswered(4), 1);
    assert!(rule.blocked(&fresh, 4).is_some());
}

#[test]
fn failures_of_tries_let_through_reach_the_next_step() {
    let steps = [Step { limit: 3, block_for: 0 }, Step { limit: 6, block_for: 3_600 * SECOND }];
    let rule = FailureLimit::with_steps(Ladder::new(&steps).unwrap(), 60 * SECOND).unwrap();
    let mut cell = Failures::default();
    for now in 1..=6 {
        let ticket = rule.pass(&mut cell, now);
        rule.answered(&mut cell, ticket, true, now);
        let step = rule.blocked(&cell, now).map(|(step, _)| step);
        assert_eq!(step, [None, None, None, Some(0), Some(0), Some(0), Some(1)][now as usize]);
    }
    assert_eq!(rule.blocked(&cell, 3_600 * SECOND), Some((1, 6)));
}

#[test]
fn tries_whose_tickets_are_lost_free_their_places_when_none_was_begun_for_long() {
    let rule = login().in_flight(2).unwrap().waiting_for(300 * SECOND);
    let mut cell = Failures::default();
    let (lost, late) = (pass(&rule, &mut cell, SECOND), pass(&rule, &mut cell, 9 * SECOND));
    assert_eq!(rule.attempt(&mut cell, 309 * SECOND - 1), Attempt::Busy);
    let _ = pass(&rule, &mut cell, 309 * SECOND);
    assert_eq!(cell.unanswered(309 * SECOND), 1);
    drop(lost);
    rule.answered(&mut cell, late, true, 310 * SECOND);
    assert_eq!((cell.unanswered(310 * SECOND), rule.remaining(&cell, 310 * SECOND)), (1, 9));
}

#[test]
fn impossible_bounds_are_refused() {
    assert_eq!(FailureLimit::new(0, SECOND), Err(Impossible::Limit));
    assert_eq!(FailureLimit::new(1, 3), Err(Impossible::Window));
    assert_eq!(login().in_flight(0), Err(Impossible::InFlight));
}

#[test]
fn a_cell_costs_what_its_doc_says() {
    assert_eq!(size_of::<Failures>(), 128);
}
