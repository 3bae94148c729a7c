//! The table as it travels: its bytes, named by their SHA-256, in chunks.

use std::sync::Arc;

use gatehouse_proto::{MAX_CHUNK_BYTES, v1};
use sha2::{Digest, Sha256};

use crate::ocsf::hex::Hex;

/// What the table is called on the wire.
pub const NAME: &str = "geo";

/// One table, ready to be sent. Cloning shares the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    digest: [u8; 32],
    ranges: usize,
    bytes: Arc<[u8]>,
}

impl Image {
    /// Names a table.
    #[must_use]
    pub fn new(bytes: Vec<u8>, ranges: usize) -> Self {
        Self { digest: Sha256::digest(&bytes).into(), ranges, bytes: bytes.into() }
    }

    /// SHA-256 of the bytes.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The digest in hexadecimal.
    #[must_use]
    pub fn name(&self) -> String {
        Hex(self.digest).to_string()
    }

    /// Size, bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Ranges of addresses in it.
    #[must_use]
    pub fn ranges(&self) -> usize {
        self.ranges
    }

    /// The message that carries the chunk at `offset`; `None` beyond the end.
    #[must_use]
    pub fn chunk(&self, offset: usize) -> Option<v1::TableChunk> {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let data = self.bytes.get(offset..)?;
        let data = data.get(..MAX_CHUNK_BYTES).unwrap_or(data);
        (!data.is_empty()).then(|| v1::TableChunk {
            name: NAME.into(),
            digest: self.digest.to_vec(),
            total_bytes: small(self.bytes.len()),
            offset: small(offset),
            data: data.to_vec(),
        })
    }

    /// The message that takes a table away.
    #[must_use]
    pub fn none() -> v1::TableChunk {
        v1::TableChunk { name: NAME.into(), ..v1::TableChunk::default() }
    }
}
