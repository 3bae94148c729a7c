//! Reading an image whose frame has been checked: sections, words, texts. Nothing here can fail; what is not there reads as 0
//! or as nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gatehouse_signals::address::Network;

use super::{HEADER, MAGIC, SECTIONS, Section, V4};
use crate::{IMAGE_VERSION, MAX_IMAGE, PolicyError};

/// An image and where its sections lie.
#[derive(Debug)]
pub(crate) struct View {
    bytes: Vec<u8>,
    /// Offset and number of entries.
    sections: [(usize, usize); SECTIONS],
}

impl View {
    /// Takes an image whose header and section table are sound; the sections themselves are not looked at.
    pub(crate) fn frame(bytes: Vec<u8>) -> Result<Self, PolicyError> {
        let word = |at: usize| word_at(&bytes, at).map(|w| w as usize);
        if bytes.len() > MAX_IMAGE {
            return Err(PolicyError::TooLarge(bytes.len() as u64));
        }
        if bytes.get(..4) != Some(MAGIC.as_slice()) {
            return Err(PolicyError::Malformed("first bytes"));
        }
        let version = word_at(&bytes, 4).ok_or(PolicyError::Malformed("header"))?;
        if version != IMAGE_VERSION {
            return Err(PolicyError::Version { found: version, needed: IMAGE_VERSION });
        }
        if word(8) != Some(bytes.len()) || word(12) != Some(SECTIONS) {
            return Err(PolicyError::Malformed("header"));
        }
        let mut sections = [(0, 0); SECTIONS];
        let mut next = HEADER;
        for (index, (slot, section)) in sections.iter_mut().zip(Section::ALL).enumerate() {
            let malformed = PolicyError::Malformed(section.name());
            let (Some(offset), Some(count)) = (word(16 + index * 8), word(20 + index * 8)) else {
                return Err(malformed);
            };
            let end = count.checked_mul(section.width()).and_then(|size| size.checked_add(offset));
            let Some(end) = end.filter(|end| offset == next && *end <= bytes.len()) else {
                return Err(malformed);
            };
            *slot = (offset, count);
            next = end.next_multiple_of(4);
        }
        if next != bytes.len() {
            return Err(PolicyError::Malformed("length"));
        }
        Ok(Self { bytes, sections })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of entries of a section.
    pub(crate) fn count(&self, section: Section) -> usize {
        self.sections.get(section as usize).map_or(0, |(_, count)| *count)
    }

    /// Word `word` of entry `index`.
    pub(crate) fn word(&self, section: Section, index: usize, word: usize) -> u32 {
        let Some((offset, count)) = self.sections.get(section as usize).copied() else {
            return 0;
        };
        if index >= count {
            return 0;
        }
        word_at(&self.bytes, offset + index * section.width() + word * 4).unwrap_or(0)
    }

    /// The same as an index.
    pub(crate) fn index(&self, section: Section, index: usize, word: usize) -> usize {
        self.word(section, index, word) as usize
    }

    /// The text whose two words begin at `word`.
    pub(crate) fn text(&self, section: Section, index: usize, word: usize) -> &str {
        core::str::from_utf8(self.text_bytes(section, index, word)).unwrap_or_default()
    }

    /// The same as bytes, without looking at them.
    pub(crate) fn text_bytes(&self, section: Section, index: usize, word: usize) -> &[u8] {
        let offset = self.index(section, index, word);
        let length = self.index(section, index, word + 1);
        self.strings().get(offset..offset.saturating_add(length)).unwrap_or_default()
    }

    pub(super) fn strings(&self) -> &[u8] {
        let (offset, count) = self.sections.first().copied().unwrap_or_default();
        self.bytes.get(offset..offset + count).unwrap_or_default()
    }

    /// Network `index`: its family and leading bits as one number that sorts, and its first address.
    pub(crate) fn network(&self, index: usize) -> (u32, u32, u128) {
        let head = self.word(Section::Networks, index, 0);
        let mut address = 0u128;
        for word in 1..5 {
            let big_endian = self.word(Section::Networks, index, word).swap_bytes();
            address = address << 32 | u128::from(big_endian);
        }
        (head >> 8, head & 255, address)
    }

    /// The same as a domain type.
    pub(crate) fn network_of(&self, index: usize) -> Network {
        let (family, prefix, address) = self.network(index);
        let address = if family == V4 {
            IpAddr::V4(Ipv4Addr::from((address >> 96) as u32))
        } else {
            IpAddr::V6(Ipv6Addr::from(address))
        };
        Network::new(address, prefix as u8)
    }

    /// Finds `key` among the sorted texts that begin the entries of a section.
    pub(crate) fn find(&self, section: Section, key: &[u8]) -> Option<usize> {
        self.find_by(section, |text| text.cmp(key))
    }

    /// The same with an ordering of each text against what is looked for.
    pub(crate) fn find_by(&self, section: Section, against: impl Fn(&[u8]) -> core::cmp::Ordering) -> Option<usize> {
        let (mut low, mut high) = (0, self.count(section));
        while low < high {
            let middle = low + (high - low) / 2;
            match against(self.text_bytes(section, middle, 0)) {
                core::cmp::Ordering::Less => low = middle + 1,
                core::cmp::Ordering::Greater => high = middle,
                core::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }
}

fn word_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*four))
}
