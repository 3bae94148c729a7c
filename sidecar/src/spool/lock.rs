//! One house per folder: an exclusive lock on a file that names its holder. The kernel lets go of it with the process.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::SpoolError;

/// The lock file's name.
const NAME: &str = "lock";

/// Looks at the kernel's table before it is said that nobody holds a folder.
const LOOKS: usize = 4;

/// Holds the folder until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    pub(super) fn take(dir: &Path) -> Result<Self, SpoolError> {
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).to_owned();
        let mut file = options.open(dir.join(NAME)).map_err(SpoolError::io("open", NAME))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                // Its holder may be about to write it; then the number is not told.
                let _ = file.take(16).read_to_string(&mut holder);
                return Err(SpoolError::Locked { dir: dir.to_owned(), pid: holder.trim().parse().ok() });
            }
            Err(errno) => return Err(SpoolError::io("lock", NAME)(errno.into())),
        }
        let told = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
        told.map_err(SpoolError::io("write", NAME))?;
        Ok(Self { _file: file })
    }
}

/// Process number of whoever holds the folder, as the kernel's table of locks has it: asked so, a house that starts at this
/// moment does not meet a lock of ours. `None`: nobody, or it cannot be told.
pub(super) fn holder(dir: &Path) -> Option<u32> {
    let inode = std::fs::metadata(dir.join(NAME)).ok()?.ino();
    // The kernel gives the table out in pieces: while others take locks and let go of them, one look may pass an entry over.
    (0..LOOKS).find_map(|_| {
        let locks = std::fs::read_to_string("/proc/locks").ok()?;
        locks.lines().find_map(|line| held_by(line, inode))
    })
}

/// `1: FLOCK  ADVISORY  WRITE 4711 08:01:131074 0 EOF`
fn held_by(line: &str, inode: u64) -> Option<u32> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, "FLOCK", _, "WRITE", pid, file, ..] = words.as_slice() else { return None };
    let theirs: u64 = file.rsplit(':').next()?.parse().ok()?;
    (theirs == inode).then(|| pid.parse().ok()).flatten()
}
