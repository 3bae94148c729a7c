//! Bytes as lower-case hexadecimal digits, without allocating.

use core::fmt;

use serde::{Serialize, Serializer};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Shows and serialises bytes as hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hex<T: AsRef<[u8]>>(
    /// The bytes.
    pub T,
);

impl<T: AsRef<[u8]>> Hex<T> {
    fn digits(&self) -> impl Iterator<Item = char> + '_ {
        self.0.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit)
    }
}

impl<T: AsRef<[u8]>> fmt::Display for Hex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        self.digits().try_for_each(|digit| f.write_char(digit))
    }
}

impl<T: AsRef<[u8]>> Serialize for Hex<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [0u8; 64];
        let bytes = self.0.as_ref();
        // Ids and digests fit; anything longer takes the slow way.
        if bytes.len() * 2 > text.len() {
            return serializer.collect_str(self);
        }
        for (place, digit) in text.iter_mut().zip(self.digits()) {
            *place = digit as u8;
        }
        let written = text.get(..bytes.len() * 2).unwrap_or_default();
        serializer.serialize_str(core::str::from_utf8(written).unwrap_or_default())
    }
}

/// At most `most` bytes from hexadecimal digits; `None`: they are more, or none.
pub(crate) fn read(hex: &str, most: usize) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) || hex.len() / 2 > most || !hex.is_ascii() {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
}

fn digit(nibble: u8) -> char {
    char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_and_serialised_alike_at_every_length() {
        for length in [0, 1, 16, 32, 33, 100] {
            let bytes: Vec<u8> = (0..length).map(|i| (i * 37) as u8).collect();
            let expected: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(Hex(&bytes).to_string(), expected);
            assert_eq!(serde_json::to_string(&Hex(&bytes)).unwrap(), format!("\"{expected}\""));
            assert_eq!(read(&expected, length).as_ref(), Some(&bytes));
            assert_eq!(read(&format!("{expected}00"), length), None);
        }
    }
}
