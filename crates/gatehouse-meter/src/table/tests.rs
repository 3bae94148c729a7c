//! The table against a plain list of keys in the order of their use.

use proptest::prelude::*;

use super::*;
use crate::{WindowCell, WindowLimit};

/// A cell that knows whose it is, how much it was used, and how much it would be missed until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Marked {
    owner: Option<u64>,
    uses: u32,
    hold: Hold,
    until: u64,
}

impl Default for Marked {
    fn default() -> Self {
        Self { owner: None, uses: 0, hold: Hold::Spent, until: 0 }
    }
}

impl Cell for Marked {
    fn hold(&self, now: u64) -> Hold {
        if self.until > now { self.hold } else { Hold::Spent }
    }
}

#[derive(Clone, Debug)]
enum Act {
    Enter(u64, Hold, u64),
    Claim(u64, Hold, u64),
    Find(u64),
    Remove(u64),
    Clear,
}

/// Tags that differ in the lowest bit, in the highest bits, and by nothing but one being zero.
fn tag() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..12, (0_u64..24).prop_map(|high| high << 59 | high), Just(u64::MAX), any::<u64>()]
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let hold = prop_oneof![Just(Hold::Idle), Just(Hold::Busy), Just(Hold::Blocked)];
    let act = prop_oneof![
        6 => (tag(), hold, 0_u64..60).prop_map(|(tag, hold, nanos)| Act::Enter(tag, hold, nanos)),
        2 => (tag(), prop_oneof![Just(Hold::Idle), Just(Hold::Busy)], 0_u64..60)
            .prop_map(|(tag, hold, nanos)| Act::Claim(tag, hold, nanos)),
        2 => tag().prop_map(Act::Find),
        1 => tag().prop_map(Act::Remove),
        1 => prop::bool::weighted(0.05).prop_map(|clear| if clear { Act::Clear } else { Act::Find(0) }),
    ];
    prop::collection::vec(act, 1..400)
}

/// Sets of (tag, cell), the least recently used first.
struct Naive {
    sets: Vec<Vec<(u64, Marked)>>,
    lost: Evictions,
}

impl Naive {
    fn set(&mut self, tag: u64) -> &mut Vec<(u64, Marked)> {
        let count = self.sets.len() as u64;
        &mut self.sets[((tag >> 32) * count / (1 << 32)) as usize]
    }

    fn take(&mut self, tag: u64) -> Option<Marked> {
        let set = self.set(tag);
        let at = set.iter().position(|(held, _)| *held == tag)?;
        Some(set.remove(at).1)
    }

    fn make_room(&mut self, tag: u64, now: u64) {
        let set = self.set(tag);
        if set.len() < 8 {
            return;
        }
        for hold in [Hold::Spent, Hold::Idle, Hold::Busy, Hold::Blocked] {
            if let Some(at) = set.iter().position(|(_, cell)| cell.hold(now) == hold) {
                set.remove(at);
                match hold {
                    Hold::Spent => self.lost.spent += 1,
                    Hold::Idle => self.lost.idle += 1,
                    Hold::Busy => self.lost.busy += 1,
                    Hold::Blocked => self.lost.blocked += 1,
                }
                return;
            }
        }
    }
}

proptest! {
    #[test]
    fn behaves_as_the_model_and_no_two_keys_share_a_cell(capacity in 1_usize..40, acts in acts()) {
        let mut table = Table::<Marked>::new(capacity).unwrap();
        let mut naive = Naive { sets: vec![Vec::new(); capacity.div_ceil(8)], lost: Evictions::default() };
        for (now, act) in acts.into_iter().enumerate() {
            let now = now as u64;
            match act {
                Act::Enter(tag, hold, nanos) => {
                    let expected = naive.take(tag);
                    let cell = table.entry(tag, now);
                    prop_assert_eq!(*cell, expected.unwrap_or_default());
                    prop_assert!(cell.owner.is_none_or(|owner| owner == tag));
                    *cell = Marked { owner: Some(tag), uses: cell.uses + 1, hold, until: now + nanos };
                    let cell = *cell;
                    naive.make_room(tag, now);
                    naive.set(tag).push((tag, cell));
                }
                Act::Claim(tag, hold, nanos) => {
                    let set = naive.set(tag);
                    let spent = |(_, cell): &(u64, Marked)| cell.hold(now) == Hold::Spent;
                    let room = set.len() < 8 || set.iter().any(|(held, _)| *held == tag) || set.iter().any(spent);
                    let Some(cell) = table.claim(tag, now) else {
                        prop_assert!(!room);
                        continue;
                    };
                    prop_assert!(room);
                    let expected = naive.take(tag);
                    prop_assert_eq!(*cell, expected.unwrap_or_default());
                    *cell = Marked { owner: Some(tag), uses: cell.uses + 1, hold, until: now + nanos };
                    let cell = *cell;
                    naive.make_room(tag, now);
                    naive.set(tag).push((tag, cell));
                }
                Act::Find(tag) => {
                    let expected = naive.take(tag);
                    prop_assert_eq!(table.peek(tag).copied(), expected);
                    prop_assert_eq!(table.find(tag).copied(), expected);
                    naive.set(tag).extend(expected.map(|cell| (tag, cell)));
                }
                Act::Clear => {
                    table.clear();
                    naive.sets.iter_mut().for_each(Vec::clear);
                }
                Act::Remove(tag) => prop_assert_eq!(table.remove(tag), naive.take(tag).is_some()),
            }
            prop_assert_eq!(table.evictions(), naive.lost);
            prop_assert_eq!(table.len(), naive.sets.iter().map(Vec::len).sum::<usize>());
            prop_assert_eq!(table.is_empty(), naive.sets.iter().all(Vec::is_empty));
        }
    }
}

#[test]
fn a_flood_of_keys_stays_in_its_memory_and_the_counter_tells() {
    let rule = WindowLimit::new(5, 1_000_000_000).unwrap();
    let mut table = Table::<WindowCell>::new(1_000).unwrap();
    let bytes = 125 * size_of::<Set<WindowCell>>();
    assert_eq!(table.bytes(), 0);
    let mut tag = 1_u64;
    for now in 0..200_000 {
        tag = tag.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        assert!(rule.admit(table.entry(tag, now), now).is_admitted());
    }
    let lost = table.evictions();
    assert_eq!((table.len(), table.capacity(), table.bytes()), (1_000, 1_000, bytes));
    assert_eq!(lost, Evictions { idle: 199_000, ..Evictions::default() });
}

#[test]
fn a_blocked_key_outlives_a_flood_until_its_set_is_all_blocked() {
    let rule = WindowLimit::new(1, 1_000).unwrap().blocking_for(1_000_000);
    let mut table = Table::<WindowCell>::new(8).unwrap();
    for now in 0..2 {
        let _ = rule.admit(table.entry(77, now), now);
    }
    for tag in 100..10_000 {
        let _ = rule.admit(table.entry(tag, 2), 2);
    }
    assert!(!rule.check(table.peek(77).unwrap(), 3).is_admitted());
    for tag in (20_000..20_008).flat_map(|tag| [tag, tag]) {
        let _ = rule.admit(table.entry(tag, 4), 4);
    }
    assert_eq!((table.peek(77), table.evictions().blocked), (None, 1));
}

#[test]
fn half_full_about_one_set_of_fifty_has_to_evict() {
    let mut table = Table::<Marked>::new(1 << 16).unwrap();
    let mut tag = 9_u64;
    for _ in 0..1 << 15 {
        tag = tag.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *table.entry(tag, 0) = Marked { owner: Some(tag), uses: 1, hold: Hold::Idle, until: 9 };
    }
    let full = table.all().filter(|set| set.free().is_none()).count();
    let lost = table.evictions().idle as usize;
    assert!(lost > 0 && lost < table.sets / 20 && full < table.sets / 10, "{lost} lost, {full} full");
}

#[test]
fn memory_is_what_the_doc_says_and_capacities_are_bounded() {
    let mut table = Table::<WindowCell>::new(9).unwrap();
    assert_eq!((table.capacity(), table.bytes()), (16, 0), "none before the first key");
    table.entry(1, 1);
    assert_eq!(table.bytes(), 2 * (128 + 8 * 104));
    let mut large = Table::<WindowCell>::new(65_536).unwrap();
    large.entry(1, 1);
    assert!((PAGE_BYTES / 2..=PAGE_BYTES).contains(&large.bytes()), "a page: {} bytes", large.bytes());
    let refused = Impossible::Capacity { asked: 0, most: MOST };
    assert_eq!(Table::<WindowCell>::new(0).err(), Some(refused));
    assert!(Table::<WindowCell>::new(MOST + 1).is_err());
}
