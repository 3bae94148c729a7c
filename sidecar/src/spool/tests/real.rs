//! On a real disk, with the real writer thread.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use gatehouse_stream::receiver::HighWater;
use tokio::runtime::Runtime;

use super::settings;
use crate::spool::{Settings, Spool, SpoolError, StoreError, Tally};

const KIB_64: usize = 64 * 1024;

fn big(readers: &[&str]) -> Settings {
    Settings { segment_bytes: 1 << 20, total_bytes: 8 << 20, ..settings(readers) }
}

fn mark(durable_seq: u64) -> HighWater {
    HighWater { epoch: 9, durable_seq, stored: durable_seq, last_ms: 5, ..HighWater::default() }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_was_stored_is_read_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("data").join("spool");
    let runtime = Runtime::new().unwrap();
    let (spool, recovered) = Spool::open(&dir, big(&["file", "kafka"])).unwrap();
    assert_eq!(recovered.frames, 0);
    let handle = spool.handle();
    runtime.block_on(async {
        let mut file = handle.reader("file").unwrap();
        for seq in 0..40u64 {
            let stored = handle.store(vec![7; KIB_64], 10, seq * 10, mark(seq * 10 + 10)).await;
            assert_eq!(stored, Ok(seq + 1));
        }
        assert!(file.wait_for_more().await);
        let frames = file.read(10 * KIB_64).unwrap();
        assert_eq!((frames.len(), frames[0].records, frames[0].taken_ms), (10, 10, 5));
        assert!(frames.iter().all(|frame| frame.payload == vec![7; KIB_64]));
        file.commit(10, Tally { delivered: 90, dead_lettered: 7, skipped: 3, left_out: 0 });
        assert_eq!(file.pending().records, 300);
    });
    spool.close().unwrap();
    assert_eq!(runtime.block_on(handle.store(vec![1], 1, 400, mark(401))), Err(StoreError::Closed));

    let (spool, recovered) = Spool::open(&dir, big(&["file", "kafka"])).unwrap();
    assert_eq!((recovered.frames, recovered.records), (40, 400));
    assert_eq!(recovered.high_waters, [mark(400)]);
    let stat = spool.handle().stat();
    assert_eq!(stat.readers[0].tally, Tally { delivered: 90, dead_lettered: 7, skipped: 3, left_out: 0 });
    assert_eq!((stat.readers[0].pending.records, stat.readers[1].pending.records), (300, 400));
    let mut file = spool.handle().reader("file").unwrap();
    assert_eq!(file.read(1).unwrap()[0].seq, 11);
    spool.close().unwrap();
}

#[test]
fn waiting_ends_with_a_frame_or_with_the_spool() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let (spool, _) = Spool::open(dir.path(), big(&["file"])).unwrap();
    let handle = spool.handle();
    let mut file = handle.reader("file").unwrap();
    runtime.block_on(async {
        let waiting = tokio::spawn(async move {
            assert!(file.wait_for_more().await);
            let frames = file.read(1).unwrap();
            assert_eq!(frames[0].payload, [1, 2, 3]);
            file.wait_for_more().await
        });
        handle.store(vec![1, 2, 3], 1, 0, mark(1)).await.unwrap();
        tokio::task::spawn_blocking(|| spool.close().unwrap()).await.unwrap();
        assert!(!waiting.await.unwrap());
    });
}

#[test]
fn many_at_once_share_syncs_and_keep_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let (spool, _) = Spool::open(dir.path(), big(&["file"])).unwrap();
    let handle = spool.handle();
    runtime.block_on(async {
        let mut stores = Vec::new();
        for seq in 0..500u64 {
            let handle = handle.clone();
            let store = async move { handle.store(seq.to_le_bytes().to_vec(), 1, seq, mark(seq + 1)).await };
            stores.push(store);
        }
        let stored = tokio::task::JoinSet::from_iter(stores).join_all().await;
        assert!(stored.iter().all(Result::is_ok));
    });
    let mut file = handle.reader("file").unwrap();
    let frames = file.read(usize::MAX).unwrap();
    assert_eq!(frames.iter().map(|frame| frame.seq).collect::<Vec<_>>(), (1..=500).collect::<Vec<_>>());
    spool.close().unwrap();
}

#[test]
fn a_second_house_on_the_folder_is_told_who_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(dir.path(), big(&[])).unwrap();
    let Err(error) = Spool::open(dir.path(), big(&[])) else { panic!("opened twice") };
    assert!(matches!(error, SpoolError::Locked { pid: Some(pid), .. } if pid == std::process::id()), "{error}");
    spool.close().unwrap();
    Spool::open(dir.path(), big(&[])).unwrap().0.close().unwrap();
}

#[test]
fn nobody_else_can_look_in() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("spool");
    let (spool, _) = Spool::open(&dir, big(&["file"])).unwrap();
    Runtime::new().unwrap().block_on(spool.handle().store(vec![1], 1, 0, mark(1))).unwrap();
    assert_eq!(mode(&dir), 0o700);
    for file in std::fs::read_dir(&dir).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
    spool.close().unwrap();
}

#[test]
fn a_sink_that_is_gone_holds_nothing_back_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    Spool::open(dir.path(), big(&["file", "kafka"])).unwrap().0.close().unwrap();
    let (spool, recovered) = Spool::open(dir.path(), big(&["file"])).unwrap();
    assert_eq!(recovered.orphans, ["kafka"]);
    let handle = spool.handle();
    Runtime::new().unwrap().block_on(handle.store(vec![1], 1, 0, mark(1))).unwrap();
    let mut file = handle.reader("file").unwrap();
    let last = file.read(1).unwrap().pop().unwrap();
    file.commit(last.seq, Tally { delivered: 1, ..Tally::default() });
    drop(file);
    spool.close().unwrap();
    let (spool, recovered) = Spool::open(dir.path(), big(&["other"])).unwrap();
    assert_eq!(recovered.orphans.len(), 2, "{:?}", recovered.orphans);
    assert!(matches!(spool.handle().reader("file"), Err(SpoolError::UnknownReader { .. })));
    let one = spool.handle().reader("other").unwrap();
    assert!(matches!(spool.handle().reader("other"), Err(SpoolError::ReaderTaken { .. })));
    drop(one);
    spool.handle().reader("other").unwrap();
    spool.close().unwrap();
}

#[test]
fn settings_that_cannot_be_are_refused_with_what_would_be_right() {
    let dir = tempfile::tempdir().unwrap();
    let wrong = [
        Settings { segment_bytes: 1000, ..big(&[]) },
        Settings { total_bytes: 3 << 20, ..big(&[]) },
        big(&["Kafka"]),
        big(&["file", "file"]),
        big(&["../file"]),
    ];
    for settings in wrong {
        let refused = Spool::open(dir.path(), settings.clone());
        assert!(matches!(refused, Err(SpoolError::Settings { .. })), "{settings:?}");
    }
}
