//! One reader's cursor on disk: two slots written in turn, so that a torn write leaves the other one.

use std::io;
use std::sync::Arc;

use super::SpoolError;
use super::disk::{Disk, DiskFile};
use super::format::{CURSOR_FILE_BYTES, Cursor, SLOT_BYTES, SLOT_STRIDE};

/// Ending of a cursor's file name; the reader's name stands before it.
pub(super) const SUFFIX: &str = ".cursor";

/// The file behind a reader's cursor.
pub(super) struct CursorFile {
    name: String,
    /// Of the slot that was saved last.
    generation: u64,
    /// Absent until it is made.
    file: Option<Arc<dyn DiskFile>>,
}

impl CursorFile {
    /// The cursor of `reader` as it was saved last. An unreadable one is put aside and counts as none: the reader begins at
    /// the oldest frame there is.
    pub(super) fn open(disk: &dyn Disk, names: &[String], reader: &str) -> Result<(Self, Option<Cursor>), SpoolError> {
        let name = format!("{reader}{SUFFIX}");
        let mut this = Self { name, generation: 0, file: None };
        if !names.contains(&this.name) {
            return Ok((this, None));
        }
        let file = disk.open(&this.name).map_err(SpoolError::io("open", this.name.as_str()))?;
        let newest = read(&file).map_err(SpoolError::io("read", this.name.as_str()))?;
        let Some((generation, cursor)) = newest else {
            let _ = disk.rename(&this.name, &format!("{}.bad", this.name));
            return Ok((this, None));
        };
        this.generation = generation;
        this.file = Some(file);
        Ok((this, Some(cursor)))
    }

    /// Makes `cursor` durable. Needs no space once the file is there. A save that failed is written anew by the next one, into
    /// the same slot: the other one is the last that is known to be durable.
    pub(super) fn save(&mut self, disk: &dyn Disk, cursor: &Cursor) -> io::Result<()> {
        let generation = self.generation.saturating_add(1);
        let slot = cursor.encode(generation);
        let at = (generation % 2) * SLOT_STRIDE;
        if let Some(file) = &self.file {
            file.write_at(at, &slot)?;
            file.sync()?;
        } else {
            let fresh = format!("{}.new", self.name);
            let file = disk.create(&fresh, CURSOR_FILE_BYTES)?;
            file.write_at(at, &slot)?;
            file.sync()?;
            disk.rename(&fresh, &self.name)?;
            disk.sync_names()?;
            self.file = Some(file);
        }
        self.generation = generation;
        Ok(())
    }
}

/// The newest valid slot.
pub(super) fn read(file: &Arc<dyn DiskFile>) -> io::Result<Option<(u64, Cursor)>> {
    let mut slots = Vec::new();
    for offset in [0, SLOT_STRIDE] {
        let mut slot = [0; SLOT_BYTES];
        file.read_at(offset, &mut slot)?;
        slots.extend(Cursor::parse(&slot));
    }
    Ok(slots.into_iter().max_by_key(|(generation, _)| *generation))
}
