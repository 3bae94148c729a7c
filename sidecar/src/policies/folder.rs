//! What stands in the policy folder now: documents by name, read consistently also under a Kubernetes ConfigMap mount.
//!
//! A ConfigMap mount swaps the symbolic link `..data`; the documents are links through it. A read during the swap could
//! mix two versions, so the link is read before and after, and a read that saw it change is done again.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Documents in one folder, at most.
pub const MAX_DOCUMENTS: usize = 1024;

/// Bytes of one document, at most.
pub const MAX_DOCUMENT_BYTES: u64 = 1024 * 1024;

/// Bytes of all documents together, at most.
pub const MAX_FOLDER_BYTES: u64 = 16 * 1024 * 1024;

const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];
const SWAPS: usize = 8;

/// One document as it stands in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// File name, without the folder.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// The documents, ordered by name, and a hash over names and texts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// Ordered by name.
    pub documents: Vec<Document>,
    /// SHA-256 over names and texts with their lengths.
    pub hash: [u8; 32],
}

/// Why the folder cannot be read as a whole. A folder with one unreadable document counts as unreadable: leaving out a
/// document would change what the policy means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderError {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong, for people.
    pub problem: String,
}

/// Reads every `*.yaml`, `*.yml` and `*.json` of the folder; names that begin with a dot are left out.
///
/// # Errors
/// The folder or a document cannot be read, is no UTF-8, or passes a limit.
pub fn read(folder: &Path) -> Result<Contents, FolderError> {
    let link = folder.join("..data");
    for _ in 0..SWAPS {
        let before = fs::read_link(&link).ok();
        let contents = read_once(folder);
        if fs::read_link(&link).ok() == before {
            return contents;
        }
    }
    Err(refuse(folder, "changes faster than it can be read"))
}

fn read_once(folder: &Path) -> Result<Contents, FolderError> {
    let mut names = Vec::new();
    let entries = fs::read_dir(folder).map_err(|error| refuse(folder, error))?;
    for entry in entries {
        let path = entry.map_err(|error| refuse(folder, error))?.path();
        if is_document(&path) {
            names.push(path);
        }
        if names.len() > MAX_DOCUMENTS {
            return Err(refuse(folder, format!("holds more than {MAX_DOCUMENTS} documents")));
        }
    }
    names.sort();
    let mut contents = Contents::default();
    let mut hash = Sha256::new();
    let mut total = 0;
    for path in names {
        let document = document(&path)?;
        total += document.text.len() as u64;
        if total > MAX_FOLDER_BYTES {
            return Err(refuse(folder, format!("holds more than {MAX_FOLDER_BYTES} bytes of documents")));
        }
        for part in [&document.name, &document.text] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        contents.documents.push(document);
    }
    contents.hash = hash.finalize().into();
    Ok(contents)
}

fn is_document(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let extension = path.extension().unwrap_or_default();
    !name.starts_with(b".") && EXTENSIONS.iter().any(|known| extension == *known) && !path.is_dir()
}

/// Reads one document, whatever its ending.
///
/// # Errors
/// It cannot be read, is no UTF-8, or is larger than [`MAX_DOCUMENT_BYTES`].
pub fn document(path: &Path) -> Result<Document, FolderError> {
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| refuse(path, "its name is not UTF-8"))?;
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_DOCUMENT_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| refuse(path, error))?;
    if bytes.len() as u64 > MAX_DOCUMENT_BYTES {
        return Err(refuse(path, "is larger than 1 MiB"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        refuse(path, format!("is not UTF-8 at byte {at}"))
    })?;
    Ok(Document { name: name.into(), text })
}

fn refuse(path: &Path, problem: impl ToString) -> FolderError {
    FolderError { path: path.into(), problem: problem.to_string() }
}

impl std::fmt::Display for FolderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`: {}", self.path.display(), self.problem)
    }
}

impl std::error::Error for FolderError {}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_configmap_mount_is_read_through_its_links_once_and_its_swap_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path();
        for (version, text) in [("..1", "old"), ("..2", "new")] {
            fs::create_dir(folder.join(version)).unwrap();
            fs::write(folder.join(version).join("shop.yaml"), text).unwrap();
        }
        symlink("..1", folder.join("..data")).unwrap();
        symlink("..data/shop.yaml", folder.join("shop.yaml")).unwrap();
        let old = read(folder).unwrap();
        assert_eq!(old.documents, [Document { name: "shop.yaml".into(), text: "old".into() }]);

        symlink("..2", folder.join("..tmp")).unwrap();
        fs::rename(folder.join("..tmp"), folder.join("..data")).unwrap();
        let new = read(folder).unwrap();
        assert_eq!(new.documents[0].text, "new");
        assert_ne!(old.hash, new.hash);
    }

    #[test]
    fn hidden_files_folders_and_other_endings_are_no_documents() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("folder.yaml")).unwrap();
        for name in [".hidden.yaml", "README.md", "b.yml", "a.json", "yaml"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        let names: Vec<_> = read(dir.path()).unwrap().documents.into_iter().map(|d| d.name).collect();
        assert_eq!(names, ["a.json", "b.yml"]);
    }

    #[test]
    fn one_bad_document_refuses_the_folder_and_says_which() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.yaml"), "fine").unwrap();
        fs::write(dir.path().join("b.yaml"), b"not \xff text").unwrap();
        let error = read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("b.yaml") && error.contains("not UTF-8 at byte 4"), "{error}");
        fs::write(dir.path().join("b.yaml"), vec![b' '; MAX_DOCUMENT_BYTES as usize + 1]).unwrap();
        assert!(read(dir.path()).unwrap_err().problem.contains("larger than 1 MiB"));
        fs::remove_file(dir.path().join("b.yaml")).unwrap();
        symlink("nowhere", dir.path().join("c.yaml")).unwrap();
        assert!(read(dir.path()).unwrap_err().path.ends_with("c.yaml"));
    }

    #[test]
    fn a_name_and_a_text_cannot_trade_bytes_without_a_new_hash() {
        let hash = |name: &str, text: &str| {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(name), text).unwrap();
            read(dir.path()).unwrap().hash
        };
        assert_ne!(hash("a.yaml", "x"), hash("a.yaml", "y"));
        assert_ne!(hash("a.yaml", "x"), hash("b.yaml", "x"));
        assert_eq!(hash("a.yaml", "x"), hash("a.yaml", "x"));
    }
}
