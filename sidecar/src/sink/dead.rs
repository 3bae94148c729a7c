//! Dead letters: what a sink can never deliver, kept for people in `NAME.dead.ndjson`, one JSON object a line.
//!
//! ```text
//! {"time":"…","sink":"NAME","frame":12,"index":3,"reason":"…","hex":"…"}   a record that cannot be read
//! {"time":"…","sink":"NAME","frame":12,"reason":"…","event":{…}}           an event that the peer refuses
//! ```
//!
//! The file holds at most [`DEAD_BYTES`]; when it is full it becomes `NAME.dead.ndjson.1`, and the letters that stood
//! there until then are given up, which is counted and logged. Letters are synced before the cursor moves past them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::lines::end_of_last_line;
use crate::ocsf::hex::Hex;
use crate::ocsf::time::{Rfc3339, now_ms};

/// Size at which a dead-letter file is put aside; one older file is kept, so a sink's letters take at most twice this.
pub const DEAD_BYTES: u64 = 16 << 20;

/// One thing that cannot be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Sequence of the spool frame that holds it.
    pub frame: u64,
    /// Place among the records of the frame, from 0; `None`: see the event's id, or it is the whole frame.
    pub index: Option<usize>,
    /// Records that it stands for.
    pub records: u64,
    /// Why it cannot be delivered.
    pub reason: String,
    /// The thing itself.
    pub content: Content,
}

/// What a letter holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Bytes that do not read as a record or as a batch.
    Raw(Vec<u8>),
    /// The encoded event, JSON.
    Event(Vec<u8>),
}

impl Letter {
    pub(super) fn record(frame: u64, index: usize, bytes: &[u8], reason: &str) -> Self {
        let reason = format!("not a record: {reason}");
        Self { frame, index: Some(index), records: 1, reason, content: Content::Raw(bytes.to_vec()) }
    }
}

/// The dead-letter file of one sink.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    sink: String,
    path: PathBuf,
    limit: u64,
}

impl DeadLetters {
    /// The file `SINK.dead.ndjson` in `folder`; it is made with the first letter.
    #[must_use]
    pub fn new(folder: &Path, sink: &str) -> Self {
        Self { sink: sink.into(), path: folder.join(format!("{sink}.dead.ndjson")), limit: DEAD_BYTES }
    }

    /// Where the letters are.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends letters and syncs them. Returns the number of older letters that were given up for them.
    ///
    /// # Errors
    /// The file cannot be written; letters may then be in it in part, and are written again by the next try.
    pub fn append(&self, letters: &[Letter]) -> io::Result<u64> {
        let mut given_up = 0;
        let (mut file, mut size) = self.open()?;
        for letter in letters {
            let line = self.line(letter)?;
            if size > 0 && size + line.len() as u64 > self.limit {
                file.sync_all()?;
                given_up += self.put_aside()?;
                (file, size) = self.open()?;
            }
            if let Err(error) = file.write_all(&line) {
                // A line cut short would spoil the next; opening cuts it off where this fails.
                let _ = file.set_len(size);
                return Err(error);
            }
            size += line.len() as u64;
        }
        file.sync_all()?;
        Ok(given_up)
    }

    /// The file and its length, without what a crash left after the last line end.
    fn open(&self) -> io::Result<(File, u64)> {
        let mut file = OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(&self.path)?;
        let length = file.metadata()?.len();
        let whole = end_of_last_line(&mut file, length)?;
        if whole < length {
            file.set_len(whole)?;
        }
        Ok((file, whole))
    }

    fn put_aside(&self) -> io::Result<u64> {
        let older = self.path.with_extension("ndjson.1");
        let given_up = match File::open(&older) {
            Ok(file) => count_lines(io::BufReader::new(file))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        std::fs::rename(&self.path, &older)?;
        Ok(given_up)
    }

    fn line(&self, letter: &Letter) -> io::Result<Vec<u8>> {
        #[derive(Serialize)]
        struct Head<'a> {
            time: String,
            sink: &'a str,
            frame: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            index: Option<usize>,
            reason: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            hex: Option<Hex<&'a [u8]>>,
        }
        let hex = match &letter.content {
            Content::Raw(bytes) => Some(Hex(bytes.as_slice())),
            Content::Event(_) => None,
        };
        let time = Rfc3339(now_ms()).to_string();
        let (frame, index, reason) = (letter.frame, letter.index, letter.reason.as_str());
        let mut line = serde_json::to_vec(&Head { time, sink: &self.sink, frame, index, reason, hex })?;
        if let Content::Event(event) = &letter.content {
            line.pop();
            line.extend_from_slice(b",\"event\":");
            line.extend_from_slice(event);
            line.push(b'}');
        }
        line.push(b'\n');
        Ok(line)
    }
}

fn count_lines(mut reader: impl io::BufRead) -> io::Result<u64> {
    let mut lines = 0;
    loop {
        let block = reader.fill_buf()?;
        if block.is_empty() {
            return Ok(lines);
        }
        lines += block.iter().filter(|byte| **byte == b'\n').count() as u64;
        let length = block.len();
        reader.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(from: usize, count: usize) -> Vec<Letter> {
        (from..from + count).map(|index| Letter::record(1, index, &[0xde, 0xad], "cut short")).collect()
    }

    fn lines(path: &Path) -> Vec<serde_json::Value> {
        std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn letters_are_lines_with_the_bytes_or_the_event() {
        let folder = tempfile::tempdir().unwrap();
        let dead = DeadLetters::new(folder.path(), "events");
        let event = Letter {
            frame: 2,
            index: None,
            records: 1,
            reason: "too large".into(),
            content: Content::Event(b"{\"a\":1}".to_vec()),
        };
        assert_eq!(dead.append(&[letters(3, 1), vec![event]].concat()).unwrap(), 0);
        let lines = lines(dead.path());
        assert_eq!((lines[0]["hex"].as_str(), lines[0]["index"].as_u64()), (Some("dead"), Some(3)));
        assert_eq!(lines[0]["reason"], "not a record: cut short");
        assert_eq!((lines[1]["event"]["a"].as_u64(), lines[1]["sink"].as_str()), (Some(1), Some("events")));
    }

    #[test]
    fn a_letter_cut_short_by_a_crash_does_not_spoil_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let dead = DeadLetters::new(folder.path(), "events");
        dead.append(&letters(0, 1)).unwrap();
        let torn = [std::fs::read(dead.path()).unwrap(), b"{\"torn".to_vec()].concat();
        std::fs::write(dead.path(), torn).unwrap();
        dead.append(&letters(1, 1)).unwrap();
        assert_eq!(lines(dead.path()).len(), 2);
    }

    #[test]
    fn a_full_file_is_put_aside_and_what_is_given_up_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let dead = DeadLetters { limit: 300, ..DeadLetters::new(folder.path(), "events") };
        let given_up: u64 = (0..10).map(|n| dead.append(&letters(n, 1)).unwrap()).sum();
        let kept = lines(dead.path()).len() + lines(&folder.path().join("events.dead.ndjson.1")).len();
        assert!(given_up > 0);
        assert_eq!(given_up + kept as u64, 10);
    }
}
