//! A full disk and a full spool: refused, told by the budget, and over as soon as there is room. What overtakes a refused batch
//! is refused too.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use super::sim::SimDisk;
use super::{SEGMENT_BYTES, drain, entry, open, reader};
use crate::spool::disk::Disk;
use crate::spool::log::Log;
use crate::spool::writer::{Command, Job, Writer};
use crate::spool::{StoreError, Tally};

fn fill(log: &mut Log) -> u64 {
    let mut stored = 0;
    while log.append(&[entry(stored + 1, 2000, 1)]).is_ok() {
        stored += 1;
    }
    stored
}

#[test]
fn a_full_spool_refuses_and_resumes_when_the_reader_has_passed() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1, 100 * SEGMENT_BYTES));
    let mut log = open(&disk, &["file"]);
    let stored = fill(&mut log);
    assert_eq!(log.append(&[entry(500, 2000, 1)]), Err(StoreError::Full));
    let stat = log.shared.lock().stat();
    assert!(stat.full && stat.free_bytes < 2200 && stat.bytes <= 8 * SEGMENT_BYTES, "{stat:?}");

    let mut file = reader(&log, "file");
    assert_eq!(drain(&mut file), (1..=stored).collect::<Vec<_>>());
    file.commit(stored, Tally { delivered: stored, ..Tally::default() });
    log.save_cursors();
    let stat = log.shared.lock().stat();
    assert!(!stat.full && stat.free_bytes > 4 * SEGMENT_BYTES, "{stat:?}");
    assert_eq!(stat.segments, 1);
    assert_eq!(log.append(&[entry(501, 2000, 1)]), Ok(stored + 1));
}

#[test]
fn a_full_disk_leaves_one_segment_to_fill_and_is_asked_again() {
    let sim = SimDisk::new(1, 100 * SEGMENT_BYTES);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let mut log = open(&disk, &["file"]);
    log.append(&[entry(1, 2000, 1)]).unwrap();
    sim.set_capacity(0);
    let reserve = log.shared.lock().stat().free_bytes;
    let stored = 1 + fill(&mut log);
    assert!(stored > SEGMENT_BYTES / 2200, "{stored} frames found room in what was made ahead");
    assert!(reserve > SEGMENT_BYTES);
    assert_eq!(log.append(&[entry(500, 2000, 1)]), Err(StoreError::Full));

    sim.set_capacity(100 * SEGMENT_BYTES);
    log.tend();
    assert!(!log.shared.lock().stat().full);
    assert!(log.append(&[entry(501, 2000, 1)]).is_ok());
}

#[test]
fn cursors_are_saved_on_a_full_disk() {
    let sim = SimDisk::new(1, 100 * SEGMENT_BYTES);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let mut log = open(&disk, &["file"]);
    let stored = fill(&mut log);
    sim.set_capacity(0);
    let mut file = reader(&log, "file");
    drain(&mut file);
    file.commit(stored, Tally { delivered: stored, ..Tally::default() });
    log.save_cursors();
    assert_eq!(log.shared.lock().stat().failed_cursors, 0);
    drop((file, log));
    sim.lose_power();
    sim.set_capacity(100 * SEGMENT_BYTES);
    assert_eq!(open(&disk, &["file"]).shared.lock().reader("file").unwrap().committed.seq, stored);
}

#[test]
fn without_a_reader_segments_go_as_they_fill() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1, 100 * SEGMENT_BYTES));
    let mut log = open(&disk, &[]);
    for id in 1..200 {
        log.append(&[entry(id, 2000, 1)]).unwrap();
    }
    assert_eq!(log.shared.lock().stat().segments, 1);
}

#[test]
fn a_failed_sync_seals_the_segment_and_stores_in_the_next() {
    let sim = SimDisk::new(1, 100 * SEGMENT_BYTES);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let mut log = open(&disk, &["file"]);
    log.append(&[entry(1, 100, 1)]).unwrap();
    sim.fail_after(1);
    assert_eq!(log.append(&[entry(2, 100, 1)]), Ok(2));
    let stat = log.shared.lock().stat();
    assert_eq!((stat.failed_syncs, stat.segments), (1, 2));
    assert_eq!(drain(&mut reader(&log, "file")), [1, 2]);
}

/// A batch of epoch 1 that begins at `first_seq`, and where its answer arrives.
fn job(first_seq: u64, bytes: usize) -> (Command, oneshot::Receiver<Result<u64, StoreError>>) {
    let (done, answer) = oneshot::channel();
    let share = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    let job = Job { entry: entry(first_seq + 1, bytes, 1), first_seq, done, _share: share };
    (Command::Store(job), answer)
}

#[test]
fn a_batch_behind_a_refused_one_is_refused_until_the_gap_is_resent() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1, 100 * SEGMENT_BYTES));
    let log = open(&disk, &["file"]);
    let limit = log.max_payload();
    let (commands, queue) = mpsc::channel();
    let mut answers = Vec::new();
    // Too large in the middle: it and what follows are refused; then all is sent again, in a form that fits.
    for (first_seq, bytes) in [(0, 100), (10, limit + 1), (20, 100), (10, 100), (20, 100)] {
        let (command, answer) = job(first_seq, bytes);
        commands.send(command).unwrap();
        answers.push(answer);
    }
    commands.send(Command::Close).unwrap();
    Writer::new(log, queue, Duration::ZERO).run();
    let answers: Vec<_> = answers.into_iter().map(|mut answer| answer.try_recv().unwrap()).collect();
    let too_large = StoreError::TooLarge { bytes: limit + 1, limit };
    assert_eq!(answers, [Ok(1), Err(too_large), Err(StoreError::AfterRefused), Ok(2), Ok(3)]);
}
