//! Workers beside each other against one table that one worker would have; races, crowds, and hosts that fail.

use std::cell::{Cell as Once, RefCell};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex};

use proptest::prelude::*;

use super::exchange::TRIES;
use super::set::Found;
use super::*;
use crate::block::Block;
use crate::failures::Failures;
use crate::ladder::{Ladder, Step};
use crate::limit::{Count, LimitSpec};
use crate::model::ladders;
use crate::window::Window;

const SECOND: u64 = 1_000_000_000;

/// Shared data as Envoy keeps it: one mutex, values copied out, one number for every store of the process; number 0
/// overwrites, any other creates what is absent and is compared with what is there.
struct Host(Mutex<Data>);

struct Data {
    values: BTreeMap<u32, (Vec<u8>, u32)>,
    next: u32,
}

impl Host {
    fn new() -> Self {
        Self(Mutex::new(Data { values: BTreeMap::new(), next: 1 }))
    }

    fn set(&self, key: u32, value: &[u8], cas: u32) -> bool {
        let mut data = self.0.lock().unwrap();
        if data.values.get(&key).is_some_and(|(_, held)| cas != 0 && cas != *held) {
            return false;
        }
        let next = data.next;
        data.values.insert(key, (value.to_vec(), next));
        data.next += 1;
        true
    }

    fn value(&self, key: u32) -> Option<Vec<u8>> {
        self.0.lock().unwrap().values.get(&key).map(|(value, _)| value.clone())
    }
}

impl Slots for Host {
    fn load(&self, set: u32, into: &mut Vec<u8>) -> Result<Version, SlotError> {
        match self.0.lock().unwrap().values.get(&set) {
            None => Ok(Version::ABSENT),
            Some((value, cas)) => {
                into.extend_from_slice(value);
                Ok(Version::held(*cas))
            }
        }
    }

    fn store(&self, set: u32, bytes: &[u8], version: Version) -> Result<Stored, SlotError> {
        assert_ne!(version.cas(), 0, "a store that overwrites undoes what others counted");
        Ok(if self.set(set, bytes, version.cas()) { Stored::Done } else { Stored::Conflict })
    }
}

/// A host that fails when told to.
struct Broken {
    fails: Once<bool>,
    host: Host,
}

impl Slots for Broken {
    fn load(&self, set: u32, into: &mut Vec<u8>) -> Result<Version, SlotError> {
        if self.fails.get() { Err(SlotError) } else { self.host.load(set, into) }
    }

    fn store(&self, set: u32, bytes: &[u8], version: Version) -> Result<Stored, SlotError> {
        if self.fails.get() { Err(SlotError) } else { self.host.store(set, bytes, version) }
    }
}

/// A host where another worker gets in between the load and the store, as often as told.
struct Meddled<'a> {
    host: &'a Host,
    other: RefCell<SharedLimit>,
    key: u64,
    times: Once<u32>,
    passed: Once<u32>,
}

impl Slots for Meddled<'_> {
    fn load(&self, set: u32, into: &mut Vec<u8>) -> Result<Version, SlotError> {
        self.host.load(set, into)
    }

    fn store(&self, set: u32, bytes: &[u8], version: Version) -> Result<Stored, SlotError> {
        if let Some(left) = self.times.get().checked_sub(1) {
            self.times.set(left);
            let passes = self.other.borrow_mut().request(self.host, self.key, SECOND).is_within();
            self.passed.set(self.passed.get() + u32::from(passes));
        }
        self.host.store(set, bytes, version)
    }
}

fn limit(count: Count, steps: &[(u32, u64)]) -> Limit {
    let steps: Vec<_> = steps.iter().map(|&(limit, seconds)| Step { limit, block_for: seconds * SECOND }).collect();
    Limit::try_new(LimitSpec { count, steps: Ladder::new(&steps).unwrap() }).unwrap()
}

fn window(requests: u32) -> Limit {
    limit(Count::Window { window: 60 * SECOND }, &[(requests, 0)])
}

fn kinds() -> impl Strategy<Value = Count> {
    prop_oneof![
        (1_u32..6).prop_map(|tries| Count::Failures { window: 16 * SECOND, in_flight: Some(tries) }),
        (1_u32..30).prop_map(|rate| Count::Rate { rate, per: 16 * SECOND }),
        Just(Count::Window { window: 16 * SECOND }),
    ]
}

#[derive(Clone, Debug)]
enum Act {
    Request(usize, u64),
    Would(usize, u64),
    Pass(usize, u64),
    Answer(usize, usize, bool),
    Wait(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let (worker, key) = (|| 0_usize..3, || 0_u64..8);
    let act = prop_oneof![
        6 => (worker(), key()).prop_map(|(worker, key)| Act::Request(worker, key)),
        2 => (worker(), key()).prop_map(|(worker, key)| Act::Would(worker, key)),
        1 => (worker(), key()).prop_map(|(worker, key)| Act::Pass(worker, key)),
        4 => (worker(), any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(worker, which, failed)| Act::Answer(worker, which, failed)),
        2 => (0..SECOND).prop_map(Act::Wait),
        1 => (0..30 * SECOND).prop_map(Act::Wait),
    ];
    prop::collection::vec(act, 1..200)
}

proptest! {
    /// Eight keys in one set: three workers together say at every step what one worker with one table says.
    #[test]
    fn workers_together_are_exactly_one(count in kinds(), steps in ladders(60 * SECOND), acts in acts()) {
        let limit = Limit::try_new(LimitSpec { count, steps }).unwrap();
        let (host, mut one) = (Host::new(), LimitTable::of(limit, 64).unwrap());
        let mut workers = vec![SharedLimit::try_new(limit, 1, 8).unwrap(); 3];
        let (mut open, mut now) = (Vec::new(), 5 * SECOND);
        for act in acts {
            match act {
                Act::Wait(nanos) => now += nanos,
                Act::Request(worker, key) => {
                    let (said, expected) = (workers[worker].request(&host, key, now), one.request(key, None, now));
                    prop_assert_eq!((said.over, said.remaining), (expected.over, expected.remaining));
                    prop_assert_eq!(said.ticket.is_some(), expected.ticket.is_some());
                    open.extend(said.ticket.zip(expected.ticket).map(|tickets| (key, tickets)));
                }
                Act::Would(worker, key) => {
                    prop_assert_eq!(workers[worker].would(&host, key, now), one.would(key, None, now));
                }
                Act::Pass(worker, key) => {
                    let tickets = workers[worker].pass(&host, key, now).zip(one.pass(key, now));
                    open.extend(tickets.map(|tickets| (key, tickets)));
                }
                Act::Answer(worker, which, failed) if !open.is_empty() => {
                    let (key, (shared, single)) = open.swap_remove(which % open.len());
                    workers[worker].answer(&host, key, shared, failed, now);
                    one.answer(key, single, failed, now);
                }
                Act::Answer(..) => {}
            }
        }
        prop_assert!(workers.iter().all(|worker| worker.fallbacks() == Fallbacks::default()));
    }

    /// Whatever lies in the host, nothing panics, and what is no set is left alone.
    #[test]
    fn any_bytes_do_no_harm(count in kinds(), mut bytes: Vec<u8>, valid_head: bool, now: u64, key in 0_u64..3) {
        if valid_head {
            bytes.splice(0..0, [1, 1].into_iter().chain(key.to_le_bytes()));
        }
        let limit = Limit::try_new(LimitSpec { count, steps: Ladder::one(3).unwrap() }).unwrap();
        let (host, mut worker) = (Host::new(), SharedLimit::try_new(limit, 1, 8).unwrap());
        host.set(0, &bytes, 0);
        let _ = worker.would(&host, key, now);
        let decision = worker.request(&host, key, now);
        if let Some(ticket) = decision.ticket {
            worker.answer(&host, key, ticket, true, now);
        }
        if worker.fallbacks().damaged > 0 {
            prop_assert_eq!(host.value(0).unwrap(), bytes);
        }
    }

    /// Any cell of any content comes back the same, wherever it stands in the set.
    #[test]
    fn what_is_written_is_read(seed: [u64; 40], tags in prop::collection::btree_set(any::<u64>(), 1..=8)) {
        let mut value = Vec::new();
        let mut seeds = seed.into_iter().cycle();
        let cells: Vec<_> = tags.into_iter().map(|tag| (tag, some_cell(&mut seeds))).collect();
        for (tag, cell) in &cells {
            let mut next = Vec::new();
            prop_assert!(set::replace(&value, *tag, cell, 0, &mut next).is_ok());
            value = next;
        }
        prop_assert!(value.len() <= set::MOST_BYTES);
        for (tag, cell) in cells {
            let Ok(Found::Cell(read)) = set::find::<Failures>(&value, tag, 0) else { panic!("{tag} is lost") };
            prop_assert_eq!(read, cell);
        }
    }
}

fn some_cell(seeds: &mut impl Iterator<Item = u64>) -> Failures {
    let mut next = || seeds.next().unwrap();
    Failures {
        window: Window { newest: next(), spent_at: next(), counts: std::array::from_fn(|_| next() as u32) },
        block: Block { until: next(), step: next() as u8 },
        born: next(),
        lapses_at: next().max(1),
        in_flight: next() as u32 | 1,
    }
}

#[test]
fn threads_that_hammer_one_key_pass_exactly_the_limit_together() {
    for round in 0..5 {
        let (host, start, limit) = (Host::new(), Barrier::new(8), window(1_000));
        let passed: Vec<(u32, u32, Fallbacks)> = std::thread::scope(|scope| {
            let hammer = || {
                let mut worker = SharedLimit::try_new(limit, 4, 8).unwrap();
                start.wait();
                let (mut shared, mut alone) = (0, 0);
                for _ in 0..2_000 {
                    let before = worker.fallbacks();
                    let within = worker.request(&host, 77 << 32, SECOND).is_within();
                    let counted = if worker.fallbacks() == before { &mut shared } else { &mut alone };
                    *counted += u32::from(within);
                }
                (shared, alone, worker.fallbacks())
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(hammer)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(passed.iter().map(|(shared, ..)| shared).sum::<u32>(), 1_000, "round {round}");
        // A thread that is overtaken 32 times in a row says so; each time it lets one pass at most.
        for (_, alone, fallbacks) in passed {
            assert!(u64::from(alone) <= fallbacks.contended);
            assert_eq!(Fallbacks { contended: 0, ..fallbacks }, Fallbacks::default());
        }
    }
}

#[test]
fn threads_on_a_running_clock_never_pass_more_than_the_limit_in_any_window() {
    let (host, clock, passed) = (Host::new(), AtomicU64::new(SECOND), Mutex::new(Vec::new()));
    let limit = limit(Count::Window { window: 1_600 }, &[(50, 0)]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut worker = SharedLimit::try_new(limit, 1, 8).unwrap();
                for _ in 0..5_000 {
                    // Read the clock and be counted at one moment, or the reading could be older than what it is judged by.
                    let mut log = passed.lock().unwrap();
                    let now = clock.fetch_add(7, Ordering::Relaxed);
                    if worker.request(&host, 5, now).is_within() {
                        log.push(now);
                    }
                }
                assert_eq!(worker.fallbacks(), Fallbacks::default());
            });
        }
    });
    let passed = passed.into_inner().unwrap();
    assert!(passed.windows(51).all(|times| times[50] - times[0] >= 1_600));
    // 140,000 ns hold 87 windows; each may be a sixteenth too long.
    assert!(passed.len() >= 87 * 50 * 16 / 17 - 50, "{}", passed.len());
}

#[test]
fn workers_that_create_a_set_at_the_same_time_lose_no_count() {
    let (host, start, limit) = (Host::new(), Barrier::new(4), window(1_000));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut worker = SharedLimit::try_new(limit, 500, 8).unwrap();
                for set in 0..500_u64 {
                    start.wait();
                    assert!(worker.request(&host, tag_in(set, 500), SECOND).is_within());
                }
                assert_eq!(worker.fallbacks(), Fallbacks::default());
            });
        }
    });
    let mut worker = SharedLimit::try_new(limit, 500, 8).unwrap();
    for set in 0..500 {
        assert_eq!(worker.would(&host, tag_in(set, 500), SECOND).remaining, 1_000 - 4 - 1);
    }
}

/// A tag whose set is this one of so many.
fn tag_in(set: u64, sets: u64) -> u64 {
    ((set << 32) / sets + 1) << 32
}

#[test]
fn the_later_of_two_creations_is_a_conflict() {
    let (host, mut buffer) = (Host::new(), Vec::new());
    let (a, b) = (host.load(0, &mut buffer).unwrap(), host.load(0, &mut buffer).unwrap());
    assert_eq!((a, b), (Version::ABSENT, Version::ABSENT));
    assert_eq!(host.store(0, b"a", a), Ok(Stored::Done));
    assert_eq!(host.store(0, b"b", b), Ok(Stored::Conflict));
    assert_eq!(host.value(0).unwrap(), b"a");
    assert_eq!(Version::held(0), Version::ABSENT);
}

#[test]
fn who_is_overtaken_counts_again_on_top_of_the_others() {
    let (host, limit) = (Host::new(), window(10));
    let other = RefCell::new(SharedLimit::try_new(limit, 1, 8).unwrap());
    let meddled = Meddled { host: &host, other, key: 5, times: Once::new(6), passed: Once::new(0) };
    let mut worker = SharedLimit::try_new(limit, 1, 8).unwrap();
    assert_eq!(worker.request(&meddled, 5, SECOND).remaining, 3);
    assert_eq!((meddled.passed.get(), worker.fallbacks()), (6, Fallbacks::default()));
    // The next is overtaken by the last three that may pass, and sees it.
    meddled.times.set(30);
    assert!(!worker.request(&meddled, 5, SECOND).is_within());
    assert_eq!((meddled.passed.get(), worker.fallbacks()), (9, Fallbacks::default()));
}

#[test]
fn who_is_overtaken_too_often_counts_by_itself_and_says_so() {
    let (host, limit) = (Host::new(), window(100));
    let other = RefCell::new(SharedLimit::try_new(limit, 1, 8).unwrap());
    let meddled = Meddled { host: &host, other, key: 5, times: Once::new(TRIES), passed: Once::new(0) };
    let mut worker = SharedLimit::try_new(limit, 1, 8).unwrap();
    assert_eq!(worker.request(&meddled, 5, SECOND).remaining, 99);
    assert_eq!(worker.fallbacks(), Fallbacks { contended: 1, ..Fallbacks::default() });
    assert_eq!((worker.local().len(), worker.would(&host, 5, SECOND).remaining), (1, 100 - TRIES - 1));
}

#[test]
fn a_refusal_stands_even_where_its_block_could_not_be_stored() {
    let (host, limit) = (Host::new(), limit(Count::Rate { rate: 1, per: SECOND }, &[(2, 0), (1_000, 60)]));
    let other = RefCell::new(SharedLimit::try_new(limit, 1, 8).unwrap());
    let meddled = Meddled { host: &host, other, key: 5, times: Once::new(TRIES), passed: Once::new(0) };
    let mut worker = SharedLimit::try_new(limit, 1, 8).unwrap();
    for _ in 0..2 {
        assert!(worker.request(&host, 5, SECOND).is_within());
    }
    assert_eq!(worker.request(&meddled, 5, SECOND).over.map(|over| over.step), Some(0));
    assert_eq!((worker.fallbacks().contended, worker.local().len()), (1, 0));
}

#[test]
fn a_ninth_key_counts_by_itself_until_one_of_the_eight_is_spent() {
    let (host, limit) = (Host::new(), limit(Count::Window { window: 16 * SECOND }, &[(3, 600)]));
    let mut workers = vec![SharedLimit::try_new(limit, 1, 8).unwrap(); 2];
    for key in 1..=8 {
        assert!(workers[0].request(&host, key, SECOND).is_within());
    }
    for worker in &mut workers {
        let passed = (0..5).filter(|_| worker.request(&host, 9, 2 * SECOND).is_within()).count();
        assert_eq!((passed, worker.fallbacks().crowded, worker.local().len()), (3, 3, 1));
    }
    // A ban outlives its window, a count does not: then there is room, but this worker's own ban still holds.
    assert!(!workers[0].request(&host, 9, 60 * SECOND).is_within());
    let mut fresh = SharedLimit::try_new(limit, 1, 8).unwrap();
    assert!(fresh.request(&host, 9, 60 * SECOND).is_within());
    assert_eq!((fresh.fallbacks(), host.value(0).unwrap()[1]), (Fallbacks::default(), 1));
}

#[test]
fn what_another_key_stores_keeps_a_cell_to_the_last_nanosecond() {
    let (host, limit) = (Host::new(), limit(Count::Window { window: 16 }, &[(1, 0)]));
    let mut worker = SharedLimit::try_new(limit, 1, 8).unwrap();
    assert!(worker.request(&host, 1, 100).is_within());
    assert!(worker.request(&host, 2, 116).is_within() && !worker.request(&host, 1, 116).is_within());
    assert!(worker.request(&host, 3, 117).is_within() && host.value(0).unwrap()[1] == 2);
    assert!(worker.request(&host, 1, 117).is_within());
}

#[test]
fn a_flood_of_keys_takes_no_block_away() {
    let (host, limit) = (Host::new(), limit(Count::Window { window: SECOND }, &[(1, 3_600)]));
    let mut worker = SharedLimit::try_new(limit, 4, 64).unwrap();
    let banned = 7 << 32;
    let _ = (worker.request(&host, banned, 1), worker.request(&host, banned, 1));
    for key in 0..100_000_u64 {
        let _ = worker.request(&host, key.wrapping_mul(0x9e37_79b9_7f4a_7c15), 2 + key * SECOND / 50_000);
    }
    assert_eq!(worker.would(&host, banned, 3_600 * SECOND).over.map(|over| over.retry_after_ns), Some(1));
    assert!(worker.fallbacks().crowded > 0 && host.0.lock().unwrap().values.len() == 4);
}

#[test]
fn places_of_a_worker_that_died_with_its_tickets_come_back() {
    let (host, limit) = (Host::new(), limit(Count::Failures { window: 60 * SECOND, in_flight: Some(2) }, &[(10, 600)]));
    let mut dead = SharedLimit::try_new(limit, 1, 8).unwrap();
    let lost = [dead.request(&host, 5, SECOND).ticket, dead.request(&host, 5, SECOND).ticket];
    assert!(lost.iter().all(Option::is_some));
    let mut alive = SharedLimit::try_new(limit, 1, 8).unwrap();
    assert!(alive.request(&host, 5, 200 * SECOND).over.is_some_and(|over| over.busy));
    assert!(alive.request(&host, 5, 301 * SECOND).ticket.is_some());
}

#[test]
fn a_failing_host_leaves_each_worker_its_own_limit() {
    let host = Broken { fails: Once::new(true), host: Host::new() };
    let limit = limit(Count::Failures { window: 60 * SECOND, in_flight: None }, &[(3, 600)]);
    let mut worker = SharedLimit::try_new(limit, 1, 8).unwrap();
    for now in 1..=3 {
        let ticket = worker.request(&host, 5, now).ticket.unwrap();
        worker.answer(&host, 5, ticket, true, now);
    }
    assert!(!worker.would(&host, 5, 4).is_within() && !worker.request(&host, 5, 4).is_within());
    assert_eq!(worker.fallbacks(), Fallbacks { failed: 3, ..Fallbacks::default() });
    // A failure whose answer the host does not take counts here.
    host.fails.set(false);
    let ticket = worker.request(&host, 6, 5).ticket.unwrap();
    host.fails.set(true);
    worker.answer(&host, 6, ticket, true, 6);
    assert_eq!((worker.fallbacks().failed, worker.local().would(6, None, 6).remaining), (4, 2));
}

#[test]
fn a_value_is_written_as_the_format_says() {
    let (host, mut worker) = (Host::new(), SharedLimit::try_new(window(5), 1, 8).unwrap());
    let _ = worker.request(&host, 0x0102_0304_0506_0708, 60 * SECOND);
    let (sub, mut expected) = (3_750_000_000_u64, vec![1, 1, 8, 7, 6, 5, 4, 3, 2, 1]);
    expected.extend((33 * sub).to_le_bytes());
    expected.push(3);
    expected.extend(16_u64.to_le_bytes());
    expected.extend((33 * sub).to_le_bytes());
    expected.extend((0..17).flat_map(|slot| u32::from(slot == 16).to_le_bytes()));
    expected.extend([0; 9]);
    assert_eq!(host.value(0).unwrap(), expected);
    assert_eq!([1, 2, 3].map(cell::length), [Some(113), Some(17), Some(93)]);
}

#[test]
fn what_cannot_be_shared_is_refused() {
    let distinct = limit(Count::Distinct { window: SECOND }, &[(5, 0)]);
    assert_eq!(SharedLimit::try_new(distinct, 1, 8).err(), Some(Impossible::Shared));
    assert!(matches!(SharedLimit::try_new(window(1), 0, 8).err(), Some(Impossible::Capacity { .. })));
    assert!(matches!(SharedLimit::try_new(window(1), 65_537, 8).err(), Some(Impossible::Capacity { .. })));
    let shared = SharedLimit::try_new(window(1), 512, 8).unwrap();
    assert_eq!((shared.capacity(), shared.host_bytes()), (4_096, 512 * 1_042));
}
