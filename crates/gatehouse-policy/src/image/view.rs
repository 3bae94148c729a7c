//! Reading an image whose frame has been checked: sections, words, texts. Nothing here can fail; what is not there reads as 0
//! or as nothing.

use super::{HEADER, MAGIC, SECTIONS, Section};
use crate::{IMAGE_VERSION, MAX_IMAGE, OLDEST_IMAGE_VERSION, PolicyError};

/// Words of an entry as they lie in the image.
pub(crate) type Record<const N: usize> = [[u8; 4]; N];

/// Word `word` of a record.
#[inline]
pub(crate) fn word_of<const N: usize>(record: &Record<N>, word: usize) -> u32 {
    record.get(word).map_or(0, |word| u32::from_le_bytes(*word))
}

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
        if !(OLDEST_IMAGE_VERSION..=IMAGE_VERSION).contains(&version) {
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
    #[inline]
    pub(crate) fn count(&self, section: Section) -> usize {
        self.place(section).1
    }

    #[inline]
    fn place(&self, section: Section) -> (usize, usize) {
        self.sections.get(section as usize).copied().unwrap_or_default()
    }

    /// Word `word` of entry `index`.
    #[inline]
    pub(crate) fn word(&self, section: Section, index: usize, word: usize) -> u32 {
        let [found] = self.words_from(section, index, word);
        found
    }

    /// The first `N` words of entry `index`, read at once.
    #[inline]
    pub(crate) fn words<const N: usize>(&self, section: Section, index: usize) -> [u32; N] {
        self.words_from(section, index, 0)
    }

    /// `N` words of entry `index`, from `word` on: their bounds are looked at once.
    #[inline]
    pub(crate) fn words_from<const N: usize>(&self, section: Section, index: usize, word: usize) -> [u32; N] {
        let (offset, count) = self.place(section);
        if index >= count {
            return [0; N];
        }
        let found = self.bytes.get(offset + index * section.width() + word * 4..);
        let words = found.and_then(|found| found.as_chunks::<4>().0.first_chunk::<N>());
        words.map_or([0; N], |words| words.map(u32::from_le_bytes))
    }

    /// The `N` words of entry `index` where they lie, for who asks for many of them one by one; zeros where there is none.
    #[inline]
    pub(crate) fn record<const N: usize>(&self, section: Section, index: usize) -> &Record<N> {
        let entry = self.entries(section, index, 1);
        entry.as_chunks::<4>().0.first_chunk::<N>().unwrap_or(&[[0; 4]; N])
    }

    /// The same as an index.
    #[inline]
    pub(crate) fn index(&self, section: Section, index: usize, word: usize) -> usize {
        self.word(section, index, word) as usize
    }

    /// Two words as one number, the lower half first.
    #[inline]
    pub(crate) fn long(&self, section: Section, index: usize, word: usize) -> u64 {
        let [low, high] = self.words_from(section, index, word);
        u64::from(low) | u64::from(high) << 32
    }

    /// Index at `word`, which is stored as index + 1; 0: none.
    pub(crate) fn option(&self, section: Section, index: usize, word: usize) -> Option<usize> {
        self.index(section, index, word).checked_sub(1)
    }

    /// The range of another section that two words name: first and number.
    #[inline]
    pub(crate) fn range(&self, section: Section, index: usize, word: usize) -> core::ops::Range<usize> {
        let [first, count] = self.words_from(section, index, word);
        first as usize..(first as usize).saturating_add(count as usize)
    }

    /// Byte `index` of a section of bytes.
    #[inline]
    pub(crate) fn byte(&self, section: Section, index: usize) -> u8 {
        let (offset, count) = self.place(section);
        if index < count { self.bytes.get(offset + index).copied().unwrap_or(0) } else { 0 }
    }

    /// The bytes of the entries `first..first + count` of a section.
    #[inline]
    pub(crate) fn entries(&self, section: Section, first: usize, count: usize) -> &[u8] {
        let (offset, all) = self.place(section);
        let width = section.width();
        if first > all || count > all - first {
            return &[];
        }
        self.bytes.get(offset + first * width..offset + (first + count) * width).unwrap_or_default()
    }

    /// The text whose two words begin at `word`.
    pub(crate) fn text(&self, section: Section, index: usize, word: usize) -> &str {
        core::str::from_utf8(self.text_bytes(section, index, word)).unwrap_or_default()
    }

    /// The same as bytes, without looking at them.
    #[inline]
    pub(crate) fn text_bytes(&self, section: Section, index: usize, word: usize) -> &[u8] {
        let [offset, length] = self.words_from(section, index, word);
        self.string(offset, length)
    }

    /// The text that these two words name.
    #[inline]
    pub(crate) fn string(&self, offset: u32, length: u32) -> &[u8] {
        let offset = offset as usize;
        self.strings().get(offset..offset.saturating_add(length as usize)).unwrap_or_default()
    }

    #[inline]
    pub(super) fn strings(&self) -> &[u8] {
        let (offset, count) = self.place(Section::Strings);
        self.bytes.get(offset..offset + count).unwrap_or_default()
    }

    /// Finds an entry among sorted texts that begin the entries of a section, by an ordering of each text against what is
    /// looked for.
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

    /// Every text that begins an entry of a section.
    pub(crate) fn texts(&self, section: Section) -> impl Iterator<Item = &str> {
        (0..self.count(section)).map(move |index| self.text(section, index, 0))
    }
}

#[inline]
fn word_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*four))
}
