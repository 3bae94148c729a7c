//! Secrets that cannot be printed, and the files that trust is made of: they may come later than the house, and be renewed
//! while it runs.

use core::fmt;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::sink::board::Trouble;

/// A password file larger than this is none.
const MAX_SECRET: u64 = 64 << 10;

/// Text that no log, status or error may show: its `Debug` and `Display` hide it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one who needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Reads a file; line ends at its end do not count.
    pub(crate) fn read(path: &Path) -> Result<Self, Trouble> {
        let waiting =
            |problem: &dyn fmt::Display| Trouble::Waiting(format!("password file ({}): {problem}", path.display()));
        let length = std::fs::metadata(path).map_err(|error| waiting(&error))?.len();
        if length > MAX_SECRET {
            return Err(waiting(&"it is larger than 64 KiB"));
        }
        let text = std::fs::read_to_string(path).map_err(|error| waiting(&error))?;
        let secret = text.trim_end_matches(['\r', '\n']);
        if secret.is_empty() { Err(waiting(&"it is empty")) } else { Ok(Self::new(secret)) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// The files behind a connection, as they were when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Material(Vec<(PathBuf, Stamp)>);

/// Tells whether a file, or what a symlink leads to, was replaced or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl Material {
    /// Looks at every file; each must be there and hold something.
    pub(crate) fn look<'a>(paths: impl Iterator<Item = &'a Path>) -> Result<Self, Trouble> {
        let missing = |path: &Path, problem: &dyn fmt::Display| {
            Trouble::Waiting(format!("trust material ({}): {problem}", path.display()))
        };
        let mut files = Vec::new();
        for path in paths {
            let stamp = Stamp::of(path).map_err(|error| missing(path, &error))?;
            if stamp.length == 0 {
                return Err(missing(path, &"it is empty"));
            }
            files.push((path.to_owned(), stamp));
        }
        Ok(Self(files))
    }

    /// A file was renewed. One that is missing is not: what was read of it still stands.
    pub(crate) fn is_stale(&self) -> bool {
        self.0.iter().any(|(path, stamp)| Stamp::of(path).is_ok_and(|now| now != *stamp && now.length > 0))
    }
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Ok(Self { device: metadata.dev(), inode: metadata.ino(), length: metadata.len(), modified })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_nowhere() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "[hidden] [hidden]");
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn a_missing_file_is_waited_for_by_name_and_a_renewed_one_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let look = || Material::look([path.as_path()].into_iter());
        let Err(Trouble::Waiting(message)) = look() else { panic!("nothing is there yet") };
        assert!(message.starts_with(&format!("trust material ({})", path.display())), "{message}");
        std::fs::write(&path, "one").unwrap();
        let material = look().unwrap();
        assert!(!material.is_stale());
        let renewed = folder.path().join("new");
        std::fs::write(&renewed, "two").unwrap();
        std::fs::rename(&renewed, &path).unwrap();
        assert!(material.is_stale());
        std::fs::remove_file(&path).unwrap();
        assert!(!material.is_stale());
    }

    #[test]
    fn a_password_file_loses_its_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        assert!(matches!(Secret::read(&path), Err(Trouble::Waiting(_))));
        std::fs::write(&path, "a b\n").unwrap();
        assert_eq!(Secret::read(&path).unwrap().reveal(), "a b");
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(Secret::read(&path), Err(Trouble::Waiting(_))));
    }
}
