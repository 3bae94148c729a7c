//! `brakes.json` in the data folder: what holds, and which files were met.
//!
//! ```json
//! { "boot": "…", "version": 1, "brakes": [{ "scope": "", "for_ms": 3600000, "reason": "…", "by": {"uid": 0},
//!   "since_ms": 0, "end": { "boot_ms": 0, "wall_ms": 0, "left_ms": 0 } }], "files": [{ "path": "…", "identity": "…" }] }
//! ```

use std::time::Duration;

use gatehouse_proto::MAX_BRAKES;
use serde::{Deserialize, Serialize};

use super::file::Seen;
use super::{Entry, MAX_HOLD, Order, State, is_scope};
use crate::audit::Who;
use crate::data::{DataError, DataFolder};
use crate::deadline::{self, Kept, Now};

const FILE: &str = "brakes.json";
const MAX_BYTES: u64 = 1 << 20;

#[derive(Serialize, Deserialize)]
struct Written {
    boot: String,
    version: u64,
    brakes: Vec<Brake>,
    files: Vec<Seen>,
}

#[derive(Serialize, Deserialize)]
struct Brake {
    scope: String,
    for_ms: u64,
    reason: String,
    by: Who,
    since_ms: u64,
    end: Kept,
}

/// What was kept and still holds, and what has ended since. A file that cannot be read, or is not ours, is told and keeps no
/// house from starting: then nothing holds.
pub(super) fn read(data: &DataFolder, now: Now) -> (State, Vec<Entry>) {
    let bytes = match data.read(FILE, MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(error) => {
            tracing::error!(%error, "kept brakes cannot be read and hold no more");
            None
        }
    };
    let Some(bytes) = bytes else { return Default::default() };
    match serde_json::from_slice::<Written>(&bytes) {
        Ok(written) => resume(written, now),
        Err(error) => {
            tracing::error!(%error, path = %data.path().join(FILE).display(), "kept brakes are damaged and hold no more");
            Default::default()
        }
    }
}

fn resume(written: Written, now: Now) -> (State, Vec<Entry>) {
    let same_boot = deadline::is_this_boot(&written.boot);
    let mut over = Vec::new();
    let mut entries = Vec::new();
    let sound = |brake: &Brake| brake.scope.is_empty() || is_scope(&brake.scope);
    for brake in written.brakes.into_iter().filter(sound).take(MAX_BRAKES) {
        let end = brake.end.resume(same_boot, now);
        let hold = Duration::from_millis(brake.for_ms).min(MAX_HOLD);
        let order = Order { scope: brake.scope, hold, reason: brake.reason };
        let latest = now.end_of(MAX_HOLD);
        let entry = Entry { order, by: brake.by, since_wall_ms: brake.since_ms, end_ms: end.unwrap_or(0).min(latest) };
        if end.is_some() { entries.push(entry) } else { over.push(entry) }
    }
    (State { version: written.version, entries, files: written.files, kept_ms: now.boot_ms }, over)
}

/// What is to be kept.
pub(super) fn text(state: &State, now: Now) -> Vec<u8> {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let brakes = state.entries.iter().map(|entry| Brake {
        scope: entry.order.scope.clone(),
        for_ms: ms(entry.order.hold),
        reason: entry.order.reason.clone(),
        by: entry.by.clone(),
        since_ms: entry.since_wall_ms,
        end: Kept::of(entry.end_ms, now),
    });
    let written = Written {
        boot: deadline::boot_id(),
        version: state.version,
        brakes: brakes.collect(),
        files: state.files.clone(),
    };
    // Text and numbers only: this cannot fail.
    serde_json::to_vec_pretty(&written).unwrap_or_default()
}

/// Replaces the kept file whole.
pub(super) fn write(data: &DataFolder, text: &[u8]) -> Result<(), DataError> {
    data.replace(FILE, text, 0o640)
}
