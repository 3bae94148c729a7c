//! A policy image with its number: what gates get, and what is kept on disk so that a restart with a broken folder still
//! serves the last good one.
//!
//! `policy.image` in the data folder, little-endian:
//!
//! | bytes | field |
//! |---|---|
//! | 4 | `GHP1` |
//! | 8 | revision |
//! | 32 | SHA-256 over revision and image |
//! | rest | the image |

use std::sync::Arc;

use gatehouse_policy::Policy;
use gatehouse_proto::{MAX_CHUNK_BYTES, v1};
use sha2::{Digest, Sha256};

use crate::data::{DataError, DataFolder};

/// Largest image, bytes.
pub const MAX_IMAGE_BYTES: u64 = gatehouse_policy::MAX_IMAGE as u64;

const FILE: &str = "policy.image";
const MAGIC: &[u8; 4] = b"GHP1";

/// One compiled policy, ready to be sent. Cloning shares the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    revision: u64,
    digest: [u8; 32],
    image: Arc<[u8]>,
}

/// What the kept file says.
#[derive(Debug)]
pub enum Kept {
    /// There is none: the first start.
    Nothing,
    /// The last good policy.
    Good(Snapshot),
    /// Not a file of ours, or not as it was written; a new one replaces it.
    Damaged,
}

impl Snapshot {
    /// Numbers an image.
    #[must_use]
    pub fn new(revision: u64, image: Vec<u8>) -> Self {
        Self { revision, digest: Sha256::digest(&image).into(), image: image.into() }
    }

    /// The last good policy of this data folder.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn kept(data: &DataFolder) -> Result<Kept, DataError> {
        let limit = MAX_IMAGE_BYTES + 44;
        Ok(match data.read(FILE, limit)? {
            None => Kept::Nothing,
            Some(bytes) => Self::parse(&bytes).map_or(Kept::Damaged, Kept::Good),
        })
    }

    /// Keeps this one as the last good policy.
    ///
    /// # Errors
    /// The file cannot be written and synced.
    pub fn keep(&self, data: &DataFolder) -> Result<(), DataError> {
        let mut bytes = Vec::with_capacity(44 + self.image.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.revision.to_le_bytes());
        bytes.extend_from_slice(&self.checksum());
        bytes.extend_from_slice(&self.image);
        data.replace(FILE, &bytes, 0o640)
    }

    /// Grows with every snapshot that this house made, over restarts.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// SHA-256 of the image.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Size of the image, bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.image.len()
    }

    /// The format that a gate must read to take it: the lowest that holds what it says.
    #[must_use]
    pub fn image_version(&self) -> u32 {
        gatehouse_policy::image_version(&self.image).unwrap_or(gatehouse_policy::IMAGE_VERSION)
    }

    /// The policy in it, as a gate would load it; `None`: it was kept by another version of the house.
    #[must_use]
    pub fn load(&self) -> Option<Policy> {
        Policy::load(self.image.to_vec(), self.revision).ok()
    }

    /// The message that carries the chunk at `offset`, at most [`MAX_CHUNK_BYTES`]; `None` beyond the end.
    #[must_use]
    pub fn chunk(&self, offset: usize) -> Option<v1::PolicyChunk> {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let data = self.image.get(offset..)?;
        let data = data.get(..MAX_CHUNK_BYTES).unwrap_or(data);
        (!data.is_empty()).then(|| v1::PolicyChunk {
            revision: self.revision,
            digest: self.digest.to_vec(),
            total_bytes: small(self.image.len()),
            offset: small(offset),
            data: data.to_vec(),
            image_version: self.image_version(),
        })
    }

    fn checksum(&self) -> [u8; 32] {
        Sha256::new().chain_update(self.revision.to_le_bytes()).chain_update(&self.image).finalize().into()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (revision, rest) = rest.split_first_chunk::<8>()?;
        let (checksum, image) = rest.split_first_chunk::<32>()?;
        let snapshot = Self::new(u64::from_le_bytes(*revision), image.to_vec());
        (snapshot.checksum() == *checksum).then_some(snapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_rebuild_the_image_in_order_and_none_is_too_large() {
        for size in [1, MAX_CHUNK_BYTES, MAX_CHUNK_BYTES + 1, MAX_CHUNK_BYTES * 2] {
            let image: Vec<u8> = (0..size).map(|n| n as u8).collect();
            let snapshot = Snapshot::new(7, image.clone());
            let mut rebuilt = Vec::new();
            while let Some(chunk) = snapshot.chunk(rebuilt.len()) {
                assert_eq!(chunk.offset as usize, rebuilt.len());
                assert_eq!((chunk.revision, chunk.total_bytes as usize), (7, size));
                assert!(chunk.data.len() <= MAX_CHUNK_BYTES);
                rebuilt.extend_from_slice(&chunk.data);
            }
            assert_eq!(rebuilt, image);
            assert_eq!(snapshot.chunk(size + 1), None);
        }
    }

    #[test]
    fn the_kept_policy_comes_back_and_any_flipped_byte_is_damage() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataFolder::open(dir.path()).unwrap();
        assert!(matches!(Snapshot::kept(&data), Ok(Kept::Nothing)));
        let snapshot = Snapshot::new(3, b"image".to_vec());
        snapshot.keep(&data).unwrap();
        assert!(matches!(Snapshot::kept(&data), Ok(Kept::Good(found)) if found == snapshot));

        let file = dir.path().join(FILE);
        let whole = std::fs::read(&file).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&file, bytes).unwrap();
            assert!(matches!(Snapshot::kept(&data), Ok(Kept::Damaged)), "byte {at}");
        }
    }
}
