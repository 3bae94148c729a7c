//! A file that brakes while it stands there: for when nothing else works. It brakes from the moment when this house first saw
//! it, for as long as it says; removed, it releases. To brake again by the same file, touch it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Order, State};
use crate::audit::Who;
use crate::deadline::Now;
use crate::ocsf::hex::Hex;

/// The file's name, in the data folder and in the policy folder.
pub const FILE: &str = "brake";

const MAX_BYTES: u64 = 16 << 10;

/// A file that was met, and what came of it. Kept over restarts, so that a file left lying does not brake anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) path: PathBuf,
    /// Hash of what it says, and of when it was written.
    identity: String,
    /// Why it does not brake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// What stands at a place.
pub(super) enum Found {
    Absent,
    Present { text: Vec<u8>, identity: String },
    Unreadable(String),
}

/// What a look means for the brakes.
pub(super) enum Change {
    Gone,
    Ordered(Order),
    Refused(String),
}

/// A file, for `/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    /// Where it stands.
    pub path: PathBuf,
    /// It brakes now; else it is over, was released, or has a problem.
    pub holds: bool,
    /// Why it does not brake.
    pub problem: Option<String>,
}

impl Seen {
    pub(super) fn view(&self, state: &State, now: Now) -> View {
        let by = Who::File(self.path.clone());
        let holds = state.holding(now).any(|entry| entry.by == by);
        View { path: self.path.clone(), holds, problem: self.problem.clone() }
    }
}

impl State {
    /// Notes what was found at `path`; `None`: nothing new.
    pub(super) fn meet(&mut self, path: &Path, found: &Found) -> Option<Change> {
        let place = self.files.iter().position(|seen| seen.path == path);
        let known = place.and_then(|place| self.files.get(place));
        let (identity, change) = match found {
            Found::Absent => {
                self.files.remove(place?);
                return Some(Change::Gone);
            }
            Found::Present { identity, .. } if known.is_some_and(|seen| seen.identity == *identity) => return None,
            Found::Present { text, identity } => (identity.clone(), ordered(path, text)),
            Found::Unreadable(problem) if known.is_some_and(|seen| seen.problem.as_ref() == Some(problem)) => {
                return None;
            }
            Found::Unreadable(problem) => (String::new(), Change::Refused(problem.clone())),
        };
        let problem = if let Change::Refused(problem) = &change { Some(problem.clone()) } else { None };
        let seen = Seen { path: path.to_owned(), identity, problem };
        match place.and_then(|place| self.files.get_mut(place)) {
            Some(known) => *known = seen,
            None => self.files.push(seen),
        }
        Some(change)
    }
}

fn ordered(path: &Path, text: &[u8]) -> Change {
    let Ok(text) = core::str::from_utf8(text) else {
        return Change::Refused("it is not UTF-8; leave it empty to brake everything for an hour".into());
    };
    match Order::of_file(&path.display().to_string(), text) {
        Ok(order) => Change::Ordered(order),
        Err(problems) => Change::Refused(problems.to_string().replace('\n', "; ")),
    }
}

/// Looks at a place.
pub(super) fn read(path: &Path) -> Found {
    match open(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Found::Absent,
        Err(error) => Found::Unreadable(error.to_string()),
    }
}

fn open(path: &Path) -> io::Result<Found> {
    // A ConfigMap's files are links, and are made anew with every mount: there only the text tells one from another.
    let is_link = fs::symlink_metadata(path)?.is_symlink();
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file"));
    }
    let mut text = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is larger than 16 KiB"));
    }
    let mut hash = Sha256::new();
    hash.update(&text);
    if !is_link {
        let written = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        hash.update(written.as_nanos().to_le_bytes());
    }
    Ok(Found::Present { text, identity: Hex(hash.finalize()).to_string() })
}
