//! Rotation, torn lines, moved files, and a file that cannot grow.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_proto::v1::{Batch, Record, Request};
use gatehouse_verdict::record::RecordId;
use prost::Message as _;

use super::{FileSink, Rotate};
use crate::sink::Sink as _;
use crate::sink::common::Common;
use crate::sink::file::{Config, Durability};
use crate::sink::parcel::{Parcel, Progress};
use crate::spool::Frame;

fn parcel(from: u64, count: u64) -> Arc<Parcel> {
    let record = |sequence| {
        let id = RecordId { epoch: 1, sequence }.to_bytes().to_vec();
        let request = Some(Request { path: "/p".repeat(200), ..Request::default() });
        Record { id, request, ..Record::default() }.encode_to_vec()
    };
    let records = (from..from + count).map(record).collect();
    let payload = Batch { epoch: 1, first_seq: from, records, ..Batch::default() }.encode_to_vec();
    let mut parcel = Parcel::default();
    parcel.push(&Frame { seq: 1, records: u32::try_from(count).unwrap(), taken_ms: 1, payload }, &Common::default());
    Arc::new(parcel)
}

fn sink(path: &Path, rotate: Rotate) -> FileSink {
    FileSink::new(&Config { path: Some(path.into()), rotate, ..Config::default() }, "events", Path::new("/nowhere"))
}

async fn deliver(sink: &mut FileSink, parcel: &Arc<Parcel>) -> Result<(), String> {
    let mut progress = Progress::of(parcel);
    let result = sink.deliver(parcel, &mut progress).await.map_err(|trouble| trouble.message().to_owned());
    assert_eq!(result.is_ok(), progress.pending.is_empty());
    result
}

/// Sequences in a file, each line checked to be whole JSON.
fn sequences(path: &Path) -> Vec<u64> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    let sequence = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event["unmapped"]["gatehouse"]["sequence"].as_u64().unwrap()
    };
    text.lines().map(sequence).collect()
}

fn files(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
}

#[tokio::test]
async fn files_are_put_aside_by_size_and_only_so_many_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/events.ndjson");
    let rotate = Rotate { size: 10_000, keep: 3, ..Rotate::default() };
    let mut sink = sink(&path, rotate);
    let all = parcel(1, 100);
    deliver(&mut sink, &all).await.unwrap();
    let folder = path.parent().unwrap();
    assert_eq!(files(folder), ["events.ndjson", "events.ndjson.1", "events.ndjson.2", "events.ndjson.3"]);
    let oldest_first = ["events.ndjson.3", "events.ndjson.2", "events.ndjson.1", "events.ndjson"];
    let kept: Vec<u64> = oldest_first.iter().flat_map(|name| sequences(&folder.join(name))).collect();
    assert_eq!(kept, (101 - kept.len() as u64..=100).collect::<Vec<_>>(), "the newest, in order, without a gap");
    for name in oldest_first {
        assert!(std::fs::metadata(folder.join(name)).unwrap().len() <= rotate.size);
    }
}

#[tokio::test]
async fn an_event_larger_than_a_file_stands_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    deliver(&mut sink(&path, Rotate { size: 1, keep: 2, ..Rotate::default() }), &parcel(1, 3)).await.unwrap();
    assert_eq!((sequences(&path), files(folder.path()).len()), (vec![3], 3));
}

#[tokio::test]
async fn an_old_file_is_put_aside_by_the_next_event_and_not_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    let mut events = sink(&path, Rotate { age: Some(Duration::from_secs(3600)), ..Rotate::default() });
    deliver(&mut events, &parcel(1, 1)).await.unwrap();
    deliver(&mut events, &parcel(2, 1)).await.unwrap();
    assert_eq!((sequences(&path), files(folder.path()).len()), (vec![1, 2], 1), "it is young");
    drop(events);
    let mut events = sink(&path, Rotate { age: Some(Duration::ZERO), ..Rotate::default() });
    deliver(&mut events, &parcel(3, 1)).await.unwrap();
    assert_eq!((sequences(&path), sequences(&folder.path().join("events.ndjson.1"))), (vec![3], vec![1, 2]));
    assert_eq!(files(folder.path()).len(), 2, "a new file holds nothing, so it is not put aside at once");
}

#[tokio::test]
async fn the_age_of_a_file_outlives_the_house() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    let age = Duration::from_millis(50);
    let rotate = Rotate { age: Some(age), ..Rotate::default() };
    deliver(&mut sink(&path, rotate), &parcel(1, 1)).await.unwrap();
    while std::fs::metadata(&path).unwrap().created().unwrap().elapsed().unwrap() < age {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    deliver(&mut sink(&path, rotate), &parcel(2, 1)).await.unwrap();
    assert_eq!((sequences(&path), sequences(&folder.path().join("events.ndjson.1"))), (vec![2], vec![1]));
}

#[tokio::test]
async fn files_put_aside_are_compressed_while_events_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    let rotate = Rotate { size: 10_000, keep: 200, compress: true, ..Rotate::default() };
    let mut sink = sink(&path, rotate);
    for from in [1, 41, 81] {
        deliver(&mut sink, &parcel(from, 40)).await.unwrap();
    }
    let plain = |name: &String| name != "events.ndjson" && !name.ends_with(".gz");
    while files(folder.path()).iter().any(plain) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let aside = u32::try_from(files(folder.path()).len() - 1).unwrap();
    assert!(aside > 3, "{aside}");
    let unpacked = folder.path().join("unpacked");
    for number in (1..=aside).rev() {
        let file = std::fs::File::open(folder.path().join(format!("events.ndjson.{number}.gz"))).unwrap();
        let mut all = std::fs::OpenOptions::new().create(true).append(true).open(&unpacked).unwrap();
        std::io::copy(&mut flate2::read::GzDecoder::new(file), &mut all).unwrap();
    }
    let all = [sequences(&unpacked), sequences(&path)].concat();
    assert_eq!(all, (1..=120).collect::<Vec<_>>(), "every event once, in order");
}

#[tokio::test]
async fn a_sink_that_need_not_sync_still_cuts_off_what_was_torn() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    let config = Config { path: Some(path.clone()), sync: Durability::Never, ..Config::default() };
    let mut events = FileSink::new(&config, "events", Path::new("/nowhere"));
    deliver(&mut events, &parcel(1, 2)).await.unwrap();
    drop(events);
    std::fs::write(&path, [std::fs::read(&path).unwrap(), b"{\"torn".to_vec()].concat()).unwrap();
    let mut events = FileSink::new(&config, "events", Path::new("/nowhere"));
    deliver(&mut events, &parcel(3, 1)).await.unwrap();
    assert_eq!(sequences(&path), [1, 2, 3]);
}

#[tokio::test]
async fn what_a_crash_left_after_the_last_line_end_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    deliver(&mut sink(&path, Rotate::default()), &parcel(1, 2)).await.unwrap();
    let mut torn = std::fs::read(&path).unwrap();
    torn.extend_from_slice(b"{\"torn\":\"");
    torn.resize(torn.len() + 200_000, b'x');
    std::fs::write(&path, torn).unwrap();
    deliver(&mut sink(&path, Rotate::default()), &parcel(3, 1)).await.unwrap();
    assert_eq!(sequences(&path), [1, 2, 3]);
}

#[tokio::test]
async fn a_file_moved_away_by_others_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("events.ndjson"), folder.path().join("yesterday"));
    let mut sink = sink(&path, Rotate::default());
    deliver(&mut sink, &parcel(1, 2)).await.unwrap();
    std::fs::rename(&path, &moved).unwrap();
    deliver(&mut sink, &parcel(3, 1)).await.unwrap();
    assert_eq!((sequences(&moved), sequences(&path)), (vec![1, 2], vec![3]));
    std::fs::remove_file(&path).unwrap();
    deliver(&mut sink, &parcel(4, 1)).await.unwrap();
    assert_eq!(sequences(&path), [4]);
}

#[tokio::test]
async fn a_file_that_another_process_writes_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    let mut first = sink(&path, Rotate::default());
    deliver(&mut first, &parcel(1, 1)).await.unwrap();
    let mut second = sink(&path, Rotate::default());
    let error = deliver(&mut second, &parcel(2, 1)).await.unwrap_err();
    assert!(error.contains("another process writes this file"), "{error}");
    drop(first);
    deliver(&mut second, &parcel(2, 1)).await.unwrap();
    assert_eq!(sequences(&path), [1, 2]);
}

/// Writes through a soft limit on file sizes, which cuts a write in the middle as a full disk does, then lifts it.
async fn write_against_the_limit(path: &Path) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut sink = sink(path, Rotate::default());
    deliver(&mut sink, &parcel(1, 10)).await.unwrap();
    let big = parcel(11, 100);
    for _ in 0..3 {
        let error = deliver(&mut sink, &big).await.unwrap_err();
        assert!(error.contains("cannot write") && error.contains("large"), "{error}");
        assert_eq!(sequences(path), (1..=10).collect::<Vec<_>>(), "nothing torn stays on a full disk");
    }
    let mut limit = getrlimit(Resource::Fsize);
    limit.current = limit.maximum;
    setrlimit(Resource::Fsize, limit).unwrap();
    deliver(&mut sink, &big).await.unwrap();
    assert_eq!(sequences(path), (1..=110).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_file_that_cannot_grow_loses_nothing_and_tears_no_line() {
    const INNER: &str = "GATEHOUSE_TEST_FILE_LIMIT";
    if let Some(path) = std::env::var_os(INNER) {
        return write_against_the_limit(Path::new(&path)).await;
    }
    // The limit holds for a whole process, so this test runs itself in one of its own; the signal that comes with the
    // limit is ignored there, as the shell hands down what it traps with nothing.
    let folder = tempfile::tempdir().unwrap();
    let name = std::thread::current().name().unwrap().to_owned();
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -S -f 64; exec \"$0\" --exact \"$1\" --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .arg(name)
        .env(INNER, folder.path().join("events.ndjson"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let whole = sequences(&folder.path().join("events.ndjson"));
    assert_eq!(whole.len(), 110);
}
