//! Writing, syncing and rotating.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::{FlockOperation, flock};

use super::rotate::{Shelf, sync_folder};
use super::{Config, Durability, Rotate};
use crate::sink::Sink;
use crate::sink::board::Trouble;
use crate::sink::lines::end_of_last_line;
use crate::sink::parcel::{Parcel, Progress};

/// Writes events to one file. What a call returns `Ok` for is synced, unless the configuration says that it need not be.
#[derive(Debug)]
pub struct FileSink {
    /// `None` while a blocking call has it, and for good when such a call was given up.
    writer: Option<Writer>,
}

impl FileSink {
    /// A sink that opens its file with the first event. `name` and `data` give the path where the configuration has none.
    #[must_use]
    pub fn new(config: &Config, name: &str, data: &Path) -> Self {
        let path = config.path.clone().unwrap_or_else(|| data.join(format!("{name}.ndjson")));
        let (rotate, sync) = (config.rotate, config.sync);
        Self { writer: Some(Writer { path, rotate, sync, shelf: Shelf::default(), open: None, synced: None }) }
    }
}

impl Sink for FileSink {
    async fn deliver(&mut self, parcel: &Arc<Parcel>, progress: &mut Progress) -> Result<(), Trouble> {
        let given_up = || Trouble::Retry("an earlier write was given up".into());
        let mut writer = self.writer.take().ok_or_else(given_up)?;
        let (parcel, mut done) = (Arc::clone(parcel), core::mem::take(progress));
        let write = move || {
            let result = writer.write(&parcel, &mut done);
            (writer, done, result)
        };
        let (writer, done, result) =
            tokio::task::spawn_blocking(write).await.map_err(|error| Trouble::Retry(error.to_string()))?;
        let path = writer.path.display().to_string();
        self.writer = Some(writer);
        *progress = done;
        result.map_err(|error| Trouble::Retry(format!("cannot write `{path}`: {error}")))
    }

    async fn close(self) {}
}

/// The file and what is known of it. After any failure it is closed; opening it again cuts off what was not synced, so a
/// failed sync is never trusted and never repeated: the events are written anew.
#[derive(Debug)]
struct Writer {
    path: PathBuf,
    rotate: Rotate,
    sync: Durability,
    shelf: Shelf,
    open: Option<Open>,
    /// The file that was open last, and its length that counts as delivered.
    synced: Option<Mark>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Bytes in the file, synced or not.
    length: u64,
    /// When the file was made; where the file system does not tell, when it was opened.
    since: SystemTime,
}

/// A file, whatever its name is now, and a length of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    device: u64,
    inode: u64,
    length: u64,
}

impl Mark {
    fn of(file: &File, length: u64) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { device: metadata.dev(), inode: metadata.ino(), length })
    }

    fn is_same_file(self, other: &std::fs::Metadata) -> bool {
        self.device == other.dev() && self.inode == other.ino()
    }
}

impl Writer {
    /// Writes what is pending, in order; what is synced is taken off the list also when a later write fails.
    fn write(&mut self, parcel: &Parcel, progress: &mut Progress) -> io::Result<()> {
        let result = self.try_write(parcel, progress);
        if result.is_err()
            && let Some(open) = self.open.take()
        {
            self.forget(&open);
        }
        result
    }

    /// Gives the space of unsynced lines back at once: on a full disk others wait for it. Opening cuts again if this fails.
    fn forget(&self, open: &Open) {
        let longer = |length: u64| open.file.metadata().is_ok_and(|metadata| metadata.len() > length);
        if let Some(mark) = self.synced
            && longer(mark.length)
        {
            let _ = open.file.set_len(mark.length);
        }
    }

    fn try_write(&mut self, parcel: &Parcel, progress: &mut Progress) -> io::Result<()> {
        self.reopen_if_moved()?;
        while !progress.pending.is_empty() {
            let mut open = self.take_open()?;
            if open.length > 0 && open.is_old(self.rotate) {
                self.put_aside()?;
                continue;
            }
            let room = self.rotate.size.saturating_sub(open.length);
            let (count, bytes) = fitting(parcel, &progress.pending, room, open.length == 0);
            let result = open.append(&bytes);
            let length = open.length;
            let open = self.open.insert(open);
            result?;
            if self.sync == Durability::Always {
                open.file.sync_data()?;
            }
            self.synced = Some(Mark::of(&open.file, length)?);
            progress.pending.drain(..count);
            if !progress.pending.is_empty() {
                self.put_aside()?;
            }
        }
        Ok(())
    }

    fn take_open(&mut self) -> io::Result<Open> {
        match self.open.take() {
            Some(open) => Ok(open),
            None => self.open_file(),
        }
    }

    /// Others may move or remove the file (a log rotation of the system): then a new one is begun under its name.
    fn reopen_if_moved(&mut self) -> io::Result<()> {
        let Some(open) = &self.open else {
            return Ok(());
        };
        let mark = Mark::of(&open.file, open.length)?;
        match std::fs::metadata(&self.path) {
            Ok(named) if mark.is_same_file(&named) => Ok(()),
            Ok(_) => {
                self.open = None;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.open = None;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn open_file(&mut self) -> io::Result<Open> {
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::DirBuilder::new().recursive(true).mode(0o750).create(folder)?;
        }
        let mut file = OpenOptions::new().create(true).read(true).append(true).mode(0o640).open(&self.path)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "another process writes this file"));
        }
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is not a file"));
        }
        let length = match self.synced {
            Some(mark) if mark.is_same_file(&metadata) && mark.length <= metadata.len() => mark.length,
            _ => end_of_last_line(&mut file, metadata.len())?,
        };
        if length < metadata.len() {
            tracing::warn!(path = %self.path.display(), bytes = metadata.len() - length, "cut off what was not synced");
            file.set_len(length)?;
        }
        sync_folder(&self.path)?;
        self.synced = Some(Mark::of(&file, length)?);
        let since = metadata.created().unwrap_or_else(|_| SystemTime::now());
        Ok(Open { file, length, since })
    }

    fn put_aside(&mut self) -> io::Result<()> {
        self.open = None;
        self.synced = None;
        self.shelf.put_aside(&self.path, self.rotate)
    }
}

impl Open {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn is_old(&self, rotate: Rotate) -> bool {
        // A clock that went back makes a file younger, never a reason to stop writing.
        rotate.age.is_some_and(|limit| self.since.elapsed().is_ok_and(|age| age >= limit))
    }
}

/// The first pending lines that fit into `room`; an empty file takes at least one.
fn fitting(parcel: &Parcel, pending: &[usize], room: u64, empty: bool) -> (usize, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut count = 0;
    for line in pending.iter().filter_map(|index| parcel.events().get(*index)).map(|event| parcel.line(event)) {
        let first = empty && count == 0;
        if !first && (bytes.len() + line.len()) as u64 > room {
            break;
        }
        bytes.extend_from_slice(line);
        count += 1;
    }
    (count, bytes)
}

#[cfg(test)]
mod tests;
