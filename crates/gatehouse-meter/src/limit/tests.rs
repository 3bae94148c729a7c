//! The table of any kind against the bare limit and its cells, one for each key, and under more keys than it holds.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::ladder::Step;
use crate::limit::rule::Rule;
use crate::model::ladders;
use crate::table::Evictions;

const SECOND: u64 = 1_000_000_000;

fn spec(count: Count, steps: &[(u32, u64)]) -> LimitSpec {
    let steps: Vec<_> = steps.iter().map(|&(limit, seconds)| Step { limit, block_for: seconds * SECOND }).collect();
    LimitSpec { count, steps: Ladder::new(&steps).unwrap() }
}

fn kinds() -> impl Strategy<Value = Count> {
    let in_flight = prop::option::of(1_u32..6);
    prop_oneof![
        Just(Count::Distinct { window: 16 * SECOND }),
        in_flight.prop_map(|in_flight| Count::Failures { window: 16 * SECOND, in_flight }),
        (1_u32..30).prop_map(|rate| Count::Rate { rate, per: 16 * SECOND }),
        Just(Count::Window { window: 16 * SECOND }),
    ]
}

#[derive(Clone, Debug)]
enum Act {
    Request(u64, Option<u64>),
    Would(u64, Option<u64>),
    Pass(u64),
    Answer(usize, bool),
    Abandon(usize),
    Wait(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let item = || prop::option::weighted(0.9, 0_u64..40);
    let act = prop_oneof![
        6 => (0_u64..4, item()).prop_map(|(key, item)| Act::Request(key, item)),
        2 => (0_u64..4, item()).prop_map(|(key, item)| Act::Would(key, item)),
        1 => (0_u64..4).prop_map(Act::Pass),
        3 => (any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(which, failed)| Act::Answer(which, failed)),
        1 => any::<usize>().prop_map(Act::Abandon),
        2 => (0..SECOND).prop_map(Act::Wait),
        1 => (0..30 * SECOND).prop_map(Act::Wait),
    ];
    prop::collection::vec(act, 1..200)
}

/// Plays the acts on a table and on a map of cells; what the two say must be the same.
fn compare<R: Rule>(
    rule: &R,
    pass: impl Fn(&mut R::Cell, u64) -> Option<Ticket>,
    mut table: LimitTable,
    acts: Vec<Act>,
) -> Result<(), TestCaseError> {
    let (mut cells, mut open, mut now) = (BTreeMap::<u64, R::Cell>::new(), Vec::new(), 5 * SECOND);
    for act in acts {
        match act {
            Act::Wait(nanos) => now += nanos,
            Act::Request(key, item) => {
                let foreseen = table.would(key, item, now);
                let (said, expected) =
                    (table.request(key, item, now), rule.request(cells.entry(key).or_default(), item, now));
                prop_assert_eq!(&said, &expected);
                prop_assert_eq!(
                    foreseen.over.map(|over| (over.step, over.busy)),
                    said.over.map(|over| (over.step, over.busy))
                );
                open.extend(said.ticket.zip(expected.ticket).map(|tickets| (key, tickets)));
            }
            Act::Would(key, item) => {
                prop_assert_eq!(table.would(key, item, now), rule.would(cells.entry(key).or_default(), item, now));
            }
            Act::Pass(key) => {
                let tickets = table.pass(key, now).zip(pass(cells.entry(key).or_default(), now));
                open.extend(tickets.map(|tickets| (key, tickets)));
            }
            Act::Answer(which, failed) if !open.is_empty() => {
                let (key, (real, model)) = open.swap_remove(which % open.len());
                table.answer(key, real, failed, now);
                rule.answer(cells.entry(key).or_default(), model, failed, now);
            }
            Act::Abandon(which) if !open.is_empty() => {
                let (key, (real, model)) = open.swap_remove(which % open.len());
                table.abandon(key, real);
                rule.abandon(cells.entry(key).or_default(), model);
            }
            Act::Answer(..) | Act::Abandon(_) => {}
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn says_what_the_limit_of_its_kind_says(count in kinds(), steps in ladders(60 * SECOND), acts in acts()) {
        let limit = Limit::try_new(LimitSpec { count, steps }).unwrap();
        let table = LimitTable::try_new(LimitSpec { count, steps }, 64).unwrap();
        prop_assert_eq!(table.limit(), limit);
        match limit {
            Limit::Distinct(rule) => compare(&rule, |_, _| None, table, acts)?,
            Limit::Failures(rule) => compare(&rule, |cell, now| Some(rule.pass(cell, now)), table, acts)?,
            Limit::Rate(rule) => compare(&rule, |_, _| None, table, acts)?,
            Limit::Window(rule) => compare(&rule, |_, _| None, table, acts)?,
        }
    }
}

#[test]
fn a_request_refused_by_one_of_two_limits_uses_up_nothing_of_the_other() {
    let mut strict = LimitTable::try_new(spec(Count::Window { window: 60 * SECOND }, &[(2, 0)]), 8).unwrap();
    let mut wide = LimitTable::try_new(spec(Count::Rate { rate: 100, per: 60 * SECOND }, &[(5, 0)]), 8).unwrap();
    for now in 0..20 {
        let answers = [strict.would(1, None, now), wide.would(1, None, now)];
        if answers.iter().all(Decision::is_within) {
            assert!(strict.request(1, None, now).is_within() && wide.request(1, None, now).is_within());
        }
    }
    assert_eq!(wide.would(1, None, 20).remaining, 2);
}

#[test]
fn ten_401s_in_a_minute_then_refused_for_ten_minutes_and_successes_never_count() {
    let login = spec(Count::Failures { window: 60 * SECOND, in_flight: None }, &[(10, 600)]);
    let mut table = LimitTable::try_new(login, 1_000).unwrap();
    for now in 1..=1_000 {
        let ticket = table.request(7, None, now).ticket.unwrap();
        table.answer(7, ticket, false, now);
    }
    for now in 1_001..=1_010 {
        let decision = table.request(7, None, now);
        assert_eq!(decision.remaining as u64, 1_011 - now);
        table.answer(7, decision.ticket.unwrap(), true, now);
    }
    let over = Over { step: 0, retry_after_ns: 599 * SECOND + 1_010, busy: false, count: 10, blocked: true };
    assert_eq!(table.request(7, None, SECOND), Decision { over: Some(over), remaining: 0, ticket: None });
    assert!(table.would(8, None, SECOND).is_within());
    assert!(table.request(7, None, 600 * SECOND + 1_010).ticket.is_some());
}

#[test]
fn while_too_many_tries_are_unanswered_it_says_busy() {
    let login = spec(Count::Failures { window: 60 * SECOND, in_flight: Some(2) }, &[(10, 600)]);
    let mut table = LimitTable::try_new(login, 8).unwrap();
    let tickets: Vec<_> = (0..2).map(|_| table.request(7, None, 5).ticket.unwrap()).collect();
    let busy = Some(Over { step: 0, retry_after_ns: BUSY_RETRY, busy: true, count: 0, blocked: false });
    assert_eq!((table.would(7, None, 6).over, table.request(7, None, 6).over), (busy, busy));
    tickets.into_iter().for_each(|ticket| table.abandon(7, ticket));
    assert!(table.request(7, None, 7).ticket.is_some());
}

#[test]
fn who_is_over_is_told_what_was_counted_and_whether_a_block_runs() {
    let kinds = [
        Count::Window { window: 60 * SECOND },
        Count::Rate { rate: 10, per: 60 * SECOND },
        Count::Failures { window: 60 * SECOND, in_flight: None },
        Count::Distinct { window: 60 * SECOND },
    ];
    for (count, block) in kinds.into_iter().flat_map(|count| [(count, 0), (count, 600)]) {
        let mut table = LimitTable::try_new(spec(count, &[(10, block)]), 8).unwrap();
        for item in 1..=10 {
            if let Some(ticket) = table.request(7, Some(item), SECOND).ticket {
                table.answer(7, ticket, true, SECOND);
            }
        }
        let found = |decision: Decision| decision.over.map(|over| (over.count, over.blocked));
        // The failure that reached the limit began its block; of the others the first refusal does.
        let blocked = block > 0 && matches!(count, Count::Failures { .. });
        assert_eq!(found(table.would(7, Some(11), SECOND)), Some((10, blocked)), "{count:?}, {block}");
        // Different items count also where they are refused.
        let counted = if matches!(count, Count::Distinct { .. }) { 11 } else { 10 };
        assert_eq!(found(table.request(7, Some(11), SECOND)), Some((counted, block > 0)), "{count:?}, {block}");
        assert_eq!(found(table.would(7, Some(12), SECOND)), Some((counted, block > 0)), "{count:?}, {block}");
    }
}

#[test]
fn ten_million_keys_stay_within_the_cap_and_the_counter_tells() {
    let limit = spec(Count::Rate { rate: 100, per: 60 * SECOND }, &[(20, 0)]);
    let mut table = LimitTable::try_new(limit, 10_000).unwrap();
    let mut tag = 1_u64;
    for now in 0..10_000_000 {
        tag = tag.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let _ = table.request(tag, None, now);
    }
    let bytes = 1_250 * (128 + 8 * 24);
    assert_eq!((table.len(), table.capacity(), table.bytes()), (10_000, 10_000, bytes));
    assert_eq!(table.evictions(), Evictions { idle: 9_990_000, ..Evictions::default() });
}

#[test]
fn a_limit_that_its_kind_cannot_have_is_refused() {
    let refused = |count, steps: &[(u32, u64)]| LimitTable::try_new(spec(count, steps), 8).err();
    assert_eq!(refused(Count::Window { window: 3 }, &[(1, 0)]), Some(Impossible::Window));
    assert_eq!(refused(Count::Rate { rate: 0, per: SECOND }, &[(1, 0)]), Some(Impossible::Limit));
    assert_eq!(refused(Count::Failures { window: SECOND, in_flight: Some(0) }, &[(1, 0)]), Some(Impossible::InFlight));
    assert_eq!(refused(Count::Distinct { window: SECOND }, &[(1, 0), (1_000_000, 0)]), Some(Impossible::Apart));
    let fine = spec(Count::Window { window: SECOND }, &[(1, 0)]);
    assert!(matches!(LimitTable::try_new(fine, 0), Err(Impossible::Capacity { .. })));
}
