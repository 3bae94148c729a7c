//! What ends the client: it is built anew, and nothing of what it held is lost.

use std::collections::BTreeSet;
use std::time::Duration;

use gatehouse::sink::board::State;
use gatehouse_kafka::{Broker, Right, SASL_PASSWORD};

use crate::house::{House, assert_complete, login, plain, read_all, says, sequence};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_forgot_what_it_took_ends_the_client_and_a_new_one_sends_on() {
    let data = tempfile::tempdir().unwrap();
    let mut broker = Broker::start();
    broker.create_topic("events", 1, &[]);
    let mut house = House::start(data.path(), &[("events", &*plain(&broker, "events"))], 1, Duration::from_secs(30));
    house.store(2).await;
    house.until("events", "all is delivered", |status| status.tallies.delivered == 100).await;
    broker.kill();
    let disk = broker.keep_disk();
    tokio::task::block_in_place(|| broker.restart());
    let kept = house.next;
    house.store(2).await;
    house.until("events", "all is delivered", |status| status.tallies.delivered == 200).await;
    let forgotten = house.next;

    // To this broker the client is far ahead of itself: it can no longer tell what was taken, and says so for good.
    broker.kill();
    broker.rewind_disk(disk);
    tokio::task::block_in_place(|| broker.restart());
    house.store(4).await;
    let told = house.until("events", "the rest is delivered", |status| status.tallies.delivered == 400).await;
    assert!(told.tallies.fatal_errors > 0 && told.tallies.failures >= told.tallies.fatal_errors, "{told:?}");
    assert_eq!((told.state, told.tallies.dead_lettered), (State::Delivering, 0));
    let error = told.last_error.unwrap();
    assert!(error.contains("the Kafka client met a fatal error and is built anew"), "{error}");
    let next = house.next;
    house.stop().await;
    let (_broker, messages) = read_all(broker, "events").await;
    let there: BTreeSet<u64> = messages.iter().map(sequence).collect();
    assert_eq!(there, (1..kept).chain(forgotten..next).collect(), "all but what the broker itself forgot");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_ends_for_want_of_a_right_is_built_anew_until_it_has_one() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start_guarded();
    broker.create_topic("events", 1, &[]);
    // Enough to find the topic, not to be given a producer id.
    broker.grant("User:gatehouse", "events", &[Right::Describe]);
    let password = data.path().join("password");
    std::fs::write(&password, SASL_PASSWORD).unwrap();
    let sinks = [("events", &*login(&broker, "events", "SCRAM-SHA-256", &password))];
    let mut house = House::start(data.path(), &sinks, 1, Duration::from_secs(30));
    house.store(10).await;
    let denied = house.until("events", "it fails again", |status| status.tallies.fatal_errors > 1).await;
    assert_eq!((denied.state, denied.tallies.delivered), (State::Denied, 0));
    assert!(says(&denied, &["not authorised to write to any topic", "WRITE", "`events`"]), "{denied:?}");
    broker.grant("User:gatehouse", "events", &[Right::Write]);
    let well = house.until("events", "all is delivered", |status| status.tallies.delivered == 500).await;
    assert_eq!((well.state, well.problem, well.tallies.dead_lettered), (State::Delivering, None, 0));
    let next = house.next;
    house.stop().await;
    let (_broker, messages) = read_all(broker, "events").await;
    assert_complete(&messages, next);
}
