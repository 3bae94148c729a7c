//! The ABI's form of a list of pairs (header maps, CEL lists), read totally and kept as it came.
//!
//! ```text
//! count: u32 | count × (name length: u32, value length: u32) | count × (name, 0, value, 0)      all little-endian
//! ```
//! The number of pairs is bounded by the bytes that carry them: each takes at least ten.

/// Place of a name and of its value in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    name: (u32, u32),
    value: (u32, u32),
}

/// A buffer of pairs and where each lies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs {
    raw: Vec<u8>,
    spans: Vec<Span>,
}

impl Pairs {
    /// Reads `raw`; `None`: it is not such a list. Bytes behind the list are tolerated.
    pub fn parse(raw: Vec<u8>) -> Option<Self> {
        if raw.is_empty() {
            return Some(Self::default());
        }
        let count = usize::try_from(word(&raw, 0)?).ok()?;
        let mut at = count.checked_mul(8)?.checked_add(4)?;
        // Before anything is reserved: the table and two terminators a pair must lie inside.
        if at.checked_add(count.checked_mul(2)?)? > raw.len() {
            return None;
        }
        let mut spans = Vec::with_capacity(count);
        for index in 0..count {
            let entry = index.checked_mul(8)?.checked_add(4)?;
            let name = place(&raw, &mut at, word(&raw, entry)?)?;
            let value = place(&raw, &mut at, word(&raw, entry.checked_add(4)?)?)?;
            spans.push(Span { name, value });
        }
        Some(Self { raw, spans })
    }

    /// The pairs in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.spans.iter().map(|span| (self.slice(span.name), self.slice(span.value)))
    }

    /// The name at `index`; in a CEL list, the value.
    pub fn name(&self, index: usize) -> Option<&[u8]> {
        self.spans.get(index).map(|span| self.slice(span.name))
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }

    fn slice(&self, (start, length): (u32, u32)) -> &[u8] {
        let start = start as usize;
        self.raw.get(start..start.saturating_add(length as usize)).unwrap_or_default()
    }
}

fn word(raw: &[u8], at: usize) -> Option<u32> {
    let bytes = raw.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// Steps over one text of `length` bytes and its terminator.
fn place(raw: &[u8], at: &mut usize, length: u32) -> Option<(u32, u32)> {
    let start = *at;
    let next = start.checked_add(length as usize)?.checked_add(1)?;
    if next > raw.len() {
        return None;
    }
    *at = next;
    Some((u32::try_from(start).ok()?, length))
}

/// Writes pairs in the ABI's form.
pub(super) fn encode<'a>(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone) -> Vec<u8> {
    let size = pairs.clone().fold(4usize, |sum, (name, value)| {
        sum.saturating_add(name.len()).saturating_add(value.len()).saturating_add(10)
    });
    let mut out = Vec::with_capacity(size);
    out.extend_from_slice(&length(pairs.clone().count()));
    for (name, value) in pairs.clone() {
        out.extend_from_slice(&length(name.len()));
        out.extend_from_slice(&length(value.len()));
    }
    for (name, value) in pairs {
        out.extend_from_slice(name);
        out.push(0);
        out.extend_from_slice(value);
        out.push(0);
    }
    out
}

fn length(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_bytes_are_no_pairs() {
        assert_eq!(Pairs::parse(Vec::new()).map(|pairs| pairs.len()), Some(0));
        assert_eq!(Pairs::parse(vec![0; 4]).map(|pairs| pairs.len()), Some(0));
    }

    #[test]
    fn a_count_beyond_the_buffer_is_refused_before_memory_is_taken() {
        assert_eq!(Pairs::parse(u32::MAX.to_le_bytes().to_vec()), None);
        let mut raw = 1u32.to_le_bytes().to_vec();
        raw.extend_from_slice(&u32::MAX.to_le_bytes());
        raw.extend_from_slice(&u32::MAX.to_le_bytes());
        raw.extend_from_slice(&[0; 16]);
        assert_eq!(Pairs::parse(raw), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(pairs: Vec<(Vec<u8>, Vec<u8>)>) {
            let raw = encode(pairs.iter().map(|(n, v)| (n.as_slice(), v.as_slice())));
            let read = Pairs::parse(raw).expect("our own form");
            let read: Vec<(Vec<u8>, Vec<u8>)> = read.iter().map(|(n, v)| (n.to_vec(), v.to_vec())).collect();
            prop_assert_eq!(read, pairs);
        }

        #[test]
        fn any_bytes_are_read_or_refused(raw: Vec<u8>) {
            if let Some(pairs) = Pairs::parse(raw) {
                for (name, value) in pairs.iter() {
                    prop_assert!(name.len() < 1_000_000 && value.len() < 1_000_000);
                }
            }
        }

        #[test]
        fn a_damaged_list_is_read_or_refused(pairs: Vec<(Vec<u8>, Vec<u8>)>, at: prop::sample::Index, byte: u8) {
            let mut raw = encode(pairs.iter().map(|(n, v)| (n.as_slice(), v.as_slice())));
            let at = at.index(raw.len());
            raw[at] = byte;
            let _ = Pairs::parse(raw).map(|read| read.iter().count());
        }
    }
}
