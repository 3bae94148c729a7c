//! Claims of a token that Envoy verified (`jwt_authn` metadata). Nothing here parses a token: what a client writes into a header
//! is no claim.

/// The claims of a request's verified token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Claims<'a> {
    /// Nothing verified one, or the gate could not ask: no claim is known, and none is known to be absent.
    #[default]
    Unknown,
    /// Names and values, as text; a claim that is a list comes once for each of its values, one that lies in an object under its
    /// names joined by dots.
    Known(&'a [(&'a [u8], &'a [u8])]),
}

impl<'a> Claims<'a> {
    /// Every value of the claim `name`, in order; a token that does not have it: none. `None`: no token is known.
    #[must_use]
    pub fn values(self, name: &'a [u8]) -> Option<impl Iterator<Item = &'a [u8]> + use<'a>> {
        let Self::Known(pairs) = self else { return None };
        Some(pairs.iter().filter(move |(n, _)| *n == name).map(|(_, value)| *value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_claim_and_an_absent_token_are_told_apart() {
        let claims = Claims::Known(&[(b"sub", b"alice"), (b"groups", b"ops"), (b"Sub", b"x"), (b"groups", b"dev")]);
        let values = |name| claims.values(name).map(|values| values.collect::<Vec<_>>());
        assert_eq!(values(b"groups"), Some(vec![&b"ops"[..], b"dev"]));
        assert_eq!(values(b"sub"), Some(vec![&b"alice"[..]]));
        assert_eq!(values(b"iss"), Some(vec![]));
        assert!(Claims::default().values(b"sub").is_none());
    }
}
