//! Space-Saving against the exact weights of every key.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn keeps_the_heavy_and_errs_as_stated(
        k in 1_usize..20,
        stream in prop::collection::vec((prop_oneof![3 => 0_u64..5, 2 => 5_u64..60], 0_u64..20), 0..400),
    ) {
        let (mut top, mut exact, mut total) = (TopK::new(k).unwrap(), HashMap::<u64, u64>::new(), 0);
        for (tag, weight) in stream {
            top.add(tag, weight, || tag);
            *exact.entry(tag).or_default() += weight;
            total += weight;
        }
        for (tag, heavy) in top.ranked() {
            let truly = exact[&tag];
            prop_assert_eq!(heavy.value, tag);
            prop_assert!(heavy.weight - heavy.error <= truly && truly <= heavy.weight);
            prop_assert!(heavy.error <= total / k as u64);
        }
        for (tag, weight) in exact {
            prop_assert!(weight * k as u64 <= total || top.find(tag).is_some(), "{tag} with {weight} of {total} is lost");
        }
        prop_assert!(top.ranked().is_sorted_by(|a, b| a.1.weight >= b.1.weight));
        prop_assert!(top.ranked().len() <= k);
    }
}

#[test]
fn a_newcomer_takes_over_the_lightest_weight_as_its_error() {
    let mut top = TopK::new(2).unwrap();
    top.add(1, 10, || "a");
    top.add(2, 3, || "b");
    top.add(1, 1, || "never asked for");
    top.add(3, 1, || "c");
    assert_eq!(top.find(1), Some(&Heavy { value: "a", weight: 11, error: 0 }));
    assert_eq!(top.find(3), Some(&Heavy { value: "c", weight: 4, error: 3 }));
    assert_eq!(top.find(2), None);
    top.clear();
    assert!(top.ranked().is_empty());
}

#[test]
fn weights_stop_at_the_greatest_number() {
    let mut top = TopK::new(1).unwrap();
    top.add(1, u64::MAX, || ());
    top.add(1, 1, || ());
    top.add(2, 1, || ());
    assert_eq!(top.find(2), Some(&Heavy { value: (), weight: u64::MAX, error: u64::MAX }));
}

#[test]
fn memory_is_what_the_doc_says_and_capacities_are_bounded() {
    assert_eq!(TopK::<u64>::new(10).unwrap().bytes(), 10 * (24 + 8));
    assert_eq!(TopK::<u64>::new(0).err(), Some(Impossible::Capacity { asked: 0, most: MOST }));
    assert!(TopK::<u64>::new(MOST + 1).is_err());
}
