//! The list against a plain map of moments.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Act<K> {
    Put(K, u64),
    Remove(K),
    Wait(u64),
}

fn acts<K: TtlKey + std::fmt::Debug + 'static>(
    key: impl Fn(u64) -> K + Copy + 'static,
) -> impl Strategy<Value = Vec<Act<K>>> {
    let remaining = prop_oneof![1 => Just(0_u64), 8 => 1_u64..60, 1 => Just(u64::MAX)];
    let act = prop_oneof![
        6 => (0_u64..40, remaining).prop_map(move |(k, remaining)| Act::Put(key(k), remaining)),
        2 => (0_u64..40).prop_map(move |k| Act::Remove(key(k))),
        3 => (0_u64..20).prop_map(Act::Wait),
    ];
    prop::collection::vec(act, 1..300)
}

fn compare<K: TtlKey + std::hash::Hash + std::fmt::Debug>(
    capacity: usize,
    seed: &[u8; 16],
    acts: Vec<Act<K>>,
    all: &[K],
) -> Result<(), TestCaseError> {
    let (mut list, mut model, mut now) = (TtlList::new(capacity, seed).unwrap(), HashMap::<K, u64>::new(), 1_000_u64);
    let mut refused = 0;
    for act in acts {
        match act {
            Act::Wait(nanos) => now += nanos,
            Act::Remove(key) => {
                let listed = list.contains(key, now);
                prop_assert_eq!(listed, model.remove(&key).is_some());
                prop_assert!(list.remove(key) || !listed);
            }
            Act::Put(key, remaining) => {
                let expected = match (remaining, model.contains_key(&key)) {
                    (0, _) => Put::Lapsed,
                    (_, true) => Put::Renewed,
                    (_, false) if model.len() == capacity => Put::Full,
                    (_, false) => Put::Added,
                };
                prop_assert_eq!(list.put(key, remaining, now), expected);
                match expected {
                    Put::Full => refused += 1,
                    Put::Lapsed => drop(model.remove(&key)),
                    Put::Added | Put::Renewed => drop(model.insert(key, now.saturating_add(remaining))),
                }
            }
        }
        model.retain(|_, until| *until > now);
        for &key in all {
            prop_assert_eq!(list.remaining(key, now), model.get(&key).map(|until| until - now));
        }
        let listed: HashMap<K, u64> = list.iter(now).map(|(key, left)| (key, now + left)).collect();
        prop_assert_eq!(&listed, &model);
        prop_assert_eq!((list.len(now), list.is_empty(now), list.refused()), (model.len(), model.is_empty(), refused));
    }
    Ok(())
}

proptest! {
    #[test]
    fn short_keys_behave_as_the_model(capacity in 1_usize..40, seed: [u8; 16], acts in acts(|k| k)) {
        compare(capacity, &seed, acts, &(0..40).collect::<Vec<u64>>())?;
    }

    #[test]
    fn long_keys_behave_as_the_model(capacity in 1_usize..40, seed: [u8; 16], acts in acts(|k| u128::from(k) << 96)) {
        compare(capacity, &seed, acts, &(0..40).map(|k: u128| k << 96).collect::<Vec<_>>())?;
    }
}

#[test]
fn a_full_list_keeps_what_it_has_and_says_so() {
    let mut list = TtlList::new(3, &[1; 16]).unwrap();
    for key in 0_u64..3 {
        assert_eq!(list.put(key, 100 + key, 0), Put::Added);
    }
    assert_eq!((list.put(9, 1_000, 50), list.refused()), (Put::Full, 1));
    assert_eq!((list.put(2, 10, 50), list.remaining(2, 50)), (Put::Renewed, Some(10)));
    assert_eq!((list.put(9, 1_000, 60), list.remaining(9, 61)), (Put::Added, Some(999)));
    assert_eq!((list.remaining(0, 99), list.remaining(0, 100)), (Some(1), None));
}

#[test]
fn a_hundred_thousand_keys_fit_and_leave() {
    let mut list = TtlList::new(100_000, &[7; 16]).unwrap();
    let bytes = list.bytes();
    for round in 0_u64..3 {
        for key in 0..100_000_u64 {
            assert_eq!(list.put(key | round << 32, 1_000, round * 1_000), Put::Added);
        }
        assert_eq!(list.put(u64::MAX, 1, round * 1_000), Put::Full);
        assert_eq!((list.len(round * 1_000), list.bytes()), (100_000, bytes));
    }
}

#[test]
fn memory_is_what_the_doc_says_and_capacities_are_bounded() {
    assert_eq!(TtlList::<u64>::new(100, &[0; 16]).unwrap().bytes(), 256 * 16);
    assert_eq!(TtlList::<u128>::new(128, &[0; 16]).unwrap().bytes(), 256 * 32);
    assert_eq!(TtlList::<u64>::new(0, &[0; 16]).err(), Some(Impossible::Capacity { asked: 0, most: MOST }));
    assert!(TtlList::<u64>::new(MOST + 1, &[0; 16]).is_err());
}
