//! Text with its percent-encoding undone, and where each byte of it stood.

/// How often text is decoded, at most.
pub(super) const MAX_DECODES: usize = 3;

/// Bytes, each with the place where it began in the text as received; one more place marks the end.
pub(super) struct Decoded {
    pub(super) bytes: Vec<u8>,
    places: Vec<usize>,
}

impl Decoded {
    /// `raw` with escapes undone once; `None`: it holds none.
    pub(super) fn of(raw: &[u8]) -> Option<Self> {
        decode(raw, |at| at)
    }

    /// Undone once more; `None`: no escape is left.
    pub(super) fn again(&self) -> Option<Self> {
        decode(&self.bytes, |at| self.place(at))
    }

    /// Where the byte at `at` began in the text as received.
    pub(super) fn place(&self, at: usize) -> usize {
        self.places.get(at).or(self.places.last()).copied().unwrap_or(0)
    }
}

fn decode(text: &[u8], place: impl Fn(usize) -> usize) -> Option<Decoded> {
    if !text.contains(&b'%') {
        return None;
    }
    let mut decoded = Decoded { bytes: Vec::with_capacity(text.len()), places: Vec::with_capacity(text.len() + 1) };
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let escape = escape(text.get(at..).unwrap_or_default());
        decoded.places.push(place(at));
        decoded.bytes.push(escape.unwrap_or(byte));
        at += if escape.is_some() { 3 } else { 1 };
    }
    decoded.places.push(place(text.len()));
    (decoded.bytes.len() < text.len()).then_some(decoded)
}

fn escape(text: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    match text {
        [b'%', high, low, ..] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
        _ => None,
    }
}

/// `value` with every layer of escapes undone, so that a value hashes alike however often it was encoded.
pub(super) fn innermost(value: &[u8]) -> Vec<u8> {
    let mut bytes = value.to_vec();
    for _ in 0..MAX_DECODES {
        match Decoded::of(&bytes) {
            Some(decoded) => bytes = decoded.bytes,
            None => break,
        }
    }
    bytes
}
