//! Writing an image: sections grow side by side, and [`Builder::finish`] lays them out.

use std::collections::BTreeMap;
use std::net::IpAddr;

use gatehouse_signals::address::Network;

use super::{HEADER, MAGIC, SECTIONS, Section, V4, V6};
use crate::IMAGE_VERSION;

/// A text in the strings section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Text {
    offset: u32,
    length: u32,
}

impl Text {
    /// Its two words.
    pub(crate) fn words(self) -> [u32; 2] {
        [self.offset, self.length]
    }
}

/// An image in the making. Equal texts, regexes and sets of networks are stored once.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    sections: [Vec<u8>; SECTIONS],
    texts: BTreeMap<String, Text>,
    regexes: BTreeMap<String, u32>,
    sets: BTreeMap<Vec<Network>, (u32, u32)>,
}

impl Builder {
    /// Stores a text.
    pub(crate) fn text(&mut self, text: &str) -> Text {
        if let Some(known) = self.texts.get(text) {
            return *known;
        }
        let strings = self.section(Section::Strings);
        let stored = Text { offset: narrow(strings.len()), length: narrow(text.len()) };
        strings.extend_from_slice(text.as_bytes());
        self.texts.insert(text.to_owned(), stored);
        stored
    }

    /// Stores an entry; gives its index.
    pub(crate) fn push(&mut self, section: Section, words: &[u32]) -> u32 {
        debug_assert_eq!(words.len() * 4, section.width(), "an entry of {}", section.name());
        let index = self.count(section);
        let bytes = self.section(section);
        for word in words {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        index
    }

    /// Overwrites one word of an entry.
    pub(crate) fn set(&mut self, section: Section, index: u32, word: usize, value: u32) {
        let at = index as usize * section.width() + word * 4;
        if let Some(four) = self.section(section).get_mut(at..at + 4) {
            four.copy_from_slice(&value.to_le_bytes());
        }
    }

    /// Number of entries so far.
    pub(crate) fn count(&self, section: Section) -> u32 {
        narrow(self.sections.get(section as usize).map_or(0, Vec::len) / section.width())
    }

    /// Stores a regex.
    pub(crate) fn regex(&mut self, pattern: &str) -> u32 {
        if let Some(known) = self.regexes.get(pattern) {
            return *known;
        }
        let text = self.text(pattern);
        let index = self.push(Section::Regexes, &text.words());
        self.regexes.insert(pattern.to_owned(), index);
        index
    }

    /// Stores a set of networks, those that lie within others left out; gives the first and the count.
    pub(crate) fn networks(&mut self, networks: &[Network]) -> (u32, u32) {
        let mut sorted = networks.to_vec();
        sorted.sort_by_key(|n| (n.address().is_ipv6(), n.address(), n.prefix()));
        let mut set: Vec<Network> = Vec::with_capacity(sorted.len());
        for network in sorted {
            if !set.last().is_some_and(|last| last.contains(network.address())) {
                set.push(network);
            }
        }
        if let Some(known) = self.sets.get(&set) {
            return *known;
        }
        let first = self.count(Section::Networks);
        for network in &set {
            let (family, bits) = match network.address() {
                IpAddr::V4(v4) => (V4, u128::from(u32::from(v4)) << 96),
                IpAddr::V6(v6) => (V6, u128::from(v6)),
            };
            let big_endian = |shift: u32| ((bits >> shift) as u32).swap_bytes();
            let head = family << 8 | u32::from(network.prefix());
            self.push(Section::Networks, &[head, big_endian(96), big_endian(64), big_endian(32), big_endian(0)]);
        }
        let stored = (first, narrow(set.len()));
        self.sets.insert(set, stored);
        stored
    }

    /// Lays the sections out.
    pub(crate) fn finish(self) -> Vec<u8> {
        let body: usize = self.sections.iter().map(|s| s.len().next_multiple_of(4)).sum();
        let mut image = Vec::with_capacity(HEADER + body);
        image.extend_from_slice(&MAGIC);
        for word in [IMAGE_VERSION, narrow(HEADER + body), narrow(SECTIONS)] {
            image.extend_from_slice(&word.to_le_bytes());
        }
        let mut offset = HEADER;
        for (bytes, section) in self.sections.iter().zip(Section::ALL) {
            image.extend_from_slice(&narrow(offset).to_le_bytes());
            image.extend_from_slice(&narrow(bytes.len() / section.width()).to_le_bytes());
            offset += bytes.len().next_multiple_of(4);
        }
        for bytes in &self.sections {
            image.extend_from_slice(bytes);
            image.resize(image.len().next_multiple_of(4), 0);
        }
        image
    }

    #[expect(clippy::indexing_slicing, reason = "a section is an index below the number of sections by its type")]
    fn section(&mut self, section: Section) -> &mut Vec<u8> {
        &mut self.sections[section as usize]
    }
}

/// Sizes fit 32 bits: the compiler refuses what would not fit [`crate::MAX_IMAGE`].
fn narrow(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
