//! Bytes that rot: passed over, counted, put aside; never a reason to stop, and never taken for something else.

use std::sync::Arc;

use proptest::prelude::*;

use super::sim::SimDisk;
use super::{SEGMENT_BYTES, drain, entry, id, open, reader, settings};
use crate::spool::disk::Disk;
use crate::spool::log::Log;
use crate::spool::{Frame, Tally};

/// A spool of `groups` groups of two frames of 1,000 bytes and 3 records, shut down in order.
fn filled(groups: u64) -> (SimDisk, Arc<dyn Disk>) {
    let sim = SimDisk::new(7, 20 * SEGMENT_BYTES);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let mut log = open(&disk, &["file"]);
    for group in 0..groups {
        log.append(&[entry(group * 2 + 1, 1000, 3), entry(group * 2 + 2, 1000, 3)]).unwrap();
    }
    log.close();
    (sim, disk)
}

fn segments(disk: &Arc<dyn Disk>) -> Vec<String> {
    let mut names: Vec<_> = disk.names().unwrap().into_iter().filter(|name| name.ends_with(".seg")).collect();
    names.sort();
    names
}

/// Where the payload that bears `id` stands in a file.
fn place_of(content: &[u8], wanted: u64) -> usize {
    let payload = entry(wanted, 1000, 3).payload;
    content.windows(payload.len()).position(|window| window == payload).unwrap()
}

#[test]
fn a_flipped_byte_costs_its_frame_and_no_other() {
    let (sim, disk) = filled(20);
    let name = segments(&disk).remove(0);
    let mut content = sim.content(&name);
    let at = place_of(&content, 3);
    content[at + 500] ^= 1;
    sim.put(&name, content);

    let (log, recovered) = Log::open(Arc::clone(&disk), &settings(&["file"])).unwrap();
    assert_eq!((recovered.set_aside.frames, recovered.set_aside.records), (1, 3));
    assert_eq!(recovered.set_aside.files, 1);
    assert!(disk.names().unwrap().iter().any(|name| name.ends_with(".bad")));
    let mut file = reader(&log, "file");
    let ids = drain(&mut file);
    assert_eq!(ids, (1..=40).filter(|&id| id != 3).collect::<Vec<_>>());
    file.commit(40, Tally { delivered: 39 * 3, ..Tally::default() });
    let stat = log.shared.lock().stat();
    assert_eq!((stat.records, stat.readers[0].set_aside, stat.readers[0].pending.records), (120, 3, 0));
}

#[test]
fn a_second_start_writes_no_second_bad_file() {
    let (sim, disk) = filled(20);
    let name = segments(&disk).remove(0);
    let mut content = sim.content(&name);
    let at = place_of(&content, 3);
    content[at] ^= 1;
    sim.put(&name, content);
    open(&disk, &["file"]).close();
    let names = disk.names().unwrap().len();
    let (_, recovered) = Log::open(Arc::clone(&disk), &settings(&["file"])).unwrap();
    assert_eq!(recovered.set_aside.files, 0);
    // The reserve of the log that is open has come; nothing else.
    assert_eq!(disk.names().unwrap().len(), names + 1);
}

#[test]
fn a_broken_length_does_not_take_the_rest_along() {
    let (sim, disk) = filled(20);
    let name = segments(&disk).remove(0);
    let mut content = sim.content(&name);
    let head = place_of(&content, 3) - 96 - 20;
    content[head..head + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    sim.put(&name, content);
    let log = open(&disk, &["file"]);
    assert_eq!(drain(&mut reader(&log, "file")), (1..=40).filter(|&id| id != 3).collect::<Vec<_>>());
}

#[test]
fn a_lost_header_costs_nothing_but_itself() {
    let (sim, disk) = filled(20);
    for name in segments(&disk) {
        let mut content = sim.content(&name);
        content[..30].fill(0xff);
        sim.put(&name, content);
    }
    let (log, recovered) = Log::open(Arc::clone(&disk), &settings(&["file"])).unwrap();
    assert_eq!(recovered.high_waters.first().map(|high| high.durable_seq), Some(40));
    assert_eq!(drain(&mut reader(&log, "file")), (1..=40).collect::<Vec<_>>());
}

#[test]
fn a_segment_of_rubbish_is_taken_away_and_counted() {
    let (sim, disk) = filled(20);
    let name = segments(&disk).remove(1);
    sim.put(&name, vec![0xa5; 5000]);
    let (log, recovered) = Log::open(Arc::clone(&disk), &settings(&["file"])).unwrap();
    assert!(recovered.set_aside.frames > 0);
    assert_eq!(recovered.set_aside.records, recovered.set_aside.frames * 3);
    assert!(!disk.names().unwrap().contains(&name));
    let read = drain(&mut reader(&log, "file")).len();
    assert_eq!(u64::try_from(read).unwrap() + recovered.set_aside.frames, 40);
}

#[test]
fn an_unreadable_cursor_begins_at_the_oldest_frame() {
    let (sim, disk) = filled(4);
    let mut log = open(&disk, &["file"]);
    let mut file = reader(&log, "file");
    file.read(1).unwrap();
    file.commit(1, Tally { delivered: 3, ..Tally::default() });
    log.close();
    drop(file);
    sim.put("file.cursor", vec![0x5a; 8192]);
    let log = open(&disk, &["file"]);
    assert_eq!(drain(&mut reader(&log, "file")), (1..=8).collect::<Vec<_>>());
}

#[test]
fn one_rotten_slot_leaves_the_other() {
    let (sim, disk) = filled(4);
    let mut log = open(&disk, &["file"]);
    let mut file = reader(&log, "file");
    for seq in 1..=2 {
        file.read(1).unwrap();
        file.commit(seq, Tally { delivered: 3, ..Tally::default() });
        log.save_cursors();
    }
    drop((file, log));
    let content = sim.content("file.cursor");
    for slot in [0, 4096] {
        let mut one = content.clone();
        one[slot + 20] ^= 1;
        sim.put("file.cursor", one);
        let log = open(&disk, &["file"]);
        let at = log.shared.lock().reader("file").unwrap().committed.seq;
        assert!(at == 1 || at == 2, "{at}");
    }
}

#[test]
fn sequences_that_a_cursor_knows_are_not_given_out_again() {
    let (_, disk) = filled(4);
    let mut log = open(&disk, &["file"]);
    let mut file = reader(&log, "file");
    let frames: Vec<Frame> = std::iter::from_fn(|| file.read(1).unwrap().pop()).collect();
    file.commit(frames.last().unwrap().seq, Tally { delivered: 24, ..Tally::default() });
    log.close();
    drop(file);
    for name in segments(&disk) {
        disk.remove(&name).unwrap();
    }
    let mut log = open(&disk, &["file"]);
    assert_eq!(log.append(&[entry(99, 100, 1)]).unwrap(), 9);
    assert_eq!(drain(&mut reader(&log, "file")), [99]);
    assert_eq!(log.shared.lock().stat().records, 25);
}

proptest! {
    #[test]
    fn whatever_rots_the_rest_is_told_in_order_and_the_books_close(
        hits in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1usize..600, any::<u8>()), 1..6)
    ) {
        let (sim, disk) = filled(30);
        for (segment, place, len, byte) in hits {
            let names = segments(&disk);
            let name = &names[segment.index(names.len())];
            let mut content = sim.content(name);
            let from = place.index(content.len());
            let to = (from + len).min(content.len());
            content[from..to].fill(byte);
            sim.put(name, content);
        }
        for _ in 0..2 {
            let (mut log, _) = Log::open(Arc::clone(&disk), &settings(&["file"])).unwrap();
            let mut file = reader(&log, "file");
            let mut last = 0;
            let mut delivered = 0;
            loop {
                let frames = file.read(3000).unwrap();
                for frame in &frames {
                    let found = id(&frame.payload);
                    prop_assert!(frame.seq > last);
                    prop_assert_eq!(&frame.payload, &entry(found, frame.payload.len(), 3).payload);
                    last = frame.seq;
                    delivered += 3;
                }
                if frames.is_empty() && file.read(1).unwrap().is_empty() {
                    break;
                }
            }
            file.commit(last, Tally { delivered, ..Tally::default() });
            let stat = log.shared.lock().stat();
            let file_stat = &stat.readers[0];
            prop_assert_eq!(file_stat.before + delivered + file_stat.set_aside + file_stat.pending.records, stat.records);
            // It goes on: a fresh frame is stored and read.
            log.append(&[entry(1000, 50, 3)]).unwrap();
            prop_assert_eq!(drain(&mut file), [1000]);
            // Without a commit on disk the second start begins at the same place.
        }
    }
}
