//! By what the bytes of a list are told to be its own: a digest, a signature of minisign.

use std::time::Duration;

use gatehouse_policy::{Outside, Signature};
use minisign_verify::{Error, PublicKey};
use sha2::{Digest as _, Sha256};

use super::place::{Given, Mark, Place};
use crate::config;

/// Largest signature, bytes: four lines, two of them comments.
const MAX_SIGNATURE: usize = 8 << 10;

/// What is asked of the bytes of one list.
pub(super) struct Asked {
    digest: Option<[u8; 32]>,
    signature: Option<Result<Signed, String>>,
}

/// Who signs it, and where the signature is.
struct Signed {
    key: PublicKey,
    place: Place,
    name: String,
}

/// What was asked, with what was got for it.
pub(super) struct Proof {
    digest: Option<[u8; 32]>,
    signature: Option<(PublicKey, minisign_verify::Signature)>,
}

impl Asked {
    pub(super) fn new(outside: &Outside, config: &config::Lists) -> Self {
        let signature = outside.signature.as_ref().map(|signature| Signed::new(signature, config));
        Self { digest: outside.digest, signature }
    }

    /// Gets the signature, if there must be one.
    ///
    /// # Errors
    /// It could not be had, or is none, in words.
    pub(super) async fn get(&mut self, retry_after: &mut Option<Duration>) -> Result<Proof, String> {
        let signature = match &mut self.signature {
            None => None,
            Some(Err(problem)) => return Err(format!("its signature cannot be had: {problem}")),
            Some(Ok(signed)) => {
                let signature = signed.get(retry_after).await;
                let signature = signature.map_err(|problem| format!("its signature {}: {problem}", signed.name))?;
                Some((signed.key.clone(), signature))
            }
        };
        Ok(Proof { digest: self.digest, signature })
    }
}

impl Signed {
    fn new(signature: &Signature, config: &config::Lists) -> Result<Self, String> {
        let key = PublicKey::from_base64(&signature.key).map_err(|error| format!("`key` is none: {error}"))?;
        let name = format!("`{}`", signature.at.words().1);
        Ok(Self { key, place: Place::new(&signature.at, config)?, name })
    }

    async fn get(&mut self, retry_after: &mut Option<Duration>) -> Result<minisign_verify::Signature, String> {
        // Without a mark there is nothing that could be the same.
        let Given::Bytes { bytes, .. } = self.place.get(&Mark::default(), MAX_SIGNATURE, retry_after).await? else {
            return Err("it is not there".into());
        };
        let text = std::str::from_utf8(&bytes).ok();
        let read = text.and_then(|text| minisign_verify::Signature::decode(text).ok());
        read.ok_or_else(|| "it is none of minisign, which has four lines".into())
    }
}

impl Proof {
    /// The bytes are what was asked for.
    ///
    /// # Errors
    /// They are not, in words.
    pub(super) fn holds(&self, bytes: &[u8]) -> Result<(), String> {
        if self.digest.is_some_and(|digest| Sha256::digest(bytes)[..] != digest) {
            return Err("its digest is another than the policy says".into());
        }
        let Some((key, signature)) = &self.signature else { return Ok(()) };
        key.verify(bytes, signature, false).map_err(|error| match error {
            Error::UnexpectedKeyId => "its signature is by another key than the policy says".into(),
            Error::UnexpectedAlgorithm => "its signature is of an old kind: sign with minisign 0.10 or later".into(),
            _ => "its signature is not of these bytes".into(),
        })
    }
}
