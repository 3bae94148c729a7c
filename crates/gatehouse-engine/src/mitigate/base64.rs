//! Base 64 of the standard alphabet (RFC 4648, 4), with and without padding.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Padded, as a gRPC-Web text body is.
pub(super) fn padded(bytes: &[u8]) -> String {
    let mut text = unpadded(bytes);
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// Not padded, as gRPC writes binary headers.
pub(super) fn unpadded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..=chunk.len() as u32 {
            let index = (bits >> (18 - 6 * digit)) & 63;
            text.push(char::from(ALPHABET.get(index as usize).copied().unwrap_or(b'A')));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(padded(bytes.as_bytes()), text);
            assert_eq!(unpadded(bytes.as_bytes()), text.trim_end_matches('='));
        }
        assert_eq!(unpadded(&[0xfb, 0xff, 0xfe]), "+//+");
    }
}
