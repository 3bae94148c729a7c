//! Files put aside: `path.1`, the youngest, to `path.KEEP`, the oldest; with `.gz` behind it where a file is compressed.
//!
//! Compressing runs beside the sink, one file at a time: a large one takes minutes, and events must not wait for it. The
//! plain file goes only when the compressed one is synced under its name, so a crash leaves one of them, whole; what is
//! still plain then is compressed with the next file that is put aside.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::Rotate;

/// The files put aside beside one file, and who compresses them.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    compressing: Option<JoinHandle<()>>,
}

impl Shelf {
    /// `path` becomes `path.1`, and so on; the oldest goes. Each step is one rename, so a crash between two leaves only a
    /// gap in the numbers. Waits for a compression that still runs: files do not change their names under it.
    pub(super) fn put_aside(&mut self, path: &Path, rotate: Rotate) -> io::Result<()> {
        self.finish();
        if rotate.keep == 0 {
            std::fs::remove_file(path)?;
            return sync_folder(path);
        }
        for number in (1..rotate.keep).rev() {
            shift(&numbered(path, number), &numbered(path, number + 1))?;
        }
        let first = numbered(path, 1);
        remove_if_there(&packed(&first))?;
        std::fs::rename(path, &first)?;
        sync_folder(path)?;
        if rotate.compress {
            let path = path.to_owned();
            self.compressing = Some(std::thread::spawn(move || compress_all(&path, rotate.keep)));
        }
        Ok(())
    }

    fn finish(&mut self) {
        // A panic in there leaves the plain file, which the next round compresses.
        let _ = self.compressing.take().map(JoinHandle::join);
    }
}

/// Makes names last: a new or renamed file is there after a power loss only when its folder is synced.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    with_end(path, &format!(".{number}"))
}

fn packed(path: &Path) -> PathBuf {
    with_end(path, ".gz")
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(end);
    name.into()
}

/// Gives a file the next number, in the form that it has; what stood there goes. Of both forms the compressed one is
/// whole: the plain one goes last.
fn shift(from: &Path, to: &Path) -> io::Result<()> {
    let is_packed = packed(from).exists();
    if !is_packed && !from.exists() {
        return Ok(());
    }
    remove_if_there(to)?;
    remove_if_there(&packed(to))?;
    if !is_packed {
        return std::fs::rename(from, to);
    }
    remove_if_there(from)?;
    std::fs::rename(packed(from), packed(to))
}

/// Compresses what is plain. A failure (a full disk) costs nothing but space.
fn compress_all(path: &Path, keep: u32) {
    for plain in (1..=keep).map(|number| numbered(path, number)).filter(|plain| plain.exists()) {
        if let Err(error) = compress(&plain) {
            let _ = std::fs::remove_file(unfinished(&plain));
            tracing::warn!(path = %plain.display(), %error, "cannot compress a file that was put aside");
        }
    }
}

fn compress(plain: &Path) -> io::Result<()> {
    let (unfinished, finished) = (unfinished(plain), packed(plain));
    let mut input = File::open(plain)?;
    let output = OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&unfinished)?;
    let mut encoder = GzEncoder::new(output, Compression::fast());
    io::copy(&mut input, &mut encoder)?;
    encoder.finish()?.sync_all()?;
    std::fs::rename(&unfinished, &finished)?;
    sync_folder(plain)?;
    std::fs::remove_file(plain)
}

fn unfinished(plain: &Path) -> PathBuf {
    with_end(plain, ".gz.part")
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    const KEEP: u32 = 3;

    struct Folder {
        folder: tempfile::TempDir,
        shelf: Shelf,
    }

    impl Folder {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), shelf: Shelf::default() }
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("events.ndjson")
        }

        fn put_aside(&mut self, text: &str, compress: bool) {
            std::fs::write(self.path(), text).unwrap();
            let rotate = Rotate { keep: KEEP, compress, ..Rotate::default() };
            self.shelf.put_aside(&self.folder.path().join("events.ndjson"), rotate).unwrap();
            self.shelf.finish();
        }

        /// Every file, by the end of its name, and what it holds when it is unpacked.
        fn files(&self) -> Vec<(String, String)> {
            let mut files: Vec<_> =
                std::fs::read_dir(self.folder.path()).unwrap().map(|entry| read(&entry.unwrap().path())).collect();
            files.sort();
            files
        }
    }

    fn read(path: &Path) -> (String, String) {
        let mut text = String::new();
        let file = File::open(path).unwrap();
        if path.extension().unwrap() == "gz" {
            flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
        } else {
            io::BufReader::new(file).read_to_string(&mut text).unwrap();
        }
        (path.file_name().unwrap().to_str().unwrap().replace("events.ndjson", ""), text)
    }

    fn are(files: &[(&str, &str)]) -> Vec<(String, String)> {
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn the_youngest_are_kept_compressed_and_the_oldest_goes() {
        let mut folder = Folder::new();
        for text in ["a", "b", "c", "d", "e"] {
            folder.put_aside(text, true);
        }
        assert_eq!(folder.files(), are(&[(".1.gz", "e"), (".2.gz", "d"), (".3.gz", "c")]));
    }

    #[test]
    fn plain_and_compressed_files_stand_in_one_row_and_no_number_twice() {
        let mut folder = Folder::new();
        folder.put_aside("a", true);
        folder.put_aside("b", false);
        folder.put_aside("c", false);
        assert_eq!(folder.files(), are(&[(".1", "c"), (".2", "b"), (".3.gz", "a")]));
        folder.put_aside("d", false);
        assert_eq!(folder.files(), are(&[(".1", "d"), (".2", "c"), (".3", "b")]));
        folder.put_aside("e", true);
        assert_eq!(folder.files(), are(&[(".1.gz", "e"), (".2.gz", "d"), (".3.gz", "c")]), "what was left plain too");
    }

    #[test]
    fn a_crash_while_compressing_costs_nothing() {
        let mut folder = Folder::new();
        folder.put_aside("a", false);
        std::fs::write(unfinished(&numbered(&folder.path(), 1)), "half of it").unwrap();
        folder.put_aside("b", true);
        let files = folder.files();
        assert!(
            files.contains(&(".1.gz".into(), "b".into())) && files.contains(&(".2.gz".into(), "a".into())),
            "{files:?}"
        );
        // The last step of a compression had not come: both are there, and hold the same.
        std::fs::write(numbered(&folder.path(), 2), "a").unwrap();
        folder.put_aside("c", true);
        assert!(folder.files().contains(&(".3.gz".into(), "a".into())), "{:?}", folder.files());
    }

    #[test]
    fn what_cannot_be_compressed_stays_as_it_is() {
        let mut folder = Folder::new();
        std::fs::create_dir(unfinished(&numbered(&folder.path(), 1))).unwrap();
        folder.put_aside("a", true);
        assert_eq!(read(&numbered(&folder.path(), 1)).1, "a");
    }
}
