//! Counting costs no memory once a table, a list or a top-k is made: counted by an allocator of the test's own.

mod counting;

use gatehouse_meter::shared::{SlotError, Slots, Stored, Version};
use gatehouse_meter::{
    Arm, Attempt, Count, Distinct, DistinctLimit, Effect, FailureLimit, Failures, Familiar, FamiliarSpec, Gcra,
    GcraCell, Guard, GuardSpec, Keys, Ladder, Limit, LimitSpec, LimitTable, Part, ScoreCell, Scores, SharedLimit, Step,
    Table, TopK, TtlList, WindowCell, WindowLimit, canary_share,
};

use counting::count;

const SECOND: u64 = 1_000_000_000;

/// What `act` allocates in ten thousand calls, each with a tag of its own and a later moment, once the pages that tables take by
/// and by are there.
fn allocations(mut act: impl FnMut(u64, u64)) -> usize {
    for i in 0..1_000_u64 {
        act(i.wrapping_mul(0x9e37_79b9_7f4a_7c15), 0);
    }
    let before = count();
    for i in 0..10_000_u64 {
        act(i.wrapping_mul(0x9e37_79b9_7f4a_7c15), i * SECOND / 100);
    }
    count() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|tag, _| drop(Box::new(tag))), 10_000);
}

#[test]
fn limits_in_full_tables_allocate_nothing() {
    let (window, mut windows) = (WindowLimit::new(3, SECOND).unwrap(), Table::<WindowCell>::new(64).unwrap());
    let (gcra, mut rates) = (Gcra::new(3, SECOND, 2).unwrap(), Table::<GcraCell>::new(64).unwrap());
    let (failure, mut failures) = (FailureLimit::new(3, SECOND).unwrap(), Table::<Failures>::new(64).unwrap());
    let (distinct, mut sketches) = (DistinctLimit::new(20, SECOND).unwrap(), Table::<Distinct>::new(16).unwrap());
    let allocated = allocations(|tag, now| {
        let _ = window.admit(windows.entry(tag, now), now);
        let _ = gcra.admit(rates.entry(tag, now), now);
        if let Attempt::Admitted(ticket) = failure.attempt(failures.entry(tag, now), now) {
            failure.answered(failures.entry(tag, now), ticket, true, now);
        }
        let _ = distinct.observe(sketches.entry(tag % 16, now), tag, now);
    });
    assert_eq!(allocated, 0);
    assert_eq!((windows.len(), rates.len(), failures.len()), (64, 64, 64));
}

const STEPS: [Step; 2] = [Step { limit: 2, block_for: 0 }, Step { limit: 4, block_for: SECOND }];

/// Every kind, with these steps.
fn specs(steps: Ladder) -> [LimitSpec; 4] {
    [
        Count::Window { window: SECOND },
        Count::Rate { rate: 3, per: SECOND },
        Count::Failures { window: SECOND, in_flight: None },
        Count::Distinct { window: SECOND },
    ]
    .map(|count| LimitSpec { count, steps })
}

#[test]
fn limits_of_every_kind_allocate_nothing() {
    for spec in specs(Ladder::new(&STEPS).unwrap()) {
        let mut table = LimitTable::try_new(spec, 64).unwrap();
        let allocated = allocations(|tag, now| {
            // Some keys come often enough to climb, the others push each other out.
            for tag in [tag, (tag % 5) << 61] {
                let foreseen = table.would(tag, Some(now), now);
                let ticket = table.request(tag, Some(now), now).ticket;
                let ticket = ticket.or_else(|| foreseen.over.and_then(|_| table.pass(tag, now)));
                if let Some(ticket) = ticket {
                    table.answer(tag, ticket, true, now);
                }
            }
        });
        assert_eq!((allocated, table.len()), (0, 64), "{spec:?}");
    }
}

/// Sets in a fixed number of buffers, each long enough, as a host has them outside of what is measured.
struct Host(Vec<std::cell::RefCell<(Vec<u8>, u32)>>);

impl Slots for Host {
    fn load(&self, set: u32, into: &mut Vec<u8>) -> Result<Version, SlotError> {
        let set = self.0.get(set as usize).ok_or(SlotError)?.borrow();
        into.extend_from_slice(&set.0);
        Ok(Version::held(set.1))
    }

    fn store(&self, set: u32, bytes: &[u8], version: Version) -> Result<Stored, SlotError> {
        let mut set = self.0.get(set as usize).ok_or(SlotError)?.borrow_mut();
        if Version::held(set.1) != version {
            return Ok(Stored::Conflict);
        }
        set.0.clear();
        set.0.extend_from_slice(bytes);
        set.1 += 1;
        Ok(Stored::Done)
    }
}

#[test]
fn shared_limits_allocate_nothing_nor_does_what_falls_back() {
    for spec in &specs(Ladder::new(&STEPS).unwrap())[..3] {
        let host = Host((0..4).map(|_| (Vec::with_capacity(1_042), 0).into()).collect());
        let mut shared = SharedLimit::try_new(Limit::try_new(*spec).unwrap(), 4, 64).unwrap();
        let allocated = allocations(|tag, now| {
            for tag in [tag, (tag % 5) << 61] {
                let _ = shared.would(&host, tag, now);
                if let Some(ticket) = shared.request(&host, tag, now).ticket {
                    shared.answer(&host, tag, ticket, true, now);
                }
            }
        });
        assert_eq!(allocated, 0, "{spec:?}");
        assert!(shared.fallbacks().crowded > 0 && !shared.local().is_empty(), "{spec:?}");
    }
}

#[test]
fn keys_scores_and_guards_allocate_nothing() {
    let keys = Keys::new(&[5; 16]);
    let (scores, mut cells) = (Scores::new(SECOND).unwrap().kept_from(10), Table::<ScoreCell>::new(64).unwrap());
    let mut guard = Guard::try_new(GuardSpec { period: SECOND, ..GuardSpec::default() }, 64, 0).unwrap();
    let mut familiar = Familiar::try_new(FamiliarSpec::default(), 64).unwrap();
    let allocated = allocations(|tag, now| {
        let address = std::net::Ipv4Addr::from_bits(tag as u32).into();
        let header = Part::Header { name: b"x-api-key", value: Some(b"0123456789") };
        let tag = keys.key(1).part(Part::Prefix { address, bits: 24 }).part(header).finish();
        scores.add(cells.entry(tag, now), Some(3), 12, now);
        familiar.succeeded(tag, now);
        let arm = if canary_share(tag, 1, 50) { Arm::Canary } else { Arm::Control };
        let known_good = familiar.known_good(tag, 0, now) || tag.is_multiple_of(2);
        let _ = guard.observe(tag, known_good, arm, Effect::Nothing, now);
    });
    assert_eq!((allocated, cells.len()), (0, 64));
    assert!(guard.figures().clients > 0 && familiar.evictions().idle > 0);
}

#[test]
fn full_lists_and_top_k_allocate_nothing() {
    let (mut list, mut top) = (TtlList::<u128>::new(100, &[3; 16]).unwrap(), TopK::<u64>::new(32).unwrap());
    let allocated = allocations(|tag, now| {
        list.put(u128::from(tag), 2 * SECOND, now);
        list.remaining(u128::from(tag / 2), now);
        top.add(tag, 1, || tag);
    });
    assert_eq!(allocated, 0);
    assert_eq!(list.len(10_000 / 100 * SECOND - SECOND / 100), 100);
    assert_eq!(top.ranked().len(), 32);
}
