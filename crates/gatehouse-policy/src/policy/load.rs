//! An image becomes a policy in short steps: its frame, then the check, then what is decoded.

use gatehouse_signals::head::{Names as HeaderNames, name_bit};
use gatehouse_verdict::record::PolicyStamp;
use sha2::{Digest as _, Sha256};

use super::{ClientKey, LimitSpec, Policy, clients};
use crate::PolicyError;
use crate::image::check::Check;
use crate::image::{Section, View};
use crate::regex::Regexes;

/// Entries that are decoded in one step.
const ENTRIES: usize = 64;

/// A policy in the making.
#[derive(Debug)]
pub(crate) struct Loading {
    policy: Policy,
    check: Check,
    checked: bool,
}

/// Checks and takes a whole image at once.
pub(super) fn whole(image: Vec<u8>, revision: u64) -> Result<Policy, PolicyError> {
    let digest = Sha256::digest(&image).into();
    hashed(image, revision, digest)
}

/// The same for an image whose SHA-256 is known.
pub(crate) fn hashed(image: Vec<u8>, revision: u64, digest: [u8; 32]) -> Result<Policy, PolicyError> {
    let mut loading = Loading::begin(image, PolicyStamp { revision, digest })?;
    while !loading.step()? {}
    Ok(loading.policy())
}

impl Loading {
    /// Takes an image whose frame is sound.
    pub(crate) fn begin(image: Vec<u8>, stamp: PolicyStamp) -> Result<Self, PolicyError> {
        let view = View::frame(image)?;
        let policy = Policy {
            half_life_ns: view.long(Section::Meta, 0, 0).max(1),
            view,
            stamp,
            regexes: Regexes::default(),
            clients: Vec::new(),
            client_keys: Vec::new(),
            limits: Vec::new(),
            claims: Vec::new(),
            set_headers: HeaderNames::default(),
        };
        Ok(Self { policy, check: Check::default(), checked: false })
    }

    /// One short step; true: the policy is whole.
    pub(crate) fn step(&mut self) -> Result<bool, PolicyError> {
        if !self.checked {
            self.checked = self.check.step(&self.policy.view)?;
            return Ok(false);
        }
        self.decode()
    }

    /// The policy, once [`Loading::step`] said that it is whole.
    pub(crate) fn policy(self) -> Policy {
        let mut policy = self.policy;
        let bits = policy.set_headers().fold(0, |bits, name| bits | 1 << name_bit(name.as_bytes()));
        policy.set_headers = HeaderNames::from_bits(bits);
        policy
    }

    fn decode(&mut self) -> Result<bool, PolicyError> {
        let Policy { view, regexes, clients, client_keys, limits, claims, .. } = &mut self.policy;
        if regexes.len() < view.count(Section::Regexes) {
            regexes.push(view).map_err(|_| PolicyError::Malformed(Section::Regexes.name()))?;
        } else if clients.len() < view.count(Section::Clients) {
            clients.push(clients::Client::read(view, clients.len()));
        } else if client_keys.len() < view.count(Section::ClientKeys) {
            fill(client_keys, view.count(Section::ClientKeys), |index| ClientKey::read(view, index));
        } else if limits.len() < view.count(Section::Limits) {
            fill(limits, view.count(Section::Limits), |index| LimitSpec::read(view, index));
        } else if claims.len() < view.count(Section::Claims) {
            fill(claims, view.count(Section::Claims), |index| view.text(Section::Claims, index, 0).to_owned());
        } else {
            return Ok(true);
        }
        Ok(false)
    }
}

fn fill<T>(out: &mut Vec<T>, count: usize, read: impl Fn(usize) -> T) {
    let end = count.min(out.len() + ENTRIES);
    for index in out.len()..end {
        out.push(read(index));
    }
}
