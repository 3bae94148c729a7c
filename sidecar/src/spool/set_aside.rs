//! Where corrupt bytes go: `.bad` files, for people to look at.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::disk::{Disk, DiskFile};
use super::scan::wide;
use super::types::SetAside;

/// Puts corrupt ranges out of the way, as well as the disk allows: a copy that fails is not worth a failed start.
pub(super) struct Bad<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) names: &'a [String],
    /// Bytes that may still be copied.
    pub(super) left: u64,
    pub(super) set_aside: SetAside,
}

impl Bad<'_> {
    /// Copies a range of a segment into a `.bad` file, unless an earlier start did.
    pub(super) fn copy(&mut self, file: &Arc<dyn DiskFile>, first: u64, range: Range<u64>) {
        let bytes = range.end.saturating_sub(range.start);
        let name = format!("{first:020}-{:010}.bad", range.start);
        if bytes == 0 || bytes > self.left || self.names.contains(&name) {
            return;
        }
        if self.try_copy(file, &name, range, bytes).is_ok() {
            self.count(bytes);
        }
    }

    fn try_copy(&self, file: &Arc<dyn DiskFile>, name: &str, range: Range<u64>, bytes: u64) -> io::Result<()> {
        let copy = self.disk.create(name, bytes)?;
        let mut buffer = vec![0; 64 * 1024];
        let mut done = 0;
        while done < bytes {
            let want = usize::try_from(bytes - done).unwrap_or(usize::MAX).min(buffer.len());
            let read = match buffer.get_mut(..want) {
                Some(into) => file.read_at(range.start + done, into)?,
                None => 0,
            };
            let Some(found) = buffer.get(..read).filter(|found| !found.is_empty()) else {
                break;
            };
            copy.write_at(done, found)?;
            done += wide(read);
        }
        copy.sync()
    }

    /// Takes a whole segment away.
    pub(super) fn rename(&mut self, name: &str, first: u64) {
        let bytes = self.disk.open(name).and_then(|file| file.bytes()).unwrap_or_default();
        if self.disk.rename(name, &format!("{first:020}.bad")).is_ok() {
            self.count(bytes);
        }
    }

    fn count(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(bytes);
        self.set_aside.files += 1;
        self.set_aside.bytes += bytes;
    }
}
