//! Stages by themselves: the house's own code, on one thread of this process, on the records that are sent through the house.

use std::hint::black_box;
use std::io::{Seek as _, Write as _};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use gatehouse::rollout::counts::Counts;
use gatehouse::sink::PARCEL_BYTES;
use gatehouse::sink::common::Common;
use gatehouse::sink::parcel::Parcel;
use gatehouse::spool::{Frame, Settings, Spool};
use gatehouse_proto::v1;
use gatehouse_stream::receiver::HighWater;
use gatehouse_verdict::record::RecordId;
use prost::Message as _;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;

use crate::figures::Spread;

/// Bytes of records in a batch: as many as a gate sends at once, about.
const BATCH_BYTES: usize = 60 << 10;
/// Bytes of a body before compression, the sinks' usual.
const BODY_BYTES: usize = 1 << 20;
/// Partitions of the topic: a batch of the Kafka client holds what one of them gets of a parcel.
const PARTITIONS: usize = 6;
/// How often each is done; the middle is told.
const TIMES: usize = 5;
/// What tonic compresses with, which has no setting for it.
const GRPC_LEVEL: u32 = 6;
/// Syncs that are measured.
const SYNCS: usize = 50;
/// The least CPU time of one of these.
const LEAST: Duration = Duration::from_millis(30);

/// µs of CPU time a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Native {
    /// Counting what rules did.
    pub(crate) count: f64,
    /// Encoding the batch for the spool.
    pub(crate) frame: f64,
    /// The spool's sync of what comes in the time between two.
    pub(crate) sync: f64,
    /// Reading frames from the spool's files, with their checksums.
    pub(crate) read_back: f64,
    /// Decoding batch and records.
    pub(crate) decode: f64,
    /// Writing OCSF JSON.
    pub(crate) ocsf: f64,
    /// Compressing what the Kafka client sends at once.
    pub(crate) kafka_zstd: f64,
    /// Compressing bodies, at the level that the sinks by HTTP have.
    pub(crate) body_gzip: f64,
    /// The same at the level that gRPC has.
    pub(crate) grpc_gzip: f64,
    /// The same by zstd.
    pub(crate) body_zstd: f64,
}

impl Native {
    /// Measures all. Blocks for a few seconds.
    pub(crate) fn measure(records: &[v1::Record], rate: f64) -> Self {
        let batches = batches(records);
        let count = records.len();
        let counts = Counts::new(watch::channel(None).1);
        let frames = frames(&batches);
        let parcel = parcel(&frames);
        let lines: Vec<&[u8]> = parcel.events().iter().map(|event| parcel.line(event)).collect();
        let decode = cost(count, || frames.iter().for_each(decode));
        let all = cost(count, || _ = black_box(self::parcel(&frames)));
        // A parcel is read at once, and each partition gets a part of it.
        let share = frames.iter().map(|frame| frame.payload.len()).sum::<usize>().div_ceil(PARCEL_BYTES).max(1);
        let (parts, bodies) = (joined(&lines, lines.len() / share / PARTITIONS), bodies(&lines));
        Self {
            count: cost(count, || batches.iter().for_each(|batch| counts.observe(batch))),
            frame: cost(count, || batches.iter().for_each(|batch| _ = black_box(batch.encode_to_vec()))),
            sync: sync(&frames, count, rate),
            read_back: read_back(&batches, count),
            decode,
            ocsf: all - decode,
            kafka_zstd: cost(count, || parts.iter().for_each(|part| zstd(part))),
            body_gzip: cost(count, || bodies.iter().for_each(|body| gzip(body, Compression::fast()))),
            grpc_gzip: cost(count, || bodies.iter().for_each(|body| gzip(body, Compression::new(GRPC_LEVEL)))),
            body_zstd: cost(count, || bodies.iter().for_each(|body| zstd(body))),
        }
    }
}

/// The median of some rounds, µs of this thread's CPU time a record.
fn cost(records: usize, mut work: impl FnMut()) -> f64 {
    work();
    let mut round = || {
        let (begin, mut done) = (thread_time(), 0);
        loop {
            work();
            done += 1;
            let used = thread_time() - begin;
            if used >= LEAST {
                return used.as_secs_f64() * 1e6 / (records * done) as f64;
            }
        }
    };
    Spread::of((0..TIMES).map(|_| round())).median
}

/// CPU time of this thread.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// As a gate sends them.
fn batches(records: &[v1::Record]) -> Vec<v1::Batch> {
    let mut batches: Vec<v1::Batch> = Vec::new();
    let mut room = 0;
    for (sequence, record) in (1..).zip(records) {
        let id = RecordId { epoch: 1, sequence }.to_bytes().to_vec();
        let bytes = v1::Record { id, ..record.clone() }.encode_to_vec();
        if bytes.len() > room {
            batches.push(v1::Batch { epoch: 1, first_seq: sequence, ..v1::Batch::default() });
            room = BATCH_BYTES;
        }
        room = room.saturating_sub(bytes.len());
        batches.last_mut().expect("one was pushed").records.push(bytes);
    }
    batches
}

fn frames(batches: &[v1::Batch]) -> Vec<Frame> {
    let frame = |(seq, batch): (u64, &v1::Batch)| Frame {
        seq,
        records: batch.records.len() as u32,
        taken_ms: 1,
        payload: batch.encode_to_vec(),
    };
    (1..).zip(batches).map(frame).collect()
}

fn decode(frame: &Frame) {
    let batch = v1::Batch::decode(frame.payload.as_slice()).expect("a batch of ours");
    for record in &batch.records {
        black_box(v1::Record::decode(record.as_slice()).expect("a record of ours"));
    }
}

fn parcel(frames: &[Frame]) -> Parcel {
    let (mut parcel, common) = (Parcel::default(), Common::default());
    frames.iter().for_each(|frame| parcel.push(frame, &common));
    parcel
}

/// So many lines together.
fn joined(lines: &[&[u8]], many: usize) -> Vec<Vec<u8>> {
    lines.chunks(many.max(1)).map(<[&[u8]]>::concat).collect()
}

fn bodies(lines: &[&[u8]]) -> Vec<Vec<u8>> {
    let length = lines.iter().map(|line| line.len()).sum::<usize>() / lines.len().max(1);
    joined(lines, BODY_BYTES / length.max(1))
}

/// As the HTTPS and OTLP sinks do.
fn gzip(body: &[u8], level: Compression) {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(body).expect("memory takes it");
    black_box(encoder.finish().expect("memory takes it"));
}

/// Level 1, as the sinks do.
fn zstd(body: &[u8]) {
    black_box(zstd::bulk::compress(body, 1).expect("memory takes it"));
}

/// What `fdatasync` takes of this thread, a record, when so many come in a second: of a file made ahead, as the spool's segments are,
/// on the file system where the tests' houses have theirs.
fn sync(frames: &[Frame], count: usize, rate: f64) -> f64 {
    let bytes = frames.iter().map(|frame| frame.payload.len()).sum::<usize>();
    let records = rate * Settings::default().sync_every.as_secs_f64();
    let group = vec![1; (records * bytes as f64 / count as f64) as usize + 1];
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(&vec![0; group.len() * SYNCS]).expect("space");
    file.sync_all().expect("a sync");
    file.rewind().expect("its begin");
    let mut used = Duration::ZERO;
    for _ in 0..SYNCS {
        file.write_all(&group).expect("space");
        let begin = thread_time();
        file.sync_data().expect("a sync");
        used += thread_time() - begin;
    }
    used.as_secs_f64() * 1e6 / (records * SYNCS as f64)
}

/// From a real spool that holds the batches.
fn read_back(batches: &[v1::Batch], count: usize) -> f64 {
    let folder = tempfile::Builder::new().prefix("gatehouse-bench-").tempdir().expect("a folder");
    let settings = Settings { readers: vec!["bench".into()], ..Settings::default() };
    let (spool, _) = Spool::open(folder.path(), settings).expect("a spool");
    let handle = spool.handle();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        for batch in batches {
            let records = batch.records.len() as u32;
            let durable_seq = batch.first_seq + u64::from(records);
            let high_water = HighWater { epoch: batch.epoch, durable_seq, ..HighWater::default() };
            handle.store(batch.encode_to_vec(), records, batch.first_seq, high_water).await.expect("it is stored");
        }
    });
    let mut reader = handle.reader("bench").expect("its reader");
    let mut read = || {
        reader.rewind();
        let mut records = 0;
        loop {
            let frames = reader.read(PARCEL_BYTES).expect("frames");
            if frames.is_empty() {
                break;
            }
            records += frames.iter().map(|frame| frame.records as usize).sum::<usize>();
        }
        assert_eq!(records, count, "records read back");
    };
    let cost = cost(count, &mut read);
    drop(reader);
    spool.close().expect("the spool ends well");
    cost
}
