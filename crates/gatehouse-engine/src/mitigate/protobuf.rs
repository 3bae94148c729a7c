//! As much of protobuf's wire format as an error's details need: unsigned varints and length-delimited fields, written in order.

/// A message being written.
#[derive(Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    /// `field`: its number, at most 15. A number that is 0 is absent, as in proto3.
    pub(super) fn number(mut self, field: u8, value: u64) -> Self {
        if value != 0 {
            self.0.push(field << 3);
            self.varint(value);
        }
        self
    }

    /// A string, bytes, or a message's bytes. `field`: its number, at most 15.
    pub(super) fn bytes(mut self, field: u8, value: &[u8]) -> Self {
        self.0.push(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    /// A message within this one.
    pub(super) fn message(self, field: u8, value: &Self) -> Self {
        self.bytes(field, &value.0)
    }

    pub(super) fn encoded(&self) -> &[u8] {
        &self.0
    }

    fn varint(&mut self, mut value: u64) {
        while value > 127 {
            self.0.push(value as u8 | 128);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_as_protobuf_has_them() {
        let inner = Message::default().number(1, 300).number(2, 0);
        assert_eq!(inner.encoded(), [0x08, 0xac, 0x02]);
        let outer = Message::default().bytes(2, b"ab").message(3, &inner);
        assert_eq!(outer.encoded(), [0x12, 2, b'a', b'b', 0x1a, 3, 0x08, 0xac, 0x02]);
        assert_eq!(Message::default().bytes(1, &[0; 200]).encoded().get(..3), Some(&[0x0a, 0xc8, 0x01][..]));
    }
}
