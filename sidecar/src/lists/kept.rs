//! `list-NAME.json` in the data folder, mode 0600: what a list held when it was last fetched, replaced whole.
//!
//! Ends stand in it as those of verdicts do, so that a restart at whatever clock makes none later.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use gatehouse_policy::Outside;
use gatehouse_proto::MAX_LIST_ENTRIES;
use gatehouse_proto::subject::{MAX_KEY_BYTES, Subject};
use serde::{Deserialize, Serialize};

use super::place::Mark;
use super::signed;
use super::text::Entries;
use crate::data::DataFolder;
use crate::deadline::{self, Kept, Now};
use crate::ocsf::hex::{self, Hex};
use crate::verdicts::is_list;

const NAME: &str = "gatehouse-list";
const MAX_BYTES: u64 = 320 << 20;

/// A list that was kept and still holds.
#[derive(Debug)]
pub(super) struct List {
    source: String,
    /// By the clock since boot.
    pub(super) end_ms: u64,
    pub(super) good_ms: i64,
    pub(super) good_wall_ms: u64,
    pub(super) mark: Mark,
    /// Ends by key.
    pub(super) entries: BTreeMap<Vec<u8>, u64>,
}

/// What is said of a list beside its entries.
pub(super) struct Fresh {
    pub(super) end_ms: u64,
    pub(super) good_wall_ms: u64,
    pub(super) mark: Mark,
}

#[derive(Serialize, Deserialize)]
struct File {
    file: String,
    format: u32,
    boot: String,
    source: String,
    end: Kept,
    good_wall_ms: u64,
    mark: Mark,
    /// Keys in hexadecimal digits; with an end where the source said one.
    entries: Vec<(String, Option<Kept>)>,
}

impl List {
    /// It came from where the policy says.
    pub(super) fn is_of(&self, outside: &Outside) -> bool {
        self.source == source(outside)
    }

    pub(super) fn from(&self) -> &str {
        self.source.split(' ').nth(1).unwrap_or_default()
    }

    /// Entries with an end of their own, where it is not the list's.
    pub(super) fn own_ends(&self) -> Entries {
        self.entries.iter().map(|(key, end)| (key.clone(), Some(*end).filter(|end| *end < self.end_ms))).collect()
    }
}

/// Every list that was kept and still holds, by name. One that cannot be read is told and keeps no house from starting.
pub(super) fn all(data: &DataFolder, now: Now) -> Vec<(String, List)> {
    let files = std::fs::read_dir(data.path()).into_iter().flatten().flatten();
    let names = files.filter_map(|file| {
        let name = file.file_name().into_string().ok()?;
        let name = name.strip_prefix("list-")?.strip_suffix(".json")?;
        is_list(name).then(|| name.to_owned())
    });
    names.filter_map(|name| read(data, &name, now).map(|list| (name, list))).collect()
}

/// One list; `None`: nothing was kept, or it is over.
pub(super) fn read(data: &DataFolder, name: &str, now: Now) -> Option<List> {
    let bytes = match data.read(&file(name), MAX_BYTES) {
        Ok(bytes) => bytes?,
        Err(error) => {
            tracing::error!(list = name, %error, "kept list cannot be read and holds no more");
            return None;
        }
    };
    let read = serde_json::from_slice::<File>(&bytes).ok().filter(|file| file.file == NAME && file.format == 1);
    let Some(read) = read else {
        tracing::error!(list = name, "kept list is damaged, or of a later version, and holds no more");
        return None;
    };
    let same_boot = deadline::is_this_boot(&read.boot);
    let end_ms = read.end.resume(same_boot, now)?;
    let entries = read.entries.iter().take(MAX_LIST_ENTRIES).filter_map(|(key, own)| {
        let key = hex::read(key, MAX_KEY_BYTES).filter(|key| Subject::read(key).is_some())?;
        let end = match own {
            Some(own) => own.resume(same_boot, now)?.min(end_ms),
            None => end_ms,
        };
        Some((key, end))
    });
    let entries = entries.collect();
    let age_ms = now.wall_ms.saturating_sub(read.good_wall_ms);
    Some(List {
        source: read.source,
        end_ms,
        good_ms: signed(now.boot_ms).saturating_sub(signed(age_ms)),
        good_wall_ms: read.good_wall_ms,
        mark: read.mark,
        entries,
    })
}

/// Keeps a list. What goes wrong is told.
pub(super) fn write(data: &DataFolder, outside: &Outside, held: &Arc<Entries>, fresh: &Fresh, now: Now) {
    let kept = File {
        file: NAME.into(),
        format: 1,
        boot: deadline::boot_id(),
        source: source(outside),
        end: Kept::of(fresh.end_ms, now),
        good_wall_ms: fresh.good_wall_ms,
        mark: fresh.mark.clone(),
        entries: held.iter().map(|(key, own)| (Hex(key).to_string(), own.map(|end| Kept::of(end, now)))).collect(),
    };
    // Text and numbers only: this cannot fail.
    let text = serde_json::to_vec(&kept).unwrap_or_default();
    if let Err(error) = data.replace(&file(&outside.list), &text, 0o600) {
        tracing::error!(list = outside.list, %error, "list is not kept, a restart of the house begins without it");
    }
}

/// Nothing is kept of a list any more.
pub(super) fn forget(data: &DataFolder, name: &str) {
    if let Err(error) = data.remove(&file(name)) {
        tracing::error!(list = name, %error, "kept list is not removed");
    }
}

fn file(name: &str) -> String {
    format!("list-{name}.json")
}

/// All that makes two lists of one name another.
fn source(outside: &Outside) -> String {
    let (kind, from) = outside.origin.words();
    let mut text = format!("{kind} {from} {}", outside.of.word());
    if let Some(digest) = outside.digest {
        // Writing to a text cannot fail.
        let _ = write!(text, " {}", Hex(digest));
    }
    // Where the signature stands makes no other list of it; who signed it does.
    if let Some(signature) = &outside.signature {
        let _ = write!(text, " signed {}", signature.key);
    }
    text
}
