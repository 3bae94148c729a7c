//! Files of records, the oldest removed first.
//!
//! ```text
//! NUMBER.refs, twenty digits, counting up: frames, oldest first; numbers are little-endian
//!    0   4  length of the record
//!    4   4  CRC32C of what follows
//!    8   8  when it was kept, milliseconds since the Unix epoch
//!   16   …  gatehouse.v1.Record
//! ```
//!
//! A start begins a new file, so a frame that a crash cut short is always the last of its file, and ends the reading of it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use gatehouse_proto::v1::Record;
use prost::Message as _;

use super::Keep;
use super::recent::reference_of;

const HEAD: usize = 16;
/// A file is put aside at an eighth of what may be kept, at most at this size: what goes at once when room is made.
const LARGEST_FILE: u64 = 8 << 20;
const SMALLEST_FILE: u64 = 64 << 10;
/// A record is at most a batch (64 KiB).
const LARGEST_RECORD: usize = 128 << 10;
const EXTENSION: &str = "refs";

/// Writes records, and removes what is too old or too much.
#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
    keep: Keep,
    file: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
    /// When it was begun.
    since_ms: u64,
}

impl Shelf {
    pub(super) fn new(folder: PathBuf, keep: Keep) -> Self {
        Self { folder, keep, file: None }
    }

    /// Appends a record.
    pub(super) fn append(&mut self, now_ms: u64, record: &[u8]) -> io::Result<()> {
        let frame = frame(now_ms, record).ok_or(io::ErrorKind::InvalidInput)?;
        let largest = (self.keep.bytes / 8).clamp(SMALLEST_FILE, LARGEST_FILE);
        // A file that stays open for ever would keep its first record for ever.
        let age = u64::try_from(self.keep.age.as_millis() / 8).unwrap_or(u64::MAX);
        let done = |open: &Open| open.bytes >= largest || now_ms.saturating_sub(open.since_ms) > age;
        if self.file.as_ref().is_some_and(done) {
            self.file = None;
        }
        if self.file.is_none() {
            self.file = Some(self.begin(now_ms)?);
            self.prune(now_ms)?;
        }
        let Some(open) = &mut self.file else { return Ok(()) };
        let written = open.file.write_all(&frame);
        open.bytes = open.bytes.saturating_add(frame.len() as u64);
        // What stands behind half a frame would never be read.
        written.inspect_err(|_| self.file = None)
    }

    fn begin(&self, now_ms: u64) -> io::Result<Open> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let number = numbers(&self.folder).last().map_or(1, |last| last.saturating_add(1));
        let path = path(&self.folder, number);
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
        Ok(Open { file, bytes: 0, since_ms: now_ms })
    }

    /// Removes files that are too old, and the oldest while all are too much; never the one being written.
    pub(super) fn prune(&mut self, now_ms: u64) -> io::Result<()> {
        let all = numbers(&self.folder);
        let written = usize::from(self.file.is_some());
        let closed = all.get(..all.len().saturating_sub(written)).unwrap_or_default();
        let about = |number: u64| fs::metadata(path(&self.folder, number));
        let mut total: u64 = all.iter().filter_map(|number| about(*number).ok()).map(|file| file.len()).sum();
        let age = u64::try_from(self.keep.age.as_millis()).unwrap_or(u64::MAX);
        for number in closed {
            let Ok(file) = about(*number) else { continue };
            let last = file.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            let old = now_ms.saturating_sub(u64::try_from(last.as_millis()).unwrap_or(u64::MAX)) > age;
            if !old && total <= self.keep.bytes {
                continue;
            }
            fs::remove_file(path(&self.folder, *number))?;
            total = total.saturating_sub(file.len());
        }
        Ok(())
    }
}

/// The last record with this reference, in the newest file that has one.
pub(super) fn find(folder: &Path, reference: &str) -> Option<Record> {
    let own = |record: &&[u8]| reference_of(record).is_some_and(|found| found == reference);
    numbers(folder).into_iter().rev().find_map(|number| {
        let mut bytes = Vec::new();
        let file = File::open(path(folder, number)).ok()?;
        file.take(LARGEST_FILE * 2).read_to_end(&mut bytes).ok()?;
        records(&bytes).filter(own).last().and_then(|record| Record::decode(record).ok())
    })
}

/// Records in all files.
#[cfg(test)]
pub(super) fn count(folder: &Path) -> usize {
    numbers(folder).into_iter().map(|number| records(&fs::read(path(folder, number)).unwrap_or_default()).count()).sum()
}

fn frame(now_ms: u64, record: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(record.len()).ok().filter(|_| record.len() <= LARGEST_RECORD)?;
    let mut frame = Vec::with_capacity(HEAD.saturating_add(record.len()));
    frame.extend(length.to_le_bytes());
    let sum = crc32c::crc32c_append(crc32c::crc32c(&now_ms.to_le_bytes()), record);
    frame.extend(sum.to_le_bytes());
    frame.extend(now_ms.to_le_bytes());
    frame.extend(record);
    Some(frame)
}

/// The whole frames at the beginning of a file.
fn records(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    core::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (sum, summed) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let body = summed.get(..length.checked_add(8)?)?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*sum) {
            return None;
        }
        bytes = summed.get(body.len()..)?;
        body.get(8..)
    })
}

/// The numbers of the files, ascending.
fn numbers(folder: &Path) -> Vec<u64> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let number = |entry: fs::DirEntry| {
        let path = entry.path();
        let own = path.extension().is_some_and(|extension| extension == EXTENSION);
        path.file_stem().filter(|_| own)?.to_str()?.parse().ok()
    };
    let mut numbers: Vec<u64> = entries.filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.{EXTENSION}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gatehouse_proto::v1::{Judgement, Request};

    use super::*;

    fn record(reference: &str, path: &str) -> Vec<u8> {
        let judgement = Judgement { reference: reference.into(), ..Judgement::default() };
        let request = Request { path: path.into(), ..Request::default() };
        Record { judgement: Some(judgement), request: Some(request), ..Record::default() }.encode_to_vec()
    }

    fn found(folder: &Path, reference: &str) -> Option<String> {
        find(folder, reference).and_then(|record| record.request).map(|request| request.path)
    }

    fn size(folder: &Path) -> u64 {
        numbers(folder).into_iter().map(|number| fs::metadata(path(folder, number)).unwrap().len()).sum()
    }

    #[test]
    fn a_record_is_found_after_a_restart_the_last_of_its_reference_and_past_a_torn_frame() {
        let folder = tempfile::tempdir().unwrap();
        let mut shelf = Shelf::new(folder.path().into(), Keep::default());
        shelf.append(1, &record("A", "/interim")).unwrap();
        shelf.append(2, &record("A", "/final")).unwrap();
        shelf.append(3, &record("B", "/b")).unwrap();
        let first = path(folder.path(), 1);
        let length = fs::metadata(&first).unwrap().len();
        OpenOptions::new().write(true).open(&first).unwrap().set_len(length - 1).unwrap();
        assert_eq!((found(folder.path(), "A"), found(folder.path(), "B")), (Some("/final".into()), None));

        let mut shelf = Shelf::new(folder.path().into(), Keep::default());
        shelf.append(4, &record("B", "/again")).unwrap();
        assert_eq!(numbers(folder.path()), [1, 2]);
        assert_eq!(
            (found(folder.path(), "A"), found(folder.path(), "B")),
            (Some("/final".into()), Some("/again".into()))
        );
        assert_eq!(found(folder.path(), "C"), None);
    }

    #[test]
    fn what_is_too_much_goes_from_the_oldest_and_what_is_too_old_goes_too() {
        let folder = tempfile::tempdir().unwrap();
        let keep = Keep { bytes: 1 << 20, age: Duration::from_secs(3600) };
        let mut shelf = Shelf::new(folder.path().into(), keep);
        let large = "x".repeat(10_000);
        let now = crate::ocsf::time::now_ms();
        for n in 0..300 {
            shelf.append(now, &record(&format!("R{n}"), &large)).unwrap();
            assert!(size(folder.path()) <= keep.bytes + (keep.bytes / 8) + 20_000);
        }
        assert_eq!(found(folder.path(), "R0"), None);
        assert!(found(folder.path(), "R299").is_some() && found(folder.path(), "R250").is_some());
        shelf.prune(now + 2 * 3_600_000).unwrap();
        assert_eq!(numbers(folder.path()).len(), 1, "only the one being written stays");
    }

    #[test]
    fn a_flipped_bit_ends_the_reading_of_its_file_and_nothing_else() {
        let bytes = [frame(1, &record("A", "/a")).unwrap(), frame(2, &record("B", "/b")).unwrap()].concat();
        assert_eq!(records(&bytes).count(), 2);
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x10;
            assert!(records(&bytes).count() < 2, "byte {at}");
        }
        assert_eq!(frame(1, &vec![0; LARGEST_RECORD + 1]), None);
    }
}
