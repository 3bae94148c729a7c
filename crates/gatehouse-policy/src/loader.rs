//! A policy image that arrives in chunks, and is hashed, checked and loaded in short steps.

use gatehouse_verdict::record::PolicyStamp;
use sha2::{Digest as _, Sha256};

use crate::policy::load::Loading;
use crate::{IMAGE_VERSION, MAX_IMAGE, OLDEST_IMAGE_VERSION, Policy, PolicyError};

/// Bytes that one unit of work hashes.
const HASHED: usize = 8 << 10;

/// Takes in one image into one buffer of its announced size. [`ImageLoader::chunk`] only takes bytes; all else is done by
/// [`ImageLoader::work`], in units of some tens of microseconds each (natively), so that the caller can stop when its time is up.
#[derive(Debug)]
pub struct ImageLoader {
    revision: u64,
    digest: [u8; 32],
    total: usize,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Bytes arrive, and are hashed behind.
    Taking {
        image: Vec<u8>,
        hashed: usize,
        hasher: Sha256,
    },
    Loading(Box<Loading>),
    /// Nothing is left to do: the policy was given out, or there was an error.
    Ended,
}

/// How far an image has come.
#[derive(Debug)]
pub enum Progress {
    /// There is more to do.
    Busy,
    /// All that came is done; chunks are missing.
    Waiting,
    /// It is loaded.
    Done(Box<Policy>),
}

impl ImageLoader {
    /// Begins with an image of `total` bytes, SHA-256 `digest` and format `version`, which the house calls `revision`.
    ///
    /// # Errors
    /// A format that is not read here, more than [`MAX_IMAGE`] bytes, or a digest that is not 32 bytes.
    pub fn begin(revision: u64, total: u64, digest: &[u8], version: u32) -> Result<Self, PolicyError> {
        if !(OLDEST_IMAGE_VERSION..=IMAGE_VERSION).contains(&version) {
            return Err(PolicyError::Version { found: version, needed: IMAGE_VERSION });
        }
        let digest = digest.try_into().map_err(|_| PolicyError::Digest)?;
        let size = usize::try_from(total).ok().filter(|size| *size <= MAX_IMAGE);
        let size = size.ok_or(PolicyError::TooLarge(total))?;
        let mut image = Vec::new();
        image.try_reserve_exact(size).map_err(|_| PolicyError::TooLarge(total))?;
        let stage = Stage::Taking { image, hashed: 0, hasher: Sha256::new() };
        Ok(Self { revision, digest, total: size, stage })
    }

    /// Takes the next chunk. After an error the loader is of no use any more: begin anew.
    ///
    /// # Errors
    /// The chunk is of another image, leaves a gap or goes beyond the end.
    pub fn chunk(&mut self, digest: &[u8], offset: u64, data: &[u8]) -> Result<(), PolicyError> {
        if digest != self.digest {
            return Err(PolicyError::Mixed);
        }
        let Stage::Taking { image, .. } = &mut self.stage else {
            return Err(PolicyError::TooLarge(offset.saturating_add(data.len() as u64)));
        };
        let expected = image.len() as u64;
        if offset != expected {
            return Err(PolicyError::Gap { expected, found: offset });
        }
        if data.len() > self.total - image.len() {
            return Err(PolicyError::TooLarge(expected.saturating_add(data.len() as u64)));
        }
        image.extend_from_slice(data);
        Ok(())
    }

    /// Does at most `units` of work. After an error, and after `Done`, the loader is of no use any more.
    ///
    /// # Errors
    /// The whole image has another digest or is malformed.
    pub fn work(&mut self, units: usize) -> Result<Progress, PolicyError> {
        for _ in 0..units {
            match self.unit() {
                Ok(Progress::Busy) => {}
                Ok(progress) => return Ok(progress),
                Err(error) => {
                    self.stage = Stage::Ended;
                    return Err(error);
                }
            }
        }
        Ok(Progress::Busy)
    }

    /// Digest of the image being taken in.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    fn unit(&mut self) -> Result<Progress, PolicyError> {
        match &mut self.stage {
            Stage::Taking { image, hashed, hasher } if *hashed < image.len() => {
                let end = image.len().min(*hashed + HASHED);
                hasher.update(image.get(*hashed..end).unwrap_or_default());
                *hashed = end;
                Ok(Progress::Busy)
            }
            Stage::Taking { image, .. } if image.len() < self.total => Ok(Progress::Waiting),
            Stage::Taking { image, hasher, .. } => {
                let found: [u8; 32] = std::mem::take(hasher).finalize().into();
                if found != self.digest {
                    return Err(PolicyError::Digest);
                }
                let stamp = PolicyStamp { revision: self.revision, digest: found };
                self.stage = Stage::Loading(Box::new(Loading::begin(std::mem::take(image), stamp)?));
                Ok(Progress::Busy)
            }
            Stage::Loading(loading) => {
                if !loading.step()? {
                    return Ok(Progress::Busy);
                }
                let Stage::Loading(loading) = std::mem::replace(&mut self.stage, Stage::Ended) else {
                    return Ok(Progress::Waiting);
                };
                Ok(Progress::Done(Box::new(loading.policy())))
            }
            Stage::Ended => Ok(Progress::Waiting),
        }
    }
}
