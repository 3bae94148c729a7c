//! A policy image that arrives in chunks: hashed as it comes, checked and loaded once it is whole.

use sha2::{Digest as _, Sha256};

use crate::{IMAGE_VERSION, MAX_IMAGE, Policy, PolicyError};

/// Takes in one image, chunk by chunk, into one buffer of its announced size.
#[derive(Debug)]
pub struct ImageLoader {
    revision: u64,
    digest: [u8; 32],
    total: usize,
    image: Vec<u8>,
    hasher: Sha256,
}

impl ImageLoader {
    /// Begins with an image of `total` bytes, SHA-256 `digest` and format `version`, which the house calls `revision`.
    ///
    /// # Errors
    /// Another format than [`IMAGE_VERSION`], more than [`MAX_IMAGE`] bytes, or a digest that is not 32 bytes.
    pub fn begin(revision: u64, total: u64, digest: &[u8], version: u32) -> Result<Self, PolicyError> {
        if version != IMAGE_VERSION {
            return Err(PolicyError::Version { found: version, needed: IMAGE_VERSION });
        }
        let digest = digest.try_into().map_err(|_| PolicyError::Digest)?;
        let size = usize::try_from(total).ok().filter(|size| *size <= MAX_IMAGE);
        let size = size.ok_or(PolicyError::TooLarge(total))?;
        let mut image = Vec::new();
        image.try_reserve_exact(size).map_err(|_| PolicyError::TooLarge(total))?;
        Ok(Self { revision, digest, total: size, image, hasher: Sha256::new() })
    }

    /// Takes the next chunk; `Some` once the image is whole. After an error the loader is of no use any more: begin anew.
    ///
    /// # Errors
    /// The chunk is of another image, leaves a gap or goes beyond the end; or the whole image has another digest or is malformed.
    pub fn chunk(&mut self, digest: &[u8], offset: u64, data: &[u8]) -> Result<Option<Policy>, PolicyError> {
        if digest != self.digest {
            return Err(PolicyError::Mixed);
        }
        let expected = self.image.len() as u64;
        if offset != expected {
            return Err(PolicyError::Gap { expected, found: offset });
        }
        if data.len() > self.total - self.image.len() {
            return Err(PolicyError::TooLarge(expected.saturating_add(data.len() as u64)));
        }
        self.hasher.update(data);
        self.image.extend_from_slice(data);
        if self.image.len() < self.total {
            return Ok(None);
        }
        let found: [u8; 32] = std::mem::take(&mut self.hasher).finalize().into();
        if found != self.digest {
            return Err(PolicyError::Digest);
        }
        Policy::load_hashed(std::mem::take(&mut self.image), self.revision, found).map(Some)
    }

    /// Digest of the image being taken in.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }
}
