//! One pool for many limits against a table for each, and under more clients than it holds.

use proptest::prelude::*;

use super::*;
use crate::ladder::{Ladder, Step};
use crate::limit::{Count, LimitSpec, LimitTable};

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const CELLS: usize = 4096;

fn limit(count: Count, most: u32, block_for: u64) -> Limit {
    let steps = Ladder::new(&[Step { limit: most, block_for }]).unwrap();
    Limit::try_new(LimitSpec { count, steps }).unwrap()
}

fn kinds() -> [Limit; 5] {
    [
        limit(Count::Distinct { window: MINUTE }, 3, 0),
        limit(Count::Failures { window: MINUTE, in_flight: Some(2) }, 3, 5 * SECOND),
        limit(Count::Rate { rate: 60, per: MINUTE }, 4, 0),
        limit(Count::Window { window: MINUTE }, 5, 2 * MINUTE),
        limit(Count::Window { window: 10 * SECOND }, 2, 0),
    ]
}

fn pool() -> Pool {
    let mut pool = Pool::new(Capacities { distinct: 64, failures: 64, rate: 64, window: 64 });
    kinds().iter().for_each(|limit| pool.prepare(limit).unwrap());
    pool
}

/// As an engine makes tags: other ones for each limit.
fn tag(limit: usize, client: u64) -> u64 {
    (client + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17)
        ^ (limit as u64 + 1).wrapping_mul(0xd1b5_4a32_d192_ed03)
}

proptest! {
    #[test]
    fn a_pool_says_what_a_table_for_each_limit_says(
        acts in prop::collection::vec((0_usize..5, 0_u64..3, prop::option::weighted(0.9, 0_u64..9), 0_u8..6, 0..3 * SECOND), 1..200),
    ) {
        let limits = kinds();
        let mut pool = pool();
        let mut tables = limits.map(|limit| LimitTable::of(limit, 64).unwrap());
        let (mut now, mut open) = (5 * SECOND, Vec::new());
        for (which, client, item, act, wait) in acts {
            let (limit, table, tag) = (&limits[which], &mut tables[which], tag(which, client));
            now += wait;
            match act {
                0 => prop_assert_eq!(pool.would(limit, tag, item, now), table.would(tag, item, now)),
                1 => {
                    let (one, two) = (pool.pass(limit, tag, now), table.pass(tag, now));
                    prop_assert_eq!(&one, &two);
                    open.extend(one.zip(two).map(|tickets| (which, tag, tickets)));
                }
                2 if pool.would(limit, tag, item, now).is_within() => {
                    // What is known to be within is counted without asking again, to the same end.
                    let (one, two) = (pool.count(limit, tag, item, now), table.request(tag, item, now));
                    prop_assert!(two.is_within());
                    prop_assert_eq!(&one, &two.ticket);
                    open.extend(one.zip(two.ticket).map(|tickets| (which, tag, tickets)));
                }
                2 | 3 => {
                    let (one, two) = (pool.request(limit, tag, item, now).unwrap(), table.request(tag, item, now));
                    prop_assert_eq!(&one, &two);
                    open.extend(one.ticket.zip(two.ticket).map(|tickets| (which, tag, tickets)));
                }
                _ => {
                    let Some((which, tag, (one, two))) = open.pop() else { continue };
                    let (limit, table) = (&limits[which], &mut tables[which]);
                    match act {
                        4 => {
                            pool.answer(limit, tag, one, wait % 2 == 0, now);
                            table.answer(tag, two, wait % 2 == 0, now);
                        }
                        _ => {
                            pool.abandon(limit, tag, one);
                            table.abandon(tag, two);
                        }
                    }
                }
            }
        }
        prop_assert_eq!(pool.len(), tables.iter().map(LimitTable::len).sum::<usize>());
    }
}

#[test]
fn ten_million_clients_stay_within_the_cap_and_the_counter_tells() {
    let mut pool = Pool::new(Capacities { distinct: 8, failures: 8, rate: CELLS, window: 8 });
    let limits =
        [(60, 0), (30, 86_400 * SECOND)].map(|(rate, block)| limit(Count::Rate { rate, per: MINUTE }, 4, block));
    pool.prepare(&limits[0]).unwrap();
    let blocked = tag(1, u64::MAX - 9);
    for _ in 0..5 {
        let _ = pool.request(&limits[1], blocked, None, 1);
    }
    // Through two limits of one kind, by turns.
    for client in 0..10_000_000_u64 {
        let which = (client % 2) as usize;
        let decision = pool.request(&limits[which], tag(which, client), None, 1 + client).unwrap();
        assert!(decision.is_within());
    }
    assert_eq!((pool.len(), pool.bytes()), (CELLS, CELLS / 8 * (128 + 8 * 24)));
    assert_eq!(pool.evictions(), Evictions { idle: 10_000_001 - CELLS as u64, ..Evictions::default() });
    assert!(!pool.would(&limits[1], blocked, None, 1 + 10_000_000).is_within(), "who is blocked is not washed away");
}

#[test]
fn a_kind_takes_its_memory_when_it_is_first_asked_for_and_only_once() {
    let mut pool = Pool::new(Capacities { distinct: 8, failures: 8, rate: 8, window: 8 });
    let [_, failures, _, window, _] = kinds();
    assert_eq!((pool.bytes(), pool.is_empty()), (0, true));
    assert!(pool.would(&window, 1, None, 1).is_within(), "as of a new key");
    assert!(pool.request(&window, 1, None, 1).is_none() && pool.pass(&failures, 1, 1).is_none());
    pool.prepare(&window).unwrap();
    assert_eq!(pool.bytes(), 0, "none before the first key");
    let _ = pool.request(&window, 1, None, 1);
    let bytes = pool.bytes();
    pool.prepare(&window).unwrap();
    let _ = pool.request(&window, 2, None, 1);
    assert_eq!((pool.bytes(), pool.len()), (bytes, 2));
    let none = Capacities { distinct: 8, failures: 0, rate: 8, window: 8 };
    assert!(matches!(Pool::new(none).prepare(&failures), Err(Impossible::Capacity { .. })));
}
