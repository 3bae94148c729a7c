//! Names and values of a query, as received.

/// How many parameters are looked at, at most.
pub const MAX_PARAMETERS: usize = 1024;

/// The parameters of a query (what follows `?`), in order, split at `&` and at the first `=` of each; empty ones are passed
/// over, a parameter without `=` has an empty value. Nothing is decoded. At most [`MAX_PARAMETERS`].
pub fn parameters(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).take(MAX_PARAMETERS).map(|pair| {
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or(pair);
        (name, pair.get(name.len() + 1..).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Vec<(&str, &str)> {
        let text = |bytes| core::str::from_utf8(bytes).unwrap();
        parameters(query.as_bytes()).map(|(name, value)| (text(name), text(value))).collect()
    }

    #[test]
    fn names_values_and_repeats_come_in_order() {
        assert_eq!(read("a=1&b=2&a=3=4"), [("a", "1"), ("b", "2"), ("a", "3=4")]);
    }

    #[test]
    fn odd_pairs_are_read_too() {
        assert_eq!(read("&&a&=v&b=&"), [("a", ""), ("", "v"), ("b", "")]);
        assert_eq!(read(""), []);
    }

    #[test]
    fn a_flood_of_parameters_is_cut() {
        assert_eq!(parameters("a=1&".repeat(5000).as_bytes()).count(), MAX_PARAMETERS);
    }
}
