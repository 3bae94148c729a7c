//! A spool looked at from outside, on a real disk: while a house writes to it, after a kill, and damaged.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::{entry, id, settings};
use crate::spool::disk::RealDisk;
use crate::spool::log::Log;
use crate::spool::{Inspection, Spool, SpoolError, Tally};

/// A log of 20 groups of two frames that was not closed, as a kill leaves it.
fn killed(dir: &Path) {
    let disk = std::sync::Arc::new(RealDisk::open(dir).unwrap());
    let (mut log, _) = Log::open(disk, &settings(&["file"])).unwrap();
    for group in 0..20 {
        log.append(&[entry(group * 2 + 1, 1000, 3), entry(group * 2 + 2, 1000, 3)]).unwrap();
    }
    let mut reader = super::reader(&log, "file");
    reader.read(5000).unwrap();
    reader.commit(4, Tally { delivered: 12, ..Tally::default() });
    log.save_cursors();
}

fn ids(inspection: &Inspection, from: u64) -> Vec<u64> {
    let mut reader = inspection.frames(from).unwrap();
    let mut ids = Vec::new();
    loop {
        let frames = reader.read(10_000).unwrap();
        if frames.is_empty() {
            return ids;
        }
        ids.extend(frames.iter().map(|frame| id(&frame.payload)));
    }
}

fn content(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn what_a_killed_house_left_is_told_and_nothing_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    killed(dir.path());
    let before = content(dir.path());
    let found = Inspection::open(dir.path()).unwrap();
    assert_eq!((found.frames, found.records, found.last_seq), (40, 120, 40));
    assert_eq!((found.unproven_frames, found.truncated_bytes, found.is_damaged()), (2, 0, false));
    assert_eq!((found.readers[0].seq, found.readers[0].pending.records), (4, 108));
    assert_eq!(found.running, None);
    assert_eq!(ids(&found, 1), (1..=40).collect::<Vec<_>>());
    assert_eq!(ids(&found, 17), (17..=40).collect::<Vec<_>>());
    assert!(content(dir.path()) == before, "something was written");
}

#[test]
fn damage_is_told_as_a_start_would_find_it() {
    let dir = tempfile::tempdir().unwrap();
    killed(dir.path());
    let mut segments: Vec<_> =
        content(dir.path()).into_iter().filter(|(path, _)| path.extension().is_some_and(|end| end == "seg")).collect();
    let (path, bytes) = segments.swap_remove(0);
    let wanted = entry(7, 1000, 3).payload;
    let at = bytes.windows(wanted.len()).position(|window| window == wanted).unwrap();
    File::options().write(true).open(path).unwrap().write_all_at(b"rot", u64::try_from(at + 500).unwrap()).unwrap();
    File::options().write(true).open(dir.path().join("file.cursor")).unwrap().set_len(0).unwrap();

    let found = Inspection::open(dir.path()).unwrap();
    assert!(found.is_damaged());
    assert_eq!((found.set_aside.files, found.set_aside.frames, found.set_aside.records), (1, 1, 3));
    assert_eq!(found.broken_cursors, ["file"]);
    assert_eq!(ids(&found, 1), (1..=40).filter(|&id| id != 7).collect::<Vec<_>>());
    assert!(found.bad_files.is_empty());
    let told = found.set_aside;
    drop(found);

    let (spool, recovered) = Spool::open(dir.path(), settings(&["file"])).unwrap();
    assert_eq!((recovered.set_aside, recovered.records), (told, 120), "the start does what was told");
    spool.close().unwrap();
    let bad = Inspection::open(dir.path()).unwrap().bad_files;
    assert!(bad.len() == 2 && bad.contains(&"file.cursor.bad".to_owned()), "{bad:?}");
}

#[test]
fn a_house_at_work_is_not_disturbed() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(dir.path(), settings(&["file"])).unwrap();
    let handle = spool.handle();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let writing = std::thread::spawn(move || {
        runtime.block_on(async {
            let mut reader = handle.reader("file").unwrap();
            for id in 1..=400 {
                let one = entry(id, 1000, 1);
                handle.store(one.payload, 1, id, one.high_water).await.unwrap();
                let read = reader.read(1000).unwrap();
                reader.commit(read.last().unwrap().seq, Tally { delivered: 1, ..Tally::default() });
            }
        });
    });
    let mut looks = 0;
    while !writing.is_finished() || looks == 0 {
        let found = match Inspection::open(dir.path()) {
            Err(SpoolError::NoSpool { .. }) => continue,
            found => found.unwrap(),
        };
        assert_eq!(found.running, Some(std::process::id()));
        assert!(!found.is_damaged(), "{found:?}");
        looks += 1;
    }
    writing.join().unwrap();
    spool.close().unwrap();
    let found = Inspection::open(dir.path()).unwrap();
    assert_eq!((found.records, found.running), (400, None));
}

#[test]
fn a_folder_without_a_spool_is_said() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Inspection::open(dir.path()), Err(SpoolError::NoSpool { .. })));
    assert!(matches!(Inspection::open(&dir.path().join("no")), Err(SpoolError::Io { .. })));
}
