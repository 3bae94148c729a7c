//! The right to write, taken away and given back while a house delivers.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use gatehouse_kafka::{Broker, Right, SASL_PASSWORD};
use gatehouse_proto::v1::gate_message::Message as FromGate;
use serde_json::Value;

use crate::house::{EPOCH, PATIENCE, login, read_all, sequence};
use crate::live::{Gate, House, batch, hello};

const BOTH: [Right; 2] = [Right::Write, Right::Describe];

/// Records that go on coming.
struct Flow {
    house: House,
    gate: Gate,
    next: u64,
}

impl Flow {
    /// Sends ten records and waits until they are durable.
    async fn send(&mut self) {
        self.gate.send(FromGate::Batch(batch(EPOCH, self.next..self.next + 10))).await;
        self.next += 10;
        self.gate.durable(self.next).await;
    }

    async fn sink(&self) -> Value {
        self.house.status().await["sinks"][0].clone()
    }

    /// Goes on until `/status` has what is wanted of the sink.
    async fn until(&mut self, what: &str, reached: impl Fn(&Value) -> bool) -> Value {
        let begin = Instant::now();
        loop {
            let sink = self.sink().await;
            if reached(&sink) {
                return sink;
            }
            assert!(begin.elapsed() < PATIENCE, "{what}: {sink}");
            self.send().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until nothing is pending.
    async fn drained(&self) -> Value {
        let begin = Instant::now();
        loop {
            let sink = self.sink().await;
            if sink["pending"] == 0 {
                return sink;
            }
            assert!(begin.elapsed() < PATIENCE, "{sink}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn metric(&self, name: &str) -> String {
        let page = self.house.admin("/metrics").await.unwrap();
        let line = page.lines().find_map(|line| line.strip_prefix(&format!("{name}{{sink=\"events\"}} ")));
        line.unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_is_taken_away_is_told_as_such_and_nothing_is_lost_when_it_comes_back() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start_guarded();
    broker.create_topic("events", 3, &[]);
    broker.create_topic("other", 1, &[]);
    broker.grant("User:gatehouse", "events", &BOTH);
    // Keeps the client's other right, to have a producer id: the topic alone is refused.
    broker.grant("User:gatehouse", "other", &BOTH);
    let password = data.path().join("password");
    std::fs::write(&password, SASL_PASSWORD).unwrap();
    let sinks = format!("sinks: {{ events: {{ {} }} }}\n", login(&broker, "events", "PLAIN", &password));
    let house = House::start(data.path(), &sinks).await;
    let mut gate = house.attach(hello(EPOCH, 1)).await;
    gate.greeted().await;
    let mut flow = Flow { house, gate, next: 0 };
    flow.until("some are delivered", |sink| sink["delivered"].as_u64() > Some(50)).await;
    assert_eq!(flow.metric("gatehouse_sink_denied").await, "0");

    // The broker says no to the records, or no to the question where the topic is.
    for rights in [&BOTH[..1], &BOTH] {
        broker.revoke("User:gatehouse", "events", rights);
        let denied = flow.until("the status tells", |sink| sink["state"] == "denied").await;
        let problem = denied["problem"].as_str().unwrap();
        assert!(problem.contains("not authorised to write to the topic `events`"), "{problem}");
        assert_eq!(flow.metric("gatehouse_sink_denied").await, "1");
        assert_eq!(flow.metric("gatehouse_sink_troubled").await, "1");
        let failures = denied["process"]["failures"].as_u64();
        flow.until("it is tried again", |sink| sink["process"]["failures"].as_u64() > failures).await;
        broker.grant("User:gatehouse", "events", rights);
        flow.until("it delivers by itself", |sink| sink["state"] == "delivering").await;
        assert_eq!(flow.metric("gatehouse_sink_denied").await, "0");
    }
    let sink = flow.drained().await;
    assert_eq!((sink["delivered"].as_u64(), sink["difference"].as_i64()), (Some(flow.next), Some(0)), "{sink}");
    assert_eq!((sink["dead_lettered"].as_u64(), sink["skipped"].as_u64()), (Some(0), Some(0)), "{sink}");
    assert_eq!(flow.metric("gatehouse_sink_fatal_errors_total").await, sink["process"]["fatal_errors"].to_string());
    let stored = flow.next;
    drop(flow.gate);
    flow.house.stop().await;
    let (_broker, messages) = read_all(broker, "events").await;
    let there: BTreeSet<u64> = messages.iter().map(sequence).collect();
    assert_eq!(there, (0..stored).collect());
}
