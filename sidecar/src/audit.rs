//! Who changed what by hand, and when: one JSON object a line in `audit.jsonl` of the data folder.
//!
//! A line is synced before the change is answered. At 4 MiB the file becomes `audit.jsonl.1`, that one `.2`, up to `.4`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use gatehouse_proto::v1::{self, notice::What};
use serde::{Deserialize, Serialize};

use crate::data::DataFolder;
use crate::deadline::Now;
use crate::notices::Notices;
use crate::ocsf::time::Rfc3339;

const FILE: &str = "audit.jsonl";
const MAX_BYTES: u64 = 4 << 20;
const OLD_FILES: u32 = 4;

/// By whom, or by what, a change was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Nobody: its time was over.
    Clock,
    /// Whoever may write this file.
    File(PathBuf),
    /// A source outside, by its URL or path.
    Source(String),
    /// The user of this id, as the operating system knows it.
    Uid(u32),
}

/// The audit file. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Audit {
    data: Arc<DataFolder>,
    turn: Arc<Mutex<()>>,
    /// Where the sinks are told too.
    notices: Option<Notices>,
}

#[derive(Serialize)]
struct Line<'a, T> {
    time: String,
    action: &'a str,
    by: &'a Who,
    #[serde(flatten)]
    details: &'a T,
}

impl Audit {
    /// The audit file of this data folder.
    #[must_use]
    pub fn new(data: Arc<DataFolder>) -> Self {
        Self { data, turn: Arc::default(), notices: None }
    }

    /// Tells the sinks too.
    #[must_use]
    pub fn telling(self, notices: Notices) -> Self {
        Self { notices: Some(notices), ..self }
    }

    /// Writes one line. A disk that does not take it is told in the log, where the change is told too, and is no reason to
    /// leave the change undone: what is changed by hand is changed for a reason. Blocks.
    pub fn write(&self, action: &str, by: &Who, details: &impl Serialize) {
        let line = Line { time: Rfc3339(Now::read().wall_ms).to_string(), action, by, details };
        // Text and numbers only: this cannot fail.
        let text = serde_json::to_string(&line).unwrap_or_default();
        if let Some(notices) = &self.notices {
            notices.tell(What::Audit(v1::Audit { action: action.into(), line: text.clone() }), "");
        }
        if let Err(error) = self.append(text) {
            let path = self.data.path().join(FILE);
            tracing::error!(%error, path = %path.display(), action, "audit line not written");
        }
    }

    fn append(&self, mut line: String) -> io::Result<()> {
        line.push('\n');
        let bytes = line.into_bytes();
        // A line is written by one call; a panic elsewhere leaves none torn.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.data.path().join(FILE);
        if fs::metadata(&path).is_ok_and(|file| file.len() + bytes.len() as u64 > MAX_BYTES) {
            self.rotate()?;
        }
        let mut file = OpenOptions::new().append(true).create(true).mode(0o640).open(&path)?;
        self.data.hand_over(&file)?;
        file.write_all(&bytes)?;
        file.sync_data()
    }

    fn rotate(&self) -> io::Result<()> {
        let name = |number: u32| match number {
            0 => self.data.path().join(FILE),
            _ => self.data.path().join(format!("{FILE}.{number}")),
        };
        for number in (0..OLD_FILES).rev() {
            match fs::rename(name(number), name(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Details {
        scope: String,
    }

    #[test]
    fn a_line_says_when_what_and_by_whom_and_old_files_are_few() {
        let dir = tempfile::tempdir().unwrap();
        let audit = Audit::new(Arc::new(DataFolder::open(dir.path()).unwrap()));
        audit.write("brake.set", &Who::Uid(7), &Details { scope: "acme".into() });
        audit.write("brake.ended", &Who::Clock, &Details { scope: "acme".into() });
        let text = fs::read_to_string(dir.path().join(FILE)).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(
            (&lines[0]["by"]["uid"], &lines[0]["action"], &lines[0]["scope"]),
            (&7.into(), &"brake.set".into(), &"acme".into())
        );
        assert_eq!(lines[1]["by"], "clock");

        let long = Details { scope: "x".repeat(1 << 20) };
        for _ in 0..30 {
            audit.write("brake.set", &Who::Uid(7), &long);
        }
        let files = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap());
        let sizes: Vec<u64> = files
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(FILE))
            .map(|entry| entry.metadata().unwrap().len())
            .collect();
        assert_eq!(sizes.len(), 5);
        assert!(sizes.iter().all(|size| *size <= MAX_BYTES));
    }
}
