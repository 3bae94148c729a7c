//! The houses that are run: what each sends to, and how many of the records arrived there.

use std::path::Path;

use gatehouse_kafka::Broker;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::collector::Collector;

/// Where records go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shape {
    /// Nowhere: the sink's `where` takes nothing, so they are read back, decoded and left out.
    Spool,
    File,
    Kafka,
    Both,
    HttpsGzip,
    HttpsZstd,
    OtlpHttp,
    OtlpGrpc,
}

impl Shape {
    pub(crate) const ALL: [Self; 8] = [
        Self::Spool,
        Self::File,
        Self::Kafka,
        Self::Both,
        Self::HttpsGzip,
        Self::HttpsZstd,
        Self::OtlpHttp,
        Self::OtlpGrpc,
    ];

    /// As it stands in `house.json`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Spool => "spool",
            Self::File => "file",
            Self::Kafka => "kafka",
            Self::Both => "file_and_kafka",
            Self::HttpsGzip => "https_gzip",
            Self::HttpsZstd => "https_zstd",
            Self::OtlpHttp => "otlp_http",
            Self::OtlpGrpc => "otlp_grpc",
        }
    }

    /// For people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Spool => "the spool, synced (the sink's `where` takes nothing)",
            Self::File => "a file, synced",
            Self::Kafka => "Kafka's acknowledgement",
            Self::Both => "file and Kafka",
            Self::HttpsGzip => "HTTPS, NDJSON, gzip",
            Self::HttpsZstd => "HTTPS, NDJSON, zstd",
            Self::OtlpHttp => "OTLP by HTTP and TLS, gzip",
            Self::OtlpGrpc => "OTLP by gRPC and TLS, gzip",
        }
    }
}

/// The peers, which outlive the houses.
pub(crate) struct Peers {
    pub(crate) broker: Broker,
    pub(crate) collector: Collector,
}

impl Peers {
    pub(crate) async fn start() -> Self {
        let broker = spawn_blocking(Broker::start).await.expect("a broker");
        Self { broker, collector: Collector::start().await }
    }

    /// A topic for one run, empty.
    pub(crate) fn topic(&self, topic: &str) {
        self.broker.create_topic(topic, 6, &[]);
    }

    /// A sink that sends to `topic`.
    pub(crate) fn kafka(&self, topic: &str) -> Value {
        json!({ "kafka": { "brokers": [self.broker.plain()], "topic": topic } })
    }

    /// The sinks of a house of this shape.
    pub(crate) fn sinks(&self, shape: Shape, topic: &str) -> Value {
        // None is thrown away before it was counted.
        let file = json!({ "file": { "rotate": { "size": "64MiB", "keep": 64 } } });
        match shape {
            Shape::Spool => json!({ "none": { "file": {}, "where": { "path": "/never/asked/for" } } }),
            Shape::File => json!({ "file": file }),
            Shape::Kafka => json!({ "kafka": self.kafka(topic) }),
            Shape::Both => json!({ "file": file, "kafka": self.kafka(topic) }),
            Shape::HttpsGzip => json!({ "https": self.collector.https("gzip") }),
            Shape::HttpsZstd => json!({ "https": self.collector.https("zstd") }),
            Shape::OtlpHttp => json!({ "otlp": self.collector.otlp("http") }),
            Shape::OtlpGrpc => json!({ "otlp": self.collector.otlp("grpc") }),
        }
    }

    /// The ids of the events that came to each peer of a house of this shape, in no order. Empties the peers.
    pub(crate) fn arrived(&self, shape: Shape, topic: &str, data: &Path) -> Vec<Vec<String>> {
        let file = || in_files(data);
        match shape {
            Shape::Spool => Vec::new(),
            Shape::File => vec![file()],
            Shape::Kafka => vec![self.in_topic(topic)],
            Shape::Both => vec![file(), self.in_topic(topic)],
            Shape::HttpsGzip | Shape::HttpsZstd | Shape::OtlpHttp | Shape::OtlpGrpc => vec![self.collector.ids()],
        }
    }

    /// The ids of the events of a topic, which is taken away.
    pub(crate) fn in_topic(&self, topic: &str) -> Vec<String> {
        let messages = self.broker.read_all(topic);
        self.broker.delete_topic(topic);
        messages.iter().filter_map(|message| message.header("ce_id").map(str::to_owned)).collect()
    }
}

/// The ids of the events of every file of NDJSON in `folder`.
pub(crate) fn in_files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder").flatten();
    let files =
        entries.map(|entry| entry.path()).filter(|path| path.is_file() && path.to_string_lossy().contains("ndjson"));
    let texts = files.map(|path| std::fs::read(path).expect("a file of events"));
    texts
        .flat_map(|text| text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(uid).collect::<Vec<_>>())
        .collect()
}

/// The id of an event. The house wrote it, so one without is a fault that ends the run.
pub(crate) fn uid(line: &[u8]) -> String {
    let event: Value = serde_json::from_slice(line).expect("OCSF JSON");
    event["metadata"]["uid"].as_str().expect("an id").to_owned()
}
