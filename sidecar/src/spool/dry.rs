//! A disk that is looked at and never changed: what would be written goes nowhere and counts as done.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, DiskFile};

/// A folder of the file system, read only. It must exist.
pub(super) struct DryDisk(PathBuf);

/// A file, read only; `None`: one that would have been made, which stays empty.
struct DryFile(Option<File>);

impl DryDisk {
    pub(super) fn new(dir: &Path) -> Self {
        Self(dir.to_owned())
    }
}

impl Disk for DryDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        // A name that is not UTF-8 is not ours.
        std::fs::read_dir(&self.0)?
            .map(|entry| Ok(entry?.file_name().into_string().ok()))
            .filter_map(Result::transpose)
            .collect()
    }

    fn create(&self, _: &str, _: u64) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(DryFile(None)))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(DryFile(Some(File::open(self.0.join(name))?))))
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for DryFile {
    fn bytes(&self) -> io::Result<u64> {
        self.0.as_ref().map_or(Ok(0), |file| Ok(file.metadata()?.len()))
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.0.as_ref().map_or(Ok(0), |file| std::os::unix::fs::FileExt::read_at(file, into, offset))
    }

    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn cut(&self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
