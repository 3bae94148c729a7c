//! A spool with Kafka sinks on it, records, and what a topic must hold of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatehouse::sink::board::Status;
use gatehouse::sink::{Behind, Kind, Running, Stop, start};
use gatehouse::spool::{Settings, Spool};
use gatehouse_kafka::{Broker, Message, SASL_USER};
use gatehouse_policy::document::{Problems, yaml};
use gatehouse_proto::v1::{Batch, Downstream, Loss, Origin, Record, Request};
use gatehouse_stream::receiver::HighWater;
use gatehouse_verdict::record::RecordId;
use prost::Message as _;
use tokio_util::sync::CancellationToken;

pub(crate) const EPOCH: u64 = 0xfeed;
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// A spool with one Kafka sink, `events`, or several.
pub(crate) struct House {
    spool: Spool,
    sinks: BTreeMap<String, Running>,
    stop: CancellationToken,
    pub(crate) next: u64,
}

impl House {
    pub(crate) fn start(data: &Path, sinks: &[(&str, &str)], next: u64, grace: Duration) -> Self {
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
    pub(crate) async fn store(&mut self, batches: u64) {
        for number in 0..batches {
            let mut batch = self.batch(50);
            if number % 10 == 9 {
                batch.losses.push(Loss { first_seq: self.next, count: 5, reason: 1 });
                self.next += 5;
            }
            self.put(batch).await;
        }
    }

    /// So many records more.
    fn batch(&mut self, records: u64) -> Batch {
        let (first_seq, end) = (self.next, self.next + records);
        self.next = end;
        let records = (first_seq..end).map(|sequence| record(sequence, "/shop/item").encode_to_vec()).collect();
        Batch { epoch: EPOCH, first_seq, records, ..Batch::default() }
    }

    /// Records go on coming until `reached`. Returns how long that took.
    pub(crate) async fn flow(&mut self, sink: &str, what: &str, reached: impl Fn(&Status) -> bool) -> Duration {
        let begin = Instant::now();
        while !reached(&self.status(sink)) {
            assert!(begin.elapsed() < PATIENCE, "{what}: {:?}", self.status(sink));
            let few = self.batch(3);
            self.put(few).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        begin.elapsed()
    }

    pub(crate) async fn put(&self, batch: Batch) {
        let records = u32::try_from(batch.records.len()).unwrap();
        let high_water = HighWater { epoch: EPOCH, durable_seq: self.next, ..HighWater::default() };
        self.spool.handle().store(batch.encode_to_vec(), records, batch.first_seq, high_water).await.unwrap();
    }

    pub(crate) fn status(&self, sink: &str) -> Status {
        self.sinks[sink].board.status()
    }

    pub(crate) async fn until(&self, sink: &str, what: &str, reached: impl Fn(&Status) -> bool) -> Status {
        let wait = async {
            while !reached(&self.status(sink)) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        assert!(waited.is_ok(), "{what}: {:?}", self.status(sink));
        self.status(sink)
    }

    pub(crate) async fn stop(self) -> BTreeMap<String, Status> {
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

pub(crate) fn record(sequence: u64, path: &str) -> Record {
    Record {
        id: RecordId { epoch: EPOCH, sequence }.to_bytes().to_vec(),
        start_unix_ns: 1_767_225_599_001_000_000,
        origin: Some(Origin { gateway: "edge 1".into(), epoch: EPOCH, ..Origin::default() }),
        downstream: Some(Downstream { client_key: format!("{:032x}", sequence % 7), ..Downstream::default() }),
        request: Some(Request { method: "GET".into(), path: path.into(), ..Request::default() }),
        ..Record::default()
    }
}

pub(crate) fn plain(broker: &Broker, topic: &str) -> String {
    format!("kafka: {{ brokers: '{}', topic: {topic} }}", broker.plain())
}

pub(crate) fn mutual_tls(broker: &Broker, topic: &str, trust: &Path) -> String {
    let at = |name: &str| trust.join(name).display().to_string();
    let (ca, certificate, key) = (at("ca.pem"), at("client.crt"), at("client.key"));
    let brokers = broker.mutual_tls();
    format!(
        "kafka: {{ brokers: '{brokers}', topic: {topic}, tls: {{ ca: {ca}, certificate: {certificate}, key: {key} }} }}"
    )
}

/// Logs in as [`SASL_USER`] over TLS.
pub(crate) fn login(broker: &Broker, topic: &str, mechanism: &str, password_file: &Path) -> String {
    let (brokers, ca, file) = (broker.sasl(), broker.certificates().ca.display(), password_file.display());
    let sasl = format!("{{ mechanism: {mechanism}, username: {SASL_USER}, password_file: {file} }}");
    format!("kafka: {{ brokers: '{brokers}', topic: {topic}, tls: {{ ca: {ca} }}, sasl: {sasl} }}")
}

/// Whether the problem of a sink has all these words.
pub(crate) fn says(status: &Status, words: &[&str]) -> bool {
    let problem = status.problem.as_deref().unwrap_or_default();
    words.iter().all(|word| problem.contains(word))
}

pub(crate) async fn read_all(broker: Broker, topic: &str) -> (Broker, Vec<Message>) {
    let topic = topic.to_owned();
    tokio::task::spawn_blocking(move || {
        let messages = broker.read_all(&topic);
        (broker, messages)
    })
    .await
    .unwrap()
}

/// The sequence of the record that a message carries.
pub(crate) fn sequence(message: &Message) -> u64 {
    u64::from_str_radix(&message.header("ce_id").unwrap()[16..], 16).unwrap()
}

/// Each record below `next` is there, each loss is there, each message is what the documentation says. Returns how many
/// messages are there more than once.
pub(crate) fn assert_complete(messages: &[Message], next: u64) -> usize {
    let mut sequences = BTreeSet::new();
    let mut losses = BTreeSet::new();
    for message in messages {
        let value: serde_json::Value = serde_json::from_slice(&message.value).unwrap();
        let id = message.header("ce_id").unwrap();
        assert_eq!(value["metadata"]["uid"], id);
        assert_eq!(message.header("ce_specversion"), Some("1.0"));
        assert_eq!(message.header("ce_source"), Some("/gatehouse/edge%201"));
        assert_eq!(message.header("content-type"), Some("application/json"));
        let sequence = sequence(message);
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
