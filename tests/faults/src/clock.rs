//! A wall clock that jumps, for the processes that are told so: libfaketime reads the offset from a file. Monotonic time goes on.

use std::path::{Path, PathBuf};

/// A clock of a process's own.
#[derive(Debug, Clone)]
pub struct Clock {
    library: PathBuf,
    offset: PathBuf,
}

impl Clock {
    /// A clock that is right, its offset in a file of `folder`.
    ///
    /// # Panics
    /// When the library is absent, or the file cannot be written.
    pub fn new(folder: &Path) -> Self {
        let clock = Self { library: library(), offset: folder.join("clock-offset") };
        clock.set("+0");
        clock
    }

    /// It jumps to this offset from the right time: `+1d`, `-2h`, `+0`.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn set(&self, offset: &str) {
        let fresh = self.offset.with_extension("fresh");
        std::fs::write(&fresh, offset).and_then(|()| std::fs::rename(&fresh, &self.offset)).expect("a file");
    }

    /// The environment of a process that has it.
    pub fn environment(&self) -> Vec<(String, String)> {
        let path = |path: &Path| path.display().to_string();
        let pairs = [
            ("LD_PRELOAD", path(&self.library)),
            ("FAKETIME_TIMESTAMP_FILE", path(&self.offset)),
            ("FAKETIME_CACHE_DURATION", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("FAKETIME_DONT_RESET", "1".to_owned()),
            // Files keep their own times.
            ("NO_FAKE_STAT", "1".to_owned()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }
}

fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let found = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|path| path.is_file());
    found.expect("libfaketime is absent (Debian: apt-get install faketime)")
}
