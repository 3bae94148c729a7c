//! Policies by the digest of their image: the documents as they were read, so that a verdict can be explained by the text
//! that was in force then.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::FOLDER;
use crate::data::{DataError, DataFolder};
use crate::ocsf::hex::Hex;
use crate::policies::folder::Document;

/// Policies that are kept, at most.
const KEPT: usize = 64;
/// A policy of more text than this is not kept: its digest stands in the record all the same.
const LARGEST: usize = 16 << 20;

/// Keeps the documents of a policy.
///
/// # Errors
/// The disk does not take them.
pub fn keep(data: &DataFolder, digest: [u8; 32], revision: u64, documents: &[Document]) -> Result<(), DataError> {
    let text = |document: &Document| json!({ "file": document.name, "text": document.text });
    let all: Vec<Value> = documents.iter().map(text).collect();
    let value = json!({ "revision": revision, "documents": all }).to_string();
    if value.len() > LARGEST {
        return Ok(());
    }
    let folder = folder(&data.path().join(FOLDER));
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.map_err(|source| DataError::Io { doing: "create", path: folder.clone(), source })?;
    data.replace(&format!("{FOLDER}/policies/{}", name(&digest)), value.as_bytes(), 0o600)?;
    forget(&folder).map_err(|source| DataError::Io { doing: "tidy", path: folder, source })
}

/// The policy with this digest: `{"revision", "documents": [{"file", "text"}]}`.
pub(super) fn find(references: &Path, digest: &[u8]) -> Option<Value> {
    serde_json::from_slice(&fs::read(folder(references).join(name(digest))).ok()?).ok()
}

fn folder(references: &Path) -> PathBuf {
    references.join("policies")
}

fn name(digest: &[u8]) -> String {
    format!("{}.json", Hex(digest))
}

/// Removes the oldest beyond [`KEPT`].
fn forget(folder: &Path) -> io::Result<()> {
    let about = |entry: fs::DirEntry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()));
    let mut all: Vec<_> = fs::read_dir(folder)?.flatten().filter_map(about).collect();
    all.sort();
    all.iter().take(all.len().saturating_sub(KEPT)).try_for_each(|(_, path)| fs::remove_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_found_by_its_digest_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open(folder.path()).unwrap();
        for number in 0..KEPT + 5 {
            let documents = [Document { name: "shop.yaml".into(), text: format!("# {number}") }];
            keep(&data, [u8::try_from(number).unwrap(); 32], number as u64, &documents).unwrap();
        }
        let references = folder.path().join(FOLDER);
        let last = find(&references, &[u8::try_from(KEPT + 4).unwrap(); 32]).unwrap();
        assert_eq!(
            (&last["revision"], &last["documents"][0]["text"]),
            (&json!(KEPT + 4), &json!(format!("# {}", KEPT + 4)))
        );
        assert_eq!(fs::read_dir(references.join("policies")).unwrap().count(), KEPT);
        assert_eq!(find(&references, &[250; 32]), None);
    }
}
