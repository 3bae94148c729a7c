//! Reading a topic back, and making one.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// One message as it stands in the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its partition.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// The broker's or the producer's time of it, as the topic has it: milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// Its key; `None`: it has none.
    pub key: Option<Vec<u8>>,
    /// Its headers, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Its value; empty: a tombstone.
    pub value: Vec<u8>,
}

impl Message {
    /// The first header of this name, as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(found, _)| found == name)?;
        std::str::from_utf8(value).ok()
    }

    fn of(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Self {
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis().unwrap_or_default(),
            key: message.key().map(<[u8]>::to_vec),
            headers: headers.map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec())).collect(),
            value: message.payload().unwrap_or_default().to_vec(),
        }
    }
}

/// Everything that the topic holds now, in order within each partition. Blocks; at most a minute.
pub(crate) fn read_all(brokers: &str, topic: &str) -> Vec<Message> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", "reader").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.set("log_level", "0").create().unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
    let mut left = 0;
    let mut assignment = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
        let (low, high) = consumer.fetch_watermarks(topic, partition.id(), PATIENCE).unwrap();
        left += high - low;
        assignment.add_partition_offset(topic, partition.id(), Offset::Beginning).unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let mut messages = Vec::new();
    let begin = Instant::now();
    while (messages.len() as i64) < left {
        assert!(begin.elapsed() < PATIENCE, "{} of {left} messages of `{topic}` read", messages.len());
        // A broker that has just started says for a moment that it leads no partition: errors are passed over.
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(200)) {
            messages.push(Message::of(&message));
        }
    }
    messages
}

/// Makes a topic with `options` of its own.
pub(crate) fn create_topic(brokers: &str, topic: &str, partitions: i32, options: &[(&str, &str)]) {
    // -1: as often as the cluster keeps each topic.
    let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
    for (name, value) in options {
        new = new.set(name, value);
    }
    let client = admin(brokers);
    for result in alone(async { client.create_topics([&new], &AdminOptions::new()).await }).unwrap() {
        result.unwrap();
    }
}

/// Takes a topic away, and waits until the broker no longer names it.
pub(crate) fn delete_topic(brokers: &str, topic: &str) {
    let client = admin(brokers);
    for result in alone(async { client.delete_topics(&[topic], &AdminOptions::new()).await }).unwrap() {
        result.unwrap();
    }
    let begin = Instant::now();
    let there = || {
        let metadata = client.inner().fetch_metadata(None, PATIENCE).unwrap();
        metadata.topics().iter().any(|known| known.name() == topic)
    };
    while there() {
        assert!(begin.elapsed() < PATIENCE, "`{topic}` is still there");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn admin(brokers: &str) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", brokers).set("log_level", "0").create().unwrap()
}

/// Runs in a runtime of its own on a thread of its own: the caller may be within one.
fn alone<T: Send>(work: impl Future<Output = T> + Send) -> T {
    let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
    std::thread::scope(|scope| scope.spawn(run).join().unwrap())
}

/// Waits until the broker answers.
pub(crate) fn wait_ready(brokers: &str, mut alive: impl FnMut()) {
    let begin = Instant::now();
    let waits = |what: &str| assert!(begin.elapsed() < PATIENCE, "the broker is not ready after a minute: {what}");
    // The port opens at the end of the start; asking earlier would only fill the client's log.
    while std::net::TcpStream::connect(brokers).is_err() {
        waits("its port is closed");
        alive();
        std::thread::sleep(Duration::from_millis(20));
    }
    let client: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", brokers).set("log_level", "0").create().unwrap();
    while !client.fetch_metadata(None, Duration::from_secs(2)).is_ok_and(|metadata| !metadata.brokers().is_empty()) {
        waits("it does not answer");
        alive();
    }
}
