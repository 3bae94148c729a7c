//! The Kafka sink against a real broker: nothing is missing, whatever happens on the way.
#![cfg(feature = "kafka")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test ends at its first surprise"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gatehouse::sink::board::{State, Status};
use gatehouse::sink::{Behind, Kind, Running, Stop, start};
use gatehouse::spool::{Settings, Spool};
use gatehouse_kafka::{Broker, Message, SASL_PASSWORD, SASL_USER};
use gatehouse_policy::document::{Problems, yaml};
use gatehouse_proto::v1::{Batch, Downstream, Loss, Origin, Record, Request};
use gatehouse_stream::receiver::HighWater;
use gatehouse_verdict::record::RecordId;
use prost::Message as _;
use tokio_util::sync::CancellationToken;

const EPOCH: u64 = 0xfeed;
const PATIENCE: Duration = Duration::from_secs(90);

/// A spool with one Kafka sink, `events`, or several.
struct House {
    spool: Spool,
    sinks: BTreeMap<String, Running>,
    stop: CancellationToken,
    next: u64,
}

impl House {
    fn start(data: &Path, sinks: &[(&str, &str)], next: u64, grace: Duration) -> Self {
        let readers = sinks.iter().map(|(name, _)| (*name).to_owned()).collect();
        let settings = Settings { segment_bytes: 4 << 20, total_bytes: 64 << 20, readers, ..Settings::default() };
        let (spool, _) = Spool::open(&data.join("spool"), settings).unwrap();
        let stop = CancellationToken::new();
        let begin = |(name, config): &(&str, &str)| {
            let reader = spool.handle().reader(name).unwrap();
            let stop = Stop::new(stop.clone(), grace);
            let running = start(name, &kind(config), &Arc::default(), Behind::Hold, reader, data, stop);
            ((*name).to_owned(), running)
        };
        let sinks = sinks.iter().map(begin).collect();
        Self { spool, sinks, stop, next }
    }

    /// Stores batches of 50 records each; every tenth tells of five lost ones.
    async fn store(&mut self, batches: u64) {
        for number in 0..batches {
            let mut batch = Batch { epoch: EPOCH, first_seq: self.next, ..Batch::default() };
            batch.records =
                (self.next..self.next + 50).map(|sequence| record(sequence, "/shop/item").encode_to_vec()).collect();
            self.next += 50;
            if number % 10 == 9 {
                batch.losses.push(Loss { first_seq: self.next, count: 5, reason: 1 });
                self.next += 5;
            }
            self.put(batch).await;
        }
    }

    async fn put(&self, batch: Batch) {
        let records = u32::try_from(batch.records.len()).unwrap();
        let high_water = HighWater { epoch: EPOCH, durable_seq: self.next, ..HighWater::default() };
        self.spool.handle().store(batch.encode_to_vec(), records, batch.first_seq, high_water).await.unwrap();
    }

    fn status(&self, sink: &str) -> Status {
        self.sinks[sink].board.status()
    }

    async fn until(&self, sink: &str, what: &str, reached: impl Fn(&Status) -> bool) -> Status {
        let wait = async {
            while !reached(&self.status(sink)) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        assert!(waited.is_ok(), "{what}: {:?}", self.status(sink));
        self.status(sink)
    }

    async fn stop(self) -> BTreeMap<String, Status> {
        self.stop.cancel();
        let mut last = BTreeMap::new();
        for (name, running) in self.sinks {
            tokio::time::timeout(PATIENCE, running.task).await.unwrap().unwrap();
            last.insert(name, running.board.status());
        }
        let spool = self.spool;
        tokio::task::spawn_blocking(move || spool.close()).await.unwrap().unwrap();
        last
    }
}

fn kind(config: &str) -> Kind {
    let documents = yaml("house.yaml", config).unwrap();
    let mut problems = Problems::default();
    let kind = Kind::read("events", &documents[0], &mut problems);
    assert!(problems.is_empty(), "{problems}");
    kind.unwrap()
}

fn record(sequence: u64, path: &str) -> Record {
    Record {
        id: RecordId { epoch: EPOCH, sequence }.to_bytes().to_vec(),
        start_unix_ns: 1_767_225_599_001_000_000,
        origin: Some(Origin { gateway: "edge 1".into(), epoch: EPOCH, ..Origin::default() }),
        downstream: Some(Downstream { client_key: format!("{:032x}", sequence % 7), ..Downstream::default() }),
        request: Some(Request { method: "GET".into(), path: path.into(), ..Request::default() }),
        ..Record::default()
    }
}

fn plain(broker: &Broker, topic: &str) -> String {
    format!("kafka: {{ brokers: '{}', topic: {topic} }}", broker.plain())
}

fn mutual_tls(broker: &Broker, topic: &str, trust: &Path) -> String {
    let at = |name: &str| trust.join(name).display().to_string();
    let (ca, certificate, key) = (at("ca.pem"), at("client.crt"), at("client.key"));
    let brokers = broker.mutual_tls();
    format!(
        "kafka: {{ brokers: '{brokers}', topic: {topic}, tls: {{ ca: {ca}, certificate: {certificate}, key: {key} }} }}"
    )
}

async fn read_all(broker: Broker, topic: &str) -> (Broker, Vec<Message>) {
    let topic = topic.to_owned();
    tokio::task::spawn_blocking(move || {
        let messages = broker.read_all(&topic);
        (broker, messages)
    })
    .await
    .unwrap()
}

/// Each record below `next` is there, each loss is there, each message is what the documentation says. Returns how many
/// messages are there more than once.
fn assert_complete(messages: &[Message], next: u64) -> usize {
    let mut sequences = BTreeSet::new();
    let mut losses = BTreeSet::new();
    for message in messages {
        let value: serde_json::Value = serde_json::from_slice(&message.value).unwrap();
        let id = message.header("ce_id").unwrap();
        assert_eq!(value["metadata"]["uid"], id);
        assert_eq!(message.header("ce_specversion"), Some("1.0"));
        assert_eq!(message.header("ce_source"), Some("/gatehouse/edge%201"));
        assert_eq!(message.header("content-type"), Some("application/json"));
        let sequence = u64::from_str_radix(&id[16..], 16).unwrap();
        if message.header("ce_type") == Some("dev.gatehouse.loss.v1") {
            assert_eq!((message.key.as_ref(), value["count"].as_u64()), (None, Some(5)));
            losses.insert(sequence);
            continue;
        }
        assert_eq!(message.header("ce_type"), Some("dev.gatehouse.http.v1"));
        assert_eq!(message.header("ce_time"), Some("2025-12-31T23:59:59.001Z"));
        assert_eq!(message.key.as_deref(), Some(format!("{:032x}", sequence % 7).as_bytes()));
        sequences.insert(sequence);
    }
    let missing: Vec<u64> = (1..next)
        .filter(|sequence| {
            let lost = losses.iter().any(|first| (*first..first + 5).contains(sequence));
            lost == sequences.contains(sequence)
        })
        .collect();
    assert!(missing.is_empty(), "neither a record nor a loss, or both: {missing:?}");
    messages.len() - sequences.len() - losses.len()
}

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
async fn trust_may_come_late_and_a_login_may_be_mended() {
    let data = tempfile::tempdir().unwrap();
    let broker = Broker::start();
    for topic in ["late", "scram", "clear"] {
        broker.create_topic(topic, 1, &[]);
    }
    let trust = data.path().join("trust");
    let made = broker.certificates().clone();
    let login = |topic: &str, mechanism: &str, password: &Path| {
        let (brokers, ca, password) = (broker.sasl(), made.ca.display(), password.display());
        let sasl = format!("{{ mechanism: {mechanism}, username: {SASL_USER}, password_file: {password} }}");
        format!("kafka: {{ brokers: '{brokers}', topic: {topic}, tls: {{ ca: {ca} }}, sasl: {sasl} }}")
    };
    let (right, wrong) = (data.path().join("right"), data.path().join("wrong"));
    std::fs::write(&right, format!("{SASL_PASSWORD}\n")).unwrap();
    std::fs::write(&wrong, "not the password").unwrap();
    let sinks = [
        ("late", &*mutual_tls(&broker, "late", &trust)),
        ("scram", &*login("scram", "SCRAM-SHA-512", &wrong)),
        ("clear", &*login("clear", "PLAIN", &right)),
    ];
    let mut house = House::start(data.path(), &sinks, 1, Duration::from_secs(30));
    house.store(10).await;

    house.until("clear", "all is delivered", |status| status.tallies.delivered == 500).await;
    let waiting = house.until("late", "the status tells", |status| status.state == State::Waiting).await;
    let problem = waiting.problem.unwrap();
    assert!(problem.starts_with(&format!("trust material ({})", trust.join("ca.pem").display())), "{problem}");
    std::fs::create_dir(&trust).unwrap();
    for file in [&made.ca, &made.client_certificate, &made.client_key] {
        std::fs::copy(file, trust.join(file.file_name().unwrap())).unwrap();
    }
    house.until("late", "all is delivered", |status| status.tallies.delivered == 500).await;

    let refused = house.until("scram", "the status tells", |status| status.state == State::Retrying).await;
    let problem = refused.problem.unwrap();
    assert!(problem.contains("uthentication") && !problem.contains("not the password"), "{problem}");
    std::fs::write(&wrong, SASL_PASSWORD).unwrap();
    house.until("scram", "all is delivered", |status| status.tallies.delivered == 500).await;
    house.stop().await;
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
