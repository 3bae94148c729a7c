//! The folder of one run: `demo`, made anew. While another run holds it, the next one works beside it in `demo/2`, `demo/3` …

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Runs at once in one checkout.
const AT_ONCE: usize = 9;

const LOCK: &str = ".lock";

/// A folder that no other run uses while this value lives.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Takes `base`, or the first free folder beside it, and empties it.
    ///
    /// # Errors
    /// It cannot be written, or nine runs are under way.
    pub fn take(base: &Path) -> Result<Self, Failure> {
        for number in 1..=AT_ONCE {
            let path = if number == 1 { base.to_path_buf() } else { base.join(number.to_string()) };
            match claim(&path) {
                Ok(Some(lock)) => return Ok(Self { path, _lock: lock }),
                Ok(None) => {}
                Err(error) => {
                    let what = format!("cannot make the folder `{}` anew: {error}", path.display());
                    return Err(Failure::new(what, "remove it, or make it writable, then run it again"));
                }
            }
        }
        Err(Failure::new(
            format!("{AT_ONCE} demos run already in this checkout"),
            "end one of them (Ctrl-C), then run it again",
        ))
    }

    /// A path inside.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The lock of an emptied folder; `None`: another run holds it.
fn claim(path: &Path) -> io::Result<Option<File>> {
    std::fs::create_dir_all(path)?;
    let lock = File::create(path.join(LOCK))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        // Numbered folders belong to runs beside this one.
        if name == LOCK || name.to_string_lossy().parse::<usize>().is_ok() {
            continue;
        }
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(Some(lock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_begins_empty_and_a_second_one_works_beside_it() {
        let home = tempfile::tempdir().unwrap();
        let base = home.path().join("demo");
        std::fs::create_dir_all(base.join("old/deep")).unwrap();
        std::fs::write(base.join("old.txt"), "x").unwrap();
        let first = Folder::take(&base).unwrap();
        assert!(!first.join("old").exists() && !first.join("old.txt").exists());
        let second = Folder::take(&base).unwrap();
        assert_eq!(second.path(), base.join("2"));
        std::fs::write(second.join("kept"), "x").unwrap();
        drop(first);
        let third = Folder::take(&base).unwrap();
        assert_eq!(third.path(), base);
        assert!(second.join("kept").exists());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("demo"), "a file").unwrap();
        let failure = Folder::take(&home.path().join("demo")).unwrap_err();
        assert!(failure.what.contains("/demo`"), "{failure}");
    }
}
