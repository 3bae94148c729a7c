//! Lists with weights, as `accept` and `accept-language` have them (RFC 9110, 12.4.2).

use gatehouse_signals::Head;

/// Most elements of a list that are looked at.
const MAX_ELEMENTS: usize = 32;

/// The elements of every header `name`, without parameters, each with its weight in thousandths. An element whose weight is not
/// one is left out.
pub(super) fn weighted<'a>(head: Head<'a>, name: &'a [u8]) -> impl Iterator<Item = (&'a [u8], u16)> {
    let elements = head.values(name).flat_map(|value| value.split(|byte| *byte == b','));
    elements.take(MAX_ELEMENTS).filter_map(|element| {
        let mut parts = element.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let value = parts.next().filter(|value| !value.is_empty())?;
        let weight = parts.find_map(|part| part.strip_prefix(b"q=").or_else(|| part.strip_prefix(b"Q=")));
        Some((value, weight.map_or(Some(1000), thousandths)?))
    })
}

/// `1`, `0.8`, `0.125`: at most three decimals, at most 1.
fn thousandths(text: &[u8]) -> Option<u16> {
    let (whole, decimals) = match text {
        [whole @ (b'0' | b'1')] => (whole, &[][..]),
        [whole @ (b'0' | b'1'), b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
        _ => return None,
    };
    let mut total = u16::from(*whole == b'1') * 1000;
    for (digit, scale) in decimals.iter().zip([100, 10, 1]) {
        total += u16::from(digit.is_ascii_digit().then(|| digit - b'0')?) * scale;
    }
    (total <= 1000).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_exactly_or_not_at_all() {
        for (text, weight) in [("0", 0), ("1", 1000), ("1.", 1000), ("1.000", 1000), ("0.8", 800), ("0.125", 125)] {
            assert_eq!(thousandths(text.as_bytes()), Some(weight), "{text}");
        }
        for text in ["", ".", "1.5", "2", "0.1234", "-1", "0.x", "0,5", " 0.5"] {
            assert_eq!(thousandths(text.as_bytes()), None, "{text}");
        }
    }
}
