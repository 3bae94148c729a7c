//! A spool segment as a disk may give it back: the scan ends, moves only forward and gives only frames that were written, all of
//! them where nothing is damaged; header, account and cursor are refused or written back as they were read.
//!
//! The input says what is written and what is damaged, but its own bytes stand in no segment: a checksum finds accidents, not
//! forgeries, and libFuzzer writes a right CRC as soon as it has seen one compared. What a forger could bring about is tried
//! without a segment (`read_alone`) and by scanning the input itself, where nothing is asked of the frames.

#[path = "../../../../sidecar/src/spool/format.rs"]
#[allow(dead_code, reason = "the sidecar's own file, of which this uses a part")]
mod format;
#[path = "../../../../sidecar/src/spool/scan.rs"]
#[allow(dead_code, reason = "the sidecar's own file, of which this uses a part")]
mod scan;
#[path = "../../../../sidecar/src/spool/types.rs"]
#[allow(dead_code, reason = "the sidecar's own file, of which this uses a part")]
mod types;

use std::sync::Arc;

use gatehouse_stream::receiver::HighWater;

use self::format::{Account, Cursor, Head, Header, Kind, put_batch, put_commit};
use self::scan::{Scan, Step, wide};
use crate::given::Dice;

/// Largest payload of a frame.
const MAX_LEN: usize = 4096;

/// What the scan asks of a disk.
mod disk {
    use std::io;

    pub(super) trait DiskFile: Send + Sync {
        fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;
    }

    impl DiskFile for Vec<u8> {
        fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
            let part = &self[from..self.len().min(from + into.len())];
            into[..part.len()].copy_from_slice(part);
            Ok(part.len())
        }
    }
}

/// Frames to write, and what becomes of the bytes: one byte each, and its numbers.
pub fn check(bytes: &[u8]) {
    read_alone(bytes);
    passed_over(bytes);
    let mut dice = Dice(bytes);
    let (mut segment, mut written, mut whole) = (Vec::new(), Vec::new(), true);
    let mut seq = 0;
    while !dice.is_empty() {
        match dice.byte() % 8 {
            0..=3 => {
                seq += 1;
                let payload = noise(&mut dice);
                let account = Account { total: seq, high_water: HighWater { epoch: seq, ..HighWater::default() } };
                put_batch(&mut segment, seq, u32::from(dice.byte()), &account, &payload);
                written.push((seq, payload));
            }
            4 => put_commit(&mut segment, seq),
            5 => {
                segment.extend_from_slice(&noise(&mut dice));
                whole = false;
            }
            6 if !segment.is_empty() => {
                let at = dice.below(segment.len());
                segment[at] ^= dice.byte();
                whole = false;
            }
            _ => {
                segment.truncate(segment.len() - segment.len().min(usize::from(dice.byte() % 64)));
                whole = false;
            }
        }
    }
    let found = scanned(&segment);
    let mut rest = written.iter();
    for (seq, payload) in &found {
        assert!(rest.any(|(own, bytes)| own == seq && bytes == payload), "frame {seq} was never written, or not there");
    }
    assert!(!whole || found.len() == written.len(), "{} of {} frames", found.len(), written.len());
}

/// At most 63 bytes that the input chooses only by their number and a seed (xorshift32).
fn noise(dice: &mut Dice<'_>) -> Vec<u8> {
    let length = dice.byte() % 64;
    let mut state = dice.word() | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..length).map(next).collect()
}

/// The scan of bytes that may hold any frame: it ends, and every frame that it gives lies inside.
fn passed_over(segment: &[u8]) {
    let limit = wide(segment.len());
    let mut scan = Scan::new(Arc::new(segment.to_vec()), 0, MAX_LEN);
    loop {
        let before = scan.offset();
        match scan.step(limit).expect("memory does not fail") {
            Step::Frame(head) => assert_eq!(scan.offset(), before + wide(head.frame_len()), "behind the frame"),
            Step::Bad if scan.resync(1, limit).expect("memory does not fail") => {}
            Step::Bad | Step::End => return,
        }
        assert!(scan.offset() > before && scan.offset() <= limit, "forward, and inside");
    }
}

/// The batches that the scan gives, passing over what is corrupt, as recovery and readers do.
fn scanned(segment: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let limit = wide(segment.len());
    let mut scan = Scan::new(Arc::new(segment.to_vec()), 0, MAX_LEN);
    let (mut found, mut expected) = (Vec::new(), 1);
    loop {
        let before = scan.offset();
        match scan.step(limit).expect("memory does not fail") {
            Step::Frame(head) => {
                assert_eq!(scan.offset(), before + wide(head.frame_len()), "behind the frame");
                expected = expected.max(head.seq.saturating_add(1));
                if head.kind == Kind::Batch {
                    let (account, payload) = Account::parse(scan.payload()).expect("an account is before the batch");
                    assert_eq!(account.total, account.high_water.epoch);
                    found.push((head.seq, payload.to_vec()));
                }
            }
            Step::Bad => {
                assert_eq!(scan.offset(), before);
                if !scan.resync(expected, limit).expect("memory does not fail") {
                    return found;
                }
            }
            Step::End => return found,
        }
        assert!(scan.offset() > before && scan.offset() <= limit, "forward, and inside");
    }
}

/// The formats that stand alone.
fn read_alone(bytes: &[u8]) {
    if let Some(header) = Header::parse(bytes) {
        assert_eq!(Header::parse(&header.encode()).as_ref(), Some(&header));
    }
    if let Some(head) = Head::parse(bytes, MAX_LEN) {
        assert!(head.frame_len() <= MAX_LEN + format::HEAD_BYTES);
    }
    if let Some((generation, cursor)) = Cursor::parse(bytes) {
        assert_eq!(Cursor::parse(&cursor.encode(generation)), Some((generation, cursor)));
    }
    let mut dice = Dice(bytes);
    let high_waters = (0..dice.byte() % 4).map(|n| HighWater { epoch: n.into(), ..HighWater::default() }).collect();
    let header = Header { first_seq: dice.word().into(), records_before: dice.word().into(), high_waters };
    let mut encoded = header.encode();
    assert_eq!(Header::parse(&encoded).as_ref(), Some(&header));
    let at = dice.below(encoded.len());
    encoded[at] ^= dice.byte().max(1);
    assert_eq!(Header::parse(&encoded), None, "one changed byte is noticed");
}
