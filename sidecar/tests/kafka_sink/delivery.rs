//! Brokers that go, come back, or refuse what they are given.

use std::collections::BTreeSet;
use std::time::Duration;

use gatehouse::sink::board::State;
use gatehouse_kafka::Broker;
use gatehouse_proto::v1::Batch;
use prost::Message as _;

use crate::house::{EPOCH, House, assert_complete, mutual_tls, plain, read_all, record, says, sequence};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_missing_after_the_broker_was_killed_and_frozen() {
    let data = tempfile::tempdir().unwrap();
    let mut broker = Broker::start();
    broker.create_topic("plain", 3, &[]);
    broker.create_topic("secured", 3, &[]);
    let trust = broker.certificates().ca.parent().unwrap().to_owned();
    let sinks = [("plain", &*plain(&broker, "plain")), ("secured", &*mutual_tls(&broker, "secured", &trust))];
    let mut house = House::start(data.path(), &sinks, 1, Duration::from_secs(30));
    house.store(100).await;
    house.until("plain", "some are delivered", |status| status.tallies.delivered > 0).await;

    broker.kill();
    house.store(100).await;
    let down = house.until("plain", "the status tells", |status| status.state == State::Retrying).await;
    assert!(down.problem.unwrap().contains("127.0.0.1"), "it names the peer");
    tokio::task::block_in_place(|| broker.restart());
    for sink in ["plain", "secured"] {
        let up = house.until(sink, "all is delivered", |status| status.tallies.delivered == 10_000).await;
        assert_eq!((up.state, up.tallies.losses, up.tallies.dead_lettered), (State::Delivering, 20, 0));
    }

    broker.freeze();
    house.store(20).await;
    house.until("secured", "the status tells", |status| status.state == State::Retrying).await;
    broker.thaw();
    for sink in ["plain", "secured"] {
        house.until(sink, "all is delivered", |status| status.tallies.delivered == 11_000).await;
    }
    let next = house.next;
    house.stop().await;
    for topic in ["plain", "secured"] {
        let messages;
        (broker, messages) = read_all(broker, topic).await;
        let twice = assert_complete(&messages, next);
        eprintln!("{topic}: {} messages, {twice} of them twice", messages.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_house_that_stops_while_the_broker_is_down_delivers_after_its_restart() {
    let data = tempfile::tempdir().unwrap();
    let mut broker = Broker::start();
    broker.create_topic("events", 1, &[]);
    let config = plain(&broker, "events");
    let mut house = House::start(data.path(), &[("events", &*config)], 1, Duration::from_millis(500));
    house.store(10).await;
    house.until("events", "all is delivered", |status| status.tallies.delivered == 500).await;
    broker.kill();
    house.store(10).await;
    let next = house.next;
    house.stop().await;
    tokio::task::block_in_place(|| broker.restart());
    let house = House::start(data.path(), &[("events", &*config)], next, Duration::from_secs(30));
    house.until("events", "the rest is delivered", |status| status.tallies.delivered >= 500).await;
    house.stop().await;
    let (_broker, messages) = read_all(broker, "events").await;
    assert_complete(&messages, next);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_broker_never_takes_is_a_dead_letter_and_a_missing_topic_is_waited_for() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start();
    broker.create_topic("narrow", 1, &[("max.message.bytes", "6000"), ("compression.type", "producer")]);
    // Without compression, so that whole batches are refused for the one that is too large.
    let sinks = [
        ("narrow", &*plain(&broker, "narrow")),
        (
            "absent",
            &*format!(
                "kafka: {{ brokers: '{}', topic: absent, options: {{ topic.metadata.propagation.max.ms: 500 }} }}",
                broker.plain()
            ),
        ),
    ];
    let mut house = House::start(data.path(), &sinks, 1, Duration::from_secs(30));
    let noise = |length: usize| -> String {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'a' + (state >> 33) as u8 % 26)
        };
        (0..length).map(|_| next()).collect()
    };
    let paths = [noise(2000), noise(30_000), noise(2100), noise(2200)];
    let records = (1..).zip(&paths).map(|(sequence, path)| record(sequence, path).encode_to_vec()).collect();
    house.next = 5;
    house.put(Batch { epoch: EPOCH, first_seq: 1, records, ..Batch::default() }).await;

    let narrow = house.until("narrow", "three of four are delivered", |status| status.tallies.delivered == 3).await;
    assert_eq!(narrow.tallies.dead_lettered, 1);
    let letters = std::fs::read_to_string(data.path().join("narrow.dead.ndjson")).unwrap();
    let letter: serde_json::Value = serde_json::from_str(letters.trim_end()).unwrap();
    assert_eq!(letter["reason"], "too large for the topic");
    assert_eq!(letter["event"]["unmapped"]["gatehouse"]["sequence"], 2);

    house.until("absent", "the status tells", |status| status.tallies.failures > 0).await;
    broker.create_topic("absent", 1, &[]);
    house.until("absent", "all is delivered", |status| status.tallies.delivered == 4).await;
    house.stop().await;
    let (broker, narrow) = read_all(broker, "narrow").await;
    let sequences: BTreeSet<&str> = narrow.iter().map(|message| &message.header("ce_id").unwrap()[31..]).collect();
    assert_eq!(sequences, ["1", "3", "4"].into());
    let (_broker, absent) = read_all(broker, "absent").await;
    assert!(absent.len() >= 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_refused_alone_is_a_dead_letter_and_a_topic_that_refuses_all_is_waited_for() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start();
    // A compacted topic takes no message without a key.
    broker.create_topic("keyed", 1, &[("cleanup.policy", "compact")]);
    let mut house = House::start(data.path(), &[("keyed", &*plain(&broker, "keyed"))], 1, Duration::from_secs(30));
    let keyless = |sequence: u64| {
        let mut record = record(sequence, "/");
        record.downstream = None;
        record
    };
    let both = (1..=50).map(|sequence| if sequence == 20 { keyless(sequence) } else { record(sequence, "/") });
    house.next = 51;
    let records = both.map(|record| record.encode_to_vec()).collect();
    house.put(Batch { epoch: EPOCH, first_seq: 1, records, ..Batch::default() }).await;
    let keyed = house.until("keyed", "all but one are delivered", |status| status.tallies.delivered == 49).await;
    assert_eq!(keyed.tallies.dead_lettered, 1);

    house.next = 61;
    let records = (51..=60).map(|sequence| keyless(sequence).encode_to_vec()).collect();
    house.put(Batch { epoch: EPOCH, first_seq: 51, records, ..Batch::default() }).await;
    let refusing = house.until("keyed", "the status tells", |status| status.state == State::Retrying).await;
    assert!(refusing.problem.unwrap().contains("refuses every record"));
    house.until("keyed", "it is tried again", |status| status.tallies.failures > 2).await;
    assert_eq!(house.status("keyed").tallies.dead_lettered, 1);
    let last = house.stop().await;
    assert_eq!(last["keyed"].tallies.delivered, 49);
    let (_broker, keyed) = read_all(broker, "keyed").await;
    assert!(keyed.iter().all(|message| message.key.is_some()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_deleted_is_told_and_gets_all_that_was_not_in_it_when_it_is_made_again() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start();
    broker.create_topic("events", 3, &[]);
    let config = format!(
        "kafka: {{ brokers: '{}', topic: events, options: {{ topic.metadata.propagation.max.ms: 500 }} }}",
        broker.plain()
    );
    let mut house = House::start(data.path(), &[("events", &*config)], 1, Duration::from_secs(30));
    house.flow("events", "some are delivered", |status| status.tallies.delivered > 100).await;
    // At once, and so late that the client notices.
    for is_late in [false, true] {
        let all = house.next - 1;
        house.until("events", "all is delivered", |status| status.tallies.delivered == all).await;
        let first = house.next;
        broker.delete_topic("events");
        if is_late {
            house.flow("events", "the status tells", |status| says(status, &["there is no topic `events`"])).await;
            assert_eq!(house.status("events").state, State::Retrying);
        }
        broker.create_topic("events", 3, &[]);
        house.store(5).await;
        let all = house.next - 1;
        let well = house.until("events", "all is delivered", |status| status.tallies.delivered == all).await;
        assert_eq!((well.state, well.tallies.dead_lettered), (State::Delivering, 0));
        let there: BTreeSet<u64> = broker.read_all("events").iter().map(sequence).collect();
        assert_eq!(there, (first..house.next).collect());
    }
    house.stop().await;
}
