//! Envoy's list of header pairs is refused, or read without leaving the buffer and written back as it was.

#[path = "../../../filters/gatehouse-filter/src/host/pairs.rs"]
#[allow(dead_code, reason = "the filter's own file, of which this uses a part")]
mod pairs;

/// A header map as the host hands it over.
pub fn check(bytes: &[u8]) {
    let Some(read) = pairs::Pairs::parse(bytes.to_vec()) else { return };
    assert!(read.len() <= bytes.len() / 10, "each pair takes ten bytes at least");
    assert_eq!(read.iter().count(), read.len());
    let sum: usize = read.iter().map(|(name, value)| name.len() + value.len() + 10).sum();
    assert!(bytes.is_empty() || sum + 4 <= bytes.len(), "no byte is given twice");
    let all: Vec<(&[u8], &[u8])> = read.iter().collect();
    let written = pairs::encode(all.iter().copied());
    let again = pairs::Pairs::parse(written).expect("our own form");
    assert!(again.iter().eq(read.iter()));
    assert_eq!(read.name(0), read.iter().next().map(|(name, _)| name));
}
