//! What changes while a broker is down: its trust, its passwords, its disk.

use std::fs;
use std::path::{Path, PathBuf};

use super::Broker;
use crate::certificates::Certificates;

/// What a broker's disk held once.
#[derive(Debug)]
pub struct Disk(PathBuf);

impl Broker {
    /// Gives it an authority and certificates of that, all new, for its next start. The old files are where they were, under
    /// what [`Broker::certificates`] gave before.
    ///
    /// # Panics
    /// It runs.
    pub fn renew_certificates(&mut self) {
        self.assert_down();
        self.certificates = Certificates::make(&self.folder.path().join("renewed"));
        self.write_properties();
    }

    /// Changes the password of [`SASL_USER`](crate::SASL_USER) by `PLAIN`, for its next start.
    ///
    /// # Panics
    /// It runs.
    pub fn renew_password(&mut self, password: &str) {
        self.assert_down();
        password.clone_into(&mut self.password);
        self.write_properties();
    }

    /// Copies its disk.
    ///
    /// # Panics
    /// It runs.
    #[must_use]
    pub fn keep_disk(&self) -> Disk {
        self.assert_down();
        let kept = self.folder.path().join("kept");
        copy(&self.data(), &kept);
        Disk(kept)
    }

    /// Gives it the disk back as it was: what came later is gone, as after a power loss.
    ///
    /// # Panics
    /// It runs.
    pub fn rewind_disk(&self, Disk(kept): Disk) {
        self.assert_down();
        fs::remove_dir_all(self.data()).unwrap();
        fs::rename(kept, self.data()).unwrap();
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn assert_down(&self) {
        assert!(self.child.is_none(), "the broker runs");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
