//! Files that are looked at again and again: whether one may have changed, without reading it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Inode, size and time of the last write of a file; `None`: it is not there, or cannot be seen.
pub type Stamp = Option<(u64, u64, i64, i64)>;

/// How a file stands now. Another stamp means another content; the same stamp, nearly always, the same.
#[must_use]
pub fn stamp(path: &Path) -> Stamp {
    let metadata = path.metadata().ok()?;
    Some((metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
}
