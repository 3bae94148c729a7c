//! A pump between a real spool and a real file.

pub(super) mod pki;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_policy::document::{Problems, yaml};
use gatehouse_proto::v1::{Batch, Loss, Record, Request};
use gatehouse_stream::receiver::HighWater;
use gatehouse_verdict::record::RecordId;
use prost::Message as _;
use tokio_util::sync::CancellationToken;

use super::board::{State, Status};
use super::common::Common;
use super::{Behind, Kind, Running, Stop, file, start};
use crate::spool::{Settings, Spool};

const EPOCH: u64 = 7;
const GRACE: Duration = Duration::from_secs(20);

pub(super) struct House {
    pub(super) spool: Spool,
    pub(super) running: Running,
    stop: CancellationToken,
    next: u64,
}

impl House {
    pub(super) fn start(data: &Path, kind: &Kind, next: u64, grace: Duration) -> Self {
        Self::start_told(data, kind, Common::default(), Behind::Hold, next, grace)
    }

    pub(super) fn start_choosy(data: &Path, kind: &Kind, common: Common, next: u64, grace: Duration) -> Self {
        Self::start_told(data, kind, common, Behind::Hold, next, grace)
    }

    fn start_behind(data: &Path, kind: &Kind, behind: Behind, next: u64, grace: Duration) -> Self {
        Self::start_told(data, kind, Common::default(), behind, next, grace)
    }

    fn start_told(data: &Path, kind: &Kind, common: Common, behind: Behind, next: u64, grace: Duration) -> Self {
        let settings = Settings {
            segment_bytes: 1 << 20,
            total_bytes: 8 << 20,
            readers: vec!["events".into()],
            ..Settings::default()
        };
        let (spool, _) = Spool::open(&data.join("spool"), settings).unwrap();
        let stop = CancellationToken::new();
        let reader = spool.handle().reader("events").unwrap();
        let stop_told = Stop::new(stop.clone(), grace);
        let running = start("events", kind, &Arc::new(common), behind, reader, data, stop_told);
        Self { spool, running, stop, next }
    }

    /// How many records were stored, where no losses were.
    pub(super) fn stored(&self) -> u64 {
        self.next - 1
    }

    /// Stores a batch of `records` good records, and what else is asked for.
    pub(super) async fn store(&mut self, records: u64, more: impl FnOnce(&mut Batch)) {
        let record =
            |sequence| Record { id: RecordId { epoch: EPOCH, sequence }.to_bytes().to_vec(), ..Record::default() };
        let records = (self.next..self.next + records).map(|sequence| record(sequence).encode_to_vec()).collect();
        let mut batch = Batch { epoch: EPOCH, first_seq: self.next, records, ..Batch::default() };
        more(&mut batch);
        self.next += batch.records.len() as u64 + batch.losses.iter().map(|loss| loss.count).sum::<u64>();
        let count = u32::try_from(batch.records.len()).unwrap();
        let high_water = HighWater { epoch: EPOCH, durable_seq: self.next, ..HighWater::default() };
        self.spool.handle().store(batch.encode_to_vec(), count, batch.first_seq, high_water).await.unwrap();
    }

    pub(super) async fn until(&self, reached: impl Fn(&Status) -> bool) -> Status {
        tokio::time::timeout(GRACE, async {
            loop {
                let status = self.running.board.status();
                if reached(&status) {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("not reached: {:?}", self.running.board.status()))
    }

    pub(super) async fn stop(self) -> Status {
        self.stop.cancel();
        let board = self.running.board.clone();
        tokio::time::timeout(GRACE + Duration::from_secs(5), self.running.task).await.unwrap().unwrap();
        let spool = self.spool;
        tokio::task::spawn_blocking(move || spool.close()).await.unwrap().unwrap();
        board.status()
    }
}

pub(super) fn lines(path: &Path) -> Vec<serde_json::Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn to(path: &Path) -> Kind {
    Kind::File(file::Config { path: Some(path.into()), ..file::Config::default() })
}

#[tokio::test]
async fn everything_stored_arrives_and_the_books_close() {
    let data = tempfile::tempdir().unwrap();
    let mut house = House::start(data.path(), &Kind::default_file(), 1, GRACE);
    house.store(3, |batch| batch.losses.push(Loss { first_seq: 4, count: 6, reason: 1 })).await;
    house.store(1, |batch| batch.records.push(b"\xff\xff\xff".to_vec())).await;
    let stat = {
        house.until(|status| status.tallies.delivered == 4 && status.committed == Some(2)).await;
        house.spool.handle().stat()
    };
    let status = house.stop().await;
    assert_eq!(status.state, State::Stopped);
    assert_eq!((status.tallies.delivered, status.tallies.dead_lettered, status.tallies.losses), (4, 1, 1));
    let account = &stat.readers[0];
    assert_eq!(stat.records, account.tally.delivered + account.tally.dead_lettered + account.pending.records);
    let events = lines(&data.path().join("events.ndjson"));
    let codes: Vec<&str> = events.iter().map(|event| event["metadata"]["event_code"].as_str().unwrap()).collect();
    assert_eq!(
        codes,
        ["gatehouse.record", "gatehouse.record", "gatehouse.record", "gatehouse.loss", "gatehouse.record"]
    );
    assert_eq!(events[3]["unmapped"]["gatehouse"]["loss"]["count"], 6);
    let letters = lines(&data.path().join("events.dead.ndjson"));
    assert_eq!((letters[0]["hex"].as_str(), letters[0]["index"].as_u64()), (Some("ffffff"), Some(1)));
}

#[tokio::test]
async fn a_stopped_house_delivers_what_is_left_and_goes_on_where_it_stood() {
    let data = tempfile::tempdir().unwrap();
    let kind = Kind::default_file();
    let mut house = House::start(data.path(), &kind, 1, GRACE);
    for _ in 0..50 {
        house.store(20, |_| {}).await;
    }
    assert_eq!(house.stop().await.tallies.delivered, 1000, "the time of grace is for this");
    let mut house = House::start(data.path(), &kind, 1001, GRACE);
    house.store(5, |_| {}).await;
    assert_eq!(house.stop().await.tallies.delivered, 5, "what was committed is not read again");
    let events = lines(&data.path().join("events.ndjson"));
    let sequences: Vec<u64> =
        events.iter().map(|event| event["unmapped"]["gatehouse"]["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, (1..=1005).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_peer_that_fails_is_tried_for_ever_and_nothing_is_lost() {
    let data = tempfile::tempdir().unwrap();
    let place = data.path().join("logs");
    std::fs::write(&place, "a file where a folder should be").unwrap();
    let mut house = House::start(data.path(), &to(&place.join("events.ndjson")), 1, GRACE);
    house.store(3, |_| {}).await;
    let status = house.until(|status| status.tallies.failures >= 2).await;
    assert_eq!((status.state, status.tallies.delivered, status.committed), (State::Retrying, 0, None));
    assert!(status.problem.unwrap().contains("logs/events.ndjson"));
    std::fs::remove_file(&place).unwrap();
    let status = house.until(|status| status.tallies.delivered == 3).await;
    assert_eq!((status.state, status.problem), (State::Delivering, None));
    house.stop().await;
    assert_eq!(lines(&place.join("events.ndjson")).len(), 3);
}

#[tokio::test]
async fn a_house_stops_although_a_peer_fails_and_delivers_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let place = data.path().join("logs");
    std::fs::write(&place, "a file where a folder should be").unwrap();
    let kind = to(&place.join("events.ndjson"));
    let mut house = House::start(data.path(), &kind, 1, Duration::from_millis(50));
    house.store(3, |_| {}).await;
    house.until(|status| status.state == State::Retrying).await;
    assert_eq!(house.stop().await.tallies.delivered, 0);
    std::fs::remove_file(&place).unwrap();
    let house = House::start(data.path(), &kind, 4, GRACE);
    assert_eq!(house.stop().await.tallies.delivered, 3);
    assert_eq!(lines(&place.join("events.ndjson")).len(), 3);
}

#[tokio::test]
async fn what_a_sink_is_not_sent_stands_in_the_books_over_restarts() {
    let data = tempfile::tempdir().unwrap();
    let documents = yaml("house.yaml", "where: { path: /kept }\nsample: 50%\n").unwrap();
    let common = Common::read(&documents[0], &mut Problems::default());
    let mut house = House::start_choosy(data.path(), &Kind::default_file(), common, 1, GRACE);
    house
        .store(0, |batch| {
            for sequence in 1..=300 {
                let path = if sequence <= 200 { "/kept" } else { "/other" };
                let request = Some(Request { canonical_path: path.into(), ..Request::default() });
                let id = RecordId { epoch: EPOCH, sequence }.to_bytes().to_vec();
                batch.records.push(Record { id, request, ..Record::default() }.encode_to_vec());
            }
            batch.losses.push(Loss { first_seq: 301, count: 6, reason: 1 });
        })
        .await;
    let tallies = house.stop().await.tallies;
    assert_eq!((tallies.filtered, tallies.delivered + tallies.sampled_out, tallies.losses), (100, 200, 1));
    assert!((50..150).contains(&tallies.sampled_out), "{tallies:?}");
    assert_eq!(lines(&data.path().join("events.ndjson")).len() as u64, tallies.delivered + 1);
    let house = House::start(data.path(), &Kind::default_file(), 307, GRACE);
    let account = house.spool.handle().stat().readers[0].clone();
    assert_eq!((account.tally.left_out, account.pending.records), (100 + tallies.sampled_out, 0));
    assert_eq!(account.tally.delivered + account.tally.left_out, 300);
    house.stop().await;
}

fn problems(text: &str) -> String {
    let documents = yaml("house.yaml", text).unwrap();
    let mut problems = Problems::default();
    Kind::read("events", &documents[0], &mut problems);
    problems.to_string()
}

#[test]
fn a_sink_is_one_thing() {
    assert_eq!(problems("file: {}\nbehind: hold\n"), "");
    assert_eq!(problems("file: { path: /a/b.ndjson, rotate: { size: 1MiB, keep: 2 } }\n"), "");
    assert!(problems("{}").contains("sink `events` goes nowhere"));
    assert!(problems("file: {}\nkafka: {}\n").contains("is both `file` and `kafka`"));
    assert_eq!(problems("file: {}\nbehind: skip after 1GiB or 1h\n"), "");
    assert!(problems("file: { paht: /a }\n").contains("did you mean `path`?"));
    assert!(problems("file: { rotate: { size: 1KiB } }\n").contains("`size` is out of range"));
    assert!(problems("file: { rotate: { size: 100 } }\n").contains("has no unit"));
    assert!(problems("https: {}\n").contains("`url`"));
    assert!(problems("http: {}\n").contains("unknown field `http`"));
    assert_eq!(problems("file: { sync: never, rotate: { age: 1d, compress: gzip } }\n"), "");
    assert!(problems("file: { rotate: { age: 10s } }\n").contains("`age` is out of range"));
    assert!(problems("file: { rotate: { compress: zstd } }\n").contains("unknown word `zstd`"));
    assert!(problems("file: { sync: nevr }\n").contains("did you mean `never`?"));
}

#[tokio::test]
async fn a_sink_too_far_behind_skips_whole_segments_tells_of_the_gap_and_the_books_close() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join("away").join("events.ndjson");
    std::fs::write(data.path().join("away"), "no folder").unwrap();
    let behind = Behind::Skip { bytes: Some(1 << 20), age: None };
    let mut house = House::start_behind(data.path(), &to(&path), behind, 1, GRACE);
    for _ in 0..60 {
        let id = RecordId { epoch: EPOCH, sequence: house.next }.to_bytes().to_vec();
        let request = gatehouse_proto::v1::Request { path: "x".repeat(60_000), ..Default::default() };
        let record = Record { id, request: Some(request), ..Record::default() }.encode_to_vec();
        house.store(0, |batch| batch.records.push(record)).await;
    }
    let pending = |house: &House| house.spool.handle().stat().readers[0].pending.bytes;
    tokio::time::timeout(GRACE, async {
        while pending(&house) > 1 << 20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the sink skips while its peer is away");
    let skipped = house.spool.handle().stat().readers[0].tally.skipped;
    assert!(skipped > 30 && house.running.board.status().tallies.skipped_for_size == skipped, "{skipped}");

    // Another process tells of the gap: it is on disk.
    house.stop.cancel();
    let House { spool, running, .. } = house;
    running.task.abort();
    tokio::task::spawn_blocking(move || spool.close()).await.unwrap().unwrap();
    std::fs::remove_file(data.path().join("away")).unwrap();
    std::fs::create_dir(data.path().join("away")).unwrap();
    let house = House::start_behind(data.path(), &to(&path), behind, 61, GRACE);
    let handle = house.spool.handle();
    house.until(|status| status.tallies.delivered == 60 - skipped).await;
    let stat = handle.stat();
    let reader = &stat.readers[0];
    let booked = reader.tally.delivered + reader.tally.skipped + reader.pending.records;
    assert_eq!((booked, stat.records), (60, 60), "{reader:?}");
    house.stop().await;
    let lines = lines(&path);
    assert_eq!(lines.len() as u64, 1 + 60 - skipped, "one gap, then what is left");
    assert_eq!(lines[0]["metadata"]["event_code"], "gatehouse.gap");
    assert_eq!(
        (lines[0]["count"].as_u64(), lines[0]["unmapped"]["gatehouse"]["gap"]["first_frame"].as_u64()),
        (Some(skipped), Some(1))
    );
}

#[tokio::test]
async fn a_sink_that_holds_skips_nothing() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join("away").join("events.ndjson");
    std::fs::write(data.path().join("away"), "no folder").unwrap();
    let mut house = House::start(data.path(), &to(&path), 1, GRACE);
    house.store(5, |_| {}).await;
    house.until(|status| status.tallies.failures > 1).await;
    assert_eq!(house.spool.handle().stat().readers[0].pending.records, 5);
    std::fs::remove_file(data.path().join("away")).unwrap();
    std::fs::create_dir(data.path().join("away")).unwrap();
    let status = house.stop().await;
    assert_eq!((status.tallies.delivered, status.tallies.skipped), (5, 0));
}
