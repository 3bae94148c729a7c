//! Where the CPU time of an event on its way to Kafka goes, stage by stage.
//!
//! | how | what it is | stages |
//! |---|---|---|
//! | `alone` | the service of the stream with the receiver behind it and nothing else, on threads of its own | stream in |
//! | `native` | the house's own code on one thread, on the same records | counts, framing, sync, read back, decode, OCSF, compression |
//! | `threads` | threads of the house's process that do only this, from /proc | spool without its sync, receipts, Kafka client without compression |
//! | `difference` | a run of the house less one where the stage is absent | handing over |
//! | `rest` | what none of these accounts for: tasks, wakes, channels, books | |
//!
//! All but the rest are found by themselves, so that the rest says how much is unaccounted. It may be negative: code that runs alone
//! finds its caches warm or cold otherwise than in the house, and a machine that does other work spreads by more than the small stages.

mod native;
mod stream;

use std::collections::BTreeMap;

use gatehouse_proto::v1;
use tokio::task::block_in_place;

use crate::figures::Spread;
use crate::shapes::Shape;
use crate::threads::Kind;
use crate::throughput::Run;

pub(crate) use native::Native;

/// One stage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage {
    /// As it stands in `house.json`.
    pub(crate) word: &'static str,
    /// For people.
    pub(crate) title: &'static str,
    /// How it was found.
    pub(crate) how: &'static str,
    /// µs of CPU time an event.
    pub(crate) us: f64,
}

/// All stages of the way to Kafka, and the whole.
pub(crate) struct Stages {
    pub(crate) stages: Vec<Stage>,
    /// µs of the process an event.
    pub(crate) whole: f64,
}

impl Stages {
    /// What the stages but the rest leave of the whole, as a share of it.
    pub(crate) fn unaccounted(&self) -> f64 {
        let rest = self.stages.iter().find(|stage| stage.how == "rest").map_or(0.0, |stage| stage.us);
        rest / self.whole
    }
}

/// What is measured without the house.
pub(crate) struct Apart {
    /// The stream by itself, µs a record.
    pub(crate) stream: f64,
    /// Stages by themselves.
    pub(crate) native: Native,
}

impl Apart {
    /// Measures them. `rate` is how many records a second the house took on the way to Kafka.
    pub(crate) async fn measure(events: u64, rounds: usize, rate: f64, records: &[v1::Record]) -> Self {
        let mut streams = Vec::new();
        for _ in 0..rounds {
            streams.push(stream::cost(events, records).await);
        }
        let native = block_in_place(|| Native::measure(records, rate));
        Self { stream: Spread::of(streams).median, native }
    }
}

/// Runs by shape.
pub(crate) type Runs = BTreeMap<Shape, Vec<Run>>;

/// The median over the runs of a shape; 0 where there is none.
pub(crate) fn median(runs: &Runs, shape: Shape, of: impl Fn(&Run) -> f64) -> f64 {
    Spread::of(runs.get(&shape).into_iter().flatten().map(of)).median
}

/// The way to Kafka, by stage.
pub(crate) fn to_kafka(runs: &Runs, Apart { stream, native }: &Apart) -> Stages {
    let of = |shape, kind| median(runs, shape, |run| run.of(kind));
    let (runtime, idle) = (of(Shape::Kafka, Kind::Runtime), of(Shape::Spool, Kind::Runtime));
    let spool = of(Shape::Kafka, Kind::Spool) - native.sync;
    let stage = |word, title, how, us| Stage { word, title, how, us };
    let mut stages = vec![
        stage("stream_in", "stream in: gRPC, decoding of batches, receiver", "alone", *stream),
        stage("count", "counts of what rules did", "native", native.count),
        stage("frame", "batch encoded for the spool", "native", native.frame),
        stage("spool_append", "spool: frame, checksum, write, cursors", "threads", spool),
        stage("spool_sync", "spool: sync, of what comes in 20 ms", "native", native.sync),
        stage("read_back", "read back", "native", native.read_back),
        stage("decode", "batches and records decoded", "native", native.decode),
        stage("ocsf", "OCSF JSON written", "native", native.ocsf),
        stage(
            "hand_over",
            "handed over to the Kafka client, receipts taken",
            "difference",
            runtime - idle - native.ocsf,
        ),
        stage("compress", "compression (zstd, level 1)", "native", native.kafka_zstd),
        stage(
            "send",
            "Kafka client: batches, wire, acknowledgements",
            "threads",
            of(Shape::Kafka, Kind::Client) - native.kafka_zstd,
        ),
        stage("receipts", "Kafka client: receipts handed over", "threads", of(Shape::Kafka, Kind::Receipts)),
        stage("beside", "other threads", "threads", of(Shape::Kafka, Kind::Other)),
    ];
    let whole = median(runs, Shape::Kafka, Run::whole);
    let rest = whole - stages.iter().map(|stage| stage.us).sum::<f64>();
    stages.push(stage("rest", "unaccounted: tasks, wakes, channels, books", "rest", rest));
    Stages { stages, whole }
}

/// What one sink takes of an event beyond the spool, the decoding and the filter that the empty run has too, µs.
pub(crate) struct OfSink {
    pub(crate) own: f64,
    /// OCSF JSON, within it.
    pub(crate) ocsf: f64,
    /// Compression, within it.
    pub(crate) compress: f64,
}

impl OfSink {
    /// Of a sink alone; `None`: the shape has none, or two.
    pub(crate) fn of(runs: &Runs, native: &Native, shape: Shape) -> Option<Self> {
        let compress = match shape {
            Shape::Spool | Shape::Both => return None,
            Shape::File => 0.0,
            Shape::Kafka => native.kafka_zstd,
            Shape::HttpsGzip => native.body_gzip,
            Shape::HttpsZstd => native.body_zstd,
            // Bodies of OTLP have attributes beside the event: what those take to compress is in the rest.
            Shape::OtlpHttp => native.body_gzip,
            Shape::OtlpGrpc => native.grpc_gzip,
        };
        let own = median(runs, shape, Run::whole) - median(runs, Shape::Spool, Run::whole);
        Some(Self { own, ocsf: native.ocsf, compress })
    }

    /// Writing, HTTP, TLS, waiting for answers.
    pub(crate) fn rest(&self) -> f64 {
        self.own - self.ocsf - self.compress
    }
}
