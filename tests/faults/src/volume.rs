//! A small disk that can be filled: a file system in a file, on a loop device; where there is none, one in memory of the same size.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A mounted volume; it goes with this value.
#[derive(Debug)]
pub struct Volume {
    at: PathBuf,
    kind: &'static str,
    _image: TempDir,
}

impl Volume {
    /// Mounts a volume of `mib` MiB at this folder.
    ///
    /// # Panics
    /// When neither kind can be mounted.
    pub fn mount(at: &Path, mib: u64) -> Self {
        let image = tempfile::Builder::new().prefix("gatehouse-volume-").tempdir().expect("a folder");
        let file = image.path().join("image");
        File::create(&file).and_then(|file| file.set_len(mib << 20)).expect("an image file");
        let made = done(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&file));
        if made && done(Command::new("mount").args(["-o", "loop"]).arg(&file).arg(at)) {
            return Self { at: at.to_owned(), kind: "ext4 on a loop device", _image: image };
        }
        let size = format!("size={mib}m,mode=0700");
        let mounted = done(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at));
        assert!(mounted, "neither a loop device nor a tmpfs can be mounted at {}", at.display());
        Self { at: at.to_owned(), kind: "tmpfs", _image: image }
    }

    /// What it is, for the table.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Takes every byte that is left.
    ///
    /// # Panics
    /// When something else than the lack of space stops it.
    pub fn fill(&self) {
        let mut file = File::options().create(true).append(true).open(self.filler()).expect("a file");
        // Large pieces first: the rest is taken in small ones.
        for piece in [1 << 20, 4096, 1] {
            let zeros = vec![0; piece];
            let full = loop {
                match file.write_all(&zeros).and_then(|()| file.sync_data()) {
                    Ok(()) => {}
                    Err(error) => break error,
                }
            };
            assert_eq!(full.kind(), io::ErrorKind::StorageFull, "{full}");
        }
    }

    /// Gives it all back.
    ///
    /// # Panics
    /// When it was not filled.
    pub fn free(&self) {
        std::fs::remove_file(self.filler()).expect("the volume was filled");
    }

    fn filler(&self) -> PathBuf {
        self.at.join("filler")
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        done(Command::new("umount").arg("--lazy").arg(&self.at));
    }
}

fn done(command: &mut Command) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
