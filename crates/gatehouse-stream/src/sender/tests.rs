//! Scenarios of the sender alone; the pair is checked in `pair`.

use super::*;

const KIB: usize = 1024;

fn sender(ring_bytes: usize) -> Sender {
    Sender::new(7, Limits { ring_bytes, max_batch_bytes: KIB })
}

fn credit(durable_seq: u64, window_bytes: u32) -> v1::Credit {
    v1::Credit { epoch: 7, durable_seq, window_bytes }
}

fn push_plain(sender: &mut Sender, times: usize, bytes: usize) {
    for _ in 0..times {
        sender.push(Class::Plain, vec![1; bytes]);
    }
}

/// An open stream with a window of 64 KiB.
fn open(sender: &mut Sender) {
    sender.opened();
    sender.credit(&credit(0, 65_536)).unwrap();
}

fn sequences(batch: &v1::Batch) -> (u64, usize, Vec<(u64, u64)>) {
    (batch.first_seq, batch.records.len(), batch.losses.iter().map(|loss| (loss.first_seq, loss.count)).collect())
}

#[test]
fn records_go_out_in_order_and_leave_when_durable() {
    let mut sender = sender(8 * KIB);
    for byte in 0..3 {
        assert_eq!(sender.push(Class::Plain, vec![byte; 100]), u64::from(byte));
    }
    open(&mut sender);
    let batch = sender.next_batch().unwrap();
    assert_eq!(batch.records, [vec![0; 100], vec![1; 100], vec![2; 100]]);
    assert_eq!((batch.epoch, batch.first_seq, batch.counters.unwrap().seen), (7, 0, 3));
    assert!(sender.stats().ring_bytes > 300);
    sender.credit(&credit(3, 65_536)).unwrap();
    assert_eq!((sender.stats().ring_bytes, sender.stats().outstanding_bytes), (0, 0));
}

#[test]
fn a_new_stream_resends_from_what_is_durable_with_the_same_sequences() {
    let mut sender = sender(8 * KIB);
    push_plain(&mut sender, 4, 550);
    open(&mut sender);
    assert_eq!(sequences(&sender.next_batch().unwrap()), (0, 1, vec![]));
    assert_eq!(sequences(&sender.next_batch().unwrap()), (1, 1, vec![]));
    sender.closed();
    let opening = sender.opened();
    assert_eq!((opening.stream_no, opening.oldest_seq, opening.next_seq), (2, 0, 4));
    assert_eq!(sender.next_batch(), None);
    sender.credit(&credit(1, 65_536)).unwrap();
    assert_eq!(sequences(&sender.next_batch().unwrap()), (1, 1, vec![]));
    assert_eq!(sequences(&sender.next_batch().unwrap()), (2, 1, vec![]));
}

#[test]
fn a_kept_record_takes_the_place_of_the_newest_plain_ones() {
    let mut sender = sender(2 * KIB);
    // 564 bytes each with book-keeping: three fit.
    push_plain(&mut sender, 3, 500);
    sender.push(Class::Kept, vec![2; 500]);
    sender.push(Class::Plain, vec![3; 500]);
    open(&mut sender);
    assert_eq!(sequences(&sender.next_batch().unwrap()), (0, 2, vec![]));
    let batch = sender.next_batch().unwrap();
    assert_eq!(sequences(&batch), (2, 1, vec![(2, 1), (4, 1)]));
    assert_eq!(batch.records, [vec![2; 500]]);
    let counters = sender.counters();
    assert_eq!((counters.seen, counters.dropped_no_stream, counters.dropped_ring_full), (5, 2, 0));
}

#[test]
fn what_was_sent_is_never_shed() {
    let mut sender = sender(2 * KIB);
    push_plain(&mut sender, 3, 500);
    open(&mut sender);
    while sender.next_batch().is_some() {}
    sender.push(Class::Kept, vec![2; 500]);
    assert_eq!(sender.counters().dropped_ring_full, 1);
    assert_eq!(sequences(&sender.next_batch().unwrap()), (3, 0, vec![(3, 1)]));
    sender.credit(&credit(4, 65_536)).unwrap();
    assert_eq!(sender.stats().ring_bytes, 0);
}

#[test]
fn losses_behind_a_sent_loss_are_a_range_of_their_own() {
    let mut sender = sender(8 * KIB);
    open(&mut sender);
    sender.push_lost(Reason::Unreadable);
    assert_eq!(sequences(&sender.next_batch().unwrap()), (0, 0, vec![(0, 1)]));
    sender.push_lost(Reason::Unreadable);
    sender.push_lost(Reason::Unreadable);
    assert_eq!(sequences(&sender.next_batch().unwrap()), (1, 0, vec![(1, 2)]));
}

#[test]
fn a_record_larger_than_a_batch_is_counted_as_oversize() {
    let mut sender = sender(8 * KIB);
    let limit = sender.max_record_bytes();
    sender.push(Class::Kept, vec![0; limit + 1]);
    sender.push(Class::Kept, vec![0; limit]);
    open(&mut sender);
    let batch = sender.next_batch().unwrap();
    assert_eq!(sequences(&batch), (0, 1, vec![(0, 1)]));
    assert_eq!(batch.records[0].len(), limit);
    assert_eq!(sender.counters().dropped_oversize, 1);
}

#[test]
fn one_batch_may_always_be_outstanding_and_none_in_a_closed_window() {
    let mut sender = sender(8 * KIB);
    push_plain(&mut sender, 4, 550);
    sender.opened();
    sender.credit(&credit(0, 0)).unwrap();
    assert_eq!(sender.next_batch(), None);
    sender.credit(&credit(0, 1)).unwrap();
    assert!(sender.next_batch().is_some());
    assert_eq!(sender.next_batch(), None);
    sender.credit(&credit(1, 1)).unwrap();
    assert!(sender.next_batch().is_some());
}

#[test]
fn a_credit_that_cannot_be_ours_changes_nothing_and_is_counted() {
    let mut sender = sender(8 * KIB);
    push_plain(&mut sender, 3, 550);
    assert_eq!(sender.credit(&credit(0, 100)), Err(CreditError::NoStream));
    open(&mut sender);
    sender.next_batch().unwrap();
    let before = sender.stats();
    let other = v1::Credit { epoch: 8, durable_seq: 0, window_bytes: 1 };
    assert_eq!(sender.credit(&other), Err(CreditError::WrongEpoch { got: 8 }));
    let beyond = CreditError::BeyondSent { durable_seq: u64::MAX, sent_seq: 1 };
    assert_eq!(sender.credit(&credit(u64::MAX, 1)), Err(beyond));
    assert_eq!(sender.stats(), Stats { refused_credits: 3, ..before });
    sender.credit(&credit(1, 9)).unwrap();
    sender.credit(&credit(0, 9)).unwrap();
    assert_eq!(sender.stats().durable_seq, 1);
}

#[test]
fn a_long_outage_ends_in_few_ranges_that_cover_everything() {
    let mut sender = sender(64 * KIB);
    for turn in 0..100_000u64 {
        match turn % 5 {
            0 => sender.push(Class::Kept, vec![1; 8]),
            1 | 2 => sender.push(Class::Plain, vec![1; 8]),
            3 => sender.push_lost(Reason::Unreadable),
            _ => sender.push(Class::Kept, vec![1; 5000]),
        };
        assert!(sender.stats().ring_bytes <= (64 + 64) * KIB + 64);
    }
    open(&mut sender);
    let mut next = 0;
    while let Some(batch) = sender.next_batch() {
        assert_eq!(batch.first_seq, next);
        let lost: u64 = batch.losses.iter().map(|loss| loss.count).sum();
        next += lost + u64::try_from(batch.records.len()).unwrap();
        sender.credit(&credit(next, 65_536)).unwrap();
    }
    assert_eq!((next, sender.stats().ring_bytes), (100_000, 0));
}

#[test]
fn the_last_word_says_how_far_the_epoch_came() {
    let mut sender = sender(8 * KIB);
    sender.push(Class::Plain, vec![1]);
    sender.count_without_policy();
    sender.envoy_seen(12);
    sender.envoy_seen(3);
    let bye = sender.bye();
    let counters = bye.counters.unwrap();
    assert_eq!((bye.epoch, bye.next_seq, counters.without_policy, counters.envoy_seen), (7, 1, 1, 12));
    assert_eq!((bye.held_records, bye.unsent_records), (Some(1), Some(1)));
}

#[test]
fn the_last_word_counts_what_is_held_and_what_was_never_sent() {
    let mut sender = sender(8 * KIB);
    let left = |sender: &Sender| (sender.bye().held_records.unwrap(), sender.bye().unsent_records.unwrap());
    sender.push(Class::Kept, vec![1]);
    sender.push_lost(Reason::Unreadable);
    sender.push(Class::Kept, vec![2]);
    sender.opened();
    sender.credit(&credit(0, 65_536)).unwrap();
    assert_eq!(left(&sender), (2, 2), "a loss is no record");
    while sender.next_batch().is_some() {}
    assert_eq!(left(&sender), (2, 0));
    sender.push(Class::Kept, vec![3]);
    assert_eq!(left(&sender), (3, 1));
    // Another stream sends all of it again: what an earlier one sent may have arrived.
    sender.closed();
    assert_eq!(left(&sender), (3, 1));
    sender.opened();
    sender.credit(&credit(3, 0)).unwrap();
    assert_eq!(left(&sender), (1, 1), "what is durable is not held");
}

#[test]
fn what_is_counted_beside_records_adds_up_and_fits_into_the_head_of_every_batch() {
    let mut sender = Sender::new(u64::MAX, Limits::default());
    sender.tally(Tallied::Unknown(Field::Country), 0);
    assert!(sender.counters().unknown_fields.is_empty());
    let fields = (0..=i32::MAX).map_while(|number| Field::try_from(number).ok());
    let all = [Tallied::Delayed, Tallied::Evictions, Tallied::NotDelayed, Tallied::Rollbacks, Tallied::SharedFallbacks];
    for what in all.into_iter().chain(fields.map(Tallied::Unknown)) {
        sender.tally(what, 2);
        sender.tally(what, 1);
    }
    let counters = sender.counters();
    assert_eq!((counters.delayed, counters.evictions, counters.not_delayed), (3, 3, 3));
    assert_eq!((counters.rollbacks, counters.shared_fallbacks), (3, 3));
    assert_eq!(counters.unknown_fields.len(), crate::receiver::UNKNOWN_FIELDS);
    assert!(counters.unknown_fields.iter().all(|count| *count == 3));

    let most = v1::Counters {
        seen: u64::MAX,
        dropped_ring_full: u64::MAX,
        dropped_no_stream: u64::MAX,
        dropped_oversize: u64::MAX,
        dropped_unreadable: u64::MAX,
        without_policy: u64::MAX,
        envoy_seen: u64::MAX,
        evictions: u64::MAX,
        shared_fallbacks: u64::MAX,
        delayed: u64::MAX,
        not_delayed: u64::MAX,
        rollbacks: u64::MAX,
        unknown_fields: vec![u64::MAX; crate::receiver::UNKNOWN_FIELDS],
    };
    let head = v1::Batch { epoch: 1, first_seq: u64::MAX, counters: Some(most), ..v1::Batch::default() };
    assert!(head.encoded_len() <= BATCH_HEAD_BYTES, "{}", head.encoded_len());
}
