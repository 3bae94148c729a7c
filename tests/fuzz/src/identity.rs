//! SPIFFE ids read are what was written; a pattern with a wildcard meets nothing but SPIFFE ids, one without nothing but itself.

use gatehouse_signals::Spiffe;
use gatehouse_signals::identity::{any_trust_domain, check as allowed, matches, service_account_pattern};

/// Two lines: a pattern, a URI.
pub fn check(bytes: &[u8]) {
    let (pattern, uri) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, bytes),
    };
    if let Ok(id) = Spiffe::parse(uri) {
        assert_eq!(format!("spiffe://{}{}", id.trust_domain(), id.path()).as_bytes(), uri);
        assert!(matches(uri, uri) && allowed(uri).is_ok(), "an id is its own pattern");
        assert!(matches(b"spiffe://*/**", uri) != id.path().is_empty(), "the widest pattern");
        if let Some(account) = id.service_account() {
            let pattern = service_account_pattern(&account.to_string(), id.trust_domain());
            assert!(pattern.is_ok_and(|pattern| matches(pattern.as_bytes(), uri)));
        }
    }
    if matches(pattern, uri) && pattern != uri {
        assert!(pattern.contains(&b'*'), "only a wildcard meets another text");
        assert!(Spiffe::parse(uri).is_ok(), "and only SPIFFE ids");
        assert!(
            any_trust_domain(pattern)
                || uri.starts_with(pattern.split(|byte| *byte == b'*').next().unwrap_or_default())
        );
    }
}
