//! `verdicts.jsonl` in the data folder: a first line that names the file and the boot, then one line a change, in order.
//!
//! ```json
//! {"file":"gatehouse-verdicts","format":1,"boot":"…"}
//! {"put":{"list":"banned","keys":["01c0000207"],"end":{…},"for_ms":3600000,"since_ms":0,"reason":"…","by":{"uid":0}}}
//! {"removed":{"list":"banned","keys":["01c0000207"]}}          without keys: all
//! ```
//! Written anew at every start, once an hour, and when it has grown to twice its size: ends stand by the clock of this boot.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use gatehouse_proto::subject::{MAX_KEY_BYTES, Subject};
use gatehouse_proto::{MAX_LIST_ENTRIES, MAX_LISTS};
use serde::{Deserialize, Serialize};

use super::{Entry, KEEP_EVERY_MS, List, MAX_HOLD, Why, is_list};
use crate::audit::Who;
use crate::data::{DataError, DataFolder};
use crate::deadline::{self, Kept, Now};
use crate::ocsf::hex::{self, Hex};

const FILE: &str = "verdicts.jsonl";
const NAME: &str = "gatehouse-verdicts";
const MAX_BYTES: u64 = 256 << 20;
/// A file may grow by this much before it is written anew, however short it was.
const SLACK: u64 = 1 << 20;

/// The kept file.
#[derive(Debug)]
pub(super) struct File {
    data: Arc<DataFolder>,
    /// Bytes when it was last written anew, and since then.
    whole: u64,
    added: u64,
    written_ms: u64,
    holds_any: bool,
}

/// One change.
pub(super) enum Change<'a> {
    Put { list: &'a str, keys: &'a [Vec<u8>], entry: &'a Entry },
    Removed { list: &'a str, keys: Option<&'a [Vec<u8>]> },
}

#[derive(Serialize, Deserialize)]
struct Head {
    file: String,
    format: u32,
    boot: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Put {
        list: String,
        keys: Vec<String>,
        end: Kept,
        for_ms: u64,
        since_ms: u64,
        reason: String,
        by: Who,
    },
    Removed {
        list: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keys: Option<Vec<String>>,
    },
}

impl File {
    /// What was kept and still holds. A file that cannot be read, or a line that is not ours, is told and keeps no house from
    /// starting.
    pub(super) fn open(data: Arc<DataFolder>, now: Now) -> (Self, BTreeMap<String, List>) {
        let bytes = match data.read(FILE, MAX_BYTES) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(error) => {
                tracing::error!(%error, "kept verdicts cannot be read and hold no more");
                Vec::new()
            }
        };
        let lists = read(&String::from_utf8_lossy(&bytes), now);
        (Self { data, whole: 0, added: 0, written_ms: now.boot_ms, holds_any: false }, lists)
    }

    /// The file has grown enough to be written anew.
    pub(super) fn is_long(&self) -> bool {
        self.added > self.whole.max(SLACK)
    }

    /// What remains was last written down long ago.
    pub(super) fn is_due(&self, now: Now) -> bool {
        self.holds_any && now.boot_ms.saturating_sub(self.written_ms) >= KEEP_EVERY_MS
    }

    /// Writes one change and syncs it.
    pub(super) fn append(&mut self, change: &Change<'_>, now: Now) -> Result<(), DataError> {
        let mut bytes = Vec::new();
        line(&change.line(now), &mut bytes);
        let path = self.data.path().join(FILE);
        let append = || {
            let mut file = OpenOptions::new().append(true).create(true).mode(0o640).open(&path)?;
            self.data.hand_over(&file)?;
            file.write_all(&bytes)?;
            file.sync_data()
        };
        append().map_err(|source: io::Error| DataError::Io { doing: "write", path: path.clone(), source })?;
        self.added += bytes.len() as u64;
        self.holds_any = true;
        Ok(())
    }

    /// Replaces the file whole.
    pub(super) fn rewrite(&mut self, text: &[u8], now: Now) -> Result<(), DataError> {
        let holds_any = text.iter().filter(|byte| **byte == b'\n').nth(1).is_some();
        self.data.replace(FILE, text, 0o640)?;
        (self.whole, self.added, self.written_ms, self.holds_any) = (text.len() as u64, 0, now.boot_ms, holds_any);
        Ok(())
    }
}

impl Change<'_> {
    fn line(&self, now: Now) -> Line {
        let shown = |keys: &[Vec<u8>]| keys.iter().map(|key| Hex(key).to_string()).collect();
        match self {
            Self::Put { list, keys, entry } => put(list, shown(keys), entry, now),
            Self::Removed { list, keys } => Line::Removed { list: (*list).to_owned(), keys: keys.map(shown) },
        }
    }
}

fn put(list: &str, keys: Vec<String>, entry: &Entry, now: Now) -> Line {
    let Why { hold_ms, since_wall_ms, reason, by } = (*entry.why).clone();
    let end = Kept::of(entry.end_ms, now);
    Line::Put { list: list.to_owned(), keys, end, for_ms: hold_ms, since_ms: since_wall_ms, reason, by }
}

/// Everything that holds, as a whole file: entries of one order on one line.
pub(super) fn text<'l>(lists: impl Iterator<Item = (&'l String, &'l List)>, now: Now) -> Vec<u8> {
    let mut out = Vec::new();
    line(&Head { file: NAME.into(), format: 1, boot: deadline::boot_id() }, &mut out);
    for (name, list) in lists {
        let mut orders: BTreeMap<(*const Why, u64), (&Entry, Vec<String>)> = BTreeMap::new();
        for (key, entry) in list.holding(now) {
            let order = orders.entry((Arc::as_ptr(&entry.why), entry.end_ms)).or_insert_with(|| (entry, Vec::new()));
            order.1.push(Hex(key).to_string());
        }
        for (entry, keys) in orders.into_values() {
            line(&put(name, keys, entry, now), &mut out);
        }
    }
    out
}

fn line(value: &impl Serialize, out: &mut Vec<u8>) {
    // Text and numbers only: this cannot fail.
    if serde_json::to_writer(&mut *out, value).is_ok() {
        out.push(b'\n');
    }
}

fn read(text: &str, now: Now) -> BTreeMap<String, List> {
    let mut lines = text.split_inclusive('\n');
    let mut lists: BTreeMap<String, List> = BTreeMap::new();
    let Some(first) = lines.next() else { return lists };
    let head = serde_json::from_str::<Head>(first).ok().filter(|head| head.file == NAME && head.format == 1);
    let Some(head) = head else {
        tracing::error!("kept verdicts are damaged, or of a later version, and hold no more");
        return lists;
    };
    let same_boot = deadline::is_this_boot(&head.boot);
    let mut broken = 0u64;
    for text in lines {
        // The last line may have been cut off by a crash; it was never answered.
        match serde_json::from_str::<Line>(text) {
            Ok(line) => line.apply(&mut lists, same_boot, now),
            Err(_) if text.ends_with('\n') => broken += 1,
            Err(_) => {}
        }
    }
    if broken > 0 {
        tracing::error!(lines = broken, "kept verdicts are damaged, some hold no more");
    }
    lists.retain(|_, list| !list.entries.is_empty());
    lists
}

impl Line {
    fn apply(self, lists: &mut BTreeMap<String, List>, same_boot: bool, now: Now) {
        match self {
            Self::Put { list, keys, end, for_ms, since_ms, reason, by } => {
                let Some(end_ms) = end.resume(same_boot, now) else {
                    // It took the place of what came before, and is over.
                    return Self::Removed { list, keys: Some(keys) }.apply(lists, same_boot, now);
                };
                let end_ms = end_ms.min(now.end_of(MAX_HOLD));
                let why = Arc::new(Why { hold_ms: for_ms, since_wall_ms: since_ms, reason, by });
                if !is_list(&list) || (lists.len() >= MAX_LISTS && !lists.contains_key(&list)) {
                    return;
                }
                let known = lists.entry(list).or_insert_with(|| List::begin(now));
                known.again();
                for key in keys.iter().filter_map(|key| hex::read(key, MAX_KEY_BYTES)) {
                    if known.entries.len() < MAX_LIST_ENTRIES && Subject::read(&key).is_some() {
                        known.entries.insert(key, Entry { end_ms, why: Arc::clone(&why) });
                    }
                }
            }
            Self::Removed { list, keys } => {
                let Some(known) = lists.get_mut(&list) else { return };
                known.again();
                match keys {
                    Some(keys) => {
                        keys.iter()
                            .filter_map(|key| hex::read(key, MAX_KEY_BYTES))
                            .for_each(|key| drop(known.entries.remove(&key)));
                    }
                    None => known.entries.clear(),
                }
            }
        }
    }
}
