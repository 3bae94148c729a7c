//! Writing an image: sections grow side by side, and [`Builder::finish`] lays them out.

use std::collections::BTreeMap;

use super::{HEADER, MAGIC, SECTIONS, Section};
use crate::index::hash;

/// An image in the making. Equal texts are stored once, and so are whole entries that [`Builder::once`] writes.
#[derive(Debug)]
pub(crate) struct Builder {
    sections: [Vec<u8>; SECTIONS],
    texts: BTreeMap<String, [u32; 2]>,
    known: BTreeMap<(usize, Vec<u8>), u32>,
    /// Of each set a hash of what it holds.
    sets: Vec<u64>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            sections: core::array::from_fn(|_| Vec::new()),
            texts: BTreeMap::new(),
            known: BTreeMap::new(),
            sets: Vec::new(),
        }
    }
}

impl Builder {
    /// Stores a text; gives its two words.
    pub(crate) fn text(&mut self, text: &str) -> [u32; 2] {
        if let Some(known) = self.texts.get(text) {
            return *known;
        }
        let strings = self.section(Section::Strings);
        let stored = [narrow(strings.len()), narrow(text.len())];
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

    /// Stores what `write` makes of it, unless `key` was stored before under the same section: then gives that index.
    pub(crate) fn once(&mut self, section: Section, key: Vec<u8>, write: impl FnOnce(&mut Self) -> u32) -> u32 {
        let key = (section as usize, key);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        if section == Section::Sets {
            self.sets.push(hash::bytes(&key.1));
        }
        let index = write(self);
        self.known.insert(key, index);
        index
    }

    /// Stores bytes in a section of any width; they must be whole entries. Gives the index of the first.
    pub(crate) fn bytes(&mut self, section: Section, bytes: &[u8]) -> u32 {
        debug_assert_eq!(bytes.len() % section.width(), 0, "entries of {}", section.name());
        let index = self.count(section);
        self.section(section).extend_from_slice(bytes);
        index
    }

    /// Overwrites one word of an entry.
    pub(crate) fn set(&mut self, section: Section, index: u32, word: usize, value: u32) {
        let at = index as usize * section.width() + word * 4;
        if let Some(four) = self.section(section).get_mut(at..at + 4) {
            four.copy_from_slice(&value.to_le_bytes());
        }
    }

    /// The first `N` words of an entry.
    pub(crate) fn words<const N: usize>(&self, section: Section, index: u32) -> [u32; N] {
        core::array::from_fn(|word| self.get(section, index, word))
    }

    /// A stored text as bytes.
    pub(crate) fn string(&self, offset: u32, length: u32) -> &[u8] {
        let strings = self.sections.get(Section::Strings as usize);
        strings.and_then(|strings| strings.get(offset as usize..)?.get(..length as usize)).unwrap_or_default()
    }

    /// A number for what stands in a set.
    pub(crate) fn set_digest(&self, set: u32) -> u64 {
        self.sets.get(set as usize).copied().unwrap_or(0)
    }

    /// One word of an entry.
    pub(crate) fn get(&self, section: Section, index: u32, word: usize) -> u32 {
        let at = index as usize * section.width() + word * 4;
        let bytes = self.sections.get(section as usize).and_then(|bytes| bytes.get(at..));
        bytes.and_then(|bytes| bytes.first_chunk::<4>()).map_or(0, |four| u32::from_le_bytes(*four))
    }

    /// Number of entries so far.
    pub(crate) fn count(&self, section: Section) -> u32 {
        narrow(self.sections.get(section as usize).map_or(0, Vec::len) / section.width())
    }

    /// Stores a list of texts, each an entry of its own; gives the first and the number.
    pub(crate) fn texts<'t>(&mut self, section: Section, texts: impl IntoIterator<Item = &'t str>) -> [u32; 2] {
        let first = self.count(section);
        for text in texts {
            let words = self.text(text);
            self.push(section, &words);
        }
        [first, self.count(section) - first]
    }

    /// Lays the sections out; `version`: the lowest format that holds what is in them.
    pub(crate) fn finish(self, version: u32) -> Vec<u8> {
        let body: usize = self.sections.iter().map(|s| s.len().next_multiple_of(4)).sum();
        let mut image = Vec::with_capacity(HEADER + body);
        image.extend_from_slice(&MAGIC);
        for word in [version, narrow(HEADER + body), narrow(SECTIONS)] {
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
pub(crate) fn narrow(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
