//! Scenarios of the receiver alone; the pair is checked in `pair`.

use gatehouse_proto::v1::loss::Reason;

use super::*;

fn hello(epoch: u64, stream_no: u32, oldest_seq: u64, next_seq: u64) -> v1::Hello {
    v1::Hello { protocol: 1, epoch, stream_no, oldest_seq, next_seq, node: "edge".into(), ..v1::Hello::default() }
}

fn records(epoch: u64, first_seq: u64, count: u8) -> v1::Batch {
    v1::Batch { epoch, first_seq, records: (0..count).map(|byte| vec![byte]).collect(), ..v1::Batch::default() }
}

fn loss(first_seq: u64, count: u64) -> v1::Loss {
    v1::Loss { first_seq, count, reason: Reason::RingFull.into() }
}

fn store(receiver: &mut Receiver, ticket: &Ticket, batch: v1::Batch) -> Parcel {
    match receiver.batch(ticket, batch, 10) {
        Ok(Taken::Store(parcel)) => *parcel,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_batch_is_in_flight_until_it_is_durable() {
    let mut receiver = Receiver::default();
    let ticket = receiver.hello(&hello(1, 1, 0, 5), 10).unwrap().ticket;
    let parcel = store(&mut receiver, &ticket, v1::Batch { losses: vec![loss(1, 2)], ..records(1, 0, 3) });
    assert_eq!((parcel.records, parcel.lost, parcel.end_seq), (3, 2, 5));
    assert_eq!(receiver.durable_seq(&ticket), Some(0));
    assert_eq!(receiver.books()[0].in_flight, 5);
    assert_eq!(receiver.durable(&parcel.high_water), Some(ticket));
    let books = receiver.books().remove(0);
    assert_eq!((books.node.as_str(), books.seen, books.stored, books.dropped.ring_full), ("edge", 5, 3, 2));
    assert_eq!((books.in_flight, books.durable_seq), (0, 5));
}

#[test]
fn what_came_before_is_trimmed_off() {
    let mut receiver = Receiver::default();
    let ticket = receiver.hello(&hello(1, 1, 0, 20), 10).unwrap().ticket;
    store(&mut receiver, &ticket, records(1, 0, 4));
    assert_eq!(receiver.batch(&ticket, records(1, 0, 4), 10), Ok(Taken::Duplicate));
    // 2 and 3 are records, 4 to 7 lost, 8 and 9 records; 0 to 3 are known.
    let overlap = v1::Batch { losses: vec![loss(4, 4)], ..records(1, 2, 4) };
    let parcel = store(&mut receiver, &ticket, overlap);
    assert_eq!((parcel.batch.first_seq, &parcel.batch.records, parcel.lost), (4, &vec![vec![2], vec![3]], 4));
    // A range is cut where the known part ends.
    let again = v1::Batch { losses: vec![loss(9, 5)], ..records(1, 8, 1) };
    let parcel = store(&mut receiver, &ticket, again);
    assert_eq!((parcel.batch.first_seq, parcel.batch.losses, parcel.records), (10, vec![loss(10, 4)], 0));
}

#[test]
fn a_newer_stream_fences_the_older_one() {
    let mut receiver = Receiver::default();
    let old = receiver.hello(&hello(1, 1, 0, 9), 10).unwrap().ticket;
    let new = receiver.hello(&hello(1, 2, 0, 9), 10).unwrap().ticket;
    assert_eq!(receiver.batch(&old, records(1, 0, 2), 10), Ok(Taken::Fenced));
    assert_eq!(receiver.durable_seq(&old), None);
    receiver.ended(&old, 11);
    assert!(receiver.books()[0].open, "the end of a fenced stream is not the epoch's");
    store(&mut receiver, &new, records(1, 0, 2));
    let refused = HelloError::NotNewer { got: 2, last: 2 };
    assert_eq!(receiver.hello(&hello(1, 2, 0, 9), 10), Err(refused));
}

#[test]
fn a_hello_that_cannot_be_is_refused() {
    let mut receiver = Receiver::default();
    // A newer gate is told what this house speaks; one without a version speaks none.
    assert_eq!(gatehouse_proto::common_protocol(7), Some(gatehouse_proto::PROTOCOL));
    let wrong = v1::Hello { protocol: 0, ..hello(1, 1, 0, 0) };
    assert_eq!(receiver.hello(&wrong, 10), Err(HelloError::Protocol { got: 0 }));
    assert_eq!(receiver.hello(&hello(0, 1, 0, 0), 10), Err(HelloError::NoEpoch));
    assert_eq!(receiver.hello(&hello(1, 0, 0, 0), 10), Err(HelloError::NotNewer { got: 0, last: 0 }));
    assert_eq!(receiver.hello(&hello(1, 1, 5, 4), 10), Err(HelloError::Backwards { received: 5, next_seq: 4 }));
    assert!(receiver.books().is_empty());
}

#[test]
fn hostile_batches_are_refused_and_end_their_stream() {
    let lost = |losses: Vec<v1::Loss>| v1::Batch { losses, ..records(1, 0, 2) };
    let big = v1::Batch { records: vec![vec![0; 70_000]], ..records(1, 0, 0) };
    let seen = v1::Batch { counters: Some(v1::Counters { seen: 1, ..v1::Counters::default() }), ..records(1, 0, 2) };
    let cases = [
        (records(2, 0, 1), BatchError::WrongEpoch { got: 2 }),
        (records(1, 1, 1), BatchError::Gap { expected: 0, got: 1 }),
        (records(1, u64::MAX, 1), BatchError::BeyondSeen { first_seq: u64::MAX }),
        (lost(vec![loss(0, u64::MAX), loss(0, u64::MAX)]), BatchError::BeyondSeen { first_seq: 0 }),
        (lost(vec![loss(1, 0)]), BatchError::Loss { first_seq: 1 }),
        (lost(vec![loss(1, 2), loss(2, 1)]), BatchError::Loss { first_seq: 2 }),
        (lost(vec![loss(2, 1), loss(0, 1)]), BatchError::Loss { first_seq: 0 }),
        (lost(vec![loss(9, 1)]), BatchError::Loss { first_seq: 9 }),
        (lost(vec![v1::Loss { reason: 0, ..loss(0, 1) }]), BatchError::Reason { got: 0 }),
        (lost(vec![v1::Loss { reason: 99, ..loss(0, 1) }]), BatchError::Reason { got: 99 }),
        (big, BatchError::TooLarge { bytes: 70_013 }),
        (seen, BatchError::BeyondSeen { first_seq: 0 }),
    ];
    for (batch, error) in cases {
        let mut receiver = Receiver::default();
        let ticket = receiver.hello(&hello(1, 1, 0, 0), 10).unwrap().ticket;
        assert_eq!(receiver.batch(&ticket, batch, 10), Err(error));
        assert_eq!(receiver.batch(&ticket, records(1, 0, 1), 10), Ok(Taken::Fenced), "{error}");
        assert_eq!(receiver.books()[0].booked(), receiver.books()[0].seen);
    }
}

#[test]
fn a_failed_store_is_resent_on_the_next_stream() {
    let mut receiver = Receiver::default();
    let ticket = receiver.hello(&hello(1, 1, 0, 9), 10).unwrap().ticket;
    store(&mut receiver, &ticket, records(1, 0, 2));
    store(&mut receiver, &ticket, records(1, 2, 2));
    assert_eq!(receiver.failed(1), Some(ticket));
    assert_eq!(receiver.batch(&ticket, records(1, 4, 2), 10), Ok(Taken::Fenced));
    let opened = receiver.hello(&hello(1, 2, 0, 9), 10).unwrap();
    assert_eq!(opened.durable_seq, 0);
    let parcel = store(&mut receiver, &opened.ticket, records(1, 0, 4));
    // The second one of the first stream fails behind its neighbour: old news, that costs the new stream nothing.
    assert_eq!(receiver.failed(1), None);
    assert_eq!(receiver.durable(&parcel.high_water), Some(opened.ticket));
    store(&mut receiver, &opened.ticket, records(1, 4, 2));
}

#[test]
fn a_parcel_that_outlives_its_epoch_in_the_table_is_received_by_the_epoch_that_came_again() {
    let mut receiver = Receiver::new(1);
    let ticket = receiver.hello(&hello(1, 1, 0, 9), 10).unwrap().ticket;
    let late = store(&mut receiver, &ticket, records(1, 0, 5));
    receiver.ended(&ticket, 11);
    let other = receiver.hello(&hello(2, 1, 0, 0), 12).unwrap().ticket;
    receiver.ended(&other, 13);
    receiver.hello(&hello(1, 2, 0, 2), 14).unwrap();
    receiver.durable(&late.high_water);
    let books = receiver.books().remove(0);
    assert_eq!((books.stored, books.durable_seq, books.booked()), (5, 5, books.seen));
}

#[test]
fn a_restored_receiver_knows_what_is_durable_and_the_account() {
    let mut receiver = Receiver::default();
    let ticket = receiver.hello(&hello(1, 1, 0, 6), 10).unwrap().ticket;
    let parcel = store(&mut receiver, &ticket, v1::Batch { losses: vec![loss(0, 1)], ..records(1, 0, 2) });
    receiver.durable(&parcel.high_water);
    store(&mut receiver, &ticket, records(1, 3, 2));
    let mut restarted = Receiver::default();
    restarted.restore(&receiver.snapshot());
    let books = restarted.books().remove(0);
    assert_eq!((books.seen, books.stored, books.dropped.total(), books.unknown_tail), (6, 2, 1, 3));
    let opened = restarted.hello(&hello(1, 2, 0, 6), 20).unwrap();
    assert_eq!(opened.durable_seq, 3);
    store(&mut restarted, &opened.ticket, records(1, 3, 3));
}

#[test]
fn an_epoch_that_another_house_served_begins_elsewhere() {
    let mut receiver = Receiver::default();
    let opened = receiver.hello(&hello(1, 4, 100, 110), 10).unwrap();
    assert_eq!(opened.durable_seq, 100);
    let parcel = store(&mut receiver, &opened.ticket, records(1, 100, 10));
    receiver.durable(&parcel.high_water);
    let books = receiver.books().remove(0);
    assert_eq!((books.seen, books.elsewhere, books.stored, books.booked()), (110, 100, 10, 110));
}

#[test]
fn a_worker_that_vanished_leaves_an_unknown_tail_and_one_that_said_goodbye_none() {
    let mut receiver = Receiver::default();
    for epoch in [1, 2] {
        let ticket = receiver.hello(&hello(epoch, 1, 0, 0), 10).unwrap().ticket;
        let parcel = store(&mut receiver, &ticket, records(epoch, 0, 5));
        receiver.durable(&parcel.high_water);
        let next_seq = if epoch == 1 { 5 } else { 8 };
        let counters = Some(v1::Counters { seen: next_seq, ..v1::Counters::default() });
        if epoch == 1 {
            let bye = v1::Bye { epoch, next_seq, counters, held_records: Some(5), unsent_records: Some(0) };
            assert_eq!(receiver.bye(&ticket, &bye), Some(Left { held: 5, unsent: 0 }));
        } else {
            let empty = v1::Batch { epoch, first_seq: 5, counters, ..v1::Batch::default() };
            assert_eq!(receiver.batch(&ticket, empty, 10), Ok(Taken::Duplicate));
        }
        receiver.ended(&ticket, 20);
    }
    let books = receiver.books();
    assert_eq!((books[0].bye, books[0].unknown_tail), (true, 0));
    assert_eq!(books[0].left, Some(Left { held: 5, unsent: 0 }));
    assert_eq!((books[1].bye, books[1].unknown_tail, books[1].left), (false, 3, None));

    receiver.age(20 + EPOCH_LIFE_MS);
    assert_eq!(receiver.books().len(), 2);
    receiver.age(21 + EPOCH_LIFE_MS);
    assert!(receiver.books().is_empty());
    let past = receiver.past();
    assert_eq!((past.epochs, past.seen, past.stored, past.unknown_tail), (2, 13, 10, 3));
}

#[test]
fn what_a_gate_held_is_known_only_as_it_said_and_until_it_comes_back() {
    let mut receiver = Receiver::default();
    let ticket = receiver.hello(&hello(1, 1, 0, 8), 10).unwrap().ticket;
    let of_before = v1::Bye { epoch: 1, next_seq: 8, ..v1::Bye::default() };
    assert_eq!(receiver.bye(&ticket, &of_before), None, "an older gate does not say");
    let odd = v1::Bye { held_records: Some(3), unsent_records: Some(9), ..of_before };
    assert_eq!(receiver.bye(&ticket, &odd), Some(Left { held: 3, unsent: 3 }), "more than all it holds is not unsent");
    let other = v1::Bye { epoch: 2, ..odd };
    assert_eq!((receiver.bye(&ticket, &other), receiver.books()[0].left), (None, Some(Left { held: 3, unsent: 3 })));
    receiver.hello(&hello(1, 2, 0, 8), 20).unwrap();
    assert_eq!((receiver.books()[0].bye, receiver.books()[0].left), (false, None));
}

#[test]
fn a_full_table_forgets_the_quietest_idle_epoch() {
    let mut receiver = Receiver::new(2);
    let first = receiver.hello(&hello(1, 1, 0, 0), 10).unwrap().ticket;
    let second = receiver.hello(&hello(2, 1, 0, 0), 11).unwrap().ticket;
    assert_eq!(receiver.hello(&hello(3, 1, 0, 0), 12), Err(HelloError::TooMany { limit: 2 }));
    receiver.ended(&second, 13);
    receiver.ended(&first, 14);
    receiver.hello(&hello(3, 1, 0, 0), 15).unwrap();
    let epochs: Vec<u64> = receiver.books().iter().map(|books| books.epoch).collect();
    assert_eq!(epochs, [1, 3]);
    let marks: Vec<HighWater> =
        (1..9).map(|epoch| HighWater { epoch, last_ms: epoch, ..HighWater::default() }).collect();
    let mut receiver = Receiver::new(2);
    receiver.restore(&marks);
    assert_eq!(receiver.books().iter().map(|books| books.epoch).collect::<Vec<_>>(), [7, 8]);
}

#[test]
fn what_gates_count_beside_records_is_summed_by_field_and_outlives_its_epoch() {
    let mut receiver = Receiver::default();
    let mut fields = vec![0; UNKNOWN_FIELDS];
    fields[4] = 5;
    fields.extend([6, 1]);
    for epoch in 1..=2 {
        let opened = receiver.hello(&hello(epoch, 1, 0, 1), 0).unwrap();
        let counters = v1::Counters {
            seen: 1,
            evictions: 3,
            delayed: 4,
            unknown_fields: fields.clone(),
            ..v1::Counters::default()
        };
        receiver.batch(&opened.ticket, v1::Batch { counters: Some(counters), ..records(epoch, 0, 1) }, 0).unwrap();
        receiver.ended(&opened.ticket, 0);
    }
    let sums = |receiver: &Receiver| {
        let mut totals = receiver.past();
        receiver.books().iter().for_each(|books| totals.add(books));
        totals.tallies
    };
    let before = sums(&receiver);
    assert_eq!((before.evictions, before.delayed, before.unknown[4], before.unknown[0]), (6, 8, 10, 14));
    receiver.age(EPOCH_LIFE_MS + 1);
    assert_eq!((receiver.books().len(), sums(&receiver)), (0, before));
    // However many fields a gate claims, few are kept.
    let opened = receiver.hello(&hello(3, 1, 0, 1), 0).unwrap();
    let many = v1::Counters { seen: 1, unknown_fields: vec![1; 10_000], ..v1::Counters::default() };
    receiver.batch(&opened.ticket, v1::Batch { counters: Some(many), ..records(3, 0, 1) }, 0).unwrap();
    let kept = receiver.books()[0].counters.unknown_fields.clone();
    assert_eq!((kept.len(), kept.iter().sum::<u64>()), (UNKNOWN_FIELDS, 10_000));
}
