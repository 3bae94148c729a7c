//! `from` of a list: the house fills it, by hand (`verdicts`) or from a source outside (`file`, `url`, `crowdsec`).
//!
//! A document says only *what* is fetched and how long it holds. Who may be asked, and by which login, stands in the house's own
//! configuration: a document that names a source which the house does not allow compiles, and its list stays empty.

use std::time::Duration;

use crate::document::{Fields, Node, Problems, Value, quoted};

mod signature;

pub use signature::Signature;

use super::{bounds, library};

/// A list that the house fills from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// The list's name. Two documents that name it say the same of it.
    pub list: String,
    /// Where its entries come from.
    pub origin: Origin,
    /// What its entries are.
    pub of: Holds,
    /// How often it is fetched; 1 s to 7 days.
    pub every: Duration,
    /// How long its entries hold after the last fetch that succeeded; at least twice `every`, at most 366 days.
    pub expires: Duration,
    /// SHA-256 that the fetched bytes must have; `None`: any.
    pub digest: Option<[u8; 32]>,
    /// The signature that the fetched bytes must have; `None`: any, or none.
    pub signature: Option<Signature>,
}

/// Where entries come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The local API of a CrowdSec engine, by its URL.
    CrowdSec(String),
    /// A file, by its path from the folder that the house allows.
    File(String),
    /// A text on a server: `https`, or `http` on this machine.
    Url(String),
}

/// What the entries of a fetched list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Addresses and networks.
    Addresses,
    /// Autonomous systems.
    Asns,
    /// Fingerprints.
    Fingerprints,
    /// SPIFFE ids.
    Identities,
}

/// The fields of a list that say how it is filled, as they were found.
#[derive(Clone, Copy)]
pub(super) struct Written<'n> {
    pub(super) of: Option<&'n Node>,
    pub(super) every: Option<&'n Node>,
    pub(super) expires: Option<&'n Node>,
    pub(super) digest: Option<&'n Node>,
    pub(super) signature: Option<&'n Node>,
}

impl Holds {
    /// Every kind, by its word.
    pub(crate) const WORDS: [(&'static str, Self); 4] = [
        ("addresses", Self::Addresses),
        ("asns", Self::Asns),
        ("fingerprints", Self::Fingerprints),
        ("identities", Self::Identities),
    ];

    /// The word that operators write.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, own)| *own == self).map_or("", |(word, _)| *word)
    }
}

impl Origin {
    /// The word that operators write, and what stands behind it.
    #[must_use]
    pub fn words(&self) -> (&'static str, &str) {
        match self {
            Self::CrowdSec(url) => ("crowdsec", url),
            Self::File(path) => ("file", path),
            Self::Url(url) => ("url", url),
        }
    }
}

/// What `from` says: `None` within: by hand.
pub(super) fn read_from(node: &Node, problems: &mut Problems) -> Option<Option<Origin>> {
    if !matches!(node.value, Value::Map(_)) {
        return node.one_of(&["verdicts"], problems).map(|_| None);
    }
    let mut fields = Fields::of("list-from", node, "`from`", problems)?;
    let (hand, file) = (fields.take("verdicts"), fields.take("file"));
    let (url, crowdsec) = (fields.take("url"), fields.take("crowdsec"));
    let told = problems.0.len();
    fields.finish(problems);
    let written = [hand, file, url, crowdsec].iter().flatten().count();
    if written != 1 || problems.0.len() > told {
        if problems.0.len() == told {
            let help = "write one of `file`, `url` and `crowdsec`, or `from: verdicts`";
            problems.push(&node.place, format!("`from` names {written} sources"), help);
        }
        return None;
    }
    if let Some(node) = hand {
        let yes = node.boolean(problems)?;
        if !yes {
            problems.push(&node.place, "`verdicts: false` names no source", "write `true`, or another source");
        }
        return yes.then_some(None);
    }
    let origin = match (file, url, crowdsec) {
        (Some(node), ..) => library::read_file(node, problems).map(Origin::File),
        (_, Some(node), _) => read_url(node, problems).map(Origin::Url),
        (.., Some(node)) => read_url(node, problems).map(Origin::CrowdSec),
        _ => None,
    };
    origin.map(Some)
}

impl Written<'_> {
    /// What was written beside a source; `list`: its name.
    pub(super) fn read(self, list: &str, origin: Origin, problems: &mut Problems) -> Option<Outside> {
        let told = problems.0.len();
        let of = self.of.map_or(Some(Holds::Addresses), |node| read_of(node, problems));
        let every = self.every.map_or(Some(bounds::LIST_EVERY), |node| span(node, "every", EVERY, problems));
        let expires = self.expires.map_or(Some(bounds::LIST_EXPIRES), |node| span(node, "expires", EXPIRES, problems));
        let digest = self.digest.map(|node| read_digest(node, problems));
        let signature = self.signature.map(|node| signature::read(node, &origin, problems));
        let idle = self.of.or(self.digest).or(self.signature);
        if let (Origin::CrowdSec(_), Some(node)) = (&origin, idle) {
            let help = "leave it out: decisions are about addresses, and change all the time";
            problems.push(&node.place, "this does not go with `crowdsec`", help);
        }
        let (every, expires) = (every?, expires?);
        if let Some(node) = self.expires.or(self.every).filter(|_| expires < every.saturating_mul(2)) {
            let help = "let a list hold for at least twice the time between two fetches";
            problems.push(&node.place, "the list would expire after one fetch that fails", help);
        }
        let (digest, signature) = (digest.flatten(), signature.flatten());
        let outside = Outside { list: list.to_owned(), origin, of: of?, every, expires, digest, signature };
        (problems.0.len() == told).then_some(outside)
    }

    /// None of these goes with a list that is filled by hand, or by its document.
    pub(super) fn refuse(self, what: &str, problems: &mut Problems) {
        let written = [("of", self.of), ("every", self.every), ("digest", self.digest), ("signature", self.signature)];
        for (word, node) in written {
            if let Some(node) = node {
                let help = "leave it out, or name a source, such as `from: { url: https://… }`";
                problems.push(&node.place, format!("{what} is not fetched: `{word}` says nothing of it"), help);
            }
        }
    }
}

const EVERY: (Duration, Duration, &str) = (Duration::from_secs(1), Duration::from_secs(7 * 86_400), "1s to 7d");
const EXPIRES: (Duration, Duration, &str) = (Duration::from_secs(2), Duration::from_secs(366 * 86_400), "2s to 366d");

fn span(node: &Node, word: &str, range: (Duration, Duration, &str), problems: &mut Problems) -> Option<Duration> {
    let (least, most, words) = range;
    let span = node.duration(problems)?;
    if (least..=most).contains(&span) {
        return Some(span);
    }
    problems.push(&node.place, format!("`{word}` is out of range"), format!("write a duration from {words}"));
    None
}

fn read_of(node: &Node, problems: &mut Problems) -> Option<Holds> {
    let found = node.one_of(&Holds::WORDS.map(|(word, _)| word), problems)?;
    Holds::WORDS.iter().find(|(word, _)| *word == found).map(|(_, holds)| *holds)
}

pub(super) fn read_url(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.string(problems)?;
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain = text.len() <= bounds::URL && text.bytes().all(|b| b.is_ascii_graphic() && !b"\\#\"<>`".contains(&b));
    let host = rest.and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
    if plain && !host.is_empty() && !host.contains('@') {
        return Some(text.to_owned());
    }
    let help = "write one such as `https://lists.example/bad.txt`, without a login and without `#`";
    problems.push(&node.place, format!("{} is no URL of a list", quoted(text)), help);
    None
}

fn read_digest(node: &Node, problems: &mut Problems) -> Option<[u8; 32]> {
    let text = node.string(problems)?;
    let digest = text.strip_prefix("sha256:").filter(|hex| hex.len() == 64).and_then(|hex| {
        let mut digest = [0; 32];
        for (at, byte) in digest.iter_mut().enumerate() {
            let pair = hex.get(at * 2..at * 2 + 2).filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()))?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(digest)
    });
    if digest.is_none() {
        let help = "write `sha256:` and 64 hexadecimal digits, as `sha256sum` prints them";
        problems.push(&node.place, format!("{} is no digest", quoted(text)), help);
    }
    digest
}
