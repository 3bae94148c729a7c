//! Protobuf as it is written: fields in the order of their numbers, absent ones left out, lengths in as few bytes as they take, which
//! is the form that `gatehouse-proto` writes too. Field numbers here are below 16, so that a key is one byte.

use gatehouse_verdict::redact::Shown;

/// What follows a key (Protocol Buffers, Encoding, "Message structure").
pub(super) const VARINT: u8 = 0;
pub(super) const FIXED64: u8 = 1;
pub(super) const LENGTH: u8 = 2;

/// Appends to a buffer.
pub(super) struct Wire<'b> {
    out: &'b mut Vec<u8>,
}

impl<'b> Wire<'b> {
    pub(super) fn new(out: &'b mut Vec<u8>) -> Self {
        Self { out }
    }

    /// A key and the number behind it, which nearly always is one byte.
    #[inline]
    fn key(&mut self, field: u8, kind: u8, value: u64) {
        let key = key(field, kind);
        if value < 0x80 {
            self.out.extend_from_slice(&[key, value as u8]);
        } else {
            self.out.push(key);
            self.long(value);
        }
    }

    #[cold]
    fn long(&mut self, value: u64) {
        let (bytes, length) = varint(value);
        self.out.extend_from_slice(bytes.get(..length).unwrap_or_default());
    }

    /// A number; 0 is left out.
    pub(super) fn number(&mut self, field: u8, value: u64) {
        if value != 0 {
            self.optional(field, Some(value));
        }
    }

    /// A number that may be absent; 0 is written.
    pub(super) fn optional(&mut self, field: u8, value: Option<u64>) {
        if let Some(value) = value {
            self.key(field, VARINT, value);
        }
    }

    /// A number of eight bytes; 0 is left out.
    pub(super) fn fixed(&mut self, field: u8, value: u64) {
        if value != 0 {
            self.out.push(key(field, FIXED64));
            self.out.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// Bytes; empty ones are left out.
    pub(super) fn bytes(&mut self, field: u8, value: &[u8]) {
        if !value.is_empty() {
            self.item(field, value);
        }
    }

    /// Text; an empty one is left out.
    pub(super) fn text(&mut self, field: u8, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    /// Text that was found fit to be shown; an empty one is left out.
    pub(super) fn shown(&mut self, field: u8, value: &Shown<'_>) {
        self.bytes(field, value.as_bytes());
    }

    /// One of a list of bytes or texts, empty or not.
    pub(super) fn item(&mut self, field: u8, value: &[u8]) {
        self.key(field, LENGTH, value.len() as u64);
        self.out.extend_from_slice(value);
    }

    /// A message, empty or not.
    pub(super) fn message(&mut self, field: u8, write: impl FnOnce(&mut Wire<'_>)) {
        self.key(field, LENGTH, 0);
        let begin = self.out.len();
        write(&mut Wire { out: self.out });
        let length = self.out.len() - begin;
        // Most lengths take one byte. Where it is more, what was written moves: cheaper than to go through everything twice.
        if length >= 0x80 {
            self.widen(begin);
        } else if let Some(place) = self.out.get_mut(begin - 1) {
            *place = length as u8;
        }
    }

    /// Writes the length of what begins at `begin` before it, in more than the one byte that stands there.
    fn widen(&mut self, begin: usize) {
        let (at, end) = (begin - 1, self.out.len());
        let (bytes, length) = varint((end - begin) as u64);
        self.out.resize(end + length - 1, 0);
        self.out.copy_within(begin..end, at + length);
        if let (Some(place), Some(bytes)) = (self.out.get_mut(at..at + length), bytes.get(..length)) {
            place.copy_from_slice(bytes);
        }
    }
}

fn key(field: u8, kind: u8) -> u8 {
    debug_assert!((1..16).contains(&field), "a key is one byte");
    field << 3 | kind
}

/// Seven bits a byte, the lowest first; and how many bytes.
fn varint(mut value: u64) -> ([u8; 10], usize) {
    let mut bytes = [0; 10];
    let mut length = 0;
    for place in &mut bytes {
        *place = (value & 0x7F) as u8;
        length += 1;
        value >>= 7;
        if value == 0 {
            break;
        }
        *place |= 0x80;
    }
    (bytes, length)
}
