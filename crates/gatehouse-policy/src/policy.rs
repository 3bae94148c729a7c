//! A policy in force: a checked image, and beside it only what cannot be used as bytes (compiled regexes, trusted networks).

mod scope;

pub use scope::{Rule, Scope};

use core::cmp::Reverse;
use std::collections::BTreeMap;

use gatehouse_signals::address::Trust;
use gatehouse_verdict::record::PolicyStamp;
use regex_lite::Regex;
use sha2::{Digest as _, Sha256};

use crate::PolicyError;
use crate::image::{self, Section, View, document, rule};

/// Longest host that a name can be (RFC 1035, 2.3.4); a longer one lies under no domain.
const MAX_HOST: usize = 255;

/// A policy in force: immutable.
#[derive(Debug)]
pub struct Policy {
    view: View,
    stamp: PolicyStamp,
    regexes: Vec<Regex>,
    trusts: Vec<Trust>,
    /// For each document its own among `trusts`.
    trust_of: Vec<usize>,
}

/// The place of a rule in the order of decision: the deeper layer first, then the higher priority, the order written, the
/// document's name (documents stand in the order of their names).
pub(crate) fn order(view: &View, index: usize) -> impl Ord + use<> {
    let word = |w| view.word(Section::Rules, index, w);
    (Reverse(word(rule::LAYER)), Reverse(word(rule::PRIORITY)), word(rule::POSITION), word(rule::DOCUMENT))
}

impl Policy {
    /// Checks and takes a whole image, which the house calls `revision` (0: the bootstrap's own).
    ///
    /// # Errors
    /// The image is not one of ours, is of another version, or points outside itself.
    pub fn load(image: Vec<u8>, revision: u64) -> Result<Self, PolicyError> {
        let digest = Sha256::digest(&image).into();
        Self::load_hashed(image, revision, digest)
    }

    /// The same for an image whose SHA-256 is known.
    pub(crate) fn load_hashed(image: Vec<u8>, revision: u64, digest: [u8; 32]) -> Result<Self, PolicyError> {
        let view = View::frame(image)?;
        image::check(&view)?;
        let pattern = |index| crate::regex::compile(view.text(Section::Regexes, index, 0));
        let regexes: Result<_, _> = (0..view.count(Section::Regexes)).map(pattern).collect();
        let regexes = regexes.map_err(|_| PolicyError::Malformed(Section::Regexes.name()))?;
        let (trusts, trust_of) = trusts(&view)?;
        Ok(Self { view, stamp: PolicyStamp { revision, digest }, regexes, trusts, trust_of })
    }

    /// Which policy this is.
    #[must_use]
    pub fn stamp(&self) -> PolicyStamp {
        self.stamp
    }

    /// SHA-256 of the image.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.stamp.digest
    }

    /// The image's bytes.
    #[must_use]
    pub fn image(&self) -> &[u8] {
        self.view.bytes()
    }

    /// Number of rules.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.view.count(Section::Rules)
    }

    /// `policy/rule` of every rule.
    pub fn rule_names(&self) -> impl Iterator<Item = String> + '_ {
        (0..self.rules()).map(|index| Rule { policy: self, index }.id())
    }

    /// Every header that some policy may set on requests: lower case, sorted. They are removed from every incoming request.
    pub fn set_headers(&self) -> impl Iterator<Item = &str> {
        (0..self.view.count(Section::SetHeaders)).map(|index| self.view.text(Section::SetHeaders, index, 0))
    }

    /// `name` (any case, `_` read as `-` too, as many applications do) is a header that some policy may set.
    #[must_use]
    pub fn sets_header(&self, name: &[u8]) -> bool {
        let fold = |byte: &u8| {
            if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }
        };
        self.view.find_by(Section::SetHeaders, |set| set.iter().copied().cmp(name.iter().map(fold))).is_some()
    }

    /// What holds for `host` (canonical): the rules of the document that names it and of those that hold everywhere. `None`:
    /// no document speaks for it.
    #[must_use]
    pub fn for_host(&self, host: &[u8]) -> Option<Scope<'_>> {
        let document = self.document_of(host).unwrap_or(0);
        let covered = self.view.word(Section::Documents, document, document::FLAGS) & document::COVERED != 0;
        covered.then_some(Scope { policy: self, document })
    }

    /// The document that names the host itself, or else the longest domain above it.
    fn document_of(&self, host: &[u8]) -> Option<usize> {
        let exact = self.view.find(Section::Hosts, host).map(|found| self.view.index(Section::Hosts, found, 2));
        if exact.is_some() || host.len() > MAX_HOST {
            return exact;
        }
        let dots = host.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'.');
        let mut domains = dots.filter_map(|(at, _)| self.view.find(Section::Suffixes, host.get(at..)?));
        domains.next().map(|found| self.view.index(Section::Suffixes, found, 2))
    }
}

/// Each trust once, and for each document which one is its own. The sets of a sound image do not overlap, so together they are
/// no more than its networks.
fn trusts(view: &View) -> Result<(Vec<Trust>, Vec<usize>), PolicyError> {
    let mut budget = view.count(Section::Networks);
    let mut known = BTreeMap::new();
    let (mut trusts, mut own) = (Vec::new(), Vec::new());
    for index in 0..view.count(Section::Documents) {
        let word = |w| view.word(Section::Documents, index, w);
        let key = (word(document::TRUST), word(document::TRUST_A), word(document::TRUST_B));
        if let Some(at) = known.get(&key) {
            own.push(*at);
            continue;
        }
        let (first, count) = (key.1 as usize, key.2 as usize);
        let trust = match key.0 {
            document::TRUST_NETWORKS => {
                budget = budget.checked_sub(count).ok_or(PolicyError::Malformed("trusted networks"))?;
                Trust::Networks((first..first + count).map(|network| view.network_of(network)).collect())
            }
            document::TRUST_HOPS => Trust::Hops(u8::try_from(first).unwrap_or(0)),
            _ => Trust::None,
        };
        known.insert(key, trusts.len());
        own.push(trusts.len());
        trusts.push(trust);
    }
    Ok((trusts, own))
}
