//! A fingerprint is its text and its text is it; headers that say nothing of the client, and the case of names, change nothing.

use gatehouse_signals::fingerprint::{Fingerprint, fingerprint};

use crate::given::Given;

/// Headers; a line `?text` is read as a fingerprint.
pub fn check(bytes: &[u8]) {
    let given = Given::read(bytes);
    let mut pairs = given.pairs();
    let own = fingerprint(&given.head(&pairs));
    let text = own.to_string();
    assert_eq!((Fingerprint::parse(&text), own.text().as_bytes()), (Some(own), text.as_bytes()));

    let upper: Vec<Vec<u8>> = pairs.iter().map(|(name, _)| name.to_ascii_uppercase()).collect();
    let shouted: Vec<_> = upper.iter().zip(&pairs).map(|(name, (_, value))| (name.as_slice(), *value)).collect();
    assert_eq!(fingerprint(&given.head(&shouted)), own, "names have no case");
    pairs.insert(pairs.len() / 2, (b"cookie", b"a=1"));
    pairs.insert(0, (b"x-request-id", b"7"));
    assert_eq!(fingerprint(&given.head(&pairs)), own, "neither cookies nor Envoy's own headers count");

    if let Some(parsed) = given.text("text").and_then(Fingerprint::parse) {
        assert_eq!(Some(parsed.to_string().as_str()), given.text("text"));
        assert_eq!(parsed.key() == own.key(), parsed == own, "different fingerprints, different keys");
    }
}
