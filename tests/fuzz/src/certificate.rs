//! The identity in a gate's certificate: what is read is a SPIFFE id that stands in the bytes as it is, and nothing that could break a
//! line of the log.

#[path = "../../../sidecar/src/intake/identity.rs"]
#[allow(dead_code, reason = "the sidecar's own, of which this uses a part")]
mod identity;

/// A certificate in DER.
pub fn check(bytes: &[u8]) {
    let Ok(read) = identity::identity(bytes) else { return };
    assert!(read.starts_with("spiffe://") && (12..=2048).contains(&read.len()), "{read:?}");
    assert!(read.bytes().all(|byte| byte.is_ascii_graphic()), "{read:?}");
    assert!(bytes.windows(read.len()).any(|part| part == read.as_bytes()), "{read:?}");
}
