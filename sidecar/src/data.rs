//! The data folder: one house at a time, and small files that are replaced whole or not at all.
//!
//! | file | holds |
//! |---|---|
//! | `house.lock` | an advisory lock for as long as the house runs, and its process id |
//! | `hash.key` | the installation's key for keyed hashes, mode 0600 (see [`crate::hash_key`]) |
//! | `policy.image`, `policy.revision` | the last good policy (see [`crate::policies`]) |
//! | `brakes.json`, `brake` | the brakes that hold; the file that brakes by hand (see [`crate::brake`]) |
//! | `rollbacks.json` | changes that workers took back (see [`crate::rollout`]) |
//! | `verdicts.jsonl` | who is on which list (see [`crate::verdicts`]) |
//! | `list-NAME.json` | what a list from outside held when it was last fetched, mode 0600 (see [`crate::lists`]) |
//! | `audit.jsonl` | who changed what by hand (see [`crate::audit`]) |
//! | `admin.address`, `intake.address` | the addresses in use, for whoever asked for port 0 |
//! | `spool/`, `house.sock` | by default |

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const LOCK: &str = "house.lock";

/// The data folder, held against a second house until dropped.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    // Held, never read: the lock goes when the file closes, also after SIGKILL.
    _lock: File,
}

/// Why the data folder cannot be used.
#[derive(Debug)]
pub enum DataError {
    /// Another house runs on it.
    InUse {
        /// The folder.
        path: PathBuf,
        /// What its lock file says: the other process's id.
        holder: String,
    },
    /// The operating system refuses.
    Io {
        /// What was tried, in words.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
}

impl DataFolder {
    /// Creates the folder where it is missing (mode 0750) and locks it.
    ///
    /// # Errors
    /// Another house holds it, or it cannot be created or written.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        DirBuilder::new().recursive(true).mode(0o750).create(path).map_err(io_error("create the data folder", path))?;
        let lock_path = path.join(LOCK);
        let lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o640)
            .open(&lock_path)
            .map_err(io_error("open the lock file", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who holds it is a courtesy; that somebody does is the answer.
                let _ = (&lock).take(32).read_to_string(&mut holder);
                return Err(DataError::InUse { path: path.into(), holder: holder.trim().into() });
            }
            Err(TryLockError::Error(source)) => return Err(io_error("lock", &lock_path)(source)),
        }
        let write = |mut file: &File| {
            file.set_len(0)?;
            writeln!(file, "{}", std::process::id())
        };
        write(&lock).map_err(io_error("write the lock file", &lock_path))?;
        Ok(Self { path: path.into(), _lock: lock })
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a file of at most `limit` bytes; `None`: it does not exist.
    ///
    /// # Errors
    /// It cannot be read, or is larger.
    pub fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, DataError> {
        let path = self.path.join(name);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("read", &path)(error)),
        };
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes).map_err(io_error("read", &path))?;
        if bytes.len() as u64 > limit {
            let too_big = io::Error::new(io::ErrorKind::InvalidData, "larger than it can be");
            return Err(io_error("read", &path)(too_big));
        }
        Ok(Some(bytes))
    }

    /// Removes a file, if it is there.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), DataError> {
        let path = self.path.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", &path)(error)),
            _ => Ok(()),
        }
    }

    /// Gives a file to the owner of the folder where root writes into the folder of somebody else's house: the house must be
    /// able to read it. Nothing happens otherwise.
    ///
    /// # Errors
    /// The owner cannot be learned or given.
    pub fn hand_over(&self, file: &File) -> io::Result<()> {
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let (folder, file_now) = (std::fs::metadata(&self.path)?, file.metadata()?);
        if (folder.uid(), folder.gid()) == (file_now.uid(), file_now.gid()) {
            return Ok(());
        }
        std::os::unix::fs::fchown(file, Some(folder.uid()), Some(folder.gid()))
    }

    /// Replaces a file whole: after a crash it holds the old bytes or the new ones.
    ///
    /// # Errors
    /// It cannot be written, synced or renamed.
    pub fn replace(&self, name: &str, bytes: &[u8], mode: u32) -> Result<(), DataError> {
        let path = self.path.join(name);
        let fresh = self.path.join(format!("{name}.new"));
        let write = || {
            // A leftover of a crash could carry another mode.
            match std::fs::remove_file(&fresh) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&fresh)?;
            self.hand_over(&file)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&fresh, &path)?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(io_error("write", &path))
    }
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DataError {
    move |source| DataError::Io { doing, path: path.into(), source }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { path, holder } => write!(
                f,
                "another house (process `{holder}`) runs on the data folder `{}`; stop it, or give this one its own with \
                 `--data DIR`",
                path.display()
            ),
            Self::Io { doing, path, source } => {
                write!(f, "cannot {doing} `{}`: {source}", path.display())?;
                if source.kind() == io::ErrorKind::PermissionDenied {
                    f.write_str("; give a folder that this user may write with `--data DIR`")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for DataError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::InUse { .. } => None,
            Self::Io { source, .. } => Some(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_house_is_told_who_holds_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataFolder::open(dir.path()).unwrap();
        let refusal = DataFolder::open(dir.path()).unwrap_err().to_string();
        assert!(refusal.contains(&format!("process `{}`", std::process::id())), "{refusal}");
        drop(first);
        DataFolder::open(dir.path()).unwrap();
    }

    #[test]
    fn a_file_is_replaced_whole_also_over_the_leftover_of_a_crash() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataFolder::open(dir.path()).unwrap();
        assert_eq!(data.read("thing", 10).unwrap(), None);
        std::fs::write(dir.path().join("thing.new"), "half").unwrap();
        data.replace("thing", b"whole", 0o600).unwrap();
        assert_eq!(data.read("thing", 5).unwrap().unwrap(), b"whole");
        assert!(data.read("thing", 4).unwrap_err().to_string().contains("larger than it can be"));
    }
}
